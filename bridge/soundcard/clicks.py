"""The metronome's clicks in the output: how they sound, and at which frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bridge.soundcard.fades import Samples

MOST_CLICKS = 16
"""Clicks that may be to come at a time; they are given for a third of a second."""

_SECONDS = 0.04
_DECAY_SECONDS = 0.006
"""In this time a click falls by a factor of e: it has a pitch, and is too short to hum along."""
_HZ, _ACCENT_HZ = 1200.0, 1800.0


@dataclass(frozen=True)
class Click:
    """One click; an accent is for a bar line."""

    at_frame: int
    is_accent: bool


@dataclass(frozen=True)
class SetClicks:
    """The clicks that are to come, in place of all that have not begun.

    One whose frame has passed is not played.

    Attributes:
        clicks: `MOST_CLICKS` at most.
        amplitude: their peak, 0 or more.
    """

    clicks: tuple[Click, ...]
    amplitude: float


@dataclass(frozen=True)
class Tick:
    """One click, in the next block: an answer to a key, not in time."""

    is_accent: bool
    amplitude: float


class ClickTrack:
    """Adds clicks to what the output plays. It allocates no array."""

    def __init__(self, sample_rate: int, channels: int) -> None:
        self._sounds = {
            is_accent: _sound(hertz, sample_rate, channels)
            for is_accent, hertz in ((False, _HZ), (True, _ACCENT_HZ))
        }
        self._frames = len(self._sounds[False])
        self._clicks: list[Click] = []
        self._amplitude = 1.0

    def expect(self, command: SetClicks, frame: int) -> None:
        """Take the clicks to come, at the first frame of a block; those that sound go on."""
        sounding = [click for click in self._clicks if click.at_frame < frame]
        coming = [click for click in command.clicks if click.at_frame >= frame]
        self._clicks, self._amplitude = sounding + coming[:MOST_CLICKS], command.amplitude

    def tick(self, command: Tick, frame: int) -> None:
        """Play one click more, at the first frame of a block."""
        if len(self._clicks) < 2 * MOST_CLICKS:
            self._clicks = [*self._clicks, Click(frame, command.is_accent)]
            self._amplitude = command.amplitude

    def forget(self) -> None:
        """Play none of them any more."""
        self._clicks = []

    def add_to(self, block: Samples, scratch: Samples, frame: int) -> None:
        """Add the clicks that sound to a block.

        Args:
            scratch: of the block's shape, overwritten.
            frame: the number of the block's first frame.
        """
        for click in self._clicks:
            first, done = max(0, click.at_frame - frame), max(0, frame - click.at_frame)
            sound = self._sounds[click.is_accent][done : done + max(0, len(block) - first)]
            if len(sound):
                part = block[first : first + len(sound)]
                np.multiply(sound, self._amplitude, out=scratch[: len(sound)])
                np.add(part, scratch[: len(sound)], out=part)
        end = frame + len(block)
        if any(click.at_frame + self._frames <= end for click in self._clicks):
            self._clicks = [each for each in self._clicks if each.at_frame + self._frames > end]


def _sound(hertz: float, sample_rate: int, channels: int) -> Samples:
    """A decaying sine with a peak of 1, which is not 0 at its first frame."""
    seconds = np.arange(1, round(_SECONDS * sample_rate) + 1) / sample_rate
    wave = np.exp(-seconds / _DECAY_SECONDS) * np.sin(2 * np.pi * hertz * seconds)
    return np.repeat((wave / np.abs(wave).max()).astype(np.float32)[:, np.newaxis], channels, 1)
