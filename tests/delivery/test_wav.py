"""Clips get a free name, a sidecar and a folder; existing files are not touched."""

from __future__ import annotations

import json
import os
import time
from datetime import date
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from bridge.audio import Waveform
from bridge.delivery import clip_name, write_clip
from bridge.delivery.wav import STALE_NOTES_SECONDS, clear_stale_parts
from bridge.errors import BadArgument
from bridge.timing import Meter

CLIP = Waveform(np.full((100, 2), 0.25, np.float32), 44_100)


def write(
    out: Path | str, *, name: str = "clip", notes: bytes | None = None, **metadata: object
) -> Path:
    return write_clip(
        out, CLIP, metadata, name=name, bars=1, tempo_bpm=Fraction(120), meter=Meter(), notes=notes
    )


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_name_is_day_title_tempo_bars_and_seed() -> None:
    day = date(2026, 11, 22)
    name = clip_name("lofi-keys", tempo_bpm=Fraction(120), bars=4, seed=7, day=day)
    assert name == "2026-11-22 lofi-keys 120bpm 4bars seed7"
    name = clip_name("My Song_v2!", tempo_bpm=Fraction("93.7"), bars=1, seed=0, day=day)
    assert name == "2026-11-22 my-song-v2 93.7bpm 1bar seed0"
    before = date.today()
    today = clip_name("x", tempo_bpm=Fraction(100, 3), bars=2, seed=1)
    # Midnight may come in between.
    days = {before, date.today()}
    assert today in [f"{day.isoformat()} x 33.333bpm 2bars seed1" for day in days]


@given(st.text(max_size=300))
def test_any_title_makes_a_plain_file_name(title: str) -> None:
    day = date(2026, 11, 22)
    name = clip_name(title, tempo_bpm=Fraction(120), bars=4, seed=7, day=day)
    middle = name.removeprefix("2026-11-22 ").removesuffix(" 120bpm 4bars seed7")
    assert middle and len(middle) <= 48
    assert all(letter.isalnum() or letter == "-" for letter in middle)
    assert len(f".{name} 999.notes.mid.part".encode()) <= 255


def test_the_folder_is_created_with_the_clip_and_its_sidecar(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "clips 1.5"
    path = write(folder, name="2026 x 93.7bpm", prompt="warm – tür", seed=7)
    assert path == folder / "2026 x 93.7bpm.wav"
    assert names(folder) == ["2026 x 93.7bpm.json", "2026 x 93.7bpm.wav"]
    assert soundfile.info(path).frames == 100
    sidecar = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert sidecar == {"prompt": "warm – tür", "seed": 7}


def test_the_output_can_be_a_file_name(tmp_path: Path) -> None:
    assert write(tmp_path / "deep" / "take.wav") == tmp_path / "deep" / "take.wav"
    assert write(str(tmp_path / "shout.WAV")) == tmp_path / "shout.wav"


def test_a_folder_may_end_in_wav(tmp_path: Path) -> None:
    folder = tmp_path / "odd.wav"
    folder.mkdir()
    assert write(folder) == folder / "clip.wav"


def test_a_taken_name_gets_a_number_and_its_file_stays(tmp_path: Path) -> None:
    (tmp_path / "clip.wav").write_text("mine")
    (tmp_path / "clip 2.json").write_text("also mine")
    assert write(tmp_path).name == "clip 3.wav"
    assert write(tmp_path / "clip.wav").name == "clip 4.wav"
    assert (tmp_path / "clip.wav").read_text() == "mine"
    assert (tmp_path / "clip 2.json").read_text() == "also mine"
    assert not (tmp_path / "clip 2.wav").exists()


def test_an_empty_part_of_a_killed_writer_does_not_delete_a_sidecar(tmp_path: Path) -> None:
    """The writer may have been killed before it saw that the name is taken."""
    (tmp_path / "clip.json").write_text("mine")
    (tmp_path / ".clip.wav.part").touch()
    assert write(tmp_path).name == "clip 2.wav"
    assert names(tmp_path) == ["clip 2.json", "clip 2.wav", "clip.json"]


def test_the_next_writer_removes_the_files_of_a_killed_one(tmp_path: Path) -> None:
    (tmp_path / ".clip.wav.part").write_text("half a clip")
    (tmp_path / ".clip.json.part").write_text("half a sidecar")
    assert write(tmp_path).name == "clip.wav"
    assert names(tmp_path) == ["clip.json", "clip.wav"]


def test_the_notes_are_beside_the_clip_under_its_own_name(tmp_path: Path) -> None:
    """A melody that is named for its clip is another file, and stays."""
    (tmp_path / "song.mid").write_text("mine")
    assert write(tmp_path / "song.wav", notes=b"notes").name == "song.wav"
    assert names(tmp_path) == ["song.json", "song.mid", "song.notes.mid", "song.wav"]
    assert (tmp_path / "song.notes.mid").read_bytes() == b"notes"
    (tmp_path / "song 2.notes.mid").write_text("also mine")
    assert write(tmp_path / "song.wav", notes=b"others").name == "song 3.wav"
    assert (tmp_path / "song 2.notes.mid").read_text() == "also mine"


def test_notes_of_a_killed_writer_go_and_those_that_are_being_written_stay(tmp_path: Path) -> None:
    stale, fresh = tmp_path / ".a.notes.mid.part", tmp_path / ".b.notes.mid.part"
    for part in (stale, fresh):
        part.write_text("half")
    then = time.time() - STALE_NOTES_SECONDS - 10
    os.utime(stale, (then, then))
    clear_stale_parts(tmp_path)
    assert names(tmp_path) == [fresh.name]
    # The part file of its clip says that the writer was killed.
    (tmp_path / ".b.wav.part").write_text("half a clip")
    clear_stale_parts(tmp_path)
    assert names(tmp_path) == []


def test_the_sidecar_is_plain_json_for_any_metadata(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        tempo_bpm=Fraction("93.7"),
        integer=Fraction(120),
        third=Fraction(1, 3),
        similarity=float("nan"),
        peak=float("-inf"),
        melody=Path("a") / "b.wav",
        nested={"list": [np.float32(0.5), np.int64(3), None, True]},
    )
    assert json.loads(path.with_suffix(".json").read_text()) == {
        "tempo_bpm": 93.7,
        "integer": 120,
        "third": "1/3",
        "similarity": None,
        "peak": None,
        "melody": str(Path("a") / "b.wav"),
        "nested": {"list": [0.5, 3, None, True]},
    }


def test_metadata_that_json_cannot_hold_leaves_no_files(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        write(tmp_path, odd=object())
    assert names(tmp_path) == []


def test_a_file_with_the_folders_name_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(BadArgument, match=r"taken.*choose another folder"):
        write(tmp_path / "taken" / "clips")


def test_the_same_clip_has_the_same_bytes(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a", seed=1), write(tmp_path / "b", seed=1)
    assert first.read_bytes() == second.read_bytes()
    assert first.with_suffix(".json").read_bytes() == second.with_suffix(".json").read_bytes()
