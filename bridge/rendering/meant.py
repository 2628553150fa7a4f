"""What was meant by a melody: its notes, its key, and its own tempo."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Literal

import numpy as np

from bridge.audio import Waveform
from bridge.commands import FROM_MELODY
from bridge.config import Options
from bridge.errors import SilentMelody
from bridge.melody import (
    Key,
    TranscribedNote,
    Transcription,
    quantized,
    transcribe,
)
from bridge.melody.key import find_key
from bridge.timing import (
    TICKS_PER_BEAT,
    Meter,
    Note,
    Take,
    bars_to_seconds,
    beats_to_seconds,
    first_meter,
    first_tempo,
)

NOTES_FIELD = "notes"
"""The sidecar's field for the notes that lead."""
CORRECTED_FIELD = "notes_corrected"
"""The sidecar's field that says whether a person has corrected them."""
MOST_NOTES = 10_000
"""Notes of one melody that are kept, listed or corrected."""
BEAT_DECIMALS = 4
"""Decimals of beats in files and messages: less than a tick of 1/960 beat."""
SURE_TEMPO = 0.3
"""Least confidence in the tempo of a recording for a clip to take it."""
SLOWEST_BPM = Fraction(60)
"""The slowest tempo that a transcription finds."""
TAIL_SECONDS = Fraction(1)
"""How much of a recording is heard past the clip's bars: the last note's end."""


@dataclass(frozen=True, eq=False)
class MeantMelody:
    """What was meant by a melody.

    Attributes:
        notes: of a recording, in seconds from its frame 0; they may be a person's corrections.
        leads: the notes lead in the recording's place.
        is_corrected: a person has corrected the notes.
        key: its key as text, such as `"A minor"`; None: none is known.
        tempo_bpm: its own tempo as far as it was looked for and is clear.
        remarks: a sentence each for what was changed, assumed or not found.
    """

    notes: tuple[TranscribedNote, ...] = ()
    leads: bool = False
    is_corrected: bool = False
    key: str | None = None
    tempo_bpm: Fraction | None = None
    remarks: tuple[str, ...] = ()


def meant_by(
    take: Take, options: Options, corrected: tuple[TranscribedNote, ...] | None = None
) -> MeantMelody:
    """Hear a melody as far as the options ask for it.

    Of a recording only the part that the clip's bars can take is heard: four bars take a tenth of a
    second. A raw clip follows the recording as it is.

    Args:
        corrected: the notes of a recording, as a person has corrected them; None: they are heard.

    Raises:
        SilentMelody: the notes are to lead, and the recording has none.
    """
    if not isinstance(take.source, Waveform):
        return _meant_by_notes(take.source, options)
    wants_tempo = options.tempo_bpm == FROM_MELODY and take.tempo_bpm is None
    wants_key = options.key == FROM_MELODY
    wants_notes = notes_may_lead(options)
    if corrected is not None and not (wants_tempo or wants_key):
        return MeantMelody(corrected, wants_notes, True, options.key)
    if not (wants_tempo or wants_key or wants_notes):
        return MeantMelody(key=options.key)
    heard = transcribe(_heard_part(take, take.source, options), key=wanted_key(options.key))
    key = str(heard.key) if wants_key and heard.key is not None else None
    remarks: list[str] = []
    tempo_bpm = sure_tempo(heard) if wants_tempo else None
    if tempo_bpm is not None:
        remarks.append(f"The tempo of {take.name} is {float(tempo_bpm):g} bpm, as it was heard.")
    if wants_key and key is None:
        remarks.append(f"{take.name} is in no clear key: name it with --key (OSC: key).")
    if corrected is None:
        leads = wants_notes and _leads(take, heard, options)
        if leads and not heard.is_melody:
            remarks.append(f"{take.name} is no single voice; its notes lead, as melody_from says.")
        elif wants_notes:
            remarks += heard.remarks
    else:
        leads = wants_notes
    return MeantMelody(
        notes=heard.notes if corrected is None else corrected,
        leads=leads,
        is_corrected=corrected is not None,
        key=key if wants_key else options.key,
        tempo_bpm=tempo_bpm,
        remarks=tuple(remarks),
    )


