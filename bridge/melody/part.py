"""The part of a melody file that a render follows: its start, its length, and silence in front."""

from __future__ import annotations

from fractions import Fraction

from bridge.audio import Waveform
from bridge.melody.cut import cut
from bridge.melody.silence import sounding_seconds
from bridge.timing import Meter, Take, TempoMap

OFFERED_SECONDS = 0.25
"""Silence from this length on is offered to be cut; less is how quickly a person begins."""
BARS = "bars"
"""The unit behind a number of bars; a number alone is seconds."""


def part_of(
    take: Take,
    *,
    start: str | None,
    length: str | None,
    trim: bool,
    tempo_bpm: Fraction,
    meter: Meter,
) -> Take:
    """Cut a part out of a take that was read from a file.

    Args:
        start: seconds such as `"1.5"`, or bars such as `"4bars"`, 0 or more; None: from the first
            bar line.
        length: likewise, positive; None: to the end.
        trim: begin with the first sound at or after `start`.
        tempo_bpm: the tempo of audio, for its bars; notes have their own.
        meter: of the bars.

    Raises:
        BadArgument, SilentMelody: as `cut`.
    """
    if start is None and length is None and not trim:
        return take
    is_audio = isinstance(take.source, Waveform)
    times = TempoMap(((Fraction(0), 60 / tempo_bpm),)) if is_audio else take.times
    first_bar = times.seconds_at(take.pickup_beats)
    begin = first_bar if start is None else _later(times, first_bar, start, meter, Fraction(0))
    if trim:
        begin += leading_silence_seconds(take, begin)
    if length is None:
        return cut(take, start_seconds=begin, length_seconds=None)
    end = _later(times, begin, length, meter, begin)
    return cut(take, start_seconds=begin, length_seconds=end - begin)


def leading_silence_seconds(take: Take, begin: Fraction = Fraction(0)) -> Fraction:
    """Seconds from `begin` to the first sound or note after it; 0 where none follows."""
    if isinstance(take.source, Waveform):
        sounds = (Fraction(each) for each in sounding_seconds(take.source).tolist())
        return next((each - begin for each in sounds if each >= begin), Fraction(0))
    # In beats: each look at a map of many tempi takes its time.
    first_beat = take.times.beat_at(begin)
    found = next((note.start_beat for note in take.source if note.start_beat >= first_beat), None)
    return Fraction(0) if found is None else take.times.seconds_at(found) - begin


def _later(
    times: TempoMap, bar_line: Fraction, text: str, meter: Meter, origin: Fraction
) -> Fraction:
    """The second that many bars after a bar line, or that many seconds after an origin."""
    if not text.endswith(BARS):
        return origin + Fraction(text)
    beats = Fraction(text.removesuffix(BARS)) * meter.beats_per_bar
    return times.seconds_at(times.beat_at(bar_line) + beats)
