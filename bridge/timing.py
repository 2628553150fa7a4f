"""Exact musical time: tempo as a Fraction, meter, bars and beats to frames, and the take.

A beat is a quarter note, as in Live. A bar is `4 * numerator / denominator` beats (7/8: 3.5).
Times are exact; only a number of frames is rounded, and only once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

from bridge.audio import Waveform
from bridge.errors import BadArgument

MIN_TEMPO_BPM = 20
"""Live's own lowest tempo."""
MAX_TEMPO_BPM = 999
"""Live's own highest tempo."""
TICKS_PER_BEAT = 960
"""The precision of played notes, and of the MIDI files that keep them: half a millisecond."""
DEFAULT_VELOCITY = 100
"""Velocity of notes that have none of their own."""
PERCUSSION_CHANNEL = 9
"""Channel 10 as musicians count: its note numbers are drums and pads, not pitches."""

Lead = Literal["highest", "last", "loudest"]
"""Which of several notes at a time is the melody; `last` is the one that began last."""


@dataclass(frozen=True)
class Meter:
    """A time signature.

    Attributes:
        numerator: 1…99.
        denominator: 1, 2, 4, 8 or 16, as in Live.

    Raises:
        BadArgument: the numerator or the denominator is out of range.
    """

    numerator: int = 4
    denominator: int = 4

    def __post_init__(self) -> None:
        if not 1 <= self.numerator <= 99 or self.denominator not in (1, 2, 4, 8, 16):
            raise BadArgument(
                f"meter {self.numerator}/{self.denominator}: the numerator is 1 to 99, "
                "the denominator 1, 2, 4, 8 or 16"
            )

    @classmethod
    def parse(cls, text: str) -> Meter:
        """Read `"7/8"`.

        Raises:
            BadArgument: the text is not two integers around a slash, or a number is out of range.
        """
        numerator, _, denominator = text.strip().partition("/")
        # Python refuses to convert thousands of digits, with another error.
        if not all(part.isdecimal() and len(part) <= 4 for part in (numerator, denominator)):
            raise BadArgument(f"meter {text[:40]!r}: write it as 4/4, 3/4 or 7/8")
        return cls(int(numerator), int(denominator))

    @property
    def beats_per_bar(self) -> Fraction:
        """Quarter notes in a bar."""
        return Fraction(4 * self.numerator, self.denominator)

    def __str__(self) -> str:
        return f"{self.numerator}/{self.denominator}"


@dataclass(frozen=True)
class Quantum:
    """The grid that a clip waits for to start, stop or swap.

    Attributes:
        count: how many units are between its lines, positive; whole for bars.
        unit: beats are counted from each bar line, bars from the start of the song.
    """

    count: Fraction
    unit: Literal["beats", "bars"]

    def __str__(self) -> str:
        return f"{self.count} {self.unit if self.count > 1 else self.unit[:-1]}"


ONE_BAR = Quantum(Fraction(1), "bars")
QUANTA = (
    *(Quantum(Fraction(count), "beats") for count in ("1/4", "1/2", "1", "2")),
    *(Quantum(Fraction(count), "bars") for count in (1, 2, 4, 8)),
)
"""The grids to choose from, the finest first."""


FALLBACK_TEMPO_BPM = Fraction(120)
FALLBACK_METER = Meter(4, 4)


def first_tempo(*candidates_bpm: Fraction | None) -> Fraction:
    """The first tempo that is known, in beats per minute; 120 where none is."""
    return next((tempo_bpm for tempo_bpm in candidates_bpm if tempo_bpm), FALLBACK_TEMPO_BPM)


def first_meter(*candidates: Meter | None) -> Meter:
    """The first meter that is known; 4/4 where none is."""
    return next((meter for meter in candidates if meter), FALLBACK_METER)


