"""Live loops on a real daemon: JACK as the sound card, a DAW's clock over OSC, and a MIDI pedal."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from tests.peers.daemon import Client, DaemonProcess, engine_pid, running
from tests.peers.daw import Daw
from tests.peers.jack import (
    LONG_PERIOD,
    SAMPLE_RATE,
    JackRecording,
    JackServer,
    excusing_xruns,
    playing,
    recording,
)
from tests.peers.wait import until
from tests.processes import KILL

TEMPO_BPM = 150
BAR_SECONDS = 4 * 60 / TEMPO_BPM
BARS = 2
LEAD_SECONDS = 1.5
TUNE = (60, 62, 64, 67, 69, 67, 64, 62)
"""A pitch for each beat of two bars."""


@pytest.fixture(scope="module")
def jack_period() -> int:
    return LONG_PERIOD


@pytest.fixture
def daemon(jack_server: JackServer, tmp_path: Path) -> Iterator[DaemonProcess]:
    """A daemon that records and plays on the server's sound card, with no latency to correct."""
    with stage_daemon(tmp_path) as daemon:
        yield daemon


@contextmanager
def stage_daemon(folder: Path, *arguments: str) -> Iterator[DaemonProcess]:
    """Run a daemon with the sound card as input and output, and MIDI through JACK."""
    config = folder / "config.toml"
    config.write_text("output_latency_ms = 0\n")
    more = ("--config", str(config), "--output", "system", *arguments)
    with running(folder / "Clips", *more, input="system", midi="jack") as daemon:
        daemon.logged("input", state="ready")
        daemon.logged("output", state="ready")
        yield daemon.ready()


def tune(bars: int, silent_from: int | None = None) -> NDArray[np.float32]:
    """The tune, again and again; silence from a bar on."""
    beat = round(60 / TEMPO_BPM * SAMPLE_RATE)
    time_ = np.arange(beat) / SAMPLE_RATE
    notes = []
    for number in range(4 * bars):
        hz = 440 * 2 ** ((TUNE[number % len(TUNE)] - 69) / 12)
        note = 0.3 * np.sin(2 * np.pi * hz * time_) * np.minimum(1, (beat - np.arange(beat)) / 2000)
        notes.append(note if silent_from is None or number < 4 * silent_from else 0 * note)
    samples = np.concatenate(notes).astype(np.float32)
    return np.stack([samples, samples], axis=1)


class Performance:
    """A band of one: a DAW, what is played to it, and what the loop makes of it."""

    def __init__(self, client: Client, daw: Daw, recorded: JackRecording) -> None:
        self.client, self.daw, self.recorded = client, daw, recorded

    def reaches(self, beat: float) -> None:
        """Wait for a beat of the DAW."""
        until(lambda: time.perf_counter() > self.daw.seconds_of(beat), f"beat {beat}")

    def loop(self, id: str, *state: int | str, after: int = 0) -> str:
        """Wait until a loop sounds so, and so is to come; return the name of its clip."""
        event = self.client.wait("/bridge/loop", id, *state, after=after)
        return str(event.arguments[5])

    def sounding(self, id: str, *, other_than: str = "") -> str:
        """Wait until another clip sounds, and return its name."""
        event = self.client.wait_for(
            lambda event: (
                event.address == "/bridge/loop"
                and event.arguments[:2] == (id, "playing")
                and event.arguments[5] not in ("", other_than)
            ),
            f"another clip of {id}",
            after=self._seen,
        )
        self._seen = self.client.events.index(event)
        return str(event.arguments[5])

    _seen = 0

    def heard(self) -> NDArray[np.float32]:
        """All samples so far, zeros where the server missed periods."""
        return np.nan_to_num(self.recorded.samples())

    def entries(self, clips: Path, name: str) -> NDArray[np.int64]:
        """The frames at which repetitions of a clip begin in what was heard."""
        samples, rate = soundfile.read(clips / f"{name}.wav", dtype="float32")
        assert rate == SAMPLE_RATE
        heard = self.heard()[:, 0]
        piece = samples[1000:9000, 0]
        size = 1 << int(np.ceil(np.log2(len(heard) + len(piece))))
        spectrum = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(piece, size))
        match = np.fft.irfft(spectrum, size)[: len(heard)]
        energy = np.convolve(heard**2, np.ones(len(piece)), "full")[len(piece) - 1 :][: len(heard)]
        likeness = match / np.sqrt(np.maximum(energy, 1e-9) * np.sum(piece**2))
        found = np.flatnonzero(likeness > 0.99)
        return found[np.flatnonzero(np.diff(found, prepend=-10_000) > 2000)] - 1000


@contextmanager
def performance(
    daemon: DaemonProcess, folder: Path, *, bars: int, silent_from: int | None = None
) -> Iterator[Performance]:
    """Play the tune to a DAW's clock for so many bars."""
    start = time.perf_counter() + LEAD_SECONDS
    with (
        Client(daemon.port, "stage") as client,
        recording(folder) as recorded,
        Daw(daemon.port, start_seconds=start, tempo_bpm=TEMPO_BPM) as daw,
        playing(tune(bars, silent_from), at_seconds=start, folder=folder),
    ):
        yield Performance(client, daw, recorded)


def test_loops_enter_on_bar_lines_and_the_sound_never_stops(
    jack_server: JackServer, daemon: DaemonProcess, tmp_path: Path
) -> None:
    def attempt() -> None:
        id = f"set-{time.monotonic_ns()}"
        with performance(daemon, tmp_path, bars=26) as stage:
            stage.reaches(9)
            stage.client.send("/bridge/loop/start", id, "bars", BARS, "prompt", "keys")
            first = stage.sounding(id)
            second = stage.sounding(id, other_than=first)
            pid = engine_pid(daemon)
            import os

            os.kill(pid, KILL)
            third = stage.sounding(id, other_than=second)
            stage.client.send("/bridge/loop/undo", id)
            assert stage.sounding(id, other_than=third) == second
            stage.client.send("/bridge/loop/stop", id)
            stage.loop(id, "off", "none", after=stage._seen)
            samples = stage.heard()
            entries = {name: stage.entries(daemon.clips, name) for name in (first, second, third)}
            seconds = np.sort(
                np.concatenate([stage.recorded.seconds_at(frames) for frames in entries.values()])
            )
            start_seconds = stage.daw.seconds_of(0)
        for name, frames in entries.items():
            print(name, frames)
        bars = (seconds - start_seconds) / BAR_SECONDS
        print(bars)
        for e in stage.client.of(id): print(round((e.seconds-start_seconds)/BAR_SECONDS+1,2), e.arguments[1:])
        assert np.abs(bars - np.round(bars)).max() * BAR_SECONDS < 0.025
        sounding = np.abs(samples).max(axis=1) > 1e-4
        first_frame, last_frame = np.flatnonzero(sounding)[[0, -1]]
        silences = np.diff(np.flatnonzero(sounding))
        print("longest silence", silences.max(), "frames", (last_frame - first_frame) / SAMPLE_RATE)
        assert silences.max() < 0.05 * SAMPLE_RATE

    excusing_xruns(jack_server, attempt)
