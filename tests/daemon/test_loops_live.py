"""Live loops on a real daemon: JACK as sound card and clock, a DAW over OSC, and a MIDI pedal."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from bridge.audio import Waveform
from bridge.delivery import write_clip
from bridge.timing import Meter
from tests.peers.daemon import Client, DaemonProcess, engine_pid, running
from tests.peers.daw import Daw
from tests.peers.jack import (
    SAMPLE_RATE,
    JackRecording,
    JackServer,
    excusing_xruns,
    playing,
    recording,
)
from tests.peers.midi import Timed, sending
from tests.peers.transport import leading
from tests.peers.wait import until
from tests.processes import KILL

TEMPO_BPM = 150
BEAT_SECONDS = 60 / TEMPO_BPM
BAR_SECONDS = 4 * BEAT_SECONDS
BARS = 2
LEAD_SECONDS = 1.5
MIDI_PORT = "Melody Bridge:in"
PEDAL_DOWN, PEDAL_UP = bytes((0xB0, 64, 127)), bytes((0xB0, 64, 0))
LOOP = "midi-loop"
TUNE = (60, 62, 64, 67, 69, 67, 64, 62)
"""A pitch for each beat of two bars."""
MOST_OFF_SECONDS = 0.025
"""Measured 0.5 ms; on a busy machine the output estimates worse. `test_loops` counts frames."""
SILENT_FRAMES = 8192
"""Silence of this length at the end of what was heard."""
PIECE_FRAMES = 8000
"""A piece of a clip that is searched for in what was heard."""


@pytest.fixture(scope="module")
def daemon(
    module_jack_server: JackServer, tmp_path_factory: pytest.TempPathFactory, model: Path
) -> Iterator[DaemonProcess]:
    """A daemon with the server's sound card and a tiny model, whose clips come at once."""
    with on_stage(tmp_path_factory.mktemp("loops"), "--model", str(model)) as daemon:
        yield daemon.ready()


@contextmanager
def on_stage(folder: Path, *arguments: str) -> Iterator[DaemonProcess]:
    """Run a daemon with the sound card as input and output, and MIDI through JACK."""
    config = folder / "config.toml"
    config.write_text("output_latency_ms = 0\n")
    more = ("--config", str(config), "--output", "system", *arguments)
    with running(folder / "Clips", *more, input="system", midi="jack") as daemon:
        daemon.logged("input", state="ready")
        daemon.logged("output", state="ready")
        yield daemon


def tune(bars: int, silent_from: int | None = None) -> NDArray[np.float32]:
    """The tune, again and again, in two channels; silence from a bar on."""
    frames = np.arange(round(BEAT_SECONDS * SAMPLE_RATE))
    decay = np.minimum(1, (len(frames) - frames) / 2000)
    notes = []
    for number in range(4 * bars):
        hz = 440 * 2 ** ((TUNE[number % len(TUNE)] - 69) / 12)
        is_silent = silent_from is not None and number >= 4 * silent_from
        amplitude = 0.0 if is_silent else 0.3
        notes.append(amplitude * decay * np.sin(2 * np.pi * hz / SAMPLE_RATE * frames))
    return np.repeat(np.concatenate(notes).astype(np.float32)[:, np.newaxis], 2, axis=1)


class Stage:
    """A client that watches one loop."""

    def __init__(self, client: Client, id: str) -> None:
        self.client, self.id = client, id
        self._seen = 0

    def state(self, sounding: str, coming: str | None = None, *, other_than: str = "-") -> str:
        """Wait until the loop is in a state, with another clip; return that clip's name."""
        event = self.client.wait_for(
            lambda event: (
                event.address == "/bridge/loop"
                and event.arguments[:2] == (self.id, sounding)
                and coming in (None, event.arguments[2])
                and event.arguments[5] != other_than
            ),
            f"{self.id} {sounding} {coming}",
            after=self._seen,
        )
        self._seen = self.client.events.index(event)
        return str(event.arguments[5])

    def remark(self, text: str) -> None:
        """Wait until a remark about the loop begins with a text."""
        self.client.wait_for(
            lambda event: (
                event.address == "/bridge/remark"
                and event.arguments[0] == self.id
                and str(event.arguments[1]).startswith(text)
            ),
            text,
        )


def heard(recorded: JackRecording) -> NDArray[np.float32]:
    """All samples so far, zeros where the server missed periods."""
    return np.nan_to_num(recorded.samples())


