"""Where the notes of a pitch track begin and end."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bridge.melody.pitch_track import FRAME_SECONDS, PitchTrack

SLIDE_SECONDS = 0.13
"""A piece between two notes that is no longer than this may be the way from one to the other."""

_TOUCHING_SECONDS = 0.05
_SLIDE_SEMITONES = 0.7
"""A note's own pitch moves less, vibrato included."""
_STRAY_SEMITONES = 7.0
_SHORTEST_SECONDS = 0.06
_OCTAVE_ERROR_SECONDS = 0.5
_SAME_SEMITONES = 0.4
_ATTACK_DB = 3.0
_ATTACK_FRAMES = 3
_LEAST_FRAMES = 6
"""Between two attacks, 0.1 s."""
_FULL_DB = 6.0
"""A note begins where its level is this near to its loudest. A voice is heard to come in with its
vowel, not with the m, l or r before it: Morton, Marcus and Frankish, "Perceptual centers
(P-centers)", Psychological Review 83, 1976."""
_SWELL_SECONDS = 0.15
"""From a note's start; what is louder later is its swell."""
_LONGEST_CONSONANT_SECONDS = 0.1
_FAINT_DB, _FAINT_SECONDS, _FAINT_CONFIDENCE = 18.0, 0.2, 0.9
"""A note that is so far below the others, so short and no surer is a breath or an echo."""
_DYING_SHARE = 0.7
"""Share of its frames at which the level of a plucked note falls; a voice's in a room goes up and
down."""

Span = tuple[float, float]
"""Start and end in seconds."""


def find_spans(track: PitchTrack) -> list[Span]:
    """The notes of a pitch track, in order; no two overlap.

    SwiftF0's own segmentation, then: a string that is plucked again without a pause is two notes; a
    slide belongs to the note that it arrives at; a stray piece between two notes, such as a click
    or an octave error, is none, nor is a faint one. A sung note begins with its vowel.
    """
    from swift_f0 import segment_notes

    found = [(note.start, note.end) for note in segment_notes(track.found)]
    struck = [part for span in found for part in _attacks(track, span)]
    notes = _without_slides(track, _without_octave_errors(track, struck))
    return [(_vowel(track, span), span[1]) for span in _without_faint(track, notes)]


def pitch_of(track: PitchTrack, span: Span) -> float:
    """The pitch of a note in semitones: the median of its sure frames, without its edges."""
    start, end = span
    times = track.found.timestamps
    edge = min(0.06, (end - start) / 4)
    inside = (times >= start + edge) & (times <= end - edge) & (track.confidence >= 0.5)
    if not inside.any():
        inside = (times >= start) & (times < end)
    return float(np.median(track.exact[inside]))


def frames_of(track: PitchTrack, span: Span) -> slice:
    """The frames of a note."""
    first = round(span[0] / FRAME_SECONDS)
    return slice(first, max(first + 1, min(round(span[1] / FRAME_SECONDS), len(track.exact))))


def _attacks(track: PitchTrack, span: Span) -> Iterator[Span]:
    """A note that dies away, divided where it is struck again."""
    level = track.level_db[frames_of(track, span)]
    start, end = span
    steps = np.diff(level)
    if len(steps) > 2 * _LEAST_FRAMES and (steps < 0).mean() >= _DYING_SHARE:
        rises = level[_ATTACK_FRAMES:] - level[:-_ATTACK_FRAMES]
        index = _LEAST_FRAMES
        while index < len(rises) - _LEAST_FRAMES // 2:
            if rises[index] >= _ATTACK_DB:
                # The steepest frame of the rise is the attack.
                attack = index + 1 + int(steps[index : index + _ATTACK_FRAMES].argmax())
                yield start, span[0] + attack * FRAME_SECONDS
                start = span[0] + attack * FRAME_SECONDS
                index = attack + _LEAST_FRAMES
            else:
                index += 1
    yield start, end


