"""The nearest setting wins: the request, its preset, the session, its preset, then the file."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import pytest

from bridge.commands import ClipSettings
from bridge.config import Options, RunOptions, presets
from bridge.config.presets import find_preset
from bridge.daemon import defaults as module
from bridge.daemon.defaults import SessionDefaults
from bridge.errors import BadArgument, UnknownPreset, UnreadableFile

AT_120 = {"tempo_bpm": Fraction(120)}


def options(
    request: ClipSettings,
    session: ClipSettings,
    settled: Mapping[str, object] = AT_120,
    **file: object,
) -> Options:
    return SessionDefaults(RunOptions(defaults=file)).options_for(request, session, settled)


def test_each_value_comes_from_the_nearest_setting() -> None:
    near, far = (
        ClipSettings(prompt="near", bars=1),
        ClipSettings(bars=2, temperature=0.5, key="A minor"),
    )
    read = options(near, far, bars=8, temperature=0.9, guidance_scale=2.0)
    assert (read.prompt, read.bars, read.key) == ("near", 1, "A minor")
    assert (read.temperature, read.guidance_scale) == (0.5, 2.0)


def test_a_preset_is_weaker_than_the_settings_beside_it_and_stronger_than_the_next() -> None:
    preset = find_preset("lofi-keys")
    read = options(
        ClipSettings(preset="lofi-keys", bars=3), ClipSettings(prompt="far", temperature=0.5)
    )
    assert (read.preset, read.prompt, read.bars) == ("lofi-keys", preset.prompt, 3)
    assert read.temperature == preset.values.get("temperature", 0.5)
    read = options(ClipSettings(), ClipSettings(preset="lofi-keys", temperature=0.7))
    assert (read.prompt, read.temperature) == (preset.prompt, 0.7)


@pytest.mark.parametrize("near", [ClipSettings(prompt="near"), ClipSettings(preset="lofi-keys")])
def test_a_requests_prompt_or_preset_hides_both_of_the_session(near: ClipSettings) -> None:
    read = options(near, ClipSettings(prompt="far", preset="nobody has this"))
    assert read.prompt != "far" and read.preset == near.get("preset")


@pytest.mark.parametrize(
    ("near", "far", "seed"),
    [(None, 7, 7), (3, 7, 3), (-1, 7, None), (0, None, 0), (None, -1, None)],
)
def test_a_random_seed_is_a_setting_too(
    near: int | None, far: int | None, seed: int | None
) -> None:
    assert options(ClipSettings(prompt="x", seed=near), ClipSettings(seed=far)).seed == seed


def test_unconditional_holds_only_without_a_prompt() -> None:
    settled = {"unconditional": True}
    assert options(ClipSettings(), ClipSettings(), settled).unconditional
    read = options(ClipSettings(), ClipSettings(prompt="far"), settled)
    assert not read.unconditional and read.prompt == "far"


def test_an_unknown_preset_and_a_request_without_melody_or_prompt_are_refused() -> None:
    with pytest.raises(UnknownPreset, match="nobody"):
        options(ClipSettings(preset="nobody has this"), ClipSettings())
    with pytest.raises(BadArgument, match="nothing to go by"):
        options(ClipSettings(), ClipSettings(bars=4))


def test_a_setting_can_be_forgotten_and_all_can() -> None:
    defaults = SessionDefaults(RunOptions())
    defaults.set(ClipSettings(bars=2, seed=7, tempo_lock=True))
    defaults.unset(["bars", "key"])
    assert defaults.settings == ClipSettings(seed=7, tempo_lock=True)
    assert defaults.settings.text() == "seed 7, tempo_lock 1"
    defaults.reset()
    assert defaults.settings == ClipSettings()


def test_an_unknown_preset_is_refused_when_it_is_set_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "user_folder", lambda: tmp_path)
    monkeypatch.setattr(presets, "user_folder", lambda: tmp_path)
    defaults = SessionDefaults(RunOptions())
    defaults.set(ClipSettings(preset="lofi-keys"))
    with pytest.raises(UnknownPreset, match="did you mean lofi-keys"):
        defaults.set(ClipSettings(preset="lofi-key", bars=2))
    assert defaults.settings == ClipSettings(preset="lofi-keys")
    folder = tmp_path / "presets"
    folder.mkdir()
    (folder / "mine.toml").write_text('name = "mine"\nprompt = "bells"\n')
    defaults.set(ClipSettings(preset="mine"))
    (folder / "mine.toml").write_text("name = ")
    with pytest.raises(UnreadableFile, match=r"mine\.toml"):
        defaults.set(ClipSettings(preset="mine"))
