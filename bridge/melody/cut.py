"""Cutting a part out of a take."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np

from bridge.audio import Waveform
from bridge.errors import BadArgument, SilentMelody
from bridge.melody.silence import sounding_seconds
from bridge.timing import Note, Take, first_tempo


def cut(
    take: Take, *, start_seconds: float, length_seconds: float | None, wrap: bool = False
) -> Take:
    """Cut a part out of a take. Its start becomes the first bar line.

    Args:
        start_seconds: 0 or more, before the end.
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
    tempo_bpm = first_tempo(take.tempo_bpm)
    first = start * tempo_bpm / 60
    end = max(note.start_beat + note.length_beats for note in notes)
    if first >= end:
        raise BadArgument(_past_the_end(take, float(start), float(end * 60 / tempo_bpm)))
    rounds = (0, end) if wrap else (0,)
    limit = (end if wrap else end - first) if length is None else length * tempo_bpm / 60
    part = []
    for offset in rounds:
        for note in notes:
            begin = max(note.start_beat + offset - first, Fraction(0))
            stop = min(note.start_beat + offset + note.length_beats - first, limit)
            if stop > begin:
                part.append(Note(begin, stop - begin, note.pitch))
    if not part:
        raise SilentMelody(f"{take.name} has no note in that part: name another start or length")
    return replace(take, source=tuple(part), length_beats=limit)


def _past_the_end(take: Take, start_seconds: float, seconds: float) -> str:
    return (
        f"start_seconds {start_seconds:g}: {take.name} is {seconds:.2f} seconds long; "
        "begin before its end"
    )
