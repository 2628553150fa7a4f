"""`melody-bridge transcribe`: the notes of a hum as a list, as MIDI and as a picture."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bridge import cli
from bridge.melody import read_melody
from bridge.timing import Note
from tests.hummed import RATE, SCALE, hummed

PITCHES = [pitch for pitch, _ in SCALE]


@pytest.fixture
def hum(tmp_path: Path) -> str:
    """The scale, 45 cents flat, at 100 bpm."""
    path = tmp_path / "hum.wav"
    waveform = hummed(tempo_bpm=100, cents=-45)
    soundfile.write(path, waveform.samples, waveform.sample_rate)
    return str(path)


def test_the_midi_has_the_notes_that_were_meant_on_their_beats(
    hum: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "hum.mid"
    assert cli.main(["transcribe", hum, "--out", str(out), "--tempo", "100"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "100 bpm" in lines[0] and "C major" in lines[0]
    assert [line.split()[2] for line in lines[2:-1]] == ["C4", "D4", "E4", "F4", "G4", "E4", "C4"]
    assert lines[-1] == str(out)
    take = read_melody(out)
    notes = [note for note in take.source if isinstance(note, Note)]  # type: ignore[union-attr]
    assert [note.pitch for note in notes] == PITCHES
    starts = [float(note.start_beat) for note in notes]
    assert starts == pytest.approx([0, 1, 2, 3, 4, 6, 7], abs=0.15)
    assert take.tempo_bpm == 100


def test_json_has_what_was_heard(hum: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["transcribe", hum, "--json"]) == 0
    heard = json.loads(capsys.readouterr().out)
    assert [note["pitch"] for note in heard["notes"]] == PITCHES
    assert heard["key"] == "C major"
    assert heard["is_melody"] is True
    assert heard["tuning_cents"] == pytest.approx(-45, abs=8)
    assert all(0 <= note["confidence"] <= 1 for note in heard["notes"])


def test_no_report_of_its_use_is_prepared(hum: str, tmp_path: Path) -> None:
    """ONNX Runtime writes a device id into the home folder where it reports over the network."""
    home = tmp_path / "home"
    home.mkdir()
    # Each of the others keeps it from that by itself.
    quiet = ("XDG_", "ORT_", "CI", "GITHUB_", "TF_BUILD")
    others = {name: value for name, value in os.environ.items() if not name.startswith(quiet)}
    ran = subprocess.run(
        [sys.executable, "-m", "bridge", "transcribe", hum, "--out", str(tmp_path / "hum.mid")],
        env={**others, "HOME": str(home)},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    assert not [path for path in home.rglob("*") if "onnx" in str(path)]


def test_a_picture_shows_the_notes(hum: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    plot = tmp_path / "hum.png"
    assert cli.main(["transcribe", hum, "--plot", str(plot)]) == 0
    assert plot.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--out", "hum.wav"], "out 'hum.wav'"),
        (["--key", "H major"], "key 'H major'"),
        (["--tempo", "7"], "7 bpm"),
        (["--quantize", "2"], "quantize 2"),
    ],
)
def test_a_wrong_option_is_one_line_and_writes_nothing(
    hum: str,
    tmp_path: Path,
    arguments: list[str],
    words: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.iterdir())
    assert cli.main(["transcribe", hum, *arguments]) == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1
    assert set(tmp_path.iterdir()) == before


def test_silence_and_midi_have_nothing_to_hear(
    tmp_path: Path, melodies: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, (2 * RATE, 1))
    soundfile.write(tmp_path / "noise.wav", noise, RATE)
    for path in (tmp_path / "noise.wav", melodies / "twinkle-100bpm.mid"):
        assert cli.main(["transcribe", str(path), "--out", str(tmp_path / "x.mid")]) == 2
        assert path.name in capsys.readouterr().err
    assert not (tmp_path / "x.mid").exists()
