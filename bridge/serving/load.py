"""What players ask of a server: their requests, each with the time when its clip is due."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from bridge.audio import TOKENS_A_SECOND
from bridge.config.readers import Reader, ints, numbers
from bridge.errors import BadArgument

PLAYERS = ints(1, 100_000)
PLAYING_RANGES: dict[str, Reader] = {
    "requests_a_minute": numbers(0.01, 60),
    "bars": ints(1, 16),
    "slowest_bpm": numbers(20, 400),
    "fastest_bpm": numbers(20, 400),
    "due_bars": ints(1, 64),
    "variations": ints(1, 16),
    "made_share": numbers(0.1, 10),
    "home_seconds": numbers(0, 60),
}


@dataclass(frozen=True)
class Playing:
    """What players do.

    Attributes:
        requests_a_minute: of one player, in the mean; independent of each other (Poisson).
        bars: length of a clip in bars of 4/4.
        slowest_bpm, fastest_bpm: each player has a tempo of its own, evenly between them.
        due_bars: a request leaves on a bar line, and its clip is due so many bar lines later.
        variations: clips of one request.
        made_share: seconds of audio that the engine makes for a second of the clip: the surplus for
            tempo and bar line, less what ends early.
        home_seconds: of the time until a clip is due, what planning, finishing and the network
            take.
        is_together: all players follow one clock, at the mean tempo: their requests come at once,
            on the same bar lines.

    Raises:
        BadArgument: a value is out of its range, or the tempi are not in order.
    """

    requests_a_minute: float = 2.0
    bars: int = 4
    slowest_bpm: float = 80.0
    fastest_bpm: float = 140.0
    due_bars: int = 2
    variations: int = 1
    made_share: float = 1.04
    home_seconds: float = 0.55
    is_together: bool = False

    def __post_init__(self) -> None:
        check_ranges(self, PLAYING_RANGES)
        if self.slowest_bpm > self.fastest_bpm:
            raise BadArgument(
                f"slowest_bpm {self.slowest_bpm:g} is above fastest_bpm {self.fastest_bpm:g}: "
                "exchange them"
            )

    @property
    def mean_bpm(self) -> float:
        """Half-way between the slowest and the fastest tempo."""
        return (self.slowest_bpm + self.fastest_bpm) / 2


@dataclass(frozen=True)
class Load:
    """Requests in the order of their arrival; one entry of each array is one request.

    Attributes:
        arrives, due: seconds; an infinite `due` is never missed.
        audio_seconds: length of the request's pieces.
        players: whose request it is, from 0.
        rows: of every request.
    """

    arrives: np.ndarray
    due: np.ndarray
    audio_seconds: np.ndarray
    players: np.ndarray
    rows: int


def draw(players: int, playing: Playing, *, seed: int, requests: int) -> Load:
    """Draw the requests of a number of players. The same seed gives the same requests."""
    random = np.random.default_rng(seed)
    tempi = random.uniform(playing.slowest_bpm, playing.fastest_bpm, players)
    if playing.is_together:
        tempi[:] = playing.mean_bpm
    a_second = players * playing.requests_a_minute / 60
    arrives = np.cumsum(random.exponential(1 / a_second, requests))
    whose = random.integers(0, players, requests)
    bar_seconds = 4 * 60 / tempi[whose]
    if playing.is_together:
        arrives = np.ceil(arrives / bar_seconds) * bar_seconds
    return Load(
        arrives=arrives,
        due=arrives + playing.due_bars * bar_seconds - playing.home_seconds,
        audio_seconds=_in_steps(playing.made_share * playing.bars * bar_seconds),
        players=whose,
        rows=playing.variations,
    )


def _in_steps(seconds: np.ndarray) -> np.ndarray:
    """Lengths in whole steps of the codec, as the engine makes them."""
    steps: np.ndarray = np.ceil(seconds * TOKENS_A_SECOND)
    return steps / TOKENS_A_SECOND


def check_ranges(values: Any, ranges: dict[str, Reader]) -> None:
    """Check each field of a dataclass that has a range.

    Raises:
        BadArgument: a value is out of its range.
    """
    for each in fields(values):
        if each.name in ranges:
            ranges[each.name](each.name, getattr(values, each.name))
