"""The parts of the time from a message to a clip, by the events that the daemon sends meanwhile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from bridge.tools.bench_stage import ReceivedEvent

PARTS = ("capture", "plan", "prefix", "decode", "finishing")
"""From the message to the melody; to the plan; to the first step; to the last one; to the clip."""
DECODED_SHARE = 0.95
"""What `/bridge/progress` says when all audio is decoded: the rest is finishing and writing."""


def parts_ms(instants: Sequence[float], names: Sequence[str] = PARTS) -> dict[str, float]:
    """Milliseconds from each instant to the next, by name.

    Args:
        instants: seconds, one more than names.
    """
    return {
        name: 1000 * (after - before)
        for name, (before, after) in zip(names, pairwise(instants), strict=True)
    }


def instants(events: Sequence[ReceivedEvent], capture_prefix: str, id: str) -> list[float]:
    """When the melody was captured, the request planned, its first step made, and all decoded.

    Args:
        events: from the message on.
        capture_prefix: with which the capture's id begins.
        id: the request's.
    """
    captured = next(
        event.seconds
        for event in events
        if event.address == "/bridge/capture"
        and str(event.arguments[0]).startswith(capture_prefix)
        and event.arguments[1] == "done"
    )
    progress = [
        (float(str(event.arguments[1])), event.seconds)
        for event in events
        if event.address == "/bridge/progress" and event.arguments[0] == id
    ]
    # Share 0 comes twice: when the request is accepted, and when it is planned.
    planned = [seconds for share, seconds in progress if share == 0][-1]
    stepped = next(seconds for share, seconds in progress if share > 0)
    decoded = next(seconds for share, seconds in progress if share > DECODED_SHARE - 1e-3)
    return [captured, planned, stepped, decoded]


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """Median and 95th percentile, to a tenth."""
    return {f"p{percent}": tenths(float(np.percentile(values, percent))) for percent in (50, 95)}


def medians(parts: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The median of each part, to a tenth."""
    return {name: tenths(float(np.median([each[name] for each in parts]))) for name in parts[0]}


def tenths(value: float) -> float:
    """A figure to a tenth: more is noise."""
    return round(value, 1)
