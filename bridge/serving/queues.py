"""Replicas at work on a load: which request begins when, and when it is done."""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol, cast, get_args

import numpy as np

from bridge.config.readers import Reader, ints, numbers
from bridge.errors import BadArgument
from bridge.serving.load import Load, check_ranges

Queueing = Literal["two-choices", "round-robin", "deadline", "arrival"]
"""Where requests wait, and which goes next.

`two-choices` is what the server does: each replica has a queue, and a request joins the shorter one
of two replicas that are drawn, as Ray Serve's router does (Mitzenmacher, *The Power of Two Choices
in Randomized Load Balancing*, 2001). The others are one queue for all replicas, as a measure of
what that costs: the next player's turn, the request that is due first, the oldest request.
"""
PACE_RANGES: dict[str, Reader] = {
    "realtime_factor": numbers(0.01, 10_000),
    "prefix_seconds": numbers(0, 60),
    "row_cost": numbers(0, 1),
    "batch": ints(1, 256),
}


@dataclass(frozen=True)
class Pace:
    """The speed of one replica.

    Attributes:
        realtime_factor: seconds of audio that one row makes in a second, alone.
        prefix_seconds: before the first step of a batch.
        row_cost: what each further row adds to a step, as a share of a step of one row. 0: rows are
            free; 1: a batch gains nothing. Each variation of each request is a row.
        batch: requests that one batch takes at most; 1: each runs alone.

    Raises:
        BadArgument: a value is out of its range.
    """

    realtime_factor: float
    prefix_seconds: float
    row_cost: float
    batch: int = 1

    def __post_init__(self) -> None:
        check_ranges(self, PACE_RANGES)

    def seconds(self, audio_seconds: Any, rows: int) -> Any:
        """The time of a batch whose longest piece has this much audio; arrays give arrays."""
        steps = 1 + self.row_cost * (rows - 1)
        return self.prefix_seconds + audio_seconds / self.realtime_factor * steps


@dataclass(frozen=True)
class Run:
    """One load, worked through.

    Attributes:
        begun, ended: seconds, by request; NaN: it was refused.
        busy_seconds: of all replicas together.
        length_seconds: from the beginning to the last end.
    """

    begun: np.ndarray
    ended: np.ndarray
    busy_seconds: float
    length_seconds: float
    batches: int


def work_through(
    load: Load, pace: Pace, replicas: int, *, queueing: Queueing, seed: int = 0
) -> Run:
    """Let replicas work through a load, with empty queues at its beginning.

    A request that cannot make its bar is refused, and takes no time.

    Args:
        replicas: 1 or more.
        seed: of the replicas that `two-choices` draws.

    Raises:
        BadArgument: the queueing is unknown, or has no batches of several requests.
    """
    if queueing not in get_args(Queueing):
        raise BadArgument(f"queue {queueing!r}: choose from {', '.join(get_args(Queueing))}")
    if queueing in _ORDERS:
        return _one_queue(load, pace, replicas, _ORDERS[queueing](load))
    if pace.batch > 1:
        raise BadArgument(
            f"batch {pace.batch}: a replica with a queue of its own runs one request at a time; "
            f"choose another queue: {', '.join(_ORDERS)}"
        )
    return _queue_each(load, pace, replicas, np.random.default_rng(seed))


def _queue_each(load: Load, pace: Pace, replicas: int, random: np.random.Generator) -> Run:
    """A queue at each replica; a request that would be late there is refused on arrival.

    Requests keep their order: a replica's players take turns, but seldom has one of them two
    requests in the same queue.
    """
    seconds = cast("list[float]", pace.seconds(load.audio_seconds, load.rows).tolist())
    arrives, due = (cast("list[float]", each.tolist()) for each in (load.arrives, load.due))
    one = random.integers(0, replicas, len(arrives))
    other = (one + random.integers(1, max(replicas, 2), len(arrives))) % replicas
    begun, ended = [math.nan] * len(arrives), [math.nan] * len(arrives)
    # The ends of the requests that wait or run at each replica.
    ends: list[deque[float]] = [deque() for _ in range(replicas)]
    busy_seconds = last_end = 0.0
    drawn = zip(arrives, one.tolist(), other.tolist(), strict=True)
    for request, (now, *two) in enumerate(drawn):
        for replica in two:
            while ends[replica] and ends[replica][0] <= now:
                ends[replica].popleft()
        chosen = min((ends[replica] for replica in two), key=len)
        begin = chosen[-1] if chosen else now
        end = begin + seconds[request]
        if end > due[request]:
            continue
        chosen.append(end)
        begun[request], ended[request] = begin, end
        busy_seconds += seconds[request]
        last_end = max(last_end, end)
    batches = len(arrives) - begun.count(math.nan)
    return Run(np.array(begun), np.array(ended), busy_seconds, max(last_end, arrives[-1]), batches)


