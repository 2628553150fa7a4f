"""The order of variations, and the remark on the last one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.clip import ScoreParts, rank, why_last
from bridge.config import OPTIONS, Options

SOUND = ScoreParts(0.9, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0)
WEIGHTS = Options(prompt="keys").rank_weights()
FAULTS = [
    ("silence", 0.0, "a long silence"),
    ("clipping", 0.0, "clipped samples"),
    ("clicks", 0.5, "clicks"),
    ("seam", 0.0, "a jump where it loops"),
    ("downbeat", 0.0, "its first beat is not on the bar line"),
    ("tempo", 0.0, "onsets off the grid"),
    ("loudness", 0.0, "quiet"),
]


def test_every_part_has_a_weight_in_the_table_of_options_and_no_other_weight_is_there() -> None:
    assert WEIGHTS.keys() == SOUND.as_json().keys()
    for part, weight in WEIGHTS.items():
        assert weight == OPTIONS[f"rank_{part}"].default > 0


def test_of_sound_clips_the_one_that_follows_the_melody_more_comes_first() -> None:
    scores = [replace(SOUND, melody=melody) for melody in (0.88, 0.97, 0.9)]
    assert rank(scores, WEIGHTS) == (1, 2, 0)


@pytest.mark.parametrize(("part", "value", "fault"), FAULTS)
def test_a_fault_puts_a_clip_last_though_it_follows_best_and_a_remark_names_it(
    part: str, value: float, fault: str
) -> None:
    faulty = replace(SOUND, melody=0.95, **{part: value})
    assert rank([faulty, SOUND], WEIGHTS) == (1, 0)
    assert why_last([SOUND, faulty], WEIGHTS) == f"ranked last of 2: {fault}"


def test_a_part_whose_weight_is_0_decides_nothing_and_is_no_fault() -> None:
    silent = replace(SOUND, melody=0.95, silence=0.0)
    weights = {**WEIGHTS, "silence": 0.0}
    assert rank([SOUND, silent], weights) == (1, 0)
    assert why_last([SOUND, silent], weights) is None


def test_a_greater_weight_decides() -> None:
    clicking, other = replace(SOUND, clicks=0.9), replace(SOUND, melody=0.7)
    assert rank([clicking, other], {"melody": 1.0, "clicks": 1.0}) == (0, 1)
    assert rank([clicking, other], {"melody": 1.0, "clicks": 3.0}) == (1, 0)


def test_several_faults_are_named_the_costliest_first() -> None:
    worst = replace(SOUND, silence=0.0, clicks=0.8)
    weights = {"silence": 1.0, "clicks": 1.0}
    assert why_last([SOUND, SOUND, worst], weights) == ("ranked last of 3: a long silence, clicks")


def test_a_fault_that_the_first_clip_has_too_does_not_explain_the_order() -> None:
    quiet = replace(SOUND, loudness=0.2)
    assert why_last([quiet, replace(quiet, melody=0.5)], WEIGHTS) is None


def test_one_clip_has_no_remark_on_its_rank() -> None:
    assert why_last([replace(SOUND, silence=0.0)], WEIGHTS) is None
    assert why_last([], WEIGHTS) is None


def test_equal_clips_keep_their_order_and_no_clips_give_none() -> None:
    assert rank([SOUND, SOUND, SOUND], WEIGHTS) == (0, 1, 2)
    assert rank([], WEIGHTS) == ()


def test_without_a_melody_the_other_parts_decide() -> None:
    free = replace(SOUND, melody=None)
    assert rank([replace(free, clicks=0.8), free], WEIGHTS) == (1, 0)
