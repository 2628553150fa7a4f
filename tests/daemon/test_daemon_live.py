"""The daemon on a sound card: JACK's dummy server, with audio that other programs play into it.

A test repeats a performance that a missed period spoiled.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from bridge.control.packets import write_message
from bridge.timing import Meter, bars_to_frames, parse_tempo
from tests.peers.daemon import Client, DaemonProcess, memory_bytes, running
from tests.peers.daw import Daw
from tests.peers.jack import (
    SAMPLE_RATE,
    JackServer,
    excusing_xruns,
    playing,
    playing_file,
    without_xruns,
)
from tests.peers.kills import kill_audio
from tests.peers.osc_programs import Message, send_by_oscsend, send_by_pd
from tests.peers.takes import click_starts, recorded
from tests.peers.timeline import Timeline, clicks
from tests.peers.wait import until

LEAD_SECONDS = 4.0
"""Time for a player to start, and for the clock to receive the DAW's messages."""
FLOOD_PACKETS, FLOOD_PER_SECOND = 100_000, 20_000


@pytest.fixture(scope="module")
def daemon(
    module_jack_server: JackServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DaemonProcess]:
    """A daemon that records the server's sound card, with `pocket`."""
    clips = tmp_path_factory.mktemp("live") / "Clips"
    with running(clips, input="system") as daemon:
        daemon.logged("input", state="ready")
        yield daemon.ready()


@pytest.fixture
def client(daemon: DaemonProcess, request: pytest.FixtureRequest) -> Iterator[Client]:
    with Client(daemon.port, request.node.name[-40:]) as client:
        yield client


def at(seconds: float) -> None:
    """Wait for an instant of a performance."""
    until(lambda: time.perf_counter() >= seconds, "the instant to play at")


@pytest.mark.parametrize(
    ("address", "tempo_bpm", "numerator"),
    [("/bridge/capture/last", 200.0, 4), ("/bridge/capture/start", 187.3, 3)],
)
def test_a_take_starts_on_the_bar_line_and_every_click_is_on_its_beat(
    daemon: DaemonProcess,
    client: Client,
    jack_server: JackServer,
    tmp_path: Path,
    address: str,
    tempo_bpm: float,
    numerator: int,
) -> None:
    bars, meter = 4, Meter(numerator, 4)

    def attempt() -> None:
        id = f"{client.name}-{time.monotonic_ns()}"
        start = time.perf_counter() + LEAD_SECONDS
        played = clicks(Timeline(start, (0, tempo_bpm)), bars + 1, meter, SAMPLE_RATE)
        with (
            Daw(daemon.port, start_seconds=start, tempo_bpm=tempo_bpm, numerator=numerator) as daw,
            playing(played, at_seconds=start, folder=tmp_path),
        ):
            # `last` is sent in the bar after the captured ones, `start` in the bar before.
            at(daw.seconds_of(numerator * (bars + 0.3 if "last" in address else 0.5)))
            client.send(address, id, bars)
            client.done(id)
        samples, rate = recorded(client, id)
        frames = bars_to_frames(bars, meter, parse_tempo(tempo_bpm), SAMPLE_RATE)
        assert (rate, samples.shape) == (SAMPLE_RATE, (frames, 2))
        beat_frames = 60 / tempo_bpm * SAMPLE_RATE
        starts = click_starts(samples)
        # A click may begin just before frame 0 or end just after the last.
        assert bars * numerator - 1 <= len(starts) <= bars * numerator + 1
        beats = np.round(starts / beat_frames)
        errors_ms = np.abs(starts - beats * beat_frames) / SAMPLE_RATE * 1000
        print(f"{address}: clicks {np.percentile(errors_ms, 95):.2f} ms off at 95 %")
        assert np.percentile(errors_ms, 95) <= 5.0
        is_bar_line = samples[np.minimum(starts + 1, frames - 1), 0] > 0.6
        assert np.mean(is_bar_line == (beats % numerator == 0)) >= 0.95

    excusing_xruns(jack_server, attempt)