def notes_may_lead(options: Options) -> bool:
    """Whether a recording's notes may lead in its place; a raw clip follows it as it is."""
    return options.melody_from != "raw" and options.raw_seconds is None


def notes_in_beats(
    notes: Iterable[TranscribedNote], take: Take, tempo_bpm: Fraction
) -> tuple[Note, ...]:
    """A recording's notes in beats from its first bar line, without those before it.

    Args:
        tempo_bpm: the recording's own.
    """
    return tuple(note for note, _ in in_beats(notes, take, tempo_bpm))


def in_beats(
    notes: Iterable[TranscribedNote], take: Take, tempo_bpm: Fraction
) -> Iterator[tuple[Note, TranscribedNote]]:
    """Each of the notes of `notes_in_beats`, with the one that it was made of."""
    beats_per_second = float(tempo_bpm) / 60
    first_seconds = float(take.first_beat_seconds)
    for note in notes:
        start, end = (
            max(round((seconds - first_seconds) * beats_per_second * TICKS_PER_BEAT), 0)
            for seconds in (note.start_seconds, note.start_seconds + note.seconds)
        )
        if end > start:
            start_beat, length_beats = (
                Fraction(ticks, TICKS_PER_BEAT) for ticks in (start, end - start)
            )
            yield Note(start_beat, length_beats, note.pitch, note.velocity), note


def notes_in_seconds(
    notes: Iterable[Note], first_beat_seconds: Fraction, tempo_bpm: Fraction
) -> tuple[TranscribedNote, ...]:
    """Corrected notes of a recording in seconds from its frame 0: what `notes_in_beats` undoes.

    Args:
        first_beat_seconds: the recording's first bar line.
        tempo_bpm: the recording's own.
    """
    return tuple(
        TranscribedNote(
            start_seconds=float(first_beat_seconds + beats_to_seconds(note.start_beat, tempo_bpm)),
            seconds=float(beats_to_seconds(note.length_beats, tempo_bpm)),
            pitch=note.pitch,
            cents=0.0,
            velocity=note.velocity,
            confidence=1.0,
        )
        for note in sorted(notes, key=lambda note: (note.start_beat, note.pitch))
    )


def leading_notes(
    meant: MeantMelody, take: Take, options: Options, *, tempo_bpm: Fraction, meter: Meter
) -> tuple[Note, ...] | None:
    """The notes that lead, in beats from the melody's first bar line.

    Args:
        tempo_bpm: the melody's own.
        meter: the clip's.

    Returns:
        None: the recording leads itself, also where `auto` finds no note in the clip's bars.

    Raises:
        SilentMelody: the notes are to lead, and the clip's bars have none.
    """
    if not isinstance(take.source, Waveform):
        return take.from_first_bar_line().source  # type: ignore[return-value]
    if not meant.leads:
        return None
    notes = notes_in_beats(_on_grid(meant, take, options, tempo_bpm), take, tempo_bpm)
    if any(note.start_beat < options.bars * meter.beats_per_bar for note in notes):
        return notes
    if options.melody_from == "notes" or meant.is_corrected:
        raise SilentMelody(_no_note(take))
    return None


def listed_notes(
    take: Take,
    options: Options,
    corrected: tuple[TranscribedNote, ...] | None = None,
    *,
    tempo_bpm: Fraction,
) -> tuple[list[tuple[Note, float]], tuple[str, ...]]:
    """The notes of a whole melody, also where they would not lead, and what was heard of it.

    Args:
        options: as for `meant_by`; its bars have to hold the melody.
        tempo_bpm: the melody's own.

    Returns:
        Each note in beats from the first bar line, with the confidence in it, 0…1; and remarks.
    """
    if not isinstance(take.source, Waveform):
        return [(note, 1.0) for note in take.from_first_bar_line().source], ()  # type: ignore[union-attr]
    meant = meant_by(take, replace(options, melody_from="auto"), corrected)
    notes = _on_grid(meant, take, options, tempo_bpm)
    found = [(note, heard.confidence) for note, heard in in_beats(notes, take, tempo_bpm)]
    return found, meant.remarks


