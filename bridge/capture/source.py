"""What captures need of a source: sound from the ring of the input, or notes that are played."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import inf
from typing import Protocol

from bridge.timing import Meter, Span, Take, bars_to_seconds, first_tempo

LONGEST_SECONDS = 115.0
"""Longest take: 120 s are kept, and the take's beginning must still be there at its end."""

_ROUNDING_BARS = 1e-6
"""Rounding error to allow when whole bars are counted."""


class Clock(Protocol):
    """What a capture needs of the beat clock; all instants are `time.perf_counter` seconds."""

    @property
    def tempo_bpm(self) -> Fraction | None:
        """The DAW's newest tempo; None before its first packet."""

    @property
    def meter(self) -> Meter | None:
        """The DAW's newest meter; None before its first packet."""

    def is_playing(self, seconds: float) -> bool:
        """Whether the playhead moves at that instant."""

    def bar_fraction(self, seconds: float) -> float | None:
        """Share of the current bar that has been played, 0 up to 1; None when not playing."""

    def bar_line_at_or_before(self, seconds: float) -> float | None:
        """The last bar line that was played up to that instant."""

    def next_bar_line(self, seconds: float) -> float | None:
        """The first bar line after that instant that was played or will be."""

    def bars_ending(self, end_seconds: float, bars: int) -> Span:
        """Find the continuous bars up to the last bar line by that instant."""

    def bars_from(self, start_seconds: float, until_seconds: float, bars: int | None) -> Span:
        """Find what was played continuously from that bar line on."""


@dataclass(frozen=True, eq=False)
class Recorded:
    """A take, and what a capture says of it.

    Attributes:
        seconds: the take's length.
        peak_db: its highest peak in dBFS; of notes, that of the hardest, 0 at velocity 127.
        remarks: how the take differs from what was requested, a sentence each.
    """

    take: Take
    seconds: float
    peak_db: float
    remarks: tuple[str, ...] = ()


MakeTake = Callable[[], Recorded]
"""Makes a settled take, in any thread."""


class Source(ABC):
    """Where the take of one capture comes from; all instants are `time.perf_counter` seconds.

    Attributes:
        clock: of the DAW.
        tempo_bpm: the session's tempo, used while the DAW is stopped; None when unknown.
        meter: the session's meter.
        name: of the take.
        is_lost: nothing more will come, and `recorded_until` no longer grows.
        nothing_came: the sentence for a capture that was stopped before anything came.
    """

    nothing_came: str

    def __init__(self, clock: Clock, tempo_bpm: Fraction | None, meter: Meter, name: str) -> None:
        self.clock, self.tempo_bpm, self.meter, self.name = clock, tempo_bpm, meter, name
        self.is_lost = False

    def tempo_now(self, now_seconds: float) -> tuple[Fraction, Meter]:
        """The DAW's tempo and meter when it plays, otherwise the session's; 120 when unknown."""
        clock = self.clock
        if clock.is_playing(now_seconds) and clock.tempo_bpm and clock.meter:
            return clock.tempo_bpm, clock.meter
        return first_tempo(self.tempo_bpm), self.meter

    def most_bars(self, now_seconds: float) -> int:
        """The most bars of the current tempo and meter that a take can have."""
        tempo_bpm, meter = self.tempo_now(now_seconds)
        return int(LONGEST_SECONDS / bars_to_seconds(1, meter, tempo_bpm))

    def span(self, start_seconds: float, seconds: float) -> Span:
        """A span at the session's tempo, 120 when unknown, without bar lines of the DAW."""
        tempo_bpm = first_tempo(self.tempo_bpm)
        bar_seconds = float(bars_to_seconds(1, self.meter, tempo_bpm))
        bars = int(seconds / bar_seconds + _ROUNDING_BARS)
        end_seconds = start_seconds + seconds
        return Span(start_seconds, end_seconds, bars, tempo_bpm, is_steady=True, meter=self.meter)

    def recorded_until(self) -> float:
        """The instant up to which the source has what was played."""
        return inf

    def complete_bars(self, span: Span) -> tuple[int, str]:
        """How many of the span's bars the source has without a gap, and why not more."""
        if not span.bars:
            return 0, f"{span.broken} in the bar before"
        return span.bars, f"{span.broken} before them"

    @abstractmethod
    def input_lost(self) -> None:
        """Record that the input is lost."""

    @property
    @abstractmethod
    def silence_remark(self) -> str:
        """A remark if nothing has sounded since the capture began; empty when something has."""

    @abstractmethod
    def first_onset(self, now_seconds: float) -> float | None:
        """The first sound or note since the first call, once there is one."""

    @abstractmethod
    def forget_onsets(self) -> None:
        """Let the next call of `first_onset` count as the first."""

    @abstractmethod
    def progress(self, start_seconds: float, now_seconds: float) -> tuple[float, float]:
        """Length in seconds and peak in dBFS of what was recorded from an instant on."""

    @abstractmethod
    def forget_progress(self) -> None:
        """Let the next call of `progress` count as the first."""

    @abstractmethod
    def has(self, span: Span, now_seconds: float) -> bool:
        """Whether all of a span has been recorded."""

    @abstractmethod
    def settle(self, span: Span, tempo_bpm: Fraction | None) -> MakeTake:
        """Settle a span that the source has, or of which no more comes.

        Args:
            tempo_bpm: the take's; None when unknown.

        Returns:
            A function that raises `SilentMelody` when the audio is silent, and `Overwritten` when
            it is no longer in the ring.

        Raises:
            NoInput: the input was lost before anything was recorded.
            SilentMelody: no note was played in the span.
        """
