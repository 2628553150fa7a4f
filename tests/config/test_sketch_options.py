"""The options of the screen: keys as text, and conflicts between them."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.config import merge_run, merge_sketch, read_value
from bridge.errors import BadArgument


def test_a_file_changes_a_key_and_may_give_an_action_several() -> None:
    options = merge_sketch({"sketch_tap": "T  F5 ctrl+T", "bars": 8})
    assert options.keys()["sketch_tap"] == ("T", "f5", "ctrl+t")
    assert options.keys()["sketch_choose"] == ("A", "B", "C", "D")
    assert not {"sketch_theme", "sketch_variations"} & options.keys().keys()


@pytest.mark.parametrize("value", ["", " ", 7, "spacebar", "t t", "ctrl+c", "ctrl+i", "\x1b"])
def test_what_is_no_key_is_refused_with_the_value(value: Any) -> None:
    with pytest.raises(BadArgument, match="sketch_tap"):
        read_value("sketch_tap", value)


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"sketch_tap": "k"}, "k"),
        ({"sketch_tap": "x", "sketch_open": "x"}, "x"),
        ({"sketch_play": "3"}, "3"),
        ({"sketch_quit": "q B"}, "B"),
    ],
)
def test_one_key_with_two_meanings_is_refused_with_both_names(
    values: dict[str, str], key: str
) -> None:
    with pytest.raises(BadArgument, match=f"the key '{key}' is both sketch_\\w+ and sketch_"):
        merge_sketch(values)


def test_the_daemon_takes_no_setting_of_the_screen() -> None:
    options = merge_run({"sketch_tap": "T", "bars": 8})
    assert options.defaults == {"bars": 8}
