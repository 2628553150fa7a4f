"""The order of variations, best first, and why the last one is last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bridge.clip.score import ScoreParts

FAULTY = 0.9
"""A part up to this is a fault."""
FAULTS: Mapping[str, str] = {
    "tempo": "onsets off the grid",
    "downbeat": "its first beat is not on the bar line",
    "loudness": "quiet",
    "clipping": "clipped samples",
    "silence": "a long silence",
    "seam": "a jump where it loops",
    "clicks": "clicks",
}
"""The fault that a low part shows. Following the melody less than another clip is no fault."""


def rank(scores: Sequence[ScoreParts], weights: Mapping[str, float]) -> tuple[int, ...]:
    """Sort clips by the weighted sum of their parts, best first; equal ones keep their order.

    Args:
        weights: of each part by its name, 0 or more; 0 or left out: the part does not count.

    Returns:
        The clips' indices in `scores`.
    """
    sums = [_weighted_sum(score, weights) for score in scores]
    return tuple(sorted(range(len(scores)), key=lambda index: -sums[index]))


def why_last(ranked: Sequence[ScoreParts], weights: Mapping[str, float]) -> str | None:
    """A remark on the faults of the last clip that the first has less of; None without any.

    Args:
        ranked: scores of all variations, best first.
        weights: as for `rank`; parts that do not count are no fault.
    """
    if len(ranked) < 2:
        return None
    best, last = ranked[0].as_json(), ranked[-1].as_json()
    costs = {
        part: weights.get(part, 0.0) * ((best[part] or 0.0) - (last[part] or 0.0))
        for part in FAULTS
        if (last[part] or 0.0) <= FAULTY
    }
    faults = [
        FAULTS[part] for part in sorted(costs, key=lambda part: -costs[part]) if costs[part] > 0
    ]
    return f"ranked last of {len(ranked)}: {', '.join(faults)}" if faults else None


def _weighted_sum(score: ScoreParts, weights: Mapping[str, float]) -> float:
    """Sum of the parts times their weights; a part that was not measured counts as 0."""
    parts = score.as_json()
    return sum(weights.get(part, 0.0) * (parts[part] or 0.0) for part in parts)