def parse_tempo(value: str | float | Fraction) -> Fraction:
    """Read a tempo in beats per minute, 20…999, as the decimal that was meant.

    Text and floats are read as decimals: `"93.7"` and `93.7` are 937/10, not the binary
    neighbour.

    Raises:
        BadArgument: the value is not a number, or out of range.
    """
    try:
        tempo_bpm = value if isinstance(value, Fraction) else _decimal(str(value))
    except (ValueError, ZeroDivisionError, OverflowError) as error:
        raise BadArgument(
            f"tempo {str(value)[:40]!r}: write beats per minute, such as 93.7"
        ) from error
    if not MIN_TEMPO_BPM <= tempo_bpm <= MAX_TEMPO_BPM:
        raise BadArgument(
            f"tempo {str(value)[:40]} bpm: the range is {MIN_TEMPO_BPM} to {MAX_TEMPO_BPM}"
        )
    return tempo_bpm


def _decimal(text: str) -> Fraction:
    # As a Fraction, 1e99999999 would take forever; as a float it is out of range at once.
    return Fraction(text if len(text) <= 40 and "e" not in text.lower() else str(float(text)))


def shortest_tempo(tempo_bpm: Fraction) -> Fraction:
    """The shortest decimal tempo within one microsecond per beat: 112, not 112.00006.

    Files have whole microseconds per beat, rounded or cut: less than one apart is the same tempo.
    """
    short = tempo_bpm
    for decimals in range(9):  # the eighth is a thousandth of a microsecond even at 999 bpm
        short = round(tempo_bpm, decimals)
        if abs(60_000_000 / short - 60_000_000 / tempo_bpm) < 1:
            break
    return short


def tempo_meant(measured_bpm: float, error_bpm: float) -> Fraction:
    """The shortest decimal within the error of a measurement, of three decimals at most."""
    for decimals in range(3):
        tempo_bpm = round(Fraction(measured_bpm), decimals)
        if abs(tempo_bpm - measured_bpm) <= error_bpm:
            return Fraction(tempo_bpm)
    return round(Fraction(measured_bpm), 3)


def beats_to_seconds(beats: Fraction | int, tempo_bpm: Fraction) -> Fraction:
    """Exact duration of a number of quarter notes, in seconds."""
    return Fraction(beats) * 60 / tempo_bpm


def bars_to_seconds(bars: int, meter: Meter, tempo_bpm: Fraction) -> Fraction:
    """Exact duration of a number of bars, in seconds."""
    return beats_to_seconds(bars * meter.beats_per_bar, tempo_bpm)


def bars_to_frames(bars: int, meter: Meter, tempo_bpm: Fraction, sample_rate: int) -> int:
    """Frames of a number of bars: exact duration times rate, rounded once (half to even)."""
    return round(bars_to_seconds(bars, meter, tempo_bpm) * sample_rate)


def bars_text(count: int) -> str:
    """The count in words for a message: `1 bar`, `4 bars`."""
    return "1 bar" if count == 1 else f"{count} bars"


@dataclass(frozen=True)
class Note:
    """One note of a melody.

    Attributes:
        start_beat: quarter notes from the melody's first bar line, 0 or more.
        length_beats: quarter notes, positive.
        pitch: MIDI note number, 0…127.
        velocity: how hard it is played, 1…127.
    """

    start_beat: Fraction
    length_beats: Fraction
    pitch: int
    velocity: int = DEFAULT_VELOCITY


