"""A DAW that sends its song position over OSC, each message a little late."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Sequence
from types import TracebackType

from bridge.control.packets import write_message
from tests.peers.timeline import Timeline

LATEST_SECONDS = 0.03
"""The most that a message is late."""


class Daw:
    """Plays from the start to the end of its block, and sends its position five times a second.

    Beat 0 sounds at `start_seconds`; before it the DAW counts in, at beats below 0. At the end of
    the block it sends that it has stopped.

    Attributes:
        timeline: when each beat sounds.
    """

    def __init__(
        self,
        port: int,
        *,
        start_seconds: float,
        tempo_bpm: float,
        numerator: int = 4,
        denominator: int = 4,
        changes: Sequence[tuple[float, float]] = (),
        seed: int = 1,
    ) -> None:
        """Args:
        tempo_bpm: from the start on.
        changes: `(beat, tempo_bpm)` of each change, by beat.
        """
        self._address = ("127.0.0.1", port)
        self.timeline = Timeline(start_seconds, (0, tempo_bpm), *changes)
        self._meter = (numerator, denominator)
        self._random = random.Random(seed)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Daw:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()

    def seconds_of(self, beat: float) -> float:
        """The instant of a beat, on `time.perf_counter`."""
        return self.timeline.seconds_of(beat)

    def _run(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending:
            while not self._over.wait(0.2):
                datagram = self._message(is_playing=1)
                # The message is late, as on a busy machine.
                self._over.wait(self._random.uniform(0, LATEST_SECONDS))
                sending.sendto(datagram, self._address)
            sending.sendto(self._message(is_playing=0), self._address)

    def _message(self, is_playing: int) -> bytes:
        beat = self.timeline.beat_at(time.perf_counter())
        arguments = [self.timeline.tempo_at(beat), beat, is_playing, *self._meter]
        return write_message("/bridge/transport", arguments)