def _on_grid(
    meant: MeantMelody, take: Take, options: Options, tempo_bpm: Fraction
) -> tuple[TranscribedNote, ...]:
    """The notes that were heard, pulled to the grid; corrected ones are where they were put."""
    if not options.quantize or meant.is_corrected:
        return meant.notes
    return quantized(
        meant.notes,
        options.quantize,
        tempo_bpm=tempo_bpm,
        first_beat_seconds=float(take.first_beat_seconds),
    )


def note_fields(notes: Sequence[Note] | None) -> list[dict[str, Any]] | None:
    """Notes as a sidecar has them, with beats as numbers; None: there are none, or too many."""
    if notes is None or len(notes) > MOST_NOTES:
        return None
    return [
        {
            "start_beat": round(float(note.start_beat), BEAT_DECIMALS),
            "length_beats": round(float(note.length_beats), BEAT_DECIMALS),
            "pitch": note.pitch,
            "velocity": note.velocity,
        }
        for note in notes
    ]


def read_note_fields(fields: object) -> tuple[Note, ...]:
    """The notes that a sidecar has.

    Raises:
        ValueError, TypeError, KeyError: another program wrote them.
    """
    if not isinstance(fields, list) or len(fields) > MOST_NOTES:
        raise ValueError(f"{NOTES_FIELD} is no list of notes")
    notes = tuple(
        Note(
            Fraction(str(float(each["start_beat"]))),
            Fraction(str(float(each["length_beats"]))),
            int(each["pitch"]),
            int(each["velocity"]),
        )
        for each in fields
    )
    if not all(
        note.start_beat >= 0
        and note.length_beats > 0
        and 0 <= note.pitch <= 127
        and 1 <= note.velocity <= 127
        for note in notes
    ):
        raise ValueError(f"{NOTES_FIELD} has a note that no one can play")
    return notes


def _meant_by_notes(notes: tuple[Note, ...], options: Options) -> MeantMelody:
    """The key of a melody that is notes: all else is known."""
    if options.key != FROM_MELODY:
        return MeantMelody(key=options.key)
    pitches = np.array([note.pitch for note in notes], dtype=np.int64)
    lengths = np.array([float(note.length_beats) for note in notes])
    key, _ = find_key(pitches, lengths)
    if key is not None:
        return MeantMelody(key=str(key))
    return MeantMelody(remarks=("The melody is in no clear key: name it with --key (OSC: key).",))


def _leads(take: Take, heard: Transcription, options: Options) -> bool:
    """Whether a recording's notes lead.

    Raises:
        SilentMelody: they are to lead, and there are none.
    """
    if options.melody_from == "notes" and not heard.notes:
        raise SilentMelody(_no_note(take))
    return options.melody_from == "notes" or (
        options.melody_from == "auto" and heard.is_melody and bool(heard.notes)
    )


def _no_note(take: Take) -> str:
    return (
        f"melody_from notes: {take.name} has no note in the clip's bars: hum or play one voice, or "
        "let the recording lead with melody_from raw"
    )


def sure_tempo(heard: Transcription) -> Fraction | None:
    """The tempo of a recording where it is clear."""
    return heard.tempo_bpm if heard.tempo_confidence >= SURE_TEMPO else None


def wanted_key(text: str | None) -> Key | Literal["auto"] | None:
    """The key to look for notes in, from the option `key`."""
    if text is None:
        return None
    return "auto" if text == FROM_MELODY else Key.parse(text)


def _heard_part(take: Take, source: Waveform, options: Options) -> Waveform:
    """The part of a recording that the clip's bars can take, from frame 0."""
    slowest_bpm = SLOWEST_BPM if options.tempo_bpm == FROM_MELODY else None
    tempo_bpm = first_tempo(take.tempo_bpm, options.asked_tempo_bpm, slowest_bpm)
    meter = first_meter(options.meter, take.meter)
    end_seconds = (
        take.first_beat_seconds + bars_to_seconds(options.bars, meter, tempo_bpm) + TAIL_SECONDS
    )
    frames = max(round(end_seconds * source.sample_rate), 1)
    if frames >= source.frames:
        return source
    return Waveform(source.samples[:frames], source.sample_rate)