@dataclass(frozen=True)
class TempoMap:
    """Tempo changes along notes, from beats to seconds and back, exactly.

    Attributes:
        changes: pairs of a beat and the seconds of a quarter note from there on, positive; beats
            ascend, and the first is 0.
    """

    changes: tuple[tuple[Fraction, Fraction], ...]

    def seconds_at(self, beat: Fraction) -> Fraction:
        """Seconds from beat 0 to a beat, 0 or more."""
        seconds = Fraction(0)
        for (start, beat_seconds), end in self._stretches():
            stop = beat if end is None else min(beat, end)
            seconds += (stop - start) * beat_seconds
            if stop == beat:
                break
        return seconds

    def beat_at(self, seconds: Fraction) -> Fraction:
        """The beat that many seconds after beat 0, 0 or more."""
        for (start, beat_seconds), end in self._stretches():
            beat = start + seconds / beat_seconds
            if end is None or beat < end:
                break
            seconds -= (end - start) * beat_seconds
        return beat

    def moved(self, first: Fraction, end: Fraction | None) -> TempoMap:
        """The map of the beats from `first` on; with an end, up to it, then of 0 to `first`."""
        before = max(index for index, (beat, _) in enumerate(self.changes) if beat <= first)
        start = (Fraction(0), self.changes[before][1])
        later = ((beat - first, each) for beat, each in self.changes[before + 1 :])
        if end is None:
            return TempoMap((start, *later))
        again = ((beat + end - first, each) for beat, each in self.changes if beat < first)
        return TempoMap((start, *(each for each in later if each[0] < end - first), *again))

    def _stretches(self) -> Iterator[tuple[tuple[Fraction, Fraction], Fraction | None]]:
        """Each change, and the beat of the next; None after the last."""
        ends = (*(beat for beat, _ in self.changes[1:]), None)
        yield from zip(self.changes, ends, strict=True)


@dataclass(frozen=True, eq=False)
class Take:
    """A melody as it was captured or read, with its tempo and meter as far as they are known.

    Attributes:
        source: the melody's audio, or its notes.
        tempo_bpm: its own tempo; None when unknown.
        meter: its own meter; None when unknown.
        first_beat_seconds: its first bar line, in seconds from frame 0 (audio only).
        name: its name in messages, such as the file's name.
        length_beats: length of notes, including rests at their end; None: until the last ends.
        pickup_beats: quarter notes before the first bar line; the notes' beats begin before them.
        tempo_map: the tempo changes of notes; None: there are none.
        remarks: what a person should know about how it was read, a sentence each.
    """

    source: Waveform | tuple[Note, ...]
    tempo_bpm: Fraction | None = None
    meter: Meter | None = None
    first_beat_seconds: Fraction = Fraction(0)
    name: str = "melody"
    length_beats: Fraction | None = None
    pickup_beats: Fraction = Fraction(0)
    tempo_map: TempoMap | None = None
    remarks: tuple[str, ...] = ()

    @property
    def end_beats(self) -> Fraction:
        """Length in quarter notes, rests at the end included; 0 for audio."""
        if isinstance(self.source, Waveform):
            return Fraction(0)
        ends = (note.start_beat + note.length_beats for note in self.source)
        return max((*ends, self.length_beats or Fraction(0)))

    def from_first_bar_line(self) -> Take:
        """The take without its pickup; itself where it has none."""
        if isinstance(self.source, Waveform) or not self.pickup_beats:
            return self
        first, end = self.pickup_beats, self.end_beats
        notes = []
        for note in self.source:
            start = max(note.start_beat, first)
            length = note.start_beat + note.length_beats - start
            if length > 0:
                notes.append(replace(note, start_beat=start - first, length_beats=length))
        return replace(
            self,
            source=tuple(notes),
            length_beats=end - first,
            pickup_beats=Fraction(0),
            tempo_map=self.tempo_map and self.tempo_map.moved(first, None),
        )

    @property
    def times(self) -> TempoMap:
        """The tempo changes of notes; a constant tempo where there are none."""
        constant = ((Fraction(0), 60 / first_tempo(self.tempo_bpm)),)
        return self.tempo_map or TempoMap(constant)


@dataclass(frozen=True)
class Span:
    """Bars that were played, on the machine's clock.

    Attributes:
        start_seconds, end_seconds: `time.perf_counter` instants; the start is a bar line.
        bars: complete bars from the start on; the end is the bar line after the last, or later.
        tempo_bpm: the tempo; the mean over the span if the tempo changed inside.
        is_steady: the tempo did not change, so that the length is exact.
        meter: the meter of all its bars.
        broken: why continuous playback ended, such as "the playhead jumped"; empty if it did not.
    """

    start_seconds: float
    end_seconds: float
    bars: int
    tempo_bpm: Fraction
    is_steady: bool
    meter: Meter
    broken: str = ""
