"""`eval --recordings`: recordings with files of their notes, measured from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import soundfile

from bridge import cli
from bridge.tools.hums.cases import Hum, sung
from bridge.tools.hums.tunes import SONGS


@pytest.fixture(scope="module")
def hum() -> Hum:
    return sung(SONGS[1], "clean", voice="sung o", tonic=7, tempo_bpm=96, seed=(5, 1))


def put(folder: Path, name: str, hum: Hum, *, semitones: int = 0) -> None:
    """Write a hum and its notes, that many semitones from what it sounds."""
    soundfile.write(folder / f"{name}.wav", hum.waveform.samples, hum.waveform.sample_rate)
    lines = (f"{start} {start + length} {pitch + semitones}" for start, length, pitch in hum.notes)
    (folder / f"{name}.txt").write_text("\n".join(lines))


def test_a_recording_is_compared_with_the_notes_beside_it(
    tmp_path: Path, hum: Hum, capsys: pytest.CaptureFixture[str]
) -> None:
    put(tmp_path, "as sung", hum)
    put(tmp_path, "next key", hum, semitones=1)
    put(tmp_path, "other tune", hum, semitones=4)
    (tmp_path / "alone.wav").write_bytes(b"a file without notes is left out")
    assert cli.main(["eval", "--recordings", str(tmp_path), "--json"]) == 0
    report = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    right, shifted, wrong = report["recordings"]
    assert right["name"] == "as sung.wav"
    assert right["onsets"] == 1 and right["f_measure"] == 1 and right["steps"] > 0.95
    assert shifted["f_measure"] == 1, "the take as a whole may be a semitone off"
    assert wrong["onsets"] == 1 and wrong["f_measure"] < 0.5
    assert {figure["clips"] for figure in report["figures"]} == {3}


@pytest.mark.parametrize("line", ["1.0 2.0", "2.0 1.0 60", "0 1 60.5", "0 1 128", "0 1 nan", "x"])
def test_a_line_that_is_no_note_is_named(
    tmp_path: Path, hum: Hum, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    put(tmp_path, "take", hum)
    (tmp_path / "take.txt").write_text(f"0.0 0.5 60\n{line}\n")
    assert cli.main(["eval", "--recordings", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert "take.txt, line 2" in said and line in said


@pytest.mark.parametrize("notes", [b"", b"\xff\xfe\x00"])
def test_notes_that_are_none_are_refused(
    tmp_path: Path, hum: Hum, notes: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    put(tmp_path, "take", hum)
    (tmp_path / "take.txt").write_bytes(notes)
    assert cli.main(["eval", "--recordings", str(tmp_path)]) != 0
    assert "take.txt" in capsys.readouterr().err


def test_a_folder_without_recordings_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        assert cli.main(["eval", "--recordings", str(folder)]) == 2
        assert folder.name in capsys.readouterr().err
