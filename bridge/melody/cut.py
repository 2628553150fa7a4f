"""Cutting a part out of a take."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np

from bridge.audio import Waveform
from bridge.errors import BadArgument, SilentMelody
from bridge.melody.silence import sounding_seconds
from bridge.timing import Note, Take, TempoMap, shortest_tempo


def cut(
    take: Take,
    *,
    start_seconds: float | Fraction,
    length_seconds: float | Fraction | None,
    wrap: bool = False,
) -> Take:
    """Cut a part out of a take. Its start becomes the first bar line.

    Seconds of notes follow their tempo changes.

    Args:
        start_seconds: 0 or more, before the end; 0 is the first bar line of notes with a pickup.
        length_seconds: positive; None: to the end. A longer part than there is ends at the end.
        wrap: past the end the part goes on from the start, once around at most.

    Raises:
        BadArgument: the part begins past the end.
        SilentMelody: nothing sounds in the part.
    """
    start = Fraction(start_seconds)
    length = None if length_seconds is None else Fraction(length_seconds)
    if isinstance(take.source, Waveform):
        return _cut_audio(take, take.source, start, length, wrap)
    return _cut_notes(take, take.source, start, length, wrap)


def _cut_audio(
    take: Take, source: Waveform, start: Fraction, length: Fraction | None, wrap: bool
) -> Take:
    first = round(start * source.sample_rate)
    if first >= source.frames:
        raise BadArgument(_past_the_end(take, float(start), source.seconds))
    samples = source.samples[first:]
    if wrap:
        samples = np.concatenate([samples, source.samples[:first]])
    if length is not None:
        samples = samples[: max(round(length * source.sample_rate), 1)]
    # A view would keep the whole file in memory.
    samples = samples.copy()
    waveform = Waveform(samples, source.sample_rate)
    if not len(sounding_seconds(waveform)):
        raise SilentMelody(f"{take.name} is silent in that part: name another start or length")
    return replace(take, source=waveform, first_beat_seconds=Fraction(0))


def _cut_notes(
    take: Take, notes: tuple[Note, ...], start: Fraction, length: Fraction | None, wrap: bool
) -> Take:
    times, end = take.times, take.end_beats
    # Without a start of its own the part begins on the first bar line, after a pickup.
    first = times.beat_at(start) if start else take.pickup_beats
    if first >= end:
        raise BadArgument(_past_the_end(take, float(start), float(times.seconds_at(end))))
    moved = times.moved(first, end)
    limit = end if wrap else end - first
    if length is not None:
        limit = min(limit, moved.beat_at(length))
    rounds = (0, end) if wrap else (0,)
    part = []
    for offset in rounds:
        for note in notes:
            begin = max(note.start_beat + offset - first, Fraction(0))
            stop = min(note.start_beat + offset + note.length_beats - first, limit)
            if stop > begin:
                part.append(replace(note, start_beat=begin, length_beats=stop - begin))
    if not part:
        raise SilentMelody(f"{take.name} has no note in that part: name another start or length")
    changes = tuple(change for change in moved.changes if change[0] < limit)
    return replace(
        take,
        source=tuple(part),
        tempo_bpm=take.tempo_bpm and _tempo_at(take, first),
        length_beats=limit,
        pickup_beats=Fraction(0),
        tempo_map=TempoMap(changes) if len(changes) > 1 else None,
    )


def _tempo_at(take: Take, beat: Fraction) -> Fraction | None:
    """The tempo at a beat; the take's own where it does not change."""
    if take.tempo_map is None:
        return take.tempo_bpm
    return shortest_tempo(60 / take.tempo_map.moved(beat, None).changes[0][1])


def _past_the_end(take: Take, start_seconds: float, seconds: float) -> str:
    return (
        f"start_seconds {start_seconds:g}: {take.name} is {seconds:.2f} seconds long; "
        "begin before its end"
    )
