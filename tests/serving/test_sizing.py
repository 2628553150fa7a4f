"""How many replicas players need: the aim is reached, with no replica too many."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from bridge.errors import BadArgument
from bridge.serving.load import Playing, draw
from bridge.serving.queues import Pace
from bridge.serving.sizing import AIM, REQUESTS, RUNS, simulate, size

PACE = Pace(realtime_factor=7.0, prefix_seconds=0.03, row_cost=0.67)
FEW = 6000
"""Requests of a run where the size itself is of no interest."""


@pytest.mark.parametrize("players", [10, 100, 400])
@pytest.mark.parametrize("is_together", [False, True])
def test_the_fewest_replicas_that_reach_the_aim(players: int, is_together: bool) -> None:
    playing = Playing(is_together=is_together)
    found = size(players, playing, PACE, seed=3)
    assert found.made_at_least >= AIM
    assert found.made_at_least <= found.made
    loads = [draw(players, playing, seed=3 + run, requests=REQUESTS) for run in range(RUNS)]
    assert simulate(loads, PACE, found.replicas, queueing="two-choices") == found
    if found.replicas > 1:
        fewer = simulate(loads, PACE, found.replicas - 1, queueing="two-choices")
        assert fewer.made_at_least < AIM


def test_other_draws_confirm_the_size() -> None:
    found = size(100, Playing(), PACE)
    others = [draw(100, Playing(), seed=900 + run, requests=REQUESTS) for run in range(5)]
    assert simulate(others, PACE, found.replicas, queueing="two-choices").made > AIM - 0.005


def test_the_same_seed_gives_the_same_figures() -> None:
    assert size(50, Playing(), PACE, seed=7, requests=FEW) == size(
        50, Playing(), PACE, seed=7, requests=FEW
    )


def test_ten_thousand_players_take_seconds() -> None:
    began = time.process_time()
    found = size(10_000, Playing(), PACE)
    assert time.process_time() - began < 10
    # The work alone, at two requests a minute of each player.
    loads = draw(10_000, Playing(), seed=0, requests=REQUESTS)
    alone = float(np.mean(PACE.seconds(loads.audio_seconds, 1)))
    assert found.replicas >= AIM * 10_000 * 2 / 60 * alone


def test_one_queue_for_all_needs_fewer_replicas() -> None:
    shared = size(300, Playing(), PACE, queueing="round-robin", requests=FEW)
    assert shared.replicas < size(300, Playing(), PACE, requests=FEW).replicas


def test_more_of_everything_needs_more_replicas() -> None:
    base = Playing()
    needed = size(60, base, PACE, requests=FEW).replicas
    for change in (
        {"requests_a_minute": 4.0},
        {"bars": 6},
        {"variations": 2},
        {"due_bars": 1, "home_seconds": 0.2},
    ):
        playing = replace(base, **change)
        assert size(60, playing, PACE, requests=FEW).replicas > needed
    assert size(60, base, replace(PACE, realtime_factor=14), requests=FEW).replicas < needed


def test_what_no_number_of_replicas_can_do_is_refused() -> None:
    with pytest.raises(BadArgument, match="no number of replicas is enough"):
        size(10, Playing(due_bars=1), replace(PACE, realtime_factor=1.0))


@pytest.mark.parametrize("players", [0, 1_000_000, -3])
def test_players_outside_the_range_are_refused(players: int) -> None:
    with pytest.raises(BadArgument, match="the range is 1 to 100000"):
        size(players, Playing(), PACE)


def test_playing_outside_its_ranges_is_refused() -> None:
    with pytest.raises(BadArgument, match=r"requests_a_minute 0\.0"):
        Playing(requests_a_minute=0.0)
    with pytest.raises(BadArgument, match="slowest_bpm 150 is above fastest_bpm 140"):
        Playing(slowest_bpm=150)
    with pytest.raises(BadArgument, match="row_cost 2"):
        Pace(7.0, 0.0, 2.0)


def test_players_of_one_clock_ask_on_its_bar_lines() -> None:
    load = draw(100, Playing(is_together=True), seed=1, requests=1000)
    bar_seconds = 4 * 60 / 110
    assert load.arrives / bar_seconds == pytest.approx(np.round(load.arrives / bar_seconds))
    assert load.due - load.arrives == pytest.approx(2 * bar_seconds - 0.55)
    assert np.all(np.diff(load.arrives) >= 0)
