"""A clip made again from its sidecar, with other settings."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from bridge.config import Options, merge, read_value
from bridge.config.options import FITTED, RAW_LENGTHS
from bridge.config.presets import find_preset
from bridge.delivery.clip_book import BookClip
from bridge.delivery.clip_files import DISCARDED
from bridge.delivery.sidecar import UNREADABLE, read_tempo
from bridge.delivery.wav import SIDECAR
from bridge.errors import BadArgument, UnreadableFile
from bridge.melody import MIDI_SUFFIXES, TranscribedNote, cut, read_melody
from bridge.rendering.meant import (
    CORRECTED_FIELD,
    NOTES_FIELD,
    notes_in_seconds,
    read_note_fields,
)
from bridge.rendering.plan import RenderPlan, prepare
from bridge.timing import Meter, Take

AGAIN_OF = "again_of"
"""The sidecar field that names the clip it was made again from."""
_SAME_NAME = (
    *("bars", "sample_rate", "model", "seed", "preset", "key", "lead", "track"),
    *("seconds", "max_new_tokens", "melody_start", "melody_length", "trim", "stems"),
    *("greedy", "unconditional", "melody_from", "quantize"),
    *("guidance_scale", "temperature", "top_k", "top_p"),
)
"""Fields of a sidecar that are options of the same name."""
_PART = ("melody_start_seconds", "melody_length_seconds", "melody_wrap", "melody_part_tempo_bpm")
"""Fields that name the part of a file that a message asked for, and the tempo that it gave."""
_OTHER_PART = frozenset(("melody_start", "melody_length", "trim"))
"""Options that make the melody another part of its file."""
_TITLE = re.compile(r"\d{4}-\d\d-\d\d (?P<title>.+) ([\d.]+bpm|raw) .*")
"""The name of a clip, and its title in it."""


def plan_again(
    clip: BookClip, changes: Mapping[str, Any], configured: Mapping[str, Any]
) -> RenderPlan:
    """Plan a clip that differs from a stored one in these settings alone.

    Without any change it gets another seed.

    Args:
        changes: raw values by field of `Options`, as they were given.
        configured: values that neither the changes nor the clip's sidecar set.

    Raises:
        UnreadableFile: its melody is gone.
        BadArgument: the sidecar has a value that cannot be used.
        BridgeError: as `prepare`.
    """
    preset = find_preset(changes["preset"]).values if "preset" in changes else {}
    recorded = _recorded(clip)
    if {"prompt", "preset"} & changes.keys():
        # A prompt and a preset are one setting: the new one replaces both.
        recorded = {
            name: value
            for name, value in recorded.items()
            if name not in ("prompt", "preset", "unconditional")
        }
    if not changes:
        del recorded["seed"]
    options = merge(changes, preset, {"out": clip_folder(clip)}, recorded, configured)
    try:
        take = _part(clip, options)
    except (TypeError, ValueError, OverflowError) as error:
        raise _unusable(clip, error) from error
    if options.melody is not None and options.melody == clip.take:
        # It is used: its time in the folder for takes begins anew.
        with suppress(OSError):
            os.utime(options.melody)
    plan = prepare(options, take, _corrected(clip, options, changes))
    if plan.take is None:
        return plan
    return replace(plan, take=replace(plan.take, name=title_of(clip)))


def clip_folder(clip: BookClip) -> Path:
    """The clips folder of a clip, also of a discarded one."""
    folder = clip.known.path.parent
    return folder.parent if clip.is_discarded else folder


def title_of(clip: BookClip) -> str:
    """The title in a clip's name; all of the name where it has another form."""
    match = _TITLE.fullmatch(clip.known.path.stem)
    return match["title"] if match else clip.known.path.stem


def _recorded(clip: BookClip) -> dict[str, Any]:
    """The sidecar's values by field of `Options`, those that are set."""
    fields = clip.fields
    values: dict[str, Any] = {name: fields.get(name) for name in _SAME_NAME}
    if any(fields.get(name) is not None for name in RAW_LENGTHS):
        values = {name: value for name, value in values.items() if name not in FITTED}
    values["prompt"] = fields.get("prompt_template", fields.get("prompt"))
    try:
        values["tempo_bpm"] = read_tempo(fields["tempo_bpm"])
        values["meter"] = Meter.parse(fields["meter"])
        if fields.get("continue_from") is not None:
            values["continue_from"] = _continued(clip)
        if fields.get("melody") is not None:
            melody = _melody(clip)
            values["melody"] = melody
            # A recording of unknown tempo counted at the clip's.
            own = fields.get("melody_tempo_bpm")
            values["melody_tempo_bpm"] = values["tempo_bpm"] if own is None else read_tempo(own)
        return {
            name: read_value(name, value)
            for name, value in values.items()
            # A switch that is off is as good as none.
            if value is not None and value is not False
        }
    except (TypeError, ValueError, ArithmeticError, AttributeError, BadArgument) as error:
        raise _unusable(clip, error) from error


def _continued(clip: BookClip) -> Path:
    """The clip that this one goes on from, also where its folder has moved or it is discarded."""
    recorded = Path(clip.text("continue_from"))
    folder = clip_folder(clip)
    places = (recorded, folder / recorded.name, folder / DISCARDED / recorded.name)
    return next((place for place in places if place.is_file()), recorded)


def _melody(clip: BookClip) -> Path:
    """The file of the clip's melody.

    Raises:
        UnreadableFile: it is gone.
    """
    if clip.take is not None:
        return clip.take
    melody = Path(clip.text("melody"))
    if not melody.is_file():
        raise UnreadableFile(
            f"{clip.known.path.stem} follows {str(melody)!r}, which is not there any more: "
            "put it back, or render another melody"
        )
    return melody


def _part(clip: BookClip, options: Options) -> Take | None:
    """The part of the melody's file that a message had asked for; None: `prepare` reads it."""
    start, length, wrap, tempo = (clip.fields.get(name) for name in _PART)
    has_part = bool(start) or length is not None
    if not has_part or options.melody is None or options.melody_start or options.melody_length:
        return None
    tempo_bpm = options.melody_tempo_bpm
    if options.melody.suffix.lower() in MIDI_SUFFIXES:
        # Seconds of notes are the file's, unless the message had a tempo.
        tempo_bpm = None if tempo is None else read_tempo(tempo)
    take = read_melody(options.melody, tempo_bpm=tempo_bpm, track=options.track)
    return cut(
        take,
        start_seconds=float(start or 0),
        length_seconds=None if length is None else float(length),
        wrap=wrap is True,
    )


def _corrected(
    clip: BookClip, options: Options, changes: Mapping[str, Any]
) -> tuple[TranscribedNote, ...] | None:
    """The notes of the clip's recording as a person had corrected them; None: nobody had.

    Raises:
        BadArgument: the sidecar has notes that cannot be used.
    """
    is_same = options.melody is not None and not _OTHER_PART & changes.keys()
    if not is_same or clip.fields.get(CORRECTED_FIELD) is not True:
        return None
    try:
        notes = read_note_fields(clip.fields.get(NOTES_FIELD))
        tempo_bpm = read_tempo(clip.fields.get("melody_tempo_bpm") or clip.fields["tempo_bpm"])
    except UNREADABLE as error:
        raise _unusable(clip, error) from error
    return notes_in_seconds(notes, Fraction(0), tempo_bpm)


def _unusable(clip: BookClip, error: Exception) -> BadArgument:
    return BadArgument(f"{clip.known.path.with_suffix(SIDECAR).name} cannot be used: {error}")
