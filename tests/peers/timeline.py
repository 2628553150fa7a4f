"""When each beat of a performance sounds, and clicks there: what tests compare with."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from bridge.timing import Meter

CLICK_FRAMES = 64
BAR_LEVEL, BEAT_LEVEL = 0.9, 0.4


class Timeline:
    """Beats (quarter notes) and `time.perf_counter` seconds of a playhead that never stops.

    Attributes:
        start_seconds: the instant of beat 0.
        tempi: `(beat, tempo_bpm)` of each change of tempo, by beat; the first is at beat 0.
    """

    def __init__(self, start_seconds: float, *tempi: tuple[float, float]) -> None:
        """Make a timeline with a tempo from each of these beats on."""
        assert tempi and tempi[0][0] == 0 and list(tempi) == sorted(tempi)
        self.start_seconds, self.tempi = start_seconds, tempi
        self._seconds = [start_seconds]
        for (beat, tempo_bpm), (next_beat, _) in pairwise(tempi):
            self._seconds.append(self._seconds[-1] + (next_beat - beat) * 60 / tempo_bpm)

    def seconds_of(self, beat: float) -> float:
        """The instant of a beat; before beat 0 at the first tempo."""
        index = max(0, bisect_right([at for at, _ in self.tempi], beat) - 1)
        begin, tempo_bpm = self.tempi[index]
        return self._seconds[index] + (beat - begin) * 60 / tempo_bpm

    def beat_at(self, seconds: float) -> float:
        """The beat at an instant."""
        index = max(0, bisect_right(self._seconds, seconds) - 1)
        begin, tempo_bpm = self.tempi[index]
        return begin + (seconds - self._seconds[index]) * tempo_bpm / 60

    def tempo_at(self, beat: float) -> float:
        """The tempo from a beat on; before beat 0 the first."""
        return self.tempi[max(0, bisect_right([at for at, _ in self.tempi], beat) - 1)][1]


def clicks(
    timeline: Timeline, bars: int, meter: Meter, sample_rate: int, channels: int = 2
) -> NDArray[np.float32]:
    """A click on each beat of the meter, louder on the first of a bar.

    Returns:
        `[frames, channels]`; frame 0 is beat 0, and a second of silence follows the last bar.
    """
    beats = click_beats(bars, meter)
    end = timeline.seconds_of(beats[-1]) - timeline.start_seconds + 1
    samples = np.zeros((round(end * sample_rate), channels), np.float32)
    for number, beat in enumerate(beats):
        first = round((timeline.seconds_of(beat) - timeline.start_seconds) * sample_rate)
        is_bar_line = number % meter.numerator == 0
        samples[first : first + CLICK_FRAMES] = BAR_LEVEL if is_bar_line else BEAT_LEVEL
    return samples


def click_beats(bars: int, meter: Meter) -> Sequence[float]:
    """The beats (quarter notes) of the meter's beats: of 7/8, each eighth."""
    return [number * 4 / meter.denominator for number in range(bars * meter.numerator)]