def test_a_capture_equals_the_played_file_bit_for_bit(
    daemon: DaemonProcess, client: Client, jack_server: JackServer, tmp_path: Path
) -> None:
    noise = np.random.default_rng(4).uniform(-0.5, 0.5, (2 * SAMPLE_RATE, 2)).astype(np.float32)
    file = tmp_path / "noise.wav"
    soundfile.write(file, noise, SAMPLE_RATE, subtype="FLOAT")

    def attempt() -> str:
        id = f"{client.name}-{time.monotonic_ns()}"
        client.send("/bridge/capture/start", id)
        client.wait("/bridge/capture", id, "waiting")
        with playing_file(jack_server, file):
            client.wait("/bridge/capture", id, "recording")
        client.send("/bridge/capture/stop", id)
        client.ended(id)
        return id

    id = without_xruns(jack_server, attempt)
    client.done(id)
    samples, _ = recorded(client, id)
    first = int(np.flatnonzero(samples.any(axis=1))[0])
    # The capture begins a little before the onset.
    assert first < 0.02 * SAMPLE_RATE
    assert np.array_equal(samples[first : first + len(noise)], noise)


def hum_as_played(melodies: Path) -> NDArray[np.float32]:
    """A hum of four bars at 100 bpm in two channels, at the server's rate."""
    hum, rate = soundfile.read(melodies / "twinkle-hum-100bpm.wav", dtype="float32")
    assert rate == SAMPLE_RATE
    samples: NDArray[np.float32] = np.stack([hum, hum], axis=1)
    return samples


def test_the_notes_of_a_hum_are_published_while_it_sounds(
    client: Client, jack_server: JackServer, melodies: Path, tmp_path: Path
) -> None:
    with playing(hum_as_played(melodies), folder=tmp_path):
        # Twinkle: six notes of the key's first, fifth and sixth degree.
        until(lambda: {60, 67, 69} <= set(client.pitches), "the first notes", 60)
    until(lambda: client.pitches[-1] == -1, "the end of the voice")


def test_a_hum_becomes_a_clip_as_similar_to_it_as_the_offline_path_makes(
    daemon: DaemonProcess,
    client: Client,
    jack_server: JackServer,
    melodies: Path,
    tmp_path: Path,
    require_program: Callable[[str], str],
) -> None:
    """Both OSC programs capture the same performance."""
    oscsend, pd = require_program("oscsend"), require_program("pd")
    bars, tempo_bpm, seed = 4, 100.0, 7
    sound = ("prompt", "electric piano, bass and drums", "bars", bars, "seed", seed)

    def messages(name: str) -> list[Message]:
        return [
            ("/bridge/capture/last", (f"{name}-1", bars)),
            ("/bridge/generate", (f"{name}-2", *sound)),
        ]

    def attempt() -> tuple[list[str], bool]:
        """The names that the programs used, and whether both captured the hum's four bars."""
        names = [f"{program}{time.monotonic_ns()}" for program in ("oscsend", "pd")]
        start = time.perf_counter() + LEAD_SECONDS
        with (
            Daw(daemon.port, start_seconds=start, tempo_bpm=tempo_bpm) as daw,
            playing(hum_as_played(melodies), at_seconds=start, folder=tmp_path),
        ):
            at(daw.seconds_of(4 * bars + 0.2))
            send_by_oscsend(oscsend, daemon.port, messages(names[0]))
            send_by_pd(pd, daemon.port, messages(names[1]), tmp_path)
            captured = [client.ended(f"{name}-1") for name in names]
        # A bar later the last four bars are other ones.
        in_time = all(end.seconds < daw.seconds_of(4 * bars + 4) for end in captured)
        return names, in_time and all(end.address == "/bridge/done" for end in captured)

    # A missed period is a short silence, which changes no melody; many of them fail a capture.
    for _ in range(3):
        names, captured = excusing_xruns(jack_server, attempt)
        if captured:
            break
    offline = subprocess.run(
        [
            *(sys.executable, "-m", "bridge", "render", str(melodies / "twinkle-hum-100bpm.wav")),
            *("--melody-tempo", "100", "--tempo", "100", "--prompt", str(sound[1])),
            *("--bars", str(bars), "--seed", str(seed), "--out", str(tmp_path), "--json"),
        ],
        capture_output=True,
        check=True,
    )
    (rendered,) = json.loads(offline.stdout)["clips"]
    frames = bars_to_frames(bars, Meter(), parse_tempo(tempo_bpm), 44_100)
    for name in names:
        client.done(f"{name}-1")
        (clip,) = client.done(f"{name}-2")
        assert soundfile.info(str(clip.arguments[3])).frames == frames
        score = float(str(clip.arguments[7]))
        print(f"{name}: live {score:.3f}, offline {rendered['melody_similarity']:.3f}")
        assert abs(score - rendered["melody_similarity"]) <= 0.1
        assert score >= 0.7


