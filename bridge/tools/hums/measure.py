"""`melody-bridge eval --hums`: how well the transcription hears what made hums mean."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from rich.console import Console
from rich.table import Table

from bridge.chroma import audio_chroma, similarity
from bridge.melody import Transcription, transcribe
from bridge.tools.figures import Figure, as_rows, as_table, mean, share
from bridge.tools.hums import scores
from bridge.tools.hums.cases import Hum, held_out_hums, hums, solos

SHORT_EVERY, SHORT_EVERY_SOLO = 6, 3
"""The short form takes one hum of so many under each condition, and one solo of so many."""


@dataclass(frozen=True)
class Score:
    """How well one recording was heard.

    Attributes:
        f_measure: of onset and pitch, 0…1.
        steps: share of the steps of 128 ms with the meant pitch class.
        raw_steps: the same by raw chroma.
        key: 1, 0.5 or 0; None: the tune is in no key.
        is_tempo: the tempo is right, or twice or half of it.
        is_changed: a pitch of a solo is another than what was played.
    """

    f_measure: float
    steps: float
    raw_steps: float
    key: float | None
    is_tempo: bool
    is_changed: bool


def main(*, short: bool, held_out: bool, as_json: bool) -> int:
    """Measure and print; return 0, also where a figure misses its floor: the table says so."""
    console = Console(stderr=True)
    if held_out:
        made = held_out_hums(1 if short else 2)
    else:
        made = hums(1, every=SHORT_EVERY) if short else hums()
    measured: dict[str, list[Score]] = {}
    for condition, recordings in groupby(made, lambda hum: hum.condition):
        console.print(f"hums: {condition}", highlight=False)
        measured[condition] = [score(hum) for hum in recordings]
    console.print("solo instruments")
    played = [score(solo) for solo in solos(every=SHORT_EVERY_SOLO if short else 1)]
    figures = as_figures(measured, played)
    if as_json:
        conditions = {
            condition: {**_means(each), "hums": len(each)} for condition, each in measured.items()
        }
        print(json.dumps({"figures": as_rows(figures), "conditions": conditions}))
    else:
        title = f"transcription of made hums{', held out' if held_out else ''}"
        Console().print(as_table(title, 1, figures), _by_condition(measured))
    return 0


def score(hum: Hum) -> Score:
    """Transcribe a recording, and compare it with what it means."""
    seconds = hum.waveform.seconds
    heard = transcribe(hum.waveform)
    notes = [(note.start_seconds, note.seconds, note.pitch) for note in heard.notes]
    meant = scores.steps_of(hum.notes, seconds)
    raw = audio_chroma(hum.waveform).argmax(axis=1)
    leading = scores.leading_steps(notes, seconds) if heard.is_melody else raw
    return Score(
        f_measure=scores.note_f_measure(hum.notes, notes),
        steps=similarity(leading, meant),
        raw_steps=similarity(raw, meant),
        key=scores.key_score(hum.key, heard.key) if hum.key else None,
        is_tempo=scores.is_tempo(hum.tempo_bpm, heard.tempo_bpm),
        is_changed=bool(heard.remarks) or _is_changed(hum, heard),
    )


def _is_changed(hum: Hum, heard: Transcription) -> bool:
    """Whether a note has a pitch that is nowhere in what sounds at its middle."""
    return any(
        all(
            note.pitch != pitch or not start - 0.1 <= middle <= start + seconds + 0.3
            for start, seconds, pitch in hum.notes
        )
        for note in heard.notes
        for middle in (note.start_seconds + note.seconds / 2,)
    )


def as_figures(measured: Mapping[str, list[Score]], played: list[Score]) -> list[Figure]:
    """The figures that have floors.

    Args:
        measured: the scores of hums by condition, `"clean"` and `"offset48"` among them.
        played: those of solos.
    """
    every = [each for condition in measured.values() for each in condition]
    keys = [each.key for each in every if each.key is not None]
    raw_errors = sum(1 - each.raw_steps for each in every)
    errors_left = sum(1 - each.steps for each in every) / raw_errors if raw_errors else np.nan
    clean, offset = measured["clean"], measured["offset48"]
    count = len(every)
    floors: list[tuple[str, float, float | None, bool, int]] = [
        ("notes found, clean (F)", _mean_f(clean), 0.90, False, len(clean)),
        ("notes found (F)", _mean_f(every), 0.80, False, count),
        ("steps as meant", _mean_steps(every), 0.93, False, count),
        ("steps as meant, raw chroma", mean([e.raw_steps for e in every]), None, False, count),
        ("raw chroma's errors that remain", float(errors_left), 0.5, True, count),
        ("steps as meant, 48 cents off", _mean_steps(offset), 0.90, False, len(offset)),
        ("key found", mean(keys), 0.85, False, len(keys)),
        ("tempo found", share([each.is_tempo for each in every]), 0.85, False, count),
        ("solos that are changed", share([e.is_changed for e in played]), 0.0, True, len(played)),
    ]
    return [Figure(*row) for row in floors]


def _mean_f(rows: list[Score]) -> float:
    return mean([each.f_measure for each in rows])


def _mean_steps(rows: list[Score]) -> float:
    return mean([each.steps for each in rows])


def _means(rows: list[Score]) -> dict[str, float]:
    return {
        "notes": round(_mean_f(rows), 4),
        "steps": round(_mean_steps(rows), 4),
        "raw_steps": round(mean([each.raw_steps for each in rows]), 4),
        "key": round(mean([each.key for each in rows if each.key is not None]), 4),
        "tempo": round(share([each.is_tempo for each in rows]), 4),
    }


def _by_condition(measured: Mapping[str, list[Score]]) -> Table:
    table = Table(title="by condition")
    headings = ("condition", "notes (F)", "steps", "raw chroma", "key", "tempo", "hums")
    for heading in headings:
        table.add_column(heading)
    for condition, rows in measured.items():
        figures = (f"{figure:.2f}" for figure in _means(rows).values())
        table.add_row(condition, *figures, str(len(rows)))
    return table
