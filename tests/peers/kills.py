"""Kills of the engine and the audio process, and what they may cost."""

from __future__ import annotations

import os
import time

from tests.peers.daemon import Client, DaemonProcess, audio_pid, descendants, engine_pid
from tests.processes import KILL

TIMES = 2
"""Kills in a test; a soak makes more."""
ENGINE_DIED_SECONDS = 5 * 1.0
"""Clients hear within a second that the engine died; five times that is asserted."""
INPUT_LOST_SECONDS = 5 * 1.5
"""Clients hear within 1.5 s that the input is gone."""


def kill_engine(daemon: DaemonProcess, client: Client, times: int = TIMES) -> None:
    """Kill the engine during a request: that request fails, the next one succeeds."""
    for attempt in range(times):
        running, waiting = f"{client.name}-{attempt}a", f"{client.name}-{attempt}b"
        client.send("/bridge/generate", running, *("melody", "none", "bars", 14))
        client.send("/bridge/generate", waiting, *("melody", "none", "bars", 1))
        client.wait_for(
            lambda event, id=running: (  # type: ignore[misc]
                event.address == "/bridge/progress"
                and event.arguments[0] == id
                and float(str(event.arguments[1])) > 0
            ),
            "progress",
        )
        pid = engine_pid(daemon)
        killed = time.perf_counter()
        os.kill(pid, KILL)
        assert client.failed(running)[0] == "engine-died"
        assert client.ended(running).seconds - killed < ENGINE_DIED_SECONDS
        assert len(client.done(waiting)) == 1
        assert pid not in descendants(daemon.process.pid)
    assert list(daemon.clips.rglob(".*")) == [], "no part of a clip is left"


def kill_audio(daemon: DaemonProcess, client: Client, times: int = TIMES) -> None:
    """Kill the audio process while a clip is rendered: it is replaced, and the clip is made."""
    engine = engine_pid(daemon)
    for attempt in range(times):
        id = f"{client.name}-{attempt}"
        client.send("/bridge/generate", id, *("melody", "none", "bars", 1))
        already = len(client.events)
        killed = time.perf_counter()
        os.kill(audio_pid(daemon), KILL)
        lost = client.wait("/bridge/input", "lost", after=already)
        assert lost.seconds - killed < INPUT_LOST_SECONDS
        client.wait("/bridge/input", "ready", after=client.events.index(lost))
        assert len(client.done(id)) == 1
    assert engine_pid(daemon) == engine
