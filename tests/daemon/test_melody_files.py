"""Melodies from files that a message names."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bridge.commands import CaptureFile
from bridge.daemon.melody_files import FileMelody, MelodyFiles
from bridge.errors import BadArgument

CASES = Path(__file__).parents[1] / "cases"


def read(name: str, **part: object) -> FileMelody:
    command = CaptureFile("me-1", str(CASES / name), **part)  # type: ignore[arg-type]
    return asyncio.run(MelodyFiles([CASES]).read(command))


def test_a_track_is_chosen_and_recorded() -> None:
    melody = read("lead-under-strings.mid", track="Melody")
    assert isinstance(melody.take.source, tuple)
    assert [note.pitch for note in melody.take.source] == [60, 64, 67, 72]
    assert melody.recipe["track"] == "Melody"
    with pytest.raises(BadArgument, match="choose 1 'Melody', 2 'Strings'"):
        read("lead-under-strings.mid", track="Bass")


def test_a_part_of_a_midi_file_follows_its_tempo_changes() -> None:
    take = read("map.mid", start_seconds=6.0, length_seconds=4.0).take
    assert isinstance(take.source, tuple)
    assert [note.pitch for note in take.source] == [64]
    assert take.length_beats == 4
    assert take.remarks == ()


def test_what_a_reader_decided_stays_with_the_part() -> None:
    take = read("lead-under-strings.mid", start_seconds=0.5).take
    assert len(take.remarks) == 1
    assert "'Strings'" in take.remarks[0]
