"""Hard use for a long time, for `make soak`. `make test` does not collect this file.

SOAK_SECONDS shortens the performance and the floods, for work on this file.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.daemon.loop_set import perform
from tests.daemon.loop_stage import on_stage
from tests.peers.daemon import (
    Client,
    DaemonProcess,
    audio_pid,
    engine_pid,
    memory_bytes,
    running,
)
from tests.peers.daw import Daw
from tests.peers.floods import PONG_SECONDS, Audience, flood, floods
from tests.peers.jack import LONG_PERIOD, JackServer, playing
from tests.peers.kills import kill_audio, kill_engine
from tests.peers.wait import until

SOAK_SECONDS = float(os.environ.get("SOAK_SECONDS", "600"))
FLOOD_SECONDS = SOAK_SECONDS / 10
MEMORY_GROWTH = 0.03
KILLS = 50
SET_SECONDS = 120.0
"""A part of the long set of live loops: what is heard of a part fits the memory."""
SET_KILLS = 3


@pytest.fixture(scope="module")
def jack_period() -> int:
    """Long periods: a busy machine misses few of them."""
    return LONG_PERIOD


@pytest.fixture
def daemon(jack_server: JackServer, tmp_path: Path) -> Iterator[DaemonProcess]:
    """A daemon on the server's sound card, with `pocket`."""
    with running(tmp_path / "Clips", input="system") as daemon:
        daemon.logged("input", state="ready")
        yield daemon.ready()


def used(pid: int) -> tuple[int, int, int]:
    """A process's own memory in bytes, its open files, and its threads."""
    process = Path(f"/proc/{pid}")
    threads = len(list((process / "task").iterdir()))
    return memory_bytes(pid), len(list((process / "fd").iterdir())), threads


def test_memory_files_and_threads_stay_level_in_ten_minutes_of_use(
    daemon: DaemonProcess, melodies: Path, tmp_path: Path
) -> None:
    hum, _ = soundfile.read(melodies / "twinkle-hum-100bpm.wav", dtype="float32")
    bar_seconds = 2.4
    rounds = int(SOAK_SECONDS / (len(hum) / 44_100)) + 2
    start = time.perf_counter() + 6
    pids = {
        "daemon": daemon.process.pid,
        "audio": audio_pid(daemon),
        "engine": engine_pid(daemon),
    }
    measured: list[dict[str, tuple[int, int, int]]] = []
    requests = clips = 0
    with (
        Client(daemon.port, "soak") as client,
        Daw(daemon.port, start_seconds=start, tempo_bpm=100.0) as daw,
        playing(np.tile(hum, (2, rounds)).T, at_seconds=start, folder=tmp_path),
    ):
        until(lambda: time.perf_counter() > daw.seconds_of(13), "three bars")
        next_minute = 0.0
        while (now := time.perf_counter() - start) < SOAK_SECONDS:
            requests += 1
            take, clip = f"soak-{requests}a", f"soak-{requests}b"
            client.send("/bridge/capture/last", take, 2)
            client.send("/bridge/generate", clip, *("bars", 2, "preset", "lofi-keys"))
            end = client.ended(clip)
            # A period that a busy machine misses may cost a take, and nothing more.
            assert end.address == "/bridge/done" or end.arguments[1] == "not-enough-bars", end
            if end.address == "/bridge/done":
                clips += 1
                client.send("/bridge/discard", clip)
            if now >= next_minute:
                next_minute += SOAK_SECONDS / 10
                measured.append({name: used(pid) for name, pid in pids.items()})
                print(f"{now:5.0f} s, {clips} clips, {measured[-1]}", flush=True)
            until(lambda: time.perf_counter() > start + now + bar_seconds, "the next bar")
    print(f"{clips} clips of {requests}")
    assert clips > SOAK_SECONDS / 30
    half = len(measured) // 2
    for name in pids:
        assert_level(measured[half - 3 : half + 1], measured[-4:], name)


def assert_level(
    before: Sequence[dict[str, tuple[int, int, int]]],
    after: Sequence[dict[str, tuple[int, int, int]]],
    name: str,
) -> None:
    """Assert that a process uses no more than before."""
    # The lowest figures: they rise during a request.
    memory, files, threads = lowest(before, name)
    last_memory, last_files, last_threads = lowest(after, name)
    assert last_memory <= memory * (1 + MEMORY_GROWTH) + 2**20, name
    assert last_files <= files + 1 and last_threads <= threads + 1, name


def lowest(measured: Sequence[dict[str, tuple[int, int, int]]], name: str) -> tuple[int, ...]:
    """The lowest value of each figure of a process."""
    return tuple(map(min, zip(*(each[name] for each in measured), strict=True)))


def test_half_an_hour_of_live_loops_is_on_its_frames(
    jack_server: JackServer, tmp_path: Path
) -> None:
    parts = max(1, round(3 * SOAK_SECONDS / SET_SECONDS))
    kills_at = {parts * (number + 1) // (SET_KILLS + 1) for number in range(SET_KILLS)}
    measured: list[dict[str, tuple[int, int, int]]] = []
    faults: list[int] = []
    compared = 0
    with on_stage(tmp_path) as daemon:
        daemon.ready()
        for part in range(parts):
            played = perform(
                jack_server,
                daemon,
                tmp_path,
                seconds=SET_SECONDS,
                kills=int(part in kills_at),
                most_bars=8,
                seed=part,
                loses_input=part == parts // 2,
            )
            pids = {"daemon": daemon.process.pid, "audio": audio_pid(daemon)}
            measured.append({name: used(pid) for name, pid in pids.items()})
            print(f"part {part + 1} of {parts}: {played.summary()}, {measured[-1]}", flush=True)
            try:
                played.check()
            except AssertionError as fault:
                # The other parts are worth their time all the same.
                print(f"part {part + 1} failed: {fault}", flush=True)
                faults.append(part + 1)
            compared += played.compared
    assert not faults, f"parts {faults} failed: see above"
    assert compared >= parts
    half = len(measured) // 2
    if half > 3:
        # The audio process is a new one after the input was lost.
        for name in measured[0]:
            assert_level(measured[half + 1 : half + 4], measured[-3:], name)


@pytest.mark.parametrize("name", tuple(floods(0, "")))
def test_pings_are_answered_in_a_minute_of_each_flood(daemon: DaemonProcess, name: str) -> None:
    with Client(daemon.port, "known") as client:
        client.send("/bridge/presets", "known-1")
        client.ended("known-1")
    pid = daemon.process.pid
    with Audience(daemon.port) as audience:
        packets = floods(audience.ports[0], "known-1")[name]
        flood(daemon.port, audience, packets, FLOOD_SECONDS / 4)
        before = memory_bytes(pid)
        flooded = flood(daemon.port, audience, packets, FLOOD_SECONDS)
    print(f"{name}: pongs after {1000 * flooded.p99_seconds:.1f} ms (p99)", flush=True)
    assert flooded.p99_seconds < PONG_SECONDS
    after = memory_bytes(pid)
    print(f"{name}: {before / 2**20:.0f} MiB before, {after / 2**20:.0f} after", flush=True)
    assert after <= before * (1 + MEMORY_GROWTH) + 2**23


def test_fifty_kills_of_the_engine(daemon: DaemonProcess) -> None:
    with Client(daemon.port) as client:
        kill_engine(daemon, client, KILLS)


def test_fifty_kills_of_the_audio_process(daemon: DaemonProcess) -> None:
    with Client(daemon.port) as client:
        kill_audio(daemon, client, KILLS)
