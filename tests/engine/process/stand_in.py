"""An engine without a model, for the real process: the prompt chooses what it does.

It starts in a fraction of a second, and fails on purpose in the ways that real engines fail.
"""

from __future__ import annotations

import ctypes
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from typing import Any, cast

import numpy as np

from bridge.engine import Chunk, Engine, Request, Stream
from bridge.engine.process.worker import run_engine, serve
from bridge.errors import Cancelled, CheckpointUnusable, OutOfMemory, Unsupported
from bridge.process.child import Line

STEPS = 20
"""Steps of every request, whatever its length."""
CODEBOOKS = 4
FRAME_RATE = 50
HOP = 640
HALFWAY = 0.51
"""The share that only a prompt that runs for ever reports."""
FITTING_VARIATIONS = 2
"""Variations for which the prompt `greedy` has memory."""


def stand_in(line: Line, model: str, device: str | None) -> None:
    """Serve as the real target does."""
    serve(line, lambda: cast(Engine, StandIn(model, device or "cpu")))


def engine_without_torch(line: Line, model: str, device: str | None) -> None:
    """Run the real engine; importing torch fails."""
    sys.modules["torch"] = None  # type: ignore[assignment]
    run_engine(line, model, device)


def refuses(line: Line, model: str, device: str | None) -> None:
    """The model is unusable until a file of its name exists."""

    def load() -> Engine:
        if not os.path.exists(model):
            raise CheckpointUnusable(f"model {model!r}: no such folder")
        return cast(Engine, StandIn(model, "cpu"))

    serve(line, load)


def is_defect(line: Line, model: str, device: str | None) -> None:
    """Loading raises an unexpected error."""

    def load() -> Engine:
        raise ZeroDivisionError("unexpected")

    serve(line, load)


def dies_loading(line: Line, model: str, device: str | None) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def dies_twice(line: Line, model: str, device: str | None) -> None:
    """Die the first two times; a file of the model's name counts."""
    with open(model, "a+") as count:
        count.write("x")
        count.seek(0)
        if len(count.read()) < 3:
            os._exit(9)
    stand_in(line, model, device)


def loads_for_ever(line: Line, model: str, device: str | None) -> None:
    """Wait with a running heartbeat, as for a slow download."""
    serve(line, lambda: cast(Engine, threading.Event().wait()))


class StandIn:
    """The part of `Engine` that `serve` uses."""

    revision = None
    sample_rate = FRAME_RATE * HOP
    frame_rate = FRAME_RATE
    longest_delay = 1
    remarks = ()
    precision = "exact"
    decoder = None
    audio_channels = 2

    def __init__(self, model: str, device: str) -> None:
        self.model_name, self.device = model, device

    def warm_up(self) -> None:
        """Do nothing."""

    def stream(self, request: Request, *, progress: Callable[[float], None]) -> Stream:
        """One chunk a step; each sample is (seed + variation) / 1000."""
        if request.prompt == "unsupported":
            raise Unsupported("not in this version")
        return Stream(lambda cancelled: self._chunks(request, progress, cancelled))

    def _chunks(
        self, request: Request, progress: Callable[[float], None], cancelled: threading.Event
    ) -> Generator[Chunk, None, None]:
        for done in range(STEPS):
            if cancelled.is_set():
                raise Cancelled("cancelled before it was done")
            if done == STEPS // 2:
                self._misbehave(request, progress)
            progress((done + 1) / STEPS)
            if request.prompt != "too short" or done + 1 < STEPS:
                yield self._chunk(request, done)

    def _chunk(self, request: Request, done: int) -> Chunk:
        total = math.ceil(request.seconds * FRAME_RATE)
        steps = total * (done + 1) // STEPS - total * done // STEPS
        values = (request.seed + np.arange(request.variations)) / 1000
        shape = (request.variations, self.audio_channels, steps * HOP)
        audio = np.broadcast_to(values[:, None, None], shape)
        codes = np.zeros((request.variations, CODEBOOKS, steps), np.int64)
        if request.prompt == "nan":
            audio = np.full(shape, np.nan)
        return Chunk(codes, audio.astype(np.float32))

    def _misbehave(self, request: Request, progress: Callable[[float], None]) -> None:
        while request.prompt == "for ever":
            time.sleep(0.001)
            progress(HALFWAY)
        while request.prompt == "ignore cancels":
            time.sleep(0.001)
            with suppress(Cancelled):
                progress(HALFWAY)
        if request.prompt == "slow":
            _compute(request.seconds)
        elif request.prompt == "greedy" and request.variations > FITTING_VARIATIONS:
            raise OutOfMemory("out of memory: ask for less")
        elif request.prompt == "defect":
            raise ZeroDivisionError("unexpected\nand more of it")
        elif request.prompt == "no memory to join":
            raise MemoryError
        elif request.prompt == "exit":
            os._exit(3)
        elif request.prompt == "deadlock":
            lock = threading.Lock()
            lock.acquire()
            lock.acquire()
        elif request.prompt == "hold the lock":
            # Without releasing Python's lock, so that the heartbeat stops.
            ctypes.PyDLL(None).pause()


def _compute(seconds: float) -> None:
    end = time.perf_counter() + seconds
    value: Any = 0
    while time.perf_counter() < end:
        value += 1