def _one_queue(load: Load, pace: Pace, replicas: int, queue: _Queue) -> Run:
    """One queue for all replicas: one that becomes free takes a batch.

    A batch grows as long as all its requests still make their bars.
    """
    # Lists: Python reads single values of an array several times slower.
    arrives, due, audio = (
        cast("list[float]", each.tolist()) for each in (load.arrives, load.due, load.audio_seconds)
    )
    count, rows = len(arrives), load.rows
    begun, ended = [math.nan] * count, [math.nan] * count
    free = [0.0] * replicas
    following = batches = 0
    now = busy_seconds = 0.0
    while following < count or len(queue):
        # A replica that has been free for long begins now, not when it became free.
        now = max(now, free[0])
        if not len(queue):
            now = max(now, arrives[following])
        while following < count and arrives[following] <= now:
            queue.push(following)
            following += 1
        batch: list[int] = []
        longest, first_due = 0.0, math.inf
        while len(queue) and len(batch) < pace.batch:
            request = queue.pop()
            if now + pace.seconds(audio[request], rows) > due[request]:
                continue
            longer, sooner = max(longest, audio[request]), min(first_due, due[request])
            if batch and now + pace.seconds(longer, (len(batch) + 1) * rows) > sooner:
                queue.push_back(request)
                break
            batch.append(request)
            longest, first_due = longer, sooner
        if not batch:
            continue
        took = pace.seconds(longest, len(batch) * rows)
        for request in batch:
            begun[request], ended[request] = now, now + took
        heapq.heapreplace(free, now + took)
        busy_seconds += took
        batches += 1
    return Run(np.array(begun), np.array(ended), busy_seconds, max(max(free), now), batches)


class _Queue(Protocol):
    """Requests that wait, as their indices in the load."""

    def push(self, request: int) -> None: ...
    def pop(self) -> int: ...
    def push_back(self, request: int) -> None: ...
    def __len__(self) -> int: ...


class _ByDeadline:
    """The request that is due first."""

    def __init__(self, load: Load) -> None:
        self._due = load.due.tolist()
        self._waiting: list[tuple[float, int]] = []

    def push(self, request: int) -> None:
        heapq.heappush(self._waiting, (self._due[request], request))

    def pop(self) -> int:
        return heapq.heappop(self._waiting)[1]

    push_back = push

    def __len__(self) -> int:
        return len(self._waiting)


class _InTurn:
    """The oldest request of the player whose turn it is; then it is the next player's."""

    def __init__(self, load: Load) -> None:
        self._players = load.players.tolist()
        self._turns: deque[int] = deque()
        self._waiting: dict[int, deque[int]] = {}
        self._count = 0

    def push(self, request: int) -> None:
        player = self._players[request]
        if player not in self._waiting:
            self._waiting[player] = deque()
            self._turns.append(player)
        self._waiting[player].append(request)
        self._count += 1

    def pop(self) -> int:
        player = self._turns.popleft()
        waiting = self._waiting[player]
        request = waiting.popleft()
        if waiting:
            self._turns.append(player)
        else:
            del self._waiting[player]
        self._count -= 1
        return request

    def push_back(self, request: int) -> None:
        player = self._players[request]
        if player in self._waiting:
            self._turns.remove(player)
        self._turns.appendleft(player)
        self._waiting.setdefault(player, deque()).appendleft(request)
        self._count += 1

    def __len__(self) -> int:
        return self._count


class _ByArrival:
    """The oldest request."""

    def __init__(self, load: Load) -> None:
        self._waiting: deque[int] = deque()

    def push(self, request: int) -> None:
        self._waiting.append(request)

    def pop(self) -> int:
        return self._waiting.popleft()

    def push_back(self, request: int) -> None:
        self._waiting.appendleft(request)

    def __len__(self) -> int:
        return len(self._waiting)


_ORDERS: dict[str, Callable[[Load], _Queue]] = {
    "deadline": _ByDeadline,
    "round-robin": _InTurn,
    "arrival": _ByArrival,
}
