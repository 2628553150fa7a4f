"""The simulated queues against what queueing theory proves of them."""

from __future__ import annotations

import math
from typing import get_args

import numpy as np
import pytest

from bridge.errors import BadArgument
from bridge.serving.load import Load
from bridge.serving.queues import Pace, Queueing, work_through

ONE = Pace(realtime_factor=1.0, prefix_seconds=0.0, row_cost=0.0)
"""A request takes as long as its audio."""
COUNT = 300_000
WARM = COUNT // 10


def load_of(
    audio: np.ndarray, a_second: float, *, seed: int, due_in: float = math.inf, players: int = 1000
) -> Load:
    """Requests that come independently of each other."""
    random = np.random.default_rng(seed)
    arrives = np.cumsum(random.exponential(1 / a_second, len(audio)))
    return Load(arrives, arrives + due_in, audio, random.integers(0, players, len(audio)), rows=1)


def erlang_c(servers: int, erlangs: float) -> float:
    """The probability that a request waits in M/M/c (Erlang 1917)."""
    blocked = 1.0
    for number in range(1, servers + 1):
        blocked = erlangs * blocked / (number + erlangs * blocked)
    return blocked / (1 - erlangs / servers * (1 - blocked))


def in_system(servers: int, erlangs: float) -> np.ndarray:
    """The probability of n requests in M/D/c, n = 0, 1, … (Crommelin 1932).

    Whoever is at work at one moment has left after one service time, so that a service time later
    there are those who waited, and those who came.
    """
    most = 400
    came = np.exp([n * math.log(erlangs) - erlangs - math.lgamma(n + 1) for n in range(most)])
    shares = came / came.sum()
    for _ in range(20_000):
        waited = np.concatenate([[shares[: servers + 1].sum()], shares[servers + 1 :]])
        after = np.convolve(waited, came)[:most]
        after /= after.sum()
        if np.abs(after - shares).max() < 1e-13:
            return after
        shares = after
    raise AssertionError("the load is too high for this sum")


@pytest.mark.parametrize(("servers", "busy"), [(1, 0.5), (1, 0.8), (4, 0.8), (20, 0.9)])
def test_equal_requests_wait_as_crommelin_computed(servers: int, busy: float) -> None:
    load = load_of(np.ones(COUNT), servers * busy, seed=servers)
    run = work_through(load, ONE, servers, queueing="arrival")
    waits = (run.begun - load.arrives)[WARM:]
    shares = in_system(servers, servers * busy)
    numbers = np.arange(len(shares))
    # Little's law.
    mean = float(np.sum(shares * np.maximum(numbers - servers, 0))) / (servers * busy)
    assert np.mean(waits) == pytest.approx(mean, rel=0.05)
    # The first in, first out wait of at most k service times: fewer than (k + 1) c were there.
    for services in (0, 1, 2):
        waits_longer = float(shares[(services + 1) * servers :].sum())
        assert np.mean(waits > services + 1e-9) == pytest.approx(waits_longer, abs=0.01)
    # Half of what exponential times would cost, and no more than those.
    exponential = erlang_c(servers, servers * busy) / (servers * (1 - busy))
    assert exponential / 2 * 0.97 <= np.mean(waits) <= exponential
    assert run.busy_seconds / (servers * run.length_seconds) == pytest.approx(busy, rel=0.02)


@pytest.mark.parametrize(("servers", "busy"), [(1, 0.7), (8, 0.8)])
def test_random_requests_wait_as_erlang_computed(servers: int, busy: float) -> None:
    audio = np.random.default_rng(1).exponential(1, COUNT)
    load = load_of(audio, servers * busy, seed=2)
    run = work_through(load, ONE, servers, queueing="arrival")
    waits = (run.begun - load.arrives)[WARM:]
    waiting = erlang_c(servers, servers * busy)
    assert np.mean(waits > 0) == pytest.approx(waiting, abs=0.015)
    assert np.mean(waits) == pytest.approx(waiting / (servers * (1 - busy)), rel=0.07)


