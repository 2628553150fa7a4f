"""When a piece needs no more audio: its grid is sure, and the clip with its fade is covered.

A piece has audio for the slowest pulse and the latest bar line that a clip may have. Most pieces
are at their tempo and begin on a bar line, and need three quarters of it. The grid is looked for at
fixed lengths, never in what happens to be there: the same audio gives the same clip, whatever the
sizes of its chunks and the speed of the machine.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from bridge.audio import MODEL_SAMPLE_RATE, Waveform
from bridge.clip.clicks import without_clicks
from bridge.clip.fit import PlayedGrid, find_grid
from bridge.clip.loop import BEAT_FADE_SECONDS, FADE_SECONDS, late_seconds
from bridge.clip.onsets import find_onsets
from bridge.clip.pulse import find_pulse
from bridge.timing import Meter, bars_to_seconds

FIRST_LOOK_SHARE = 7 / 8
"""The first look is at this share of the clip's length: while the rest of it is made, there is time
to look. The second look is at the whole clip, the third half-way from there to the piece's end.
That there is no pulse is found by the second and the third alone."""
SURE_END_SECONDS = 0.012
"""The tempo is sure where the standard error of the clip's end is below this: the error of most
whole pieces is 4 to 10 ms."""
SURE_TEMPO_MARGIN = 0.15
SURE_LINE_MARGIN = 0.25
"""Tempo and first bar line are sure where they are better than any other by this. Measured in clips
of pocket, of 1 to 4 bars. In 192 with their melodies, the whole piece had another tempo where the
first margin was 0.002, and none where it was 0.29 or more; the bar line was always the same, and
its margin 0.55 or more. In 108 looks without the melodies, the whole piece had another bar line
in 13, all with a margin of 0.2 or less."""
AFTER_SECONDS = 0.03
"""Audio kept after the fade: filters that resample reach over it."""
STRETCHED_AFTER_SECONDS = 0.15
"""The same where the audio is stretched: a window of python-stretch is 0.12 s long."""


@dataclass(eq=False)
class EarlyEnd:
    """Finds out how much of a piece the clip of one variation needs.

    Attributes:
        bars, tempo_bpm, meter: of the clip.
        melody_classes: as for `finish`.
        piece_seconds: length of the whole piece.
        takes_all: it is known that the clip needs all of the piece.
        sample_rate: Hz of the piece's audio.
        look_frames: frames of the piece that the next look needs; None: there is none.
        frames: how much of the piece the clip needs; None: all of it, or not known yet.
        grid: the piece's grid, once `frames` is known; None: it has none, nor would all of it.
    """

    bars: int
    tempo_bpm: Fraction
    meter: Meter
    melody_classes: NDArray[np.int64] | None
    piece_seconds: float
    takes_all: bool = False
    sample_rate: int = MODEL_SAMPLE_RATE
    look_frames: int | None = field(init=False)
    frames: int | None = field(init=False)
    grid: PlayedGrid | None = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Forget all looks: the piece begins again, maybe as another one."""
        self._clip_seconds = float(bars_to_seconds(self.bars, self.meter, self.tempo_bpm))
        covered_seconds = self._clip_seconds + BEAT_FADE_SECONDS + AFTER_SECONDS
        lengths = (
            self._clip_seconds * FIRST_LOOK_SHARE,
            covered_seconds,
            (covered_seconds + self.piece_seconds) / 2,
        )
        self._looks = [
            round(seconds * self.sample_rate)
            for seconds in lengths
            if seconds < self.piece_seconds and not self.takes_all
        ]
        self.look_frames = self._looks[0] if self._looks else None
        self.frames, self.grid = None, None

    def look(self, waveform: Waveform) -> None:
        """Look once, in the first `look_frames` of the piece; takes about a tenth of a second.

        Args:
            waveform: the piece's beginning, that long or longer.
        """
        if self.look_frames is None:
            raise RuntimeError("there is no further look")
        beginning = Waveform(waveform.samples[: self.look_frames], waveform.sample_rate)
        self._looks.pop(0)
        self.look_frames = self._looks[0] if self._looks else None
        mended, _ = without_clicks(beginning.stereo())
        onsets = find_onsets(mended)
        grid = find_grid(
            mended,
            onsets,
            bars=self.bars,
            tempo_bpm=self.tempo_bpm,
            meter=self.meter,
            melody_classes=self.melody_classes,
            piece_seconds=self.piece_seconds,
        )
        if grid is not None and _is_sure(grid):
            self._settle(grid, covering_seconds(grid, self._clip_seconds))
        elif grid is None and beginning.seconds >= self._clip_seconds:
            longer = self.piece_seconds / beginning.seconds
            if find_pulse(onsets, self.tempo_bpm, self.meter, longer=longer) is None:
                late = late_seconds(mended, self.melody_classes)
                self._settle(None, late + self._clip_seconds + FADE_SECONDS + AFTER_SECONDS)

    def _settle(self, grid: PlayedGrid | None, needed_seconds: float) -> None:
        if needed_seconds < self.piece_seconds:
            self.grid, self.look_frames = grid, None
            self.frames = math.ceil(needed_seconds * self.sample_rate)


def covering_seconds(grid: PlayedGrid, clip_seconds: float) -> float:
    """Audio from the piece's beginning that holds the clip and the fade that closes its loop."""
    after = AFTER_SECONDS if grid.stretch_ratio == 1.0 else STRETCHED_AFTER_SECONDS
    sounding = (clip_seconds + BEAT_FADE_SECONDS) / grid.stretch_ratio
    return max(0.0, grid.start_seconds) + sounding + after


def _is_sure(grid: PlayedGrid) -> bool:
    return (
        grid.end_error_seconds <= SURE_END_SECONDS
        and grid.tempo_margin >= SURE_TEMPO_MARGIN
        and grid.line_margin >= SURE_LINE_MARGIN
    )
