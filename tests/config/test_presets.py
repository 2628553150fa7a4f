"""Presets: the bundled ones, the user's own, and invalid files."""

from __future__ import annotations

import os
import sys
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
def own(home: Path) -> Path:
    """The user's folder, with an empty `presets` folder."""
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


def test_no_two_bundled_presets_have_the_same_prompt(own: Path) -> None:
    presets, _ = list_presets()
    assert len({preset.prompt for preset in presets}) == len(presets)


def test_the_users_own_preset_is_found_before_a_bundled_one(own: Path) -> None:
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
def test_an_invalid_preset_file_is_reported_with_its_path_and_value(
    own: Path, text: str, message: str
) -> None:
    path = own / "presets" / "mine.toml"
    path.write_text(text)
    with pytest.raises(UnreadableFile) as refusal:
        read_preset(path)
    assert str(path) in str(refusal.value)
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_preset_file_that_is_not_text_is_reported(own: Path) -> None:
    path = own / "presets" / "mine.toml"
    path.write_bytes(b"name = \xff")
    with pytest.raises(UnreadableFile, match="not TOML"):
        read_preset(path)


def test_an_invalid_file_hides_no_other_preset(own: Path) -> None:
    path = own / "presets" / "mine.toml"
    path.write_text("not toml")
    presets, broken = list_presets()
    assert list(broken) == [path]
    assert find_preset("lofi-keys") in presets
    with pytest.raises(UnreadableFile):
        find_preset("mine")


def test_the_error_for_an_unknown_preset_suggests_the_nearest_name(own: Path) -> None:
    with pytest.raises(UnknownPreset, match="did you mean lofi-keys"):
        find_preset("lofi-key")


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 5000 + "]" * 5000,
        "name = " + "{a=" * 3000 + "1" + "}" * 3000,
        ".".join(["description"] * 2000) + " = 1",
        "description = " + "[" * 50 + "]" * 50,
    ],
    ids=["lists", "tables", "dotted", "fifty"],
)
def test_a_file_that_is_nested_deeply_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "deep.toml"
    path.write_text(text)
    with pytest.raises(UnreadableFile, match=r"deep\.toml' is nested"):
        read_preset(path)


def test_a_pipe_a_device_a_folder_and_a_huge_file_are_refused_by_name(own: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("Windows has no such files in folders")
    folder = own / "presets"
    os.mkfifo(folder / "pipe.toml")
    (folder / "device.toml").symlink_to("/dev/zero")
    (folder / "folder.toml").mkdir()
    (folder / "loop.toml").symlink_to(folder / "loop.toml")
    with (folder / "huge.toml").open("wb") as huge:
        huge.truncate(1 << 40)
    presets, broken = list_presets()
    assert {path.stem for path in broken} == {"pipe", "device", "folder", "loop", "huge"}
    assert all(path.name in str(error) for path, error in broken.items())
    assert len(presets) == len(list(bundled_folder().glob("*.toml")))


@pytest.mark.parametrize("name", ["lofi-keys", "other"])
def test_an_invalid_preset_of_a_bundled_name_is_not_replaced_by_the_bundled_one(
    own: Path, name: str
) -> None:
    path = own / "presets" / f"{name}.toml"
    path.write_text(VALID.replace("mine", "lofi-keys") + "tempo_bpm = 90")
    with pytest.raises(UnreadableFile, match=path.name):
        find_preset("Lofi-Keys")
    presets, broken = list_presets()
    assert "lofi-keys" not in {preset.name for preset in presets}
    assert list(broken) == [path]


def test_a_changed_preset_is_read_again(own: Path) -> None:
    path = own / "presets" / "mine.toml"
    path.write_text(VALID)
    assert find_preset("mine").values["bars"] == 2
    path.write_text(VALID.replace("2", "12"))
    assert find_preset("mine").values["bars"] == 12
    path.unlink()
    with pytest.raises(UnknownPreset):
        find_preset("mine")
