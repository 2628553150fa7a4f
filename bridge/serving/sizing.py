"""How many replicas a number of players needs: a seeded simulation of requests and bar lines.

Players send requests on their own bar lines. A request is due some bars later; it has made its bar
where the clip is at the player's machine by then. The model leaves out replicas that start or fail,
and the time that a refused client takes to ask again: it counts as late.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bridge.errors import BadArgument
from bridge.serving.load import PLAYERS, Load, Playing, draw
from bridge.serving.queues import Pace, Queueing, work_through

AIM = 0.99
"""Share of the requests that are to make their bar."""
MOST_REPLICAS = 100_000
RUNS, REQUESTS = 3, 30_000
"""Independent runs for each number of replicas, and the requests of each. Near its limit a queue
may stay short in one run and grow in another."""
_WARM_UP = 0.2
"""Share of a run's requests at its beginning, with empty queues, that no figure counts."""
_PARTS = 10
"""Parts of a run whose shares give the interval, since neighbouring requests wait together."""
_STUDENT_T = 2.045
"""The 97.5th percentile of Student's t with 29 degrees of freedom, for all runs' parts."""


@dataclass(frozen=True)
class Outcome:
    """What became of a load.

    Attributes:
        replicas: that worked on it.
        made: share of the requests that made their bar.
        made_at_least: lower end of its 95 % interval.
        wait_p50_seconds, wait_p99_seconds: from arrival to the batch's begin, of requests that ran.
        served_p50_seconds, served_p99_seconds: from arrival to the batch's end, likewise.
        busy: share of the replicas' time that they worked.
        requests_a_batch: in the mean.
    """

    replicas: int
    made: float
    made_at_least: float
    wait_p50_seconds: float
    wait_p99_seconds: float
    served_p50_seconds: float
    served_p99_seconds: float
    busy: float
    requests_a_batch: float


def size(
    players: int,
    playing: Playing,
    pace: Pace,
    *,
    queueing: Queueing = "two-choices",
    seed: int = 0,
    requests: int = REQUESTS,
    progress: Callable[[int], None] = lambda replicas: None,
) -> Outcome:
    """The outcome with the fewest replicas that let `AIM` of all requests make their bar.

    `made_at_least`, not `made`, reaches the aim, so that chance does not decide it.

    Args:
        players: at the same time.
        seed: of the first run; the next takes the next.
        requests: of each run; fewer widen the interval, so that more replicas are found.
        progress: called with each number of replicas before it is simulated.

    Raises:
        BadArgument: a value is out of its range, or no number of replicas is enough.
    """
    players = PLAYERS("players", players)
    loads = [draw(players, playing, seed=seed + run, requests=requests) for run in range(RUNS)]
    rows, audio = playing.variations, np.concatenate([load.audio_seconds for load in loads])
    alone = [load.arrives + pace.seconds(load.audio_seconds, rows) <= load.due for load in loads]
    if np.mean(alone) < AIM:
        raise BadArgument(
            f"a request alone takes up to {pace.seconds(audio.max(), rows):.2f} s, and is due "
            f"{playing.due_bars} bars after it was sent, less {playing.home_seconds:g} s: no "
            "number of replicas is enough; give more due bars, or a faster pace"
        )

    def outcome(replicas: int) -> Outcome:
        progress(replicas)
        # Far too few replicas show in one run.
        first = simulate(loads[:1], pace, replicas, queueing=queueing)
        return (
            first
            if first.made < 2 * AIM - 1
            else simulate(loads, pace, replicas, queueing=queueing)
        )

    # With full batches and no pause; fewer cannot do it.
    a_request = pace.seconds(float(audio.mean()), pace.batch * rows) / pace.batch
    low = max(1, math.floor(AIM * players * playing.requests_a_minute / 60 * a_request))
    high, best = low, outcome(low)
    while best.made_at_least < AIM:
        low, high = high + 1, math.ceil(high * 1.25) + 1
        if high > MOST_REPLICAS:
            raise BadArgument(f"more than {MOST_REPLICAS} replicas: give fewer players")
        best = outcome(high)
    while low < high:
        middle = (low + high) // 2
        tried = outcome(middle)
        if tried.made_at_least < AIM:
            low = middle + 1
        else:
            high, best = middle, tried
    return best


def simulate(loads: Sequence[Load], pace: Pace, replicas: int, *, queueing: Queueing) -> Outcome:
    """The outcome of several loads, each worked through by itself.

    Raises:
        BadArgument: as `work_through`.
    """
    runs = [
        work_through(load, pace, replicas, queueing=queueing, seed=number)
        for number, load in enumerate(loads)
    ]
    made = [run.ended <= load.due for load, run in zip(loads, runs, strict=True)]
    shares = [
        float(part.mean()) for each in made for part in np.array_split(_counted(each), _PARTS)
    ]
    # Batch means: Law, Simulation Modeling and Analysis, 5th edition, section 9.5.3.
    margin = _STUDENT_T * float(np.std(shares, ddof=1)) / math.sqrt(len(shares))
    mean = float(np.mean(shares))
    wait, served = (
        np.concatenate([_counted(each) for each in times])
        for times in (
            [run.begun - load.arrives for load, run in zip(loads, runs, strict=True)],
            [run.ended - load.arrives for load, run in zip(loads, runs, strict=True)],
        )
    )
    ran = sum(int(np.sum(~np.isnan(run.begun))) for run in runs)
    return Outcome(
        replicas,
        made=mean,
        made_at_least=mean - margin,
        wait_p50_seconds=_percentile(wait, 50),
        wait_p99_seconds=_percentile(wait, 99),
        served_p50_seconds=_percentile(served, 50),
        served_p99_seconds=_percentile(served, 99),
        busy=sum(run.busy_seconds for run in runs)
        / (replicas * sum(run.length_seconds for run in runs)),
        requests_a_batch=ran / max(1, sum(run.batches for run in runs)),
    )


def _counted(by_request: np.ndarray) -> np.ndarray:
    """Without the requests of the warm-up."""
    return by_request[int(_WARM_UP * len(by_request)) :]


def _percentile(seconds: np.ndarray, share: int) -> float:
    """A percentile of the requests that ran; NaN: none did."""
    ran = seconds[~np.isnan(seconds)]
    return float(np.percentile(ran, share)) if len(ran) else math.nan
