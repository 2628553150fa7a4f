"""The last two minutes of the input in shared memory: one process writes, others read.

Readers name frames by their absolute number. The time of a frame is interpolated between points
that the writer leaves, with a jump where frames were lost. The writer never waits. A reader copies,
and then checks that the writer has not overwritten what it copied.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from multiprocessing.shared_memory import SharedMemory

import numpy as np
from numpy.typing import NDArray

from bridge.process.shared_arrays import SharedArrays, claimed

KEPT_SECONDS = 120.0
GAP_SECONDS = 0.004
"""If a block begins this much later than the last one ended, frames were lost between them."""

_RESERVE_SECONDS = 1.0
"""Extra audio, twice this long: for the block being written, and for the time a reader copies."""
_FRAMES_PER_POINT = 32
"""One point per this many frames, and one per block: with smaller blocks, the oldest frames have no
points."""
_FIELDS = 8
_SAMPLE_RATE, _CHANNELS, _KEPT, _WRITTEN, _POINTS, _OVERFLOWS = range(6)
_WRITTEN_SECONDS = 0
_HEADER_BYTES = _FIELDS * 8 * 2
_POINT_FIELDS = 3
_FRAME, _SECONDS, _RUN_START = range(_POINT_FIELDS)


class Overwritten(LookupError):
    """The frames are no longer in the ring, or were overwritten while they were copied."""


class Ring(SharedArrays):
    """Audio in shared memory, by absolute frame. Make it with `create` or `attach`.

    Frame n is the n-th that was ever written, from 0. Times are `time.perf_counter` seconds. The
    memory is freed when the ring is unlinked and the last process that has it open closes it or
    ends; an object without references closes itself.

    Attributes:
        name: for `attach` in another process.
        sample_rate: Hz, nominal.
        channels: of every frame.
    """

    def __init__(self, memory: SharedMemory) -> None:
        super().__init__(memory)
        self._integers = np.ndarray(_FIELDS, np.int64, memory.buf)
        self._floats = np.ndarray(_FIELDS, np.float64, memory.buf, _FIELDS * 8)
        self.sample_rate = int(self._integers[_SAMPLE_RATE])
        self.channels = int(self._integers[_CHANNELS])
        self._kept = int(self._integers[_KEPT])
        self._reserve, self._capacity, capacity_points = _sizes(self.sample_rate, self._kept)
        self._points = np.ndarray(
            (capacity_points, _POINT_FIELDS), np.float64, memory.buf, _HEADER_BYTES
        )
        self._samples = np.ndarray(
            (self._capacity, self.channels),
            np.float32,
            memory.buf,
            _HEADER_BYTES + self._points.nbytes,
        )

    @classmethod
    def create(cls, sample_rate: int, channels: int, seconds: float = KEPT_SECONDS) -> Ring:
        """Make an empty ring of a random name; its maker must unlink it.

        Args:
            sample_rate: Hz, positive.
            channels: 1 or more.
            seconds: how long a frame can be read after it was written, positive.

        Raises:
            ValueError: an argument is not positive.
            OSError: there is no room for it in shared memory.
        """
        if sample_rate < 1 or channels < 1 or seconds <= 0:
            raise ValueError(f"a ring of {sample_rate} Hz, {channels} channels, {seconds} s")
        kept = round(seconds * sample_rate)
        _, capacity, points = _sizes(sample_rate, kept)
        size = _HEADER_BYTES + points * _POINT_FIELDS * 8 + capacity * channels * 4
        memory = claimed(size)
        integers = np.ndarray(_FIELDS, np.int64, memory.buf)
        integers[[_SAMPLE_RATE, _CHANNELS, _KEPT]] = sample_rate, channels, kept
        del integers
        return cls(memory)

    @property
    def frames_written(self) -> int:
        """How many frames were ever written: the number of the next one."""
        return int(self._integers[_WRITTEN])

    @property
    def oldest_frame(self) -> int:
        """The first frame that can be read, and stays readable for another second."""
        return max(0, self.frames_written - self._kept)

    @property
    def overflows(self) -> int:
        """How often the driver reported lost frames to the writer."""
        return int(self._integers[_OVERFLOWS])

    @property
    def written_seconds(self) -> float:
        """When the newest block was written; 0 before the first."""
        return float(self._floats[_WRITTEN_SECONDS])

    def count_overflow(self) -> None:
        """Count one more loss; for the writer."""
        self._integers[_OVERFLOWS] += 1

    def write(self, block: NDArray[np.float32], seconds: float) -> None:
        """Add a block; for the writer. It never waits.

        Args:
            block: float32 `[frames, channels]`, one frame or more.
            seconds: time of the frame after the block's last. If this puts the block's first frame
                more than `GAP_SECONDS` after the end of the last block, frames were lost between.
        """
        for first in range(0, len(block), self._reserve):
            piece = block[first : first + self._reserve]
            self._write(piece, seconds - (len(block) - first - len(piece)) / self.sample_rate)

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """Copy the frames from `start` up to `stop`, float32 `[stop - start, channels]`.

        Raises:
            Overwritten: some of them are no longer there.
            ValueError: some of them are not written yet, or `stop` is before `start`.
        """
        if not 0 <= start <= stop <= self.frames_written:
            raise ValueError(f"frames {start} to {stop}: {self.frames_written} are written")
        length = stop - start
        if length <= self._capacity:
            first = start % self._capacity
            head = self._samples[first : first + length]
            copy = np.concatenate([head, self._samples[: length - len(head)]])
            if start >= self.frames_written + self._reserve - self._capacity:
                return copy
        raise Overwritten(f"frames {start} to {stop}: the oldest left is {self.oldest_frame}")

    def frame_at(self, seconds: float) -> float:
        """The frame, with its fraction, that was captured at that instant.

        Before the oldest point and after the newest it is extrapolated at the nominal rate. Inside
        a loss it is the first frame after the loss.

        Raises:
            LookupError: nothing is written yet.
        """
        point, next_point = self._neighbours(_SECONDS, seconds)
        if next_point is None:
            return float(point[_FRAME] + (seconds - point[_SECONDS]) * self.sample_rate)
        fraction = (seconds - point[_SECONDS]) / (next_point[_SECONDS] - point[_SECONDS])
        return float(point[_FRAME] + fraction * (next_point[_FRAME] - point[_FRAME]))

    def seconds_at(self, frame: float) -> float:
        """The instant at which that frame was captured: the inverse of `frame_at`.

        Raises:
            LookupError: nothing is written yet.
        """
        point, next_point = self._neighbours(_FRAME, frame)
        if next_point is None:
            return float(point[_SECONDS] + (frame - point[_FRAME]) / self.sample_rate)
        fraction = (frame - point[_FRAME]) / (next_point[_FRAME] - point[_FRAME])
        return float(point[_SECONDS] + fraction * (next_point[_SECONDS] - point[_SECONDS]))

    def continuous_from(self, frame: int | None = None) -> int:
        """The first readable frame from which no frame was lost up to `frame`.

        Args:
            frame: None for the newest.

        Raises:
            Overwritten: the frame is no longer there.
            ValueError: the frame is not written yet.
        """
        newest = max(0, self.frames_written - 1)
        requested = newest if frame is None else frame
        if not 0 <= requested <= newest:
            raise ValueError(f"frame {requested}: {self.frames_written} are written")
        oldest = self.oldest_frame
        if requested < oldest:
            raise Overwritten(f"frame {requested}: the oldest left is {oldest}")
        if not self.frames_written:
            return 0
        point, _ = self._neighbours(_FRAME, requested)
        return max(oldest, int(point[_RUN_START]))

    def _write(self, block: NDArray[np.float32], seconds: float) -> None:
        written = int(self._integers[_WRITTEN])
        first = written % self._capacity
        head = self._samples[first : first + len(block)]
        head[:] = block[: len(head)]
        self._samples[: len(block) - len(head)] = block[len(head) :]
        self._add_points(written, written + len(block), seconds)
        # Last: readers use it to find what is complete.
        self._floats[_WRITTEN_SECONDS] = time.perf_counter()
        self._integers[_WRITTEN] = written + len(block)

    def _add_points(self, first: int, after: int, seconds: float) -> None:
        """Add the points with the capture times of the frames from `first` up to `after`."""
        start = seconds - (after - first) / self.sample_rate
        count = int(self._integers[_POINTS])
        last = self._points[(count - 1) % len(self._points)]
        if count == 0 or start > last[_SECONDS] + GAP_SECONDS:
            self._add_point(count, first, start, first)
            self._add_point(count + 1, after, seconds, first)
        else:
            # Time must never run backwards, because frames are found by a binary search.
            self._add_point(count, after, max(seconds, last[_SECONDS]), last[_RUN_START])

    def _add_point(self, number: int, frame: int, seconds: float, run_start: float) -> None:
        self._points[number % len(self._points)] = frame, seconds, run_start
        self._integers[_POINTS] = number + 1

    def _neighbours(
        self, field: int, value: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
        """The last point not after that value, and the next one; None after the newest.

        Before the oldest point, return the oldest and None.
        """
        end = int(self._integers[_POINTS])
        if not end:
            raise LookupError("nothing is written yet")
        capacity = len(self._points)
        # The writer may overwrite the oldest sixteenth during the search.
        begin = max(0, end - capacity + capacity // 16)
        numbers = range(begin, end)
        after = begin + bisect_right(
            numbers, value, key=lambda number: float(self._points[number % capacity, field])
        )
        point = self._points[max(begin, after - 1) % capacity].copy()
        if after in (begin, end):
            return point, None
        return point, self._points[after % capacity].copy()


def _sizes(sample_rate: int, kept: int) -> tuple[int, int, int]:
    """Frames of one reserve, frames in total, and points of a ring that keeps `kept` frames."""
    reserve = round(_RESERVE_SECONDS * sample_rate)
    capacity = kept + 2 * reserve
    return reserve, capacity, capacity // _FRAMES_PER_POINT + 64
