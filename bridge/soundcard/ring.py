"""The last two minutes of the input in shared memory: one process writes, others read.

Readers name frames by their absolute number and find their time by the points that the writer
left: a line through them, with a jump where frames were lost. The writer waits for nobody. A
reader copies, and then looks whether what it copied was still there.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from contextlib import suppress
from multiprocessing.shared_memory import SharedMemory

import numpy as np
from numpy.typing import NDArray

from bridge.process import shared_memory

KEPT_SECONDS = 120.0
GAP_SECONDS = 0.004
"""A block that begins this much later than the last one ended has lost frames before it."""

_RESERVE_SECONDS = 1.0
"""Kept beyond what is promised, twice: for the block being written, and for a reader's copying."""
_FRAMES_PER_POINT = 32
"""Room for points: one a block. Smaller blocks than this leave the oldest frames without any."""
_FIELDS = 8
_SAMPLE_RATE, _CHANNELS, _KEPT, _WRITTEN, _POINTS, _OVERFLOWS = range(6)
_WRITTEN_SECONDS = 0
_HEADER_BYTES = _FIELDS * 8 * 2
_POINT_FIELDS = 3
_FRAME, _SECONDS, _STRETCH = range(_POINT_FIELDS)


class Overwritten(LookupError):
    """Frames that are no longer in the ring, or went while they were copied."""


