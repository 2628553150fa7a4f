"""Find the last phrase in a recording: where it begins, and what a take of it leaves out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from bridge.capture.onset import (
    ATTACK_BLOCKS,
    FLOOR_SECONDS,
    HOP_SECONDS,
    SOUND_BLOCKS,
    SOUND_SHARE,
    block_powers,
    noise_floor,
    sound_threshold,
)
from bridge.soundcard.ring import Ring

REST_SECONDS = 0.5
"""A take may begin at a sound after a rest of this length."""
PAUSE_SECONDS = 2.0
"""A rest of this length separates phrases."""
REST_SHARE = 0.1
"""Share of a rest that may be clicks."""

_FLOOR_RANGE_SECONDS = 30.0
"""How far back from the end the noise floor is measured."""
_READ_SECONDS = 4.0
_START_WEIGHT = 2
"""A tune without its start is worse than one without its end."""


@dataclass(frozen=True)
class Phrase:
    """The frames of a take, and what surrounds it.

    Attributes:
        start_frame: the take's first frame.
        begins_at_onset: whether a sound begins there; otherwise the take is what fits before the
            end of the last sound.
        lost_before_seconds: sound of the same phrase before the take.
        lost_after_seconds: sound after the take.
    """

    start_frame: int
    begins_at_onset: bool
    lost_before_seconds: float
    lost_after_seconds: float


def find_phrase(ring: Ring, earliest: int, stop_frame: int, frames: int, bar_frames: int) -> Phrase:
    """Find the last phrase between two frames.

    The phrase ends with the last sound. It begins after the last pause of `PAUSE_SECONDS`, if that
    is within twice the take's length; otherwise a bar more than the take's length before its end.
    Of the sounds after a rest, the take begins at the one that leaves out the least. Where there
    is none, the take ends with the last sound.

    Args:
        earliest, stop_frame: the part of the ring to search.
        frames: the take's length.
        bar_frames: a bar's length.

    Raises:
        Overwritten: the audio is no longer in the ring.
    """
    hop = max(1, round(HOP_SECONDS * ring.sample_rate))
    power = _powers(ring, earliest, stop_frame, hop)
    loud = power > _threshold(power)
    # loud_before[i]: loud blocks before block i.
    loud_before = np.concatenate([[0], np.cumsum(loud)])
    starts, ends = _sounds(loud)
    end = int(ends[-1]) if len(ends) else len(loud)
    # A sound that goes on until the end of the search ends there, to the frame.
    sounds_until_stop = end > len(loud) - SOUND_BLOCKS
    end_frame = stop_frame if sounds_until_stop else earliest + (end + 1) * hop

    take_blocks, bar_blocks = frames // hop, bar_frames // hop
    onsets = starts[_rests_before(loud_before, starts, REST_SECONDS)]
    # Each block of a sound's first tenth has a rest before it: the first of them is the onset.
    onsets = onsets[np.diff(onsets, prepend=-len(loud)) > REST_SECONDS / HOP_SECONDS]
    separate = onsets[_rests_before(loud_before, onsets, PAUSE_SECONDS)]
    if len(separate) and separate[-1] >= end - 2 * take_blocks:
        first = int(separate[-1])
    else:
        first = max(0, end - take_blocks - bar_blocks)
    onsets = onsets[onsets >= first]
    if len(onsets):
        after = np.minimum(onsets + take_blocks, end)
        lost = _START_WEIGHT * (loud_before[onsets] - loud_before[first])
        lost += loud_before[end] - loud_before[after]
        start = int(onsets[lost.argmin()])
        start_frame = earliest + start * hop
    else:
        start_frame = max(earliest, end_frame - frames)
        start = (start_frame - earliest) // hop
    after_take = min(start + take_blocks, end)
    phrase_start = int(separate[separate <= start][-1]) if (separate <= start).any() else 0
    return Phrase(
        start_frame,
        bool(len(onsets)),
        float(loud_before[start] - loud_before[phrase_start]) * HOP_SECONDS,
        float(loud_before[end] - loud_before[after_take]) * HOP_SECONDS,
    )


def _powers(ring: Ring, earliest: int, stop_frame: int, hop: int) -> NDArray[np.float64]:
    """The power of each block of two hops, a hop apart: `[blocks]`."""
    step = max(1, round(_READ_SECONDS / HOP_SECONDS)) * hop
    pieces = [
        block_powers(ring.read(first, min(first + step + hop, stop_frame)), hop)
        for first in range(earliest, stop_frame, step)
    ]
    return np.concatenate(pieces) if pieces else np.empty(0)


def _threshold(power: NDArray[np.float64]) -> float:
    """The power above which a block is a sound: by the quietest two seconds."""
    recent = power[-round(_FLOOR_RANGE_SECONDS / HOP_SECONDS) :]
    length = round(FLOOR_SECONDS / HOP_SECONDS)
    parts = [recent[first : first + length] for first in range(0, len(recent), length // 4)]
    floors = [noise_floor(part) for part in parts if len(part) == length]
    # Exact silence is a muted input, which says nothing about the room.
    return sound_threshold(min((floor for floor in floors if floor > 0), default=0.0))


def _sounds(loud: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The blocks at which sounds begin, and the blocks after which they end; clicks are none."""
    if len(loud) < SOUND_BLOCKS:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    runs = sliding_window_view(loud, SOUND_BLOCKS)
    is_sound = runs.sum(axis=1) >= SOUND_SHARE * SOUND_BLOCKS
    begins = is_sound & runs[:, :ATTACK_BLOCKS].all(axis=1)
    ends = is_sound & runs[:, -ATTACK_BLOCKS:].all(axis=1)
    return np.flatnonzero(begins), np.flatnonzero(ends) + SOUND_BLOCKS


def _rests_before(
    loud_before: NDArray[np.int64], blocks: NDArray[np.int64], seconds: float
) -> NDArray[np.bool_]:
    """Whether a rest of that length ends at each of the blocks."""
    length = round(seconds / HOP_SECONDS)
    loud = loud_before[blocks] - loud_before[np.maximum(blocks - length, 0)]
    return (blocks >= length) & (loud <= REST_SHARE * length)
