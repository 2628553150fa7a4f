"""A daemon on a stage, a tune that is played into it, and a client that watches its loops."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.peers.daemon import Client, DaemonProcess, running
from tests.peers.daw import Daw
from tests.peers.jack import SAMPLE_RATE, JackRecording, playing, recording
from tests.peers.wait import until

TEMPO_BPM = 150
BEAT_SECONDS = 60 / TEMPO_BPM
BAR_SECONDS = 4 * BEAT_SECONDS
BARS = 2
LEAD_SECONDS = 2.5
TUNE = (60, 62, 64, 67, 69, 67, 64, 62)
"""A pitch for each beat of two bars."""


@contextmanager
def on_stage(folder: Path, *arguments: str) -> Iterator[DaemonProcess]:
    """Run a daemon with the sound card as input and output, and MIDI through JACK."""
    more = (*stage_arguments(folder), *arguments)
    with running(folder / "Clips", *more, input="system", midi="jack") as daemon:
        daemon.logged("input", state="ready")
        daemon.logged("output", state="ready")
        yield daemon


def stage_arguments(folder: Path) -> tuple[str, ...]:
    """The arguments for the sound card as output, without latency."""
    config = folder / "config.toml"
    config.write_text("output_latency_ms = 0\n")
    return "--config", str(config), "--output", "system"


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


@contextmanager
def band(
    daemon: DaemonProcess, folder: Path, *, bars: int, silent_from: int | None = None
) -> Iterator[tuple[Stage, JackRecording]]:
    """Play the tune to a DAW, and begin once two bars are played.

    Args:
        bars: after so many it ends, if the block has not ended.
    """
    id = f"set-{time.monotonic_ns()}"
    with Client(daemon.port, "stage") as client, recording(folder) as recorded:
        start = time.perf_counter() + LEAD_SECONDS
        with (
            Daw(daemon.port, start_seconds=start, tempo_bpm=TEMPO_BPM),
            playing(tune(bars, silent_from), at_seconds=start, to_the_end=False, folder=folder),
        ):
            until(lambda: time.perf_counter() > start + 2.3 * BAR_SECONDS, "two bars are played")
            yield Stage(client, id), recorded
            client.send("/bridge/loop/clear", id)
