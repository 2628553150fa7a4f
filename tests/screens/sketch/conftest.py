"""A screen without a daemon: its events come as the datagrams that a daemon sends."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from textual._context import active_app

from bridge.config import SketchOptions
from bridge.control.addresses import event_message
from bridge.control.packets import write_message
from bridge.events import (
    ClipReady,
    EngineChanged,
    Event,
    Hello,
    InputChanged,
    Level,
    OutputChanged,
    Pitch,
    PresetListed,
    RequestBegun,
)
from bridge.screens.sketch.app import SketchApp, Start

RATE = 16_000
READY = (
    Hello("0.1.0", 1, "ready", "pocket", "me", "/takes"),
    EngineChanged("ready", "pocket on cpu"),
    InputChanged("ready", "Microphone", 48_000, "Microphone, 48000 Hz, 1 channel"),
    OutputChanged("ready", "Speakers", 48_000, "Speakers, 48000 Hz"),
)


class Clock:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


class Stage:
    """A screen, its clock, and the messages that it sends to nobody."""

    def __init__(self, options: SketchOptions) -> None:
        self.clock = Clock()
        self.app = SketchApp(options, Start(port=9, bars=4), clock=self.clock)
        self.sent: list[tuple[int | float | str, ...]] = []
        self.app.link.send = (  # type: ignore[method-assign]
            lambda address, *arguments: self.sent.append((address, *arguments))
        )

    @property
    def name(self) -> str:
        """The client's name, which begins its ids."""
        return self.app.desk.name

    def events(self, *events: Event) -> None:
        """Let events arrive, in the context in which the app's own line receives them."""
        active_app.set(self.app)
        for event in events:
            datagram = write_message(*event_message(event))
            self.app.link.datagram_received(datagram, ("127.0.0.1", 9))

    def sing(self, *notes: int, seconds: float = 0.5) -> None:
        """Let notes be heard, each for that long, and then silence."""
        for note in notes:
            for _ in range(round(seconds * 10)):
                self.events(Pitch(note, 12.0, 0.9), Level(-12.0, -20.0))
                self.clock.seconds += 0.1
        self.events(Pitch(-1), Level(-70.0, -80.0))

    def presets(self, *names: str) -> None:
        """Answer the screen's question for the presets."""
        (id,) = [message[1] for message in self.sent if message[0] == "presets"]
        for index, name in enumerate(names):
            self.events(PresetListed(str(id), index, len(names), name, "keys"))

    def clips(self, id: str, *paths: Path) -> None:
        """Let clips of a request be finished, but not the request."""
        self.events(RequestBegun(id, "generate"))
        for index, path in enumerate(paths):
            score = 0.92 - index / 10
            self.events(
                ClipReady(
                    *(id, index, len(paths), path.as_posix(), 4, 120.0, 7 + index, score),
                    *(4, 4, RATE, path.stem),
                )
            )


def tones(path: Path, *pitches: float) -> Path:
    """Write a file of tones, half a second each."""
    times = np.arange(RATE // 2) / RATE
    envelope = np.exp(-3 * times)
    sound = [0.8 * envelope * np.sin(2 * np.pi * hz * times) for hz in pitches]
    soundfile.write(path, np.concatenate(sound), RATE)
    return path


@pytest.fixture
def stage() -> Stage:
    return Stage(SketchOptions())


@pytest.fixture
def clip_files(tmp_path: Path) -> list[Path]:
    """Two clips whose names say nothing of this machine's folders."""
    return [
        tones(tmp_path / f"2026-11-29 lofi-keys 120bpm 4bars seed{7 + number}.wav", *pitches)
        for number, pitches in enumerate([(262, 330, 392, 523), (262, 294, 330, 349)])
    ]
