"""The grid lines at which clips start, stop and swap."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import floor

from bridge.clock.beat_clock import BeatClock
from bridge.timing import Quantum

_SAME_SECONDS = 1e-6
"""Rounding error to allow between two computations of one instant."""


@dataclass(frozen=True)
class GridLine:
    """A line of a quantum's grid.

    Attributes:
        seconds: its instant.
        beats_into_bar: quarter notes since the bar line at or before it.
    """

    seconds: float
    beats_into_bar: Fraction


def next_line(clock: BeatClock, seconds: float, quantum: Quantum) -> GridLine | None:
    """The first line of the grid after an instant; None when none will come: nothing plays.

    Lines of several bars are counted from the start of the song; those of beats begin anew at each
    bar line.
    """
    bar_line, tempo_bpm, meter = clock.next_bar_line(seconds), clock.tempo_bpm, clock.meter
    if bar_line is None or tempo_bpm is None or meter is None:
        return None
    beat_seconds = float(60 / tempo_bpm)
    bar_seconds = beat_seconds * float(meter.beats_per_bar)
    if quantum.unit == "bars":
        beat = (clock.beat_at(seconds) or 0.0) + (bar_line - seconds) / beat_seconds
        bar = round(beat / float(meter.beats_per_bar))
        return GridLine(bar_line + (-bar % int(quantum.count)) * bar_seconds, Fraction(0))
    spacing_seconds = beat_seconds * float(quantum.count)
    begin = bar_line - bar_seconds
    number = floor((seconds - begin + _SAME_SECONDS) / spacing_seconds) + 1
    line = begin + number * spacing_seconds
    if line > bar_line - _SAME_SECONDS:
        return GridLine(bar_line, Fraction(0))
    return GridLine(line, number * quantum.count)
