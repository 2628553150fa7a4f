"""Alignment of a take to the clip's bars: scaled to the clip's tempo, cut or repeated on bar lines.

The audio itself is tiled, and the chroma is that of the tiled audio. transformers repeats chroma
in whole steps of 128 ms instead, which drifts off the bar (8 s is 62.5 steps).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil

import numpy as np
from numpy.typing import NDArray

from bridge.audio import MODEL_SAMPLE_RATE, Waveform
from bridge.chroma import (
    HOP,
    WINDOW_SECONDS,
    melody_chroma,
    note_chroma,
    note_pitch_classes,
)
from bridge.errors import BadArgument, SilentMelody, Unsupported
from bridge.melody.silence import BLOCK_SECONDS, sounding_seconds
from bridge.timing import (
    Lead,
    Meter,
    Note,
    Take,
    bars_text,
    bars_to_frames,
    bars_to_seconds,
    beats_to_seconds,
)

SLACK_BEATS = Fraction(2, 5)
"""A last note or a recording may end this much past the bar line without opening another bar.

It is less than an eighth note, and off the grid that notes end on, so that rounding never decides.
"""

LONGEST_READ_SECONDS = 3600
"""The longest tiled audio, at the melody's own tempo; all of it is in memory at once."""

_STEP_SECONDS = Fraction(HOP, MODEL_SAMPLE_RATE)
_AUDIBLE_SECONDS = 0.05


@dataclass(frozen=True, eq=False)
class AlignedMelody:
    """A melody aligned to a clip's bars.

    Attributes:
        chroma: float32 `[steps, 12]`, one-hot: the clip's bars, repeated to the end of the piece.
            There are `ceil(piece seconds / 128 ms)` steps, and at least 235, a full window.
        classes: int64 `[ceil(clip seconds / 128 ms)]`: the pitch class at each step of the clip,
            −1 where the melody rests. The finished clip is compared with them.
        remarks: one sentence each for what was cut, repeated, padded or scaled.
        notes: those that lead on the clip's bars, in beats from the clip's start, repeated and cut
            like the rest; None: a recording leads by its own chroma.
    """

    chroma: NDArray[np.float32]
    classes: NDArray[np.int64]
    remarks: tuple[str, ...]
    notes: tuple[Note, ...] | None = None


def align_to_bars(
    take: Take,
    *,
    bars: int,
    tempo_bpm: Fraction,
    meter: Meter,
    piece_seconds: float = 0.0,
    lead: Lead = "highest",
    notes: tuple[Note, ...] | None = None,
) -> AlignedMelody:
    """Align a melody to the bars of a clip.

    A melody of unknown tempo has the clip's tempo, with a bar line at its start. Bars have the
    clip's meter, whatever the melody's meter is. A rest fills the melody's last bar.

    Args:
        take: the melody.
        bars: the clip's length, 1 or more.
        tempo_bpm, meter: the clip's.
        piece_seconds: length of the piece that is generated for the clip; less than the clip's
            length means the clip's length.
        lead: which of several notes at a time is the melody; sound is not affected.
        notes: the notes that a recording means: they lead in its place. Their beats count from its
            first bar line, at its own tempo. None: its chroma leads.

    Raises:
        BadArgument: less than one bar.
        SilentMelody: nothing sounds in the bars that are used.
        Unsupported: the piece is so much faster than the melody that it needs over an hour of it.
    """
    if bars < 1:
        raise BadArgument(f"a clip has at least 1 bar, got {bars}")
    clip = _Clip(bars, tempo_bpm, meter, piece_seconds)
    take = take.from_first_bar_line()
    if isinstance(take.source, Waveform):
        return _align_audio(take, take.source, clip, notes)
    return _align_notes(take, take.source, clip, lead)


@dataclass(frozen=True)
class _Clip:
    bars: int
    tempo_bpm: Fraction
    meter: Meter
    piece_seconds: float

    @property
    def seconds(self) -> Fraction:
        return bars_to_seconds(self.bars, self.meter, self.tempo_bpm)

    @property
    def steps(self) -> int:
        return ceil(self.seconds / _STEP_SECONDS)

    @property
    def tiled_seconds(self) -> Fraction:
        """Length of the piece, and at least that of the window."""
        return max(self.seconds, Fraction(self.piece_seconds), Fraction(WINDOW_SECONDS))

    @property
    def tiled_steps(self) -> int:
        return ceil(self.tiled_seconds / _STEP_SECONDS)

    def repeats(self, melody_bars: int) -> Iterator[tuple[int, int]]:
        """Each repeat of the melody: the bar it begins on, and how many bars of it are played.

        After the clip's last bar its bars start over: the music generated past a clip's end leads
        into its start.
        """
        end_bar = ceil(self.tiled_seconds / bars_to_seconds(1, self.meter, self.tempo_bpm))
        for clip_start in range(0, end_bar, self.bars):
            for bar in range(0, self.bars, melody_bars):
                yield clip_start + bar, min(melody_bars, self.bars - bar)


