"""One entry of the table reaches every place: `top_p` from flag, file, preset and OSC."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest

from bridge import cli
from bridge.commands import ClipSettings, Generate
from bridge.config import OPTIONS, Options, Place, merge, options_in
from bridge.config.files import config_text, read_config, write_config
from bridge.config.presets import read_preset
from bridge.control.addresses import read_command
from bridge.engine import Request
from bridge.rendering.plan import prepare
from bridge.rendering.render import request_for

pytestmark = pytest.mark.usefixtures("home")


def test_every_entry_has_help_known_places_a_flag_and_a_default_that_its_reader_accepts() -> None:
    for option in OPTIONS.values():
        assert option.help and option.default_text, option.name
        assert option.places and set(option.places) <= set(get_args(Place)), option.name
        assert option.flag.startswith("--") or option.name == "melody"
        if option.default is not None:
            assert option.read(option.default) == option.default


def test_top_p_is_a_flag_with_its_range_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["render", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "--top-p X choose from the likeliest codes" in text and "0.001 to 1" in text


def test_top_p_is_read_from_the_configuration_and_from_a_preset(home: Path) -> None:
    assert "#top_p = " in config_text()
    write_config().write_text("top_p = 0.5\n")
    assert read_config() == {"top_p": 0.5}
    preset = home / "mine.toml"
    preset.write_text('name = "mine"\nprompt = "keys"\ntop_p = 0.5\n')
    assert read_preset(preset).values == {"prompt": "keys", "top_p": 0.5}


def test_top_p_is_an_osc_key() -> None:
    command = read_command("/bridge/generate", ["me-1", "top_p", 0.5], 0.0)
    assert command == Generate("me-1", ClipSettings(top_p=0.5))


def test_top_p_reaches_the_engine_and_the_sidecar(home: Path) -> None:
    options = merge({"prompt": "keys", "top_p": "0.5", "out": home})
    assert request_for(prepare(options)).top_p == 0.5
    assert options.sidecar_values()["top_p"] == 0.5
    assert request_for(prepare(Options(prompt="keys", out=home))).top_p is None


def test_every_option_for_the_engine_is_a_field_of_its_request() -> None:
    names = {option.name for option in OPTIONS.values() if option.in_request}
    sampling = {"guidance_scale", "temperature", "top_k", "top_p"}
    assert {*sampling, "max_new_tokens", "variations"} == names
    values: dict[str, Any] = Options(prompt="keys").request_values()
    assert Request(**values).variations == 1


@pytest.mark.parametrize("place", get_args(Place))
def test_every_place_has_options_and_no_option_twice(place: Place) -> None:
    names = [option.name for option in options_in(place)]
    assert names and len(set(names)) == len(names)
