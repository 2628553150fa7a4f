"""Presets: the bundled ones, the user's own, and files that are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.config import fill_prompt, merge
from bridge.config.files import user_folder
from bridge.config.presets import (
    bundled_folder,
    find_preset,
    list_presets,
    read_preset,
)
from bridge.errors import UnknownPreset, UnreadableFile
from bridge.timing import FALLBACK_TEMPO_BPM

VALID = 'name = "mine"\nprompt = "my own keys"\nbars = 2\n'


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder, empty."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    folder = user_folder()
    (folder / "presets").mkdir(parents=True)
    return folder


def test_every_bundled_preset_is_valid_and_can_be_rendered(own: Path) -> None:
    presets, broken = list_presets()
    assert not broken
    assert len(presets) >= 12
    assert len(list(bundled_folder().glob("*.toml"))) == len(presets)
    for preset in presets:
        assert preset.description
        assert preset.path.stem == preset.name
        options = merge(preset.values)
        filled = fill_prompt(preset.prompt, tempo_bpm=FALLBACK_TEMPO_BPM, key=None)
        assert "120 bpm" in filled and "{" not in filled
        assert options.bars >= 1


def test_no_two_bundled_presets_sound_alike(own: Path) -> None:
    presets, _ = list_presets()
    assert len({preset.prompt for preset in presets}) == len(presets)


def test_a_preset_of_the_users_own_is_found_and_comes_before_a_bundled_one(own: Path) -> None:
    (own / "presets" / "mine.toml").write_text(VALID)
    (own / "presets" / "keys.toml").write_text(VALID.replace("mine", "lofi-keys"))
    assert find_preset("Mine").values == {"prompt": "my own keys", "bars": 2}
    assert find_preset("lofi-keys").prompt == "my own keys"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (VALID + "tempo_bpm = 90", "tempo_bpm"),
        (VALID.replace("2", "0"), "bars 0"),
        (VALID.replace("2", '"two"'), "bars 'two'"),
        (VALID.replace("prompt", "prmpt"), "prompt"),
        (VALID.replace("name", "title"), "preset None"),
        (VALID.replace("my own", "{mood}"), "{mood}"),
        (VALID + "description = 3", "description"),
        ("not toml", "not TOML"),
    ],
)
def test_a_file_that_is_no_preset_is_told_by_path_and_value(
    own: Path, text: str, message: str
) -> None:
    path = own / "presets" / "mine.toml"
    path.write_text(text)
    with pytest.raises(UnreadableFile) as refusal:
        read_preset(path)
    assert str(path) in str(refusal.value)
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_bytes_that_are_no_text_are_told(own: Path) -> None:
    path = own / "presets" / "mine.toml"
    path.write_bytes(b"name = \xff")
    with pytest.raises(UnreadableFile, match="not TOML"):
        read_preset(path)


def test_a_broken_file_hides_no_other_preset(own: Path) -> None:
    path = own / "presets" / "mine.toml"
    path.write_text("not toml")
    presets, broken = list_presets()
    assert list(broken) == [path]
    assert find_preset("lofi-keys") in presets
    with pytest.raises(UnreadableFile):
        find_preset("mine")


def test_an_unknown_preset_is_told_with_the_nearest_name(own: Path) -> None:
    with pytest.raises(UnknownPreset, match="did you mean lofi-keys"):
        find_preset("lofi-key")