class Ring:
    """Audio in shared memory, by absolute frame. Make it with `create` or `attach`.

    Frame n is the n-th that was ever written, from 0. Times are `time.perf_counter` seconds. The
    memory is freed when the ring is unlinked and the last process that has it open closes it or
    ends; an object that nobody refers to any more closes itself.

    Attributes:
        name: what another process attaches it by.
        sample_rate: Hz, nominal.
        channels: of every frame.
    """

    def __init__(self, memory: SharedMemory) -> None:
        self._memory: SharedMemory | None = memory
        self.name = memory.name
        self._whole = np.ndarray(_FIELDS, np.int64, memory.buf)
        self._real = np.ndarray(_FIELDS, np.float64, memory.buf, _FIELDS * 8)
        self.sample_rate = int(self._whole[_SAMPLE_RATE])
        self.channels = int(self._whole[_CHANNELS])
        self._kept = int(self._whole[_KEPT])
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
        """Make an empty ring of a random name; whoever makes it unlinks it.

        Args:
            sample_rate: Hz, positive.
            channels: 1 or more.
            seconds: how long a frame can be read after it was written, positive.

        Raises:
            ValueError: one of them is not positive.
            OSError: there is no room for it in shared memory.
        """
        if sample_rate < 1 or channels < 1 or seconds <= 0:
            raise ValueError(f"a ring of {sample_rate} Hz, {channels} channels, {seconds} s")
        kept = round(seconds * sample_rate)
        _, capacity, points = _sizes(sample_rate, kept)
        size = _HEADER_BYTES + points * _POINT_FIELDS * 8 + capacity * channels * 4
        memory = shared_memory.create(size)
        try:
            shared_memory.claim(memory)
        except OSError:
            memory.close()
            memory.unlink()
            raise
        whole = np.ndarray(_FIELDS, np.int64, memory.buf)
        whole[[_SAMPLE_RATE, _CHANNELS, _KEPT]] = sample_rate, channels, kept
        del whole
        return cls(memory)

    @classmethod
    def attach(cls, name: str) -> Ring:
        """Open a ring that another process made: the maker, or another of its children.

        Raises:
            FileNotFoundError: there is none of that name.
        """
        return cls(shared_memory.attach(name))

    @property
    def frames_written(self) -> int:
        """How many were ever written, and the number of the next one."""
        return int(self._whole[_WRITTEN])

    @property
    def oldest_frame(self) -> int:
        """The first frame that can still be read, with a second to spare."""
        return max(0, self.frames_written - self._kept)

    @property
    def overflows(self) -> int:
        """How often the writer was told that frames had been lost."""
        return int(self._whole[_OVERFLOWS])

    @property
    def written_seconds(self) -> float:
        """When something was last written; 0 before the first time."""
        return float(self._real[_WRITTEN_SECONDS])

    def count_overflow(self) -> None:
        """Count one more loss; the writer's."""
        self._whole[_OVERFLOWS] += 1

    def write(self, block: NDArray[np.float32], seconds: float) -> None:
        """Add a block; the writer's. It waits for nothing.

        Args:
            block: float32 `[frames, channels]`, one frame or more.
            seconds: time of the frame after the block's last. If the block's first frame is then
                later than the end of the last block by `GAP_SECONDS`, frames were lost between.
        """
        for first in range(0, len(block), self._reserve):
            piece = block[first : first + self._reserve]
            self._write(piece, seconds - (len(block) - first - len(piece)) / self.sample_rate)

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """A copy of the frames from `start` up to `stop`, float32 `[stop - start, channels]`.

        Raises:
            Overwritten: some of them are no longer there.
            ValueError: some of them are not written yet, or `stop` lies before `start`.
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

        Past the newest block and before the oldest it goes on at the nominal rate. Between a
        loss's two ends it is the first frame after the loss.

        Raises:
            LookupError: nothing is written yet.
        """
        point, following = self._around(_SECONDS, seconds)
        if following is None:
            return float(point[_FRAME] + (seconds - point[_SECONDS]) * self.sample_rate)
        share = (seconds - point[_SECONDS]) / (following[_SECONDS] - point[_SECONDS])
        return float(point[_FRAME] + share * (following[_FRAME] - point[_FRAME]))

    def seconds_at(self, frame: float) -> float:
        """When that frame, which may have a fraction, was captured; the inverse of `frame_at`.

        Raises:
            LookupError: nothing is written yet.
        """
        point, following = self._around(_FRAME, frame)
        if following is None:
            return float(point[_SECONDS] + (frame - point[_FRAME]) / self.sample_rate)
        share = (frame - point[_FRAME]) / (following[_FRAME] - point[_FRAME])
        return float(point[_SECONDS] + share * (following[_SECONDS] - point[_SECONDS]))

    def continuous_from(self, frame: int | None = None) -> int:
        """The first frame, still readable, from which on nothing was lost up to this one.

        Args:
            frame: None is the newest.

        Raises:
            Overwritten: the frame is no longer there.
            ValueError: the frame is not written yet.
        """
        newest = max(0, self.frames_written - 1)
        wanted = newest if frame is None else frame
        if not 0 <= wanted <= newest:
            raise ValueError(f"frame {wanted}: {self.frames_written} are written")
        oldest = self.oldest_frame
        if wanted < oldest:
            raise Overwritten(f"frame {wanted}: the oldest left is {oldest}")
        if not self.frames_written:
            return 0
        point, _ = self._around(_FRAME, wanted)
        return max(oldest, int(point[_STRETCH]))

    def close(self) -> None:
        """Let go of the memory in this process; doing it again does nothing."""
        memory, self._memory = self._memory, None
        if memory is not None:
            # Views of the memory keep it from being closed.
            del self._whole, self._real, self._points, self._samples
            memory.close()

    def unlink(self) -> None:
        """Take the name away, once; the memory stays for those who have it open."""
        if self._memory is None:
            raise ValueError("a ring is unlinked before it is closed")
        self._memory.unlink()

    def __del__(self) -> None:
        with suppress(AttributeError):  # It was never made.
            self.close()

    def _write(self, block: NDArray[np.float32], seconds: float) -> None:
        written = int(self._whole[_WRITTEN])
        first = written % self._capacity
        head = self._samples[first : first + len(block)]
        head[:] = block[: len(head)]
        self._samples[: len(block) - len(head)] = block[len(head) :]
        self._place(written, written + len(block), seconds)
        # Last, for it is what readers go by.
        self._real[_WRITTEN_SECONDS] = time.perf_counter()
        self._whole[_WRITTEN] = written + len(block)

    def _place(self, first: int, after: int, seconds: float) -> None:
        """Leave the points that tell when the frames from `first` up to `after` were captured."""
        start = seconds - (after - first) / self.sample_rate
        count = int(self._whole[_POINTS])
        last = self._points[(count - 1) % len(self._points)]
        if count == 0 or start > last[_SECONDS] + GAP_SECONDS:
            self._add_point(count, first, start, first)
            self._add_point(count + 1, after, seconds, first)
        else:
            # Time never runs back, or there would be no finding a frame by it.
            self._add_point(count, after, max(seconds, last[_SECONDS]), last[_STRETCH])

    def _add_point(self, number: int, frame: int, seconds: float, stretch: float) -> None:
        self._points[number % len(self._points)] = frame, seconds, stretch
        self._whole[_POINTS] = number + 1

    def _around(
        self, field: int, value: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
        """The last point not after that value and the one that follows, None after the newest.

        Before the oldest point: the oldest, and None.
        """
        end = int(self._whole[_POINTS])
        if not end:
            raise LookupError("nothing is written yet")
        capacity = len(self._points)
        # The oldest sixteenth may be overwritten meanwhile.
        begin = max(0, end - capacity + capacity // 16)
        places = range(begin, end)
        after = begin + bisect_right(
            places, value, key=lambda number: float(self._points[number % capacity, field])
        )
        point = self._points[max(begin, after - 1) % capacity].copy()
        if after in (begin, end):
            return point, None
        return point, self._points[after % capacity].copy()


def _sizes(sample_rate: int, kept: int) -> tuple[int, int, int]:
    """Frames of one reserve, frames in all, and points, of a ring that keeps so many frames."""
    reserve = round(_RESERVE_SECONDS * sample_rate)
    capacity = kept + 2 * reserve
    return reserve, capacity, capacity // _FRAMES_PER_POINT + 64