def _align_audio(
    take: Take, source: Waveform, clip: _Clip, notes: tuple[Note, ...] | None
) -> AlignedMelody:
    own_tempo_bpm = take.tempo_bpm or clip.tempo_bpm
    time_scale = clip.tempo_bpm / own_tempo_bpm
    read_seconds = clip.tiled_seconds * time_scale
    if read_seconds > LONGEST_READ_SECONDS:
        raise Unsupported(
            f"{bars_text(clip.bars)} at {float(clip.tempo_bpm):g} bpm read "
            f"{float(read_seconds):.0f} s of a melody at {float(own_tempo_bpm):g}, "
            f"and {LONGEST_READ_SECONDS} s is the most: "
            "ask for fewer bars, or for a tempo nearer to the melody's"
        )
    beat_seconds = beats_to_seconds(1, own_tempo_bpm)
    bar_seconds = bars_to_seconds(1, clip.meter, own_tempo_bpm)
    length_seconds = Fraction(source.frames, source.sample_rate) - take.first_beat_seconds
    sounding = sounding_seconds(source) - float(take.first_beat_seconds)
    end_seconds = float(sounding.max()) + BLOCK_SECONDS if len(sounding) else 0.0

    melody_bars = round(length_seconds / bar_seconds)
    slack_seconds = SLACK_BEATS * beat_seconds
    if melody_bars < 1 or abs(length_seconds - melody_bars * bar_seconds) > slack_seconds:
        # Not a whole number of bars: then silence after the last note is not part of the melody.
        used_seconds = min(Fraction(end_seconds), length_seconds)
        melody_bars = max(ceil((used_seconds - slack_seconds) / bar_seconds), 1)
        length_seconds = used_seconds
    used_bars_seconds = float(min(melody_bars, clip.bars) * bar_seconds)
    if not ((sounding >= 0) & (sounding < used_bars_seconds)).any():
        raise SilentMelody(_silent(take, clip))

    remarks = _time_remarks(take, clip)
    if len(sounding) and sounding.min() < 0:
        remarks.append(
            f"The {float(take.first_beat_seconds):.2f} s before the melody's first bar line "
            "are left out."
        )
    overhang_seconds = end_seconds - float(melody_bars * bar_seconds)
    if melody_bars <= clip.bars and overhang_seconds > _AUDIBLE_SECONDS:
        remarks.append(
            f"The melody's last {overhang_seconds:.2f} s, past its bar line, are left out."
        )
    missing_beats = (melody_bars * bar_seconds - length_seconds) / beat_seconds
    remarks += _bar_remarks(melody_bars, missing_beats, clip)

    if notes is not None:
        used_beats = min(melody_bars, clip.bars) * clip.meter.beats_per_bar
        if not any(note.start_beat < used_beats for note in notes):
            raise SilentMelody(_silent(take, clip))
        return _aligned(_repeated(notes, melody_bars, clip), clip, "highest", remarks)
    tiled = _tile(take, source, own_tempo_bpm, melody_bars, clip)
    chroma, classes = melody_chroma(tiled, time_scale=time_scale)
    return AlignedMelody(
        chroma=chroma[: clip.tiled_steps],
        classes=classes[: clip.steps],
        remarks=tuple(remarks),
    )


