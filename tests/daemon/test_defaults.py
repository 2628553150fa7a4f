"""What was said nearest to a request wins: itself, its preset, the session, then the file."""

from __future__ import annotations

from fractions import Fraction

import pytest

from bridge.commands import Sound
from bridge.config import Options
from bridge.config.presets import find_preset
from bridge.daemon.defaults import options_of
from bridge.errors import BadArgument, UnknownPreset


def options(request: Sound, session: Sound, **last: object) -> Options:
    return options_of(request, session, settled={"tempo_bpm": Fraction(120)}, last=last)


def test_each_value_is_the_nearest_that_was_said() -> None:
    near, far = Sound(prompt="near", bars=1), Sound(bars=2, temperature=0.5, key="A minor")
    read = options(near, far, bars=8, temperature=0.9, guidance_scale=2.0)
    assert (read.prompt, read.bars, read.key) == ("near", 1, "A minor")
    assert (read.temperature, read.guidance_scale) == (0.5, 2.0)


def test_a_preset_is_under_who_named_it_and_over_what_is_farther() -> None:
    preset = find_preset("lofi-keys")
    read = options(Sound(preset="lofi-keys", bars=3), Sound(prompt="far", temperature=0.5))
    assert (read.preset, read.prompt, read.bars) == ("lofi-keys", preset.prompt, 3)
    assert read.temperature == preset.values.get("temperature", 0.5)
    read = options(Sound(), Sound(preset="lofi-keys", temperature=0.7))
    assert (read.prompt, read.temperature) == (preset.prompt, 0.7)


@pytest.mark.parametrize("near", [Sound(prompt="near"), Sound(preset="lofi-keys")])
def test_how_it_sounds_was_said_nearer_so_the_farther_has_no_say(near: Sound) -> None:
    read = options(near, Sound(prompt="far", preset="nobody has this"))
    assert read.prompt != "far" and read.preset == near.preset


@pytest.mark.parametrize(
    ("near", "far", "seed"),
    [(None, 7, 7), (3, 7, 3), (-1, 7, None), (0, None, 0), (None, -1, None)],
)
def test_a_random_seed_is_said_too(near: int | None, far: int | None, seed: int | None) -> None:
    assert options(Sound(prompt="x", seed=near), Sound(seed=far)).seed == seed


def test_unconditional_holds_only_without_a_prompt() -> None:
    settled = {"unconditional": True}
    assert options_of(Sound(), Sound(), settled=settled, last={}).unconditional
    read = options_of(Sound(), Sound(prompt="far"), settled=settled, last={})
    assert not read.unconditional and read.prompt == "far"


def test_what_cannot_be_is_told() -> None:
    with pytest.raises(UnknownPreset, match="nobody"):
        options(Sound(preset="nobody has this"), Sound())
    with pytest.raises(BadArgument, match="nothing to go by"):
        options(Sound(), Sound(bars=4))
