"""Processes that are killed for real, and what that may cost: in a test a few, in a soak many."""

from __future__ import annotations

import os
import time

from tests.peers.daemon import Client, DaemonProcess, audio_pid, descendants, engine_pid
from tests.processes import KILL

TOLD_SECONDS = 5 * 1.0
"""Within a second a dead engine is told, as the issue says; five times that is asserted."""
LOST_SECONDS = 5 * 1.5


def kill_engine(daemon: DaemonProcess, client: Client, times: int) -> None:
    """Kill the engine while it is at work: that request fails, the next one succeeds."""
    for attempt in range(times):
        running, waiting = f"{client.name}-{attempt}a", f"{client.name}-{attempt}b"
        client.send("/bridge/generate", running, *("melody", "none", "bars", 14))
        client.send("/bridge/generate", waiting, *("melody", "none", "bars", 1))
        client.wait_for(
            lambda told, id=running: (  # type: ignore[misc]
                told.address == "/bridge/progress"
                and told.arguments[0] == id
                and float(str(told.arguments[1])) > 0
            ),
            "progress",
        )
        pid = engine_pid(daemon)
        killed = time.perf_counter()
        os.kill(pid, KILL)
        assert client.failed(running)[0] == "engine-died"
        assert client.ended(running).seconds - killed < TOLD_SECONDS
        assert len(client.done(waiting)) == 1
        assert pid not in descendants(daemon.process.pid)
    assert list(daemon.clips.rglob(".*")) == [], "no part of a clip is left"


def kill_audio(daemon: DaemonProcess, client: Client, times: int) -> None:
    """Kill the audio process while a clip is rendered: it is told, replaced, and the clip comes."""
    engine = engine_pid(daemon)
    for attempt in range(times):
        id = f"{client.name}-{attempt}"
        client.send("/bridge/generate", id, *("melody", "none", "bars", 1))
        already = len(client.events)
        killed = time.perf_counter()
        os.kill(audio_pid(daemon), KILL)
        lost = client.wait("/bridge/input", "lost", after=already)
        assert lost.seconds - killed < LOST_SECONDS
        client.wait("/bridge/input", "ready", after=client.events.index(lost))
        assert len(client.done(id)) == 1
    assert engine_pid(daemon) == engine