@pytest.mark.parametrize("queueing", get_args(Queueing))
def test_one_replica_with_one_queue_is_the_same_everywhere(queueing: Queueing) -> None:
    load = load_of(np.ones(20_000), 0.8, seed=3, players=20_000_000)
    run = work_through(load, ONE, 1, queueing=queueing)
    oldest = work_through(load, ONE, 1, queueing="arrival")
    assert np.sort(run.begun) == pytest.approx(np.sort(oldest.begun))


def test_two_choices_wait_between_one_queue_and_a_queue_drawn_blindly() -> None:
    servers, busy = 20, 0.9
    load = load_of(np.ones(COUNT), servers * busy, seed=4)
    queues: tuple[Queueing, ...] = ("arrival", "two-choices")
    shared, two = (
        float(
            np.mean((work_through(load, ONE, servers, queueing=each).begun - load.arrives)[WARM:])
        )
        for each in queues
    )
    # Pollaczek and Khinchine: M/D/1.
    blind = busy / (2 * (1 - busy))
    assert shared < two < blind / 2


@pytest.mark.parametrize("queueing", get_args(Queueing))
def test_each_request_runs_once_in_a_free_replica_or_is_late(queueing: Queueing) -> None:
    random = np.random.default_rng(5)
    audio = random.uniform(0.5, 1.5, 5000)
    load = load_of(audio, 4.5, seed=6, due_in=3.0, players=10)
    run = work_through(load, ONE, 4, queueing=queueing)
    ran = ~np.isnan(run.begun)
    assert 0.5 < np.mean(ran) < 1
    assert np.all(run.begun[ran] >= load.arrives[ran])
    assert run.ended[ran] - run.begun[ran] == pytest.approx(audio[ran])
    assert np.all(run.ended[ran] <= load.due[ran] + 1e-9)
    assert run.busy_seconds == pytest.approx(audio[ran].sum())
    events = sorted(
        [(time, 1) for time in run.begun[ran]] + [(time, -1) for time in run.ended[ran]]
    )
    assert np.cumsum([change for _, change in events]).max() <= 4


def test_players_take_turns_whatever_one_of_them_asks() -> None:
    # One player asks for a hundred clips at once, another for one, a little later.
    count = 101
    arrives = np.append(np.zeros(100), 0.5)
    players = np.append(np.zeros(100, dtype=int), 1)
    load = Load(arrives, np.full(count, math.inf), np.ones(count), players, rows=1)
    in_turn = work_through(load, ONE, 1, queueing="round-robin")
    oldest = work_through(load, ONE, 1, queueing="arrival")
    assert in_turn.begun[-1] <= 2
    assert oldest.begun[-1] == 100


def test_the_request_that_is_due_first_goes_first() -> None:
    due = np.array([10.0, 9.0, 8.0, 7.0])
    load = Load(np.zeros(4), due, np.ones(4), np.arange(4), rows=1)
    run = work_through(load, ONE, 1, queueing="deadline")
    assert run.begun.tolist() == [3, 2, 1, 0]


def test_a_batch_grows_as_long_as_nobody_is_late() -> None:
    pace = Pace(realtime_factor=1.0, prefix_seconds=0.5, row_cost=0.5, batch=8)
    load = Load(np.zeros(8), np.full(8, 4.0), np.ones(8), np.arange(8), rows=1)
    run = work_through(load, pace, 1, queueing="round-robin")
    # Six rows take 0.5 + 1 + 5 × 0.5 = 4 s, and seven would be late; then it is too late for two.
    assert run.ended[:6].tolist() == [4.0] * 6
    assert np.isnan(run.ended[6:]).all()
    assert (run.batches, run.busy_seconds) == (1, 4.0)


def test_a_queue_at_each_replica_has_no_batches() -> None:
    load = load_of(np.ones(10), 1, seed=1)
    with pytest.raises(BadArgument, match="batch 2: a replica with a queue of its own"):
        work_through(load, Pace(1, 0, 0, batch=2), 2, queueing="two-choices")