def _tile(
    take: Take, source: Waveform, own_tempo_bpm: Fraction, melody_bars: int, clip: _Clip
) -> Waveform:
    """The melody at its own tempo, repeated on bar lines: mono at 32 kHz."""
    first = round(take.first_beat_seconds * source.sample_rate)
    used_bars = min(melody_bars, clip.bars)
    last = first + bars_to_frames(used_bars, clip.meter, own_tempo_bpm, source.sample_rate)
    used = Waveform(source.samples[max(first, 0) : max(last, 0)], source.sample_rate)
    melody = used.mono().resampled(MODEL_SAMPLE_RATE).samples
    # A first bar line before frame 0: the recording began late, so the melody begins with a rest.
    lead = round(max(-take.first_beat_seconds, Fraction(0)) * MODEL_SAMPLE_RATE)
    melody = np.pad(melody, ((lead, 0), (0, 0)))

    def frame(bar: int) -> int:
        return bars_to_frames(bar, clip.meter, own_tempo_bpm, MODEL_SAMPLE_RATE)

    repeats = list(clip.repeats(melody_bars))
    tiled = np.zeros((frame(sum(repeats[-1])), 1), dtype=np.float32)
    for bar, repeat_bars in repeats:
        piece = melody[: frame(bar + repeat_bars) - frame(bar)]
        tiled[frame(bar) : frame(bar) + len(piece)] = piece
    time_scale = clip.tempo_bpm / own_tempo_bpm
    return Waveform(
        tiled[: ceil(clip.tiled_seconds * time_scale * MODEL_SAMPLE_RATE)], MODEL_SAMPLE_RATE
    )


def _align_notes(take: Take, notes: tuple[Note, ...], clip: _Clip, lead: Lead) -> AlignedMelody:
    bar_beats = clip.meter.beats_per_bar
    end = take.end_beats
    if not any(note.start_beat < clip.bars * bar_beats for note in notes):
        raise SilentMelody(_silent(take, clip))
    last_start = max(note.start_beat for note in notes)
    melody_bars = max(last_start // bar_beats + 1, ceil((end - SLACK_BEATS) / bar_beats))

    remarks = _time_remarks(take, clip)
    remarks += _bar_remarks(melody_bars, melody_bars * bar_beats - end, clip)
    return _aligned(_repeated(notes, melody_bars, clip), clip, lead, remarks)


def _repeated(notes: tuple[Note, ...], melody_bars: int, clip: _Clip) -> list[Note]:
    """The notes of all repeats, each repeat cut at its end."""
    bar_beats = clip.meter.beats_per_bar
    return [
        replace(
            note,
            start_beat=bar * bar_beats + note.start_beat,
            length_beats=min(note.length_beats, used_bars * bar_beats - note.start_beat),
        )
        for bar, used_bars in clip.repeats(melody_bars)
        for note in notes
        if note.start_beat < used_bars * bar_beats
    ]


def _aligned(notes: list[Note], clip: _Clip, lead: Lead, remarks: list[str]) -> AlignedMelody:
    """The melody of notes on the clip's bars."""
    clip_beats = clip.bars * clip.meter.beats_per_bar
    return AlignedMelody(
        chroma=note_chroma(notes, clip.tempo_bpm, clip.tiled_steps, lead),
        classes=note_pitch_classes(notes, clip.tempo_bpm, clip.steps, lead),
        remarks=tuple(remarks),
        notes=tuple(note for note in notes if note.start_beat < clip_beats),
    )


def _silent(take: Take, clip: _Clip) -> str:
    return (
        f"{take.name} has no sounding note in the clip's {bars_text(clip.bars)}: "
        "cut the silence before its first note, or ask for more bars"
    )


def _time_remarks(take: Take, clip: _Clip) -> list[str]:
    remarks = []
    if take.tempo_bpm is not None and take.tempo_bpm != clip.tempo_bpm:
        remarks.append(
            f"The melody's {float(take.tempo_bpm):g} bpm are scaled "
            f"to the clip's {float(clip.tempo_bpm):g}."
        )
    if take.meter is not None and take.meter.beats_per_bar != clip.meter.beats_per_bar:
        remarks.append(
            f"The melody is in {take.meter} and the clip in {clip.meter}: "
            "its beats are kept, its bar lines are not."
        )
    return remarks


def _bar_remarks(melody_bars: int, missing_beats: Fraction, clip: _Clip) -> list[str]:
    if melody_bars > clip.bars:
        return [
            f"The melody has {bars_text(melody_bars)}: "
            f"what comes after the clip's {bars_text(clip.bars)} is left out."
        ]
    remarks = []
    if missing_beats > SLACK_BEATS:
        remarks.append(f"The melody is padded with a rest to {bars_text(melody_bars)}.")
    if melody_bars < clip.bars:
        verb = "is" if melody_bars == 1 else "are"
        sentence = f"The melody's {bars_text(melody_bars)} {verb} repeated to fill {clip.bars}"
        left = clip.bars % melody_bars
        remarks.append(
            f"{sentence}, the last time cut to {bars_text(left)}." if left else f"{sentence}."
        )
    return remarks