def entries(samples: NDArray[np.float32], clips: Path, name: str) -> NDArray[np.int64]:
    """The frames at which repetitions of a clip begin in what was heard."""
    clip, rate = soundfile.read(clips / f"{name}.wav", dtype="float32")
    assert rate == SAMPLE_RATE
    left, first = samples[:, 0], PIECE_FRAMES // 8
    piece = clip[first : first + PIECE_FRAMES, 0]
    size = 1 << (len(left) + len(piece)).bit_length()
    spectrum = np.fft.rfft(left, size) * np.conj(np.fft.rfft(piece, size))
    match = np.fft.irfft(spectrum, size)[: len(left)]
    energy = np.concatenate([[0.0], np.cumsum(left.astype(np.float64) ** 2)])
    ends = np.minimum(np.arange(len(left)) + PIECE_FRAMES, len(left))
    norm = np.sqrt(np.maximum(energy[ends] - energy[:-1], 1e-9) * np.sum(piece**2))
    found = np.flatnonzero(match / norm > 0.99)
    return found[np.flatnonzero(np.diff(found, prepend=-SAMPLE_RATE) > 2000)] - first


def longest_silence_seconds(samples: NDArray[np.float32]) -> float:
    """The longest silence between the first sound and the last."""
    sounding = np.flatnonzero(np.abs(samples).max(axis=1) > 1e-4)
    return float(np.diff(sounding).max()) / SAMPLE_RATE