def _without_octave_errors(track: PitchTrack, spans: list[Span]) -> list[Span]:
    """Join a note that is heard an octave off for a while, without another attack.

    The track is mended too, so that the note's pitch is that of its ends.
    """
    joined: list[Span] = []
    pitches: list[float] = []
    for start, end in spans:
        joined.append((start, end))
        pitches.append(pitch_of(track, (start, end)))
        while len(joined) > 2 and _is_octave_error(track, joined[-3:], pitches[-3:]):
            first, error, last = joined[-3:]
            track.exact[frames_of(track, error)] += pitches[-3] - pitches[-2]
            del joined[-2:], pitches[-2:]
            joined[-1] = (first[0], last[1])
    return joined


def _is_octave_error(track: PitchTrack, spans: list[Span], pitches: list[float]) -> bool:
    before, middle, after = pitches
    starts = [start for start, _ in spans[1:]]
    gaps = [start - end for start, (_, end) in zip(starts, spans, strict=False)]
    return (
        spans[1][1] - spans[1][0] <= _OCTAVE_ERROR_SECONDS
        and max(gaps) <= FRAME_SECONDS * 1.5
        and abs(before - after) < _SAME_SEMITONES
        and abs(abs(middle - before) - 12) < _SAME_SEMITONES
        and not any(_is_attack(track, start) for start in starts)
    )


def _is_attack(track: PitchTrack, second: float) -> bool:
    """Whether the level rises there."""
    frame = round(second / FRAME_SECONDS)
    near = track.level_db[max(0, frame - _ATTACK_FRAMES) : frame + _ATTACK_FRAMES + 1]
    return bool((near[_ATTACK_FRAMES:] - near[:-_ATTACK_FRAMES]).max(initial=0.0) >= _ATTACK_DB)


def _without_slides(track: PitchTrack, spans: list[Span]) -> list[Span]:
    pitches = [pitch_of(track, span) for span in spans]
    kept: list[Span] = []
    early: float | None = None
    for index, (start, end) in enumerate(spans):
        begins, early = early if early is not None else start, None
        if end - start <= SLIDE_SECONDS:
            after = index + 1 < len(spans) and spans[index + 1][0] - end <= _TOUCHING_SECONDS
            before = bool(kept) and start - kept[-1][1] <= _TOUCHING_SECONDS
            if after and _is_slide(track, (start, end)):
                # From another note the slide is heard as a change in its middle; a voice that
                # starts with one has begun.
                early = (start + end) / 2 if before else begins
                continue
            if after and before and _is_stray(pitches[index - 1 : index + 2]):
                early = (start + end) / 2
                continue
        if end - begins >= _SHORTEST_SECONDS:
            kept.append((begins, end))
    return kept


def _is_slide(track: PitchTrack, span: Span) -> bool:
    exact = track.exact[frames_of(track, span)]
    return bool(abs(exact[-1] - exact[0]) > _SLIDE_SEMITONES)


def _is_stray(three: list[float]) -> bool:
    """Whether the middle one is far from both others."""
    before, middle, after = three
    return abs(before - middle) > _STRAY_SEMITONES and abs(after - middle) > _STRAY_SEMITONES


def _without_faint(track: PitchTrack, spans: list[Span]) -> list[Span]:
    if not spans:
        return spans
    levels = [float(track.level_db[frames_of(track, span)].max()) for span in spans]
    least = float(np.median(levels)) - _FAINT_DB
    return [
        span
        for span, level in zip(spans, levels, strict=True)
        if level >= least
        or span[1] - span[0] >= _FAINT_SECONDS
        or track.confidence[frames_of(track, span)].mean() >= _FAINT_CONFIDENCE
    ]


def _vowel(track: PitchTrack, span: Span) -> float:
    """The second at which a note has come in."""
    start, end = span
    level = track.level_db[frames_of(track, (start, min(start + _SWELL_SECONDS, end)))]
    late = FRAME_SECONDS * int((level >= level.max() - _FULL_DB).argmax())
    return start + min(late, _LONGEST_CONSONANT_SECONDS)
