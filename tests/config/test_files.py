"""The user's configuration file: reading it, refusing mistakes, and writing a new one."""

from __future__ import annotations

import errno
import os
import re
from dataclasses import asdict
from pathlib import Path
from typing import get_args

import pytest

from bridge.commands import HotkeyAction
from bridge.config import RunOptions, SketchOptions, merge_run, options_in
from bridge.config.files import (
    config_path,
    config_text,
    read_config,
    render_defaults,
    write_config,
)
from bridge.errors import BadArgument, UnreadableFile
from bridge.timing import ONE_BAR

pytestmark = pytest.mark.usefixtures("home")


def test_without_a_configuration_nothing_is_set() -> None:
    assert read_config() == {}
    assert render_defaults() == {}


def test_the_written_file_changes_nothing_and_is_never_overwritten() -> None:
    path = write_config()
    assert path == config_path()
    assert read_config() == {}
    path.write_text("bars = 8\n")
    with pytest.raises(BadArgument, match="there already"):
        write_config()
    assert path.read_text() == "bars = 8\n"
    assert [each.name for each in path.parent.iterdir()] == ["config.toml"]


def test_a_file_system_without_hard_links_gets_a_configuration_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(source: object, target: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)
    path = write_config()
    assert path.read_text(encoding="utf-8") == config_text()
    with pytest.raises(BadArgument, match="there already"):
        write_config()
    assert [each.name for each in path.parent.iterdir()] == ["config.toml"]


def test_the_written_file_has_every_option_with_a_valid_value_and_its_default(
    tmp_path: Path,
) -> None:
    path = tmp_path / "all.toml"
    path.write_text(re.sub(r"^#(?=\w)", "", config_text(), flags=re.MULTILINE))
    values = dict(read_config(path))
    assert set(values) == {option.name for option in options_in("file")}
    # These values are examples: the default is the system's, the checkpoint's, or nothing.
    inputs = ("input", "input_channels", "melody_roots", "midi_map")
    for name in (*inputs, "output_latency_ms", "clips", "top_p", "decoder", "engine_token_file"):
        del values[name]
    actions = get_args(HotkeyAction)
    assert {name: values.pop(f"hotkey_{name}") for name in actions} == RunOptions().hotkey_chords()
    weights = {name: values.pop(name) for name in tuple(values) if name.startswith("rank_")}
    assert weights.pop("rank_clicks") == 2.0
    assert set(weights.values()) == {1.0}
    screen = {name: values.pop(name) for name in tuple(values) if name.startswith("sketch_")}
    assert screen == asdict(SketchOptions())
    assert values == {
        "osc_port": 7771,
        "host": "none",
        "ardour_port": 3819,
        "ardour_place": "slot",
        "ardour_launch": False,
        "source": "auto",
        "input_latency_ms": 0.0,
        "output": "none",
        "quantum": ONE_BAR,
        "midi": "auto",
        "midi_out": "none",
        "clock": "auto",
        "link": False,
        "clock_offset_ms": 0.0,
        "count_in_bars": 0,
        "metronome": False,
        "hotkeys": False,
        "hotkey_answer": "notification",
        "metronome_gain_db": -9.0,
        "takes_days": 30,
        "model": "pocket",
        "due_bars": 0,
        "precision": "exact",
        "engine": "local",
        "engine_fallback": "none",
        "device": "auto",
        "sample_rate": 44_100,
        "bars": 4,
        "lead": "highest",
        "melody_from": "auto",
        "quantize": 0.0,
        "variations": 1,
        "guidance_scale": 3.0,
        "temperature": 1.0,
        "top_k": 250,
    }
    # The input stays the default one: a line without its # must not make the daemon deaf.
    assert merge_run(read_config(path)).input is None
    unset, as_set = merge_run(), merge_run(values)
    assert (unset.osc_port, unset.sample_rate) == (as_set.osc_port, as_set.sample_rate)


def test_a_render_reads_only_its_own_options() -> None:
    path = write_config()
    path.write_text("clips = '~/clips'\nbars = 8\nosc_port = 9999\n")
    assert render_defaults() == {"out": Path.home() / "clips", "bars": 8}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed = 7", "'seed' is not known here: bars"),
        ("osc_port = 70000", "osc_port 70000: the range is 0 to 65535"),
        ("input_latency_ms = 'long'", "input_latency_ms 'long': write a number from -500 to 500"),
        ("melody_roots = '~'", "melody_roots '~': write a list"),
        ("melody_roots = ['Samples']", "melody_roots 'Samples': write the whole path"),
        ("sample_rate = 1", "sample_rate 1: the range is 8000 to 192000"),
        ("bars = 0", "bars 0: the range is 1 to 1000"),
        ("input = -1", "input"),
        (
            "input_channels = '3;4'",
            "input_channels '3;4': write numbers from 1 to 256",
        ),
        ("not toml", "not TOML"),
    ],
)
def test_a_mistake_names_file_key_and_range(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(UnreadableFile) as refusal:
        read_config(path)
    assert str(path) in str(refusal.value)
    assert message in str(refusal.value)


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"nowhere\.toml"):
        read_config(tmp_path / "nowhere.toml")


def test_a_flag_wins_over_the_file() -> None:
    assert merge_run({"input": "Default"}, {"input": "3"}).input is None
    options = merge_run({"osc_port": "7000"}, {"osc_port": 7001, "bars": 8, "input": "3"})
    assert (options.osc_port, options.input, options.defaults) == (7000, 3, {"bars": 8})