@pytest.mark.slow
def test_the_pedal_plays_a_set_whose_clips_enter_on_bar_lines_whatever_the_engine_does(
    jack_server: JackServer, tmp_path: Path
) -> None:
    def attempt() -> None:
        with (
            on_stage(tmp_path, "--clock", "jack") as daemon,
            Client(daemon.port, "stage") as client,
            sending() as foot,
            leading(TEMPO_BPM) as leader,
            recording(tmp_path) as recorded,
        ):

            def press(*seconds: float) -> None:
                """Press the pedal, and press it again: for so many seconds each."""
                at, messages = time.perf_counter() + 0.2, []
                for held in seconds:
                    messages += [Timed(at, PEDAL_DOWN), Timed(at + held, PEDAL_UP)]
                    at += held + 0.1
                foot.send(messages)

            daemon.ready()
            jack_server.connect(foot.ports[0], MIDI_PORT)
            client.send("/bridge/set", "bars", BARS)
            stage = Stage(client, LOOP)
            timeline = leader.start()
            begin = timeline.seconds_of(4 * (int(timeline.beat_at(time.perf_counter())) // 4 + 2))
            with playing(tune(24), at_seconds=begin, folder=tmp_path):
                until(lambda: time.perf_counter() > begin + 2.3 * BAR_SECONDS, "two bars")
                press(0.1)
                first = stage.state("playing", other_than="")
                os.kill(engine_pid(daemon), KILL)
                second = stage.state("playing", other_than=first)
                press(1.3)
                assert stage.state("playing", other_than=second) == first
                press(0.1, 0.1)
                stage.state("off", "none")
            samples = heard(recorded)
            frames = np.concatenate(
                [entries(samples, daemon.clips, name) for name in (first, second)]
            )
            seconds = recorded.seconds_at(frames)
        lines = np.array([timeline.beat_at(each) / 4 for each in seconds])
        off_ms = 1000 * BAR_SECONDS * (lines - np.round(lines))
        silence = longest_silence_seconds(samples)
        print(f"{len(lines)} repetitions, {off_ms.min():.2f} to {off_ms.max():.2f} ms off")
        print(f"longest silence {1000 * silence:.1f} ms")
        assert len(lines) >= 3
        assert np.abs(off_ms).max() < 1000 * MOST_OFF_SECONDS
        assert silence < 0.05

    excusing_xruns(jack_server, attempt)


@contextmanager
def band(
    daemon: DaemonProcess, folder: Path, *, bars: int, silent_from: int | None = None
) -> Iterator[tuple[Stage, JackRecording]]:
    """Play the tune to a DAW for so many bars, and begin once two bars are played."""
    start = time.perf_counter() + LEAD_SECONDS
    id = f"set-{time.monotonic_ns()}"
    with (
        Client(daemon.port, "stage") as client,
        recording(folder) as recorded,
        Daw(daemon.port, start_seconds=start, tempo_bpm=TEMPO_BPM),
        playing(tune(bars, silent_from), at_seconds=start, folder=folder),
    ):
        until(lambda: time.perf_counter() > start + 2.3 * BAR_SECONDS, "two bars are played")
        yield Stage(client, id), recorded
        client.send("/bridge/loop/clear", id)


def test_silence_keeps_the_last_loop_and_panic_ends_all(
    jack_server: JackServer, daemon: DaemonProcess, tmp_path: Path
) -> None:
    def attempt() -> None:
        with band(daemon, tmp_path, bars=8, silent_from=2) as (stage, recorded):
            stage.client.send("/bridge/loop/start", stage.id, "bars", BARS, "prompt", "keys")
            first = stage.state("playing", other_than="")
            stage.remark("nothing with a pitch was played: the loop goes on as it is")
            assert stage.state("playing", "capturing") == first
            stage.client.send("/bridge/panic")
            stage.state("off", "none")
            until(lambda: not heard(recorded)[-SILENT_FRAMES:].any(), "silence")
            assert longest_silence_seconds(heard(recorded)) < 0.05

    excusing_xruns(jack_server, attempt)


def test_a_quick_clip_comes_first_and_layers_come_and_go(
    jack_server: JackServer, daemon: DaemonProcess, tmp_path: Path
) -> None:
    def attempt() -> None:
        with band(daemon, tmp_path, bars=10) as (stage, _):
            stage.client.send(
                "/bridge/loop/start", stage.id, "bars", BARS, "prompt", "keys", "quick", 1
            )
            made = stage.client.wait_for(
                lambda event: (
                    event.address == "/bridge/clip"
                    and str(event.arguments[0]).startswith(f"loop:{stage.id}.")
                ),
                "a quick clip",
            )
            assert str(made.arguments[0]).endswith("quick") and made.arguments[4] == 1
            # On a fast machine the whole one is there before the quick one's bar line.
            whole = stage.state("playing", other_than="")
            if " 1bar " in whole:
                whole = stage.state("playing", other_than=whole)
            assert f" {BARS}bars " in whole
            stage.client.send("/bridge/loop/overdub", stage.id)
            over = stage.state("playing", other_than=whole)
            stage.client.send("/bridge/loop/undo", stage.id)
            assert stage.state("playing", other_than=over) == whole
            stage.client.send("/bridge/loop/redo", stage.id)
            assert stage.state("playing", other_than=whole) == over
            stage.client.send("/bridge/loop/freeze", stage.id)
            stage.state("playing", "none")
            stage.client.send("/bridge/loop/stop", stage.id, 1)
            stage.state("off", "none")

    excusing_xruns(jack_server, attempt)


def test_a_daemon_that_is_started_again_resumes_the_last_loop(
    jack_server: JackServer, tmp_path: Path, model: Path
) -> None:
    folder = tmp_path / "Clips"
    folder.mkdir()
    frames = round(BAR_SECONDS * SAMPLE_RATE)
    clip = np.random.default_rng(3).uniform(-0.2, 0.2, (frames, 2)).astype(np.float32)
    for request in ("other-1", "loop:set-1.3", "loop:set-1.4quick"):
        write_clip(
            folder,
            Waveform(clip, SAMPLE_RATE),
            {
                **{"request": request, "index": 0, "bars": 1, "tempo_bpm": Fraction(TEMPO_BPM)},
                **{"meter": "4/4", "seed": 1, "sample_rate": SAMPLE_RATE},
                "melody_similarity": None,
            },
            name=request.replace(":", " "),
            bars=1,
            tempo_bpm=Fraction(TEMPO_BPM),
            meter=Meter(),
        )

    def attempt() -> None:
        with (
            on_stage(tmp_path, "--model", str(model), "--resume") as daemon,
            Client(daemon.port, "stage") as client,
            Daw(daemon.port, start_seconds=time.perf_counter(), tempo_bpm=TEMPO_BPM),
        ):
            stage = Stage(client, "set-1")
            assert stage.state("playing") == "loop set-1.3"
            client.send("/bridge/loop/stop", "set-1")
            stage.state("off", "none")

    excusing_xruns(jack_server, attempt)


def test_what_a_loop_cannot_do_is_an_error_with_the_remedy(
    daemon: DaemonProcess, tmp_path: Path, model: Path
) -> None:
    with Client(daemon.port, "mistakes") as client:
        client.send("/bridge/loop/stop", "nothing-1")
        assert client.failed("nothing-1")[0] == "unknown-id"
        client.send("/bridge/loop/start", "x" * 60)
        assert "48 characters" in client.failed("x" * 60)[1]
        client.send("/bridge/generate", "loop:set-1.1", "prompt", "keys")
        assert "the loops' own" in client.failed("loop:set-1.1")[1]
        client.send("/bridge/loop/start", "preset-1", "preset", "none of these")
        assert client.failed("preset-1")[0] == "unknown-preset"
    with (
        running(tmp_path / "Clips", "--model", str(model)) as silent,
        Client(silent.port, "no-output") as client,
    ):
        client.send("/bridge/loop/start", "set-1")
        assert "start with --output NAME" in client.failed("set-1")[1]
