"""Kills of the engine and the audio process, and what they may cost."""

from __future__ import annotations

import os
import time

from bridge.daemon.renders import GENERATED_SHARE
from tests.peers.daemon import (
    Client,
    DaemonProcess,
    Received,
    audio_pid,
    descendants,
    engine_pid,
)
from tests.processes import KILL

TIMES = 2
"""Kills in a test; a soak makes more."""
ENGINE_DIED_SECONDS = 5 * 1.0
"""Clients hear within a second that the engine died; five times that is asserted."""
INPUT_LOST_SECONDS = 5 * 1.5
"""Clients hear within 1.5 s that the input is gone."""


def kill_engine(daemon: DaemonProcess, client: Client, times: int = TIMES) -> None:
    """Kill the engine during a request: once, and it is made again; twice, and it fails.

    The request that waits behind it succeeds each time.
    """
    for attempt in range(times):
        running, waiting = f"{client.name}-{attempt}a", f"{client.name}-{attempt}b"
        client.send("/bridge/generate", running, *("melody", "none", "bars", 14))
        client.send("/bridge/generate", waiting, *("melody", "none", "bars", 1))
        fails = attempt % 2 == 1
        killed = [_kill_at_work(daemon, client, running)]
        heard = client.wait("/bridge/remark", running)
        assert "second attempt" in str(heard.arguments[1])
        if fails:
            killed.append(_kill_at_work(daemon, client, running, client.events.index(heard)))
            code, message = client.failed(running)
            assert code == "engine-died" and "ask again" in message
            heard = client.ended(running)
        else:
            assert len(client.done(running)) == 1
        assert heard.seconds - killed[-1][1] < ENGINE_DIED_SECONDS
        assert len(client.done(waiting)) == 1
        # That all which a clip needs is made may be found once the engine is at the next request.
        steps = [
            event
            for event in client.of(running)
            if event.address == "/bridge/progress"
            and float(str(event.arguments[1])) < GENERATED_SHARE - 1e-3
        ]
        assert client.events.index(working(client, waiting)) > client.events.index(steps[-1])
        assert not {pid for pid, _ in killed} & set(descendants(daemon.process.pid))
    assert list(daemon.clips.rglob(".*")) == [], "no part of a clip is left"


def working(client: Client, id: str, after: int = 0) -> Received:
    """Wait until the engine works on a request, and return the first event that says so.

    Args:
        after: how many events to ignore.
    """
    return client.wait_for(
        lambda event: (
            event.address == "/bridge/progress"
            and event.arguments[0] == id
            and float(str(event.arguments[1])) > 0
        ),
        f"progress of {id}",
        after=after,
    )


def _kill_at_work(
    daemon: DaemonProcess, client: Client, id: str, after: int = 0
) -> tuple[int, float]:
    """Kill the engine once it works on that request; return the process and the time."""
    working(client, id, after)
    pid = engine_pid(daemon)
    os.kill(pid, KILL)
    return pid, time.perf_counter()


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
