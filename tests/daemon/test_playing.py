"""The daemon plays clips on a sound card: JACK's dummy server, whose outputs a client records."""

from __future__ import annotations

import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bridge.audio import Waveform
from bridge.delivery import write_clip
from bridge.timing import Meter
from tests.peers.daemon import Client, DaemonProcess, running
from tests.peers.daw import Daw
from tests.peers.jack import SAMPLE_RATE, JackServer, excusing_xruns, recording
from tests.peers.wait import until

TEMPO_BPM = 150
BAR_SECONDS = 4 * 60 / TEMPO_BPM


def write(folder: Path, request: str, level: float) -> None:
    """Write a clip of one bar: a loud click at its start, and quieter noise after it."""
    frames = round(BAR_SECONDS * SAMPLE_RATE)
    random = np.random.default_rng(3)
    samples = random.uniform(-0.02, 0.02, (frames, 2)).astype(np.float32)
    samples[100:1000] = level
    write_clip(
        folder,
        Waveform(samples, SAMPLE_RATE),
        {
            **{"request": request, "index": 0, "bars": 1, "tempo_bpm": Fraction(TEMPO_BPM)},
            **{"meter": "4/4", "seed": 1, "sample_rate": SAMPLE_RATE, "melody_similarity": None},
        },
        name=request,
        bars=1,
        tempo_bpm=Fraction(TEMPO_BPM),
        meter=Meter(),
    )


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two clips, of the requests `old-1` and `old-2`."""
    folder = tmp_path_factory.mktemp("playing") / "Clips"
    folder.mkdir()
    write(folder, "old-1", 0.4)
    write(folder, "old-2", -0.4)
    return folder


@pytest.fixture(scope="module")
def daemon(module_jack_server: JackServer, clips: Path, model: Path) -> Iterator[DaemonProcess]:
    """A daemon that records and plays on the server's sound card, with no latency to correct."""
    config = clips.parent / "config.toml"
    config.write_text("output_latency_ms = 0\n")
    arguments = ("--config", str(config), "--model", str(model), "--output", "system")
    with running(clips, *arguments, input="system") as daemon:
        daemon.logged("input", state="ready")
        daemon.logged("output", state="ready")
        yield daemon


def clicks(samples: NDArray[np.float32], level: float) -> NDArray[np.int64]:
    """The frames at which clips of that click begin."""
    loud = np.flatnonzero(np.isclose(samples[:, 0], level, atol=0.05))
    return loud[np.flatnonzero(np.diff(loud, prepend=-10_000) > 2000)] - 100


def test_clips_start_swap_and_stop_on_the_bar_lines_of_the_daw(
    jack_server: JackServer, daemon: DaemonProcess, tmp_path: Path
) -> None:
    def attempt() -> None:
        with (
            recording(tmp_path) as recorded,
            Client(daemon.port, "stage") as client,
            Daw(daemon.port, start_seconds=time.perf_counter() + 1, tempo_bpm=TEMPO_BPM) as daw,
        ):

            def reaches(beat: float) -> None:
                until(lambda: time.perf_counter() > daw.seconds_of(beat), f"beat {beat}")

            reaches(1)
            client.send("/bridge/play", "old-1")
            client.wait("/bridge/done", "old-1")
            reaches(14)
            client.send("/bridge/play", "old-2", 0, 1)
            client.wait("/bridge/done", "old-2")
            reaches(26)
            client.send("/bridge/stop")
            reaches(32)
            samples = np.nan_to_num(recorded.samples())
            first, second = clicks(samples, 0.4), clicks(samples, -0.4)
            seconds = recorded.seconds_at(np.concatenate([first, second]))
            end = recorded.seconds_at(np.flatnonzero(samples.any(axis=1))[-1:])
        lines = (seconds - daw.seconds_of(0)) / BAR_SECONDS
        off_ms = 1000 * BAR_SECONDS * (lines - np.round(lines))
        print(f"{len(lines)} bars, {off_ms.min():.1f} to {off_ms.max():.1f} ms off")
        # Late only by what the DAW's messages are, which the clock allows for.
        assert np.abs(off_ms).max() < 25
        assert len(first) == 3 and len(second) == 3
        assert np.diff(np.round(lines)).tolist() == [1] * 5
        # Within a clip's fade of its bar line; each bar is then exactly as long as it is.
        assert (end[0] - seconds[-1]) == pytest.approx(BAR_SECONDS, abs=0.02)

    excusing_xruns(jack_server, attempt)


def test_a_clip_is_stretched_to_the_tempo_of_the_daw(
    jack_server: JackServer, daemon: DaemonProcess, tmp_path: Path
) -> None:
    tempo_bpm = 165.0
    bar_frames = 4 * 60 / tempo_bpm * SAMPLE_RATE

    def attempt() -> None:
        with (
            recording(tmp_path) as recorded,
            Client(daemon.port, "fast") as client,
            Daw(daemon.port, start_seconds=time.perf_counter() + 1, tempo_bpm=tempo_bpm) as daw,
        ):
            until(lambda: time.perf_counter() > daw.seconds_of(1), "the DAW plays")
            client.send("/bridge/play", "old-1", 0, 3)
            client.wait("/bridge/done", "old-1")
            remark = client.wait("/bridge/remark", "-").arguments[1]
            assert remark == (
                "old-1 was made at 150 bpm and is stretched to 165: one made at this tempo "
                "sounds better"
            )
            begun = time.perf_counter()
            until(lambda: time.perf_counter() > begun + 6 * bar_frames / SAMPLE_RATE, "six bars")
            begins = clicks(np.nan_to_num(recorded.samples()), 0.4)
            client.send("/bridge/panic")
            client.sync()
        assert len(begins) >= 4
        # The attack of a stretched click may move by 5 ms, each time in the same way.
        assert np.abs(np.diff(begins) - bar_frames).max() < 0.005 * SAMPLE_RATE

    excusing_xruns(jack_server, attempt)


def test_panic_silences_the_output_and_an_unknown_clip_is_an_error(
    jack_server: JackServer, daemon: DaemonProcess, tmp_path: Path
) -> None:
    def attempt() -> None:
        with recording(tmp_path) as recorded, Client(daemon.port, "panic") as client:

            def plays() -> bool:
                return bool(np.nan_to_num(recorded.samples()[-4 * 512 :]).any())

            client.send("/bridge/gain", 2, -6)
            client.send("/bridge/play", "old-1", 0, 2)
            client.wait("/bridge/done", "old-1")
            until(plays, "the clip plays")
            client.send("/bridge/panic")
            until(lambda: not plays(), "silence")
            client.send("/bridge/play", "unknown-1")
            assert client.failed("unknown-1")[0] == "unknown-id"

    excusing_xruns(jack_server, attempt)


def test_without_an_output_playing_is_an_error_with_the_remedy(clips: Path, model: Path) -> None:
    with running(clips, "--model", str(model)) as daemon, Client(daemon.port, "none") as client:
        client.send("/bridge/play", "old-1")
        code, message = client.failed("old-1")
        assert code == "unsupported" and "start with --output NAME" in message
        client.send("/bridge/stop")
        assert "no output is chosen" in str(client.wait("/bridge/error", "-").arguments[2])
        client.send("/bridge/panic")
        client.sync()