def test_the_level_is_published_ten_times_a_second(client: Client) -> None:
    client.wait("/bridge/input", "ready", "system")
    start, first = time.perf_counter(), client.levels
    until(lambda: client.levels >= first + 20, "20 levels")
    assert 1.5 < time.perf_counter() - start < 5 * 2


def test_a_lost_device_is_reported_keeps_its_recording_and_comes_back(
    daemon: DaemonProcess, client: Client, jack_server: JackServer, tmp_path: Path
) -> None:
    recording, waiting = f"{client.name}-1", f"{client.name}-2"
    noise = np.random.default_rng(5).uniform(-0.3, 0.3, (SAMPLE_RATE, 2)).astype(np.float32)
    client.send("/bridge/capture/start", recording)
    client.wait("/bridge/capture", recording, "waiting")
    with playing(noise, folder=tmp_path):
        client.wait("/bridge/capture", recording, "recording")
    client.send("/bridge/capture/start", waiting)
    client.wait("/bridge/capture", waiting, "waiting")
    already = len(client.events)
    killed = time.perf_counter()
    jack_server.kill()
    lost = client.wait("/bridge/input", "lost", after=already)
    assert lost.seconds - killed < 5 * 1.5
    client.done(recording)
    assert client.failed(waiting)[0] == "no-input"
    already = len(client.events)
    jack_server.start()
    client.wait("/bridge/input", "ready", after=already)
    samples, _ = recorded(client, recording)
    assert len(samples) > 0.9 * SAMPLE_RATE
    client.send("/bridge/capture/start", f"{client.name}-3", 1)
    with playing(np.tile(noise, (4, 1)), folder=tmp_path):
        client.done(f"{client.name}-3")


def test_an_audio_process_that_is_killed_is_replaced_and_the_engine_goes_on(
    daemon: DaemonProcess, client: Client
) -> None:
    kill_audio(daemon, client)


def test_a_flood_of_messages_costs_capture_nothing_and_is_counted(
    daemon: DaemonProcess, client: Client, jack_server: JackServer
) -> None:
    packets = [
        write_message("/bridge/transport", [120.0, 0.0, 0, 4, 4]),
        write_message("/bridge/nothing", [1]),
        write_message("/bridge/set", ["bars", 0]),
        b"no OSC at all",
    ]

    def attempt() -> tuple[int, float, int]:
        client.sync()
        already = len(daemon.log)
        before, start = memory_bytes(daemon.process.pid), time.perf_counter()
        sent, pace = 0, threading.Event()
        # On a busy machine it takes longer.
        while sent < FLOOD_PACKETS:
            due = int((time.perf_counter() - start) * FLOOD_PER_SECOND)
            for _ in range(min(due, FLOOD_PACKETS) - sent):
                client.send_bytes(packets[sent % len(packets)])
                sent += 1
            pace.wait(0.002)
        seconds = time.perf_counter() - start
        client.sync()
        return already, seconds, memory_bytes(daemon.process.pid) - before

    already, seconds, grown = without_xruns(jack_server, attempt)
    rate = FLOOD_PACKETS / seconds
    print(f"{rate:.0f} packets a second, {grown / 1024:.0f} KiB more memory")
    assert grown < 10 * 1024**2
    assert [line for line in daemon.log[already:] if line.get("event") == "overflow"] == []
    # The log counts refused messages, and dropped ones where the machine was too slow.
    lines = daemon.log[already:]
    assert any("were refused" in line["message"] for line in lines)
    if any(line.get("event") == "dropped" for line in lines):
        assert 0 < daemon.logged("dropped", after=already)["dropped"] < 10 * FLOOD_PACKETS
