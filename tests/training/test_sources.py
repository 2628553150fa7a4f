"""Captions: from a table, a text beside the audio, the audio's tags, or its name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from bridge.errors import BadArgument
from bridge.training import sources
from bridge.training.sources import caption_of_name, list_sources


def write(path: Path, **tags: str) -> Path:
    """Write a short sound with tags."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with soundfile.SoundFile(path, "w", 32_000, 1) as audio:
        for name, value in tags.items():
            setattr(audio, name, value)
        audio.write(np.zeros(320))
    return path


@pytest.mark.parametrize(
    ("name", "caption"),
    [
        ("Warm_Rhodes-92bpm-03", "warm rhodes, 92 bpm"),
        ("lofi keys 120 BPM", "lofi keys, 120 bpm"),
        ("808 bass 2", "bass"),
        ("pad in c#", "pad in c#"),
        ("120bpm", "120 bpm"),
        ("17", ""),
    ],
)
def test_a_name_becomes_words_and_a_tempo(name: str, caption: str) -> None:
    assert caption_of_name(name) == caption


def test_the_table_comes_before_the_text_and_the_text_before_tags_and_name(tmp_path: Path) -> None:
    for name in ("table.wav", "sub/text.wav", "tags.flac", "just_a_name.wav"):
        tags = {} if name == "just_a_name.wav" else {"title": "Tagged", "genre": "House"}
        write(tmp_path / name, **tags)
    (tmp_path / "captions.csv").write_text('file,caption\ntable.wav,"from a table, warm"\n')
    (tmp_path / "table.txt").write_text("not this")
    (tmp_path / "sub" / "text.txt").write_text("from\n a text")
    found = {each.path.name: each.caption for each in list_sources(tmp_path)}
    assert found == {
        "table.wav": "from a table, warm",
        "text.wav": "from a text",
        "tags.flac": "tagged, house",
        "just_a_name.wav": "just a name",
    }


def test_a_word_of_its_own_comes_first(tmp_path: Path) -> None:
    write(tmp_path / "soft pad.wav")
    write(tmp_path / "1.wav")
    found = [each.caption for each in list_sources(tmp_path, "glimmer")]
    assert found == ["glimmer", "glimmer, soft pad"]


def test_hidden_files_and_other_files_are_passed_over(tmp_path: Path) -> None:
    write(tmp_path / "a.wav")
    write(tmp_path / ".hidden" / "b.wav")
    (tmp_path / "notes.txt").write_text("notes")
    assert [each.path.name for each in list_sources(tmp_path)] == ["a.wav"]


def test_a_folder_without_audio_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadArgument, match="no audio files"):
        list_sources(tmp_path)
    with pytest.raises(BadArgument, match="is no folder"):
        list_sources(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.wav\n", r"line 1 is 'a\.wav'; write FILE,CAPTION"),
        ("a.wav,warm, soft\n", "in quotes"),
        ("b.wav,warm\n", r"'b\.wav', which is no audio file"),
        ("a.wav,\xff\n", "cannot be read"),
    ],
)
def test_a_broken_table_is_refused_by_its_line(tmp_path: Path, text: str, message: str) -> None:
    write(tmp_path / "a.wav")
    (tmp_path / "captions.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(BadArgument, match=message):
        list_sources(tmp_path)


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MOST_FILES", 2)
    for number in range(3):
        write(tmp_path / f"{number}.wav")
    with pytest.raises(BadArgument, match="more than 2 audio files"):
        list_sources(tmp_path)
