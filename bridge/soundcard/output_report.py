"""What an output's callback reports through shared memory: where it is, and what it plays."""

from __future__ import annotations

from dataclasses import dataclass
from multiprocessing.shared_memory import SharedMemory

import numpy as np

from bridge.commands import LAYERS
from bridge.process.shared_arrays import SharedArrays, claimed
from bridge.soundcard.callback_times import (
    CLASSES,
    CallbackTimes,
    callback_times,
    duration_class,
)

_COUNTS = 5
_FRAME, _UNDERFLOWS, _SKIPS, _DRY, _LATE = range(_COUNTS)
_TIMES = 3
_SECONDS, _SECONDS_PER_FRAME, _CALLED = range(_TIMES)
_LAYER_FIELDS = 2
_VERSION_BYTES = 8
_STATUS_BYTES = _VERSION_BYTES + 8 * (_COUNTS + _TIMES + LAYERS * _LAYER_FIELDS)
_BYTES = _STATUS_BYTES + 8 * 2 * CLASSES
_ATTEMPTS = 1000


@dataclass(frozen=True)
class OutputStatus:
    """The newest report of a callback.

    Attributes:
        frame: the first one of the newest block; 0 before the first.
        seconds: when that block was handed over, on `time.perf_counter`, filtered.
        seconds_per_frame: the measured duration of a frame.
        called_seconds: when the callback came.
        underflows: how often the driver reported that audio came too late.
        skips: how often the driver skipped periods.
        dry: how often a clip's next frames were not there in time.
        late: how often a clip started after its frame.
        layers: of each layer, the number of the clip that plays and the frame at which it started;
            zeros where none does.
    """

    frame: int
    seconds: float
    seconds_per_frame: float
    called_seconds: float
    underflows: int
    skips: int
    dry: int
    late: int
    layers: tuple[tuple[int, int], ...]

    def frame_at(self, seconds: float) -> int:
        """The frame that is handed over at that instant."""
        return self.frame + round((seconds - self.seconds) / self.seconds_per_frame)

    def seconds_at(self, frame: int) -> float:
        """The instant at which that frame is handed over."""
        return self.seconds + (frame - self.frame) * self.seconds_per_frame


class OutputReport(SharedArrays):
    """A status in shared memory. Make it with `create` or `attach`.

    The memory is freed when it is unlinked and the last process that has it open closes it or ends;
    an object without references closes itself.

    Attributes:
        name: for `attach` in another process.
    """

    def __init__(self, memory: SharedMemory) -> None:
        super().__init__(memory)
        # Odd while the writer writes, so that a reader never sees half a status.
        self._version = np.ndarray(1, np.int64, memory.buf)
        self._times = np.ndarray(_TIMES, np.float64, memory.buf, _VERSION_BYTES)
        self._counts = np.ndarray(_COUNTS, np.int64, memory.buf, _VERSION_BYTES + 8 * _TIMES)
        self._layers = np.ndarray(
            (LAYERS, _LAYER_FIELDS), np.int64, memory.buf, _VERSION_BYTES + 8 * (_TIMES + _COUNTS)
        )
        # How many callbacks were so late, and took so long.
        self._durations = np.ndarray((2, CLASSES), np.int64, memory.buf, _STATUS_BYTES)

    @classmethod
    def create(cls) -> OutputReport:
        """Make an empty report; its maker must unlink it.

        Raises:
            OSError: there is no room for it in shared memory.
        """
        return cls(claimed(_BYTES))

    def write(self, status: OutputStatus) -> None:
        """Report a status; for the callback."""
        self._version[0] += 1
        self._times[:] = status.seconds, status.seconds_per_frame, status.called_seconds
        self._counts[:] = (
            *(status.frame, status.underflows, status.skips),
            *(status.dry, status.late),
        )
        self._layers[:] = status.layers
        self._version[0] += 1

    def count(self, late_seconds: float, took_seconds: float) -> None:
        """Count a callback; for the callback.

        Args:
            late_seconds: by how much it came late; negative: early.
        """
        self._durations[0, duration_class(late_seconds)] += 1
        self._durations[1, duration_class(took_seconds)] += 1

    def callback_times(self) -> CallbackTimes | None:
        """How late the callbacks came, and how long they took; None before the first."""
        late, took = self._durations.copy()
        return callback_times(late, took)

    def read(self) -> OutputStatus | None:
        """The newest status; None before the first, or when the writer has ended in the middle."""
        for _ in range(_ATTEMPTS):
            version = int(self._version[0])
            times, counts = self._times.tolist(), self._counts.tolist()
            layers = tuple((clip, started) for clip, started in self._layers.tolist())
            if version % 2 == 0 and version == int(self._version[0]):
                return None if version == 0 else _status(times, counts, layers)
        return None


def _status(
    times: list[float], counts: list[int], layers: tuple[tuple[int, int], ...]
) -> OutputStatus:
    return OutputStatus(
        frame=counts[_FRAME],
        seconds=times[_SECONDS],
        seconds_per_frame=times[_SECONDS_PER_FRAME],
        called_seconds=times[_CALLED],
        underflows=counts[_UNDERFLOWS],
        skips=counts[_SKIPS],
        dry=counts[_DRY],
        late=counts[_LATE],
        layers=layers,
    )
