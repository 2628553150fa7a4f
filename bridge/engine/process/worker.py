"""The engine's process: it holds the model, and generates one request after the other.

A GPU that has failed stays so until its process ends, so the model lives in one that can be
replaced. What goes wrong with a request is told as its error, and the process goes on.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import closing
from queue import SimpleQueue

from bridge.engine.engine import Engine
from bridge.engine.process.messages import (
    Begin,
    Cancel,
    EngineFacts,
    Failed,
    Finished,
    Opened,
    Progressed,
    Ready,
    Refused,
    Sounded,
    WorkCounters,
)
from bridge.engine.process.shared_audio import SharedAudio
from bridge.errors import BridgeError, Cancelled, EngineFailed, OutOfMemory
from bridge.process import windows
from bridge.process.child import Line

NICENESS = 5
"""The audio process, and the DAW, come first."""
PROGRESS_SECONDS = 0.1


def run_engine(line: Line, model: str, device: str | None) -> None:
    """What the process does: load a model, tell that it is ready, and serve.

    Args:
        model, device: as for `bridge.engine.load`.
    """
    if sys.platform == "win32":
        windows.lower_priority()
    else:
        os.nice(NICENESS)
    # Read when torch is loaded: threads that have nothing to do sleep, and do not spin.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")

    def loaded() -> Engine:
        from bridge.engine import load

        return load(model, device=device)

    serve(line, loaded)


def serve(line: Line, load: Callable[[], Engine]) -> None:
    """Load an engine, warm it up, and generate what is asked for until the line is closed."""
    desk = _Inbox(line)
    line.start_heartbeat(desk.pulse)
    try:
        engine = load()
        engine.warm_up()
    except BridgeError as error:
        line.send(Refused(error))
        return
    except Exception as error:
        line.send(Refused(_defect("the model could not be loaded", error), traceback.format_exc()))
        return
    facts = EngineFacts(
        engine.model_name,
        engine.revision,
        engine.device,
        engine.sample_rate,
        engine.audio_channels,
        engine.frame_rate,
    )
    line.send(Ready(facts))
    while True:
        _generate(engine, desk.orders.get(), desk)


def _generate(engine: Engine, order: _Assignment, desk: _Inbox) -> None:
    """Generate one request into its memory, and tell how it ended."""
    number, line = order.number, desk.line
    told_seconds = 0.0
    frames = 0

    def progress(share: float) -> None:
        nonlocal told_seconds
        desk.steps += 1
        order.check()
        now = time.perf_counter()
        if share >= 1 or now - told_seconds >= PROGRESS_SECONDS:
            told_seconds = now
            line.send(Progressed(number, share))

    try:
        with (
            closing(SharedAudio.attach(order.place, order.check)) as sound,
            engine.stream(order.request, progress=progress) as stream,
        ):
            line.send(Opened(number))
            order.stopped_by(stream.cancel)
            for chunk in stream:
                frames = sound.write(frames, chunk.audio)
                line.send(Sounded(number, frames))
    except BridgeError as error:
        line.send(Failed(number, error))
    except MemoryError:
        # Where torch runs out of it, the engine has told so; this is in what lies around it.
        line.send(Failed(number, OutOfMemory("out of memory: ask for less, or fewer variations")))
    except Exception as error:
        line.send(Failed(number, _defect("the request failed", error), traceback.format_exc()))
    else:
        line.send(Finished(number))


def _defect(what: str, error: Exception) -> EngineFailed:
    said = ": ".join([type(error).__name__, *str(error).splitlines()[:1]])
    return EngineFailed(f"{what} ({said}); the log has more, please report it")


class _Assignment:
    """One request to generate, and whether it has been cancelled since."""

    def __init__(self, begin: Begin) -> None:
        self.number, self.request, self.place = begin.number, begin.request, begin.place
        self.cancelled = threading.Event()
        self._stop: Callable[[], None] = lambda: None

    def cancel(self) -> None:
        """Have it given up; from the thread that reads."""
        self.cancelled.set()
        self._stop()

    def stopped_by(self, stop: Callable[[], None]) -> None:
        """How what goes on between two steps is told too."""
        self._stop = stop
        self.check()

    def check(self) -> None:
        """Raises `Cancelled` if it has been."""
        if self.cancelled.is_set():
            raise Cancelled("cancelled before it was done")


class _Inbox:
    """Takes the daemon's messages in a thread of its own, while the main thread generates.

    Attributes:
        orders: what is to be generated.
        steps: how many steps were made, for the heartbeat; only the main thread counts.
    """

    def __init__(self, line: Line) -> None:
        self.line = line
        self.orders: SimpleQueue[_Assignment] = SimpleQueue()
        self.steps = 0
        threading.Thread(target=self._read, name="orders", daemon=True).start()

    def pulse(self) -> WorkCounters:
        return WorkCounters(self.steps, time.process_time())

    def _read(self) -> None:
        newest: _Assignment | None = None
        try:
            while True:
                message = self.line.receive()
                if isinstance(message, Begin):
                    newest = _Assignment(message)
                    self.orders.put(newest)
                elif isinstance(message, Cancel) and newest and newest.number == message.number:
                    newest.cancel()
        except EOFError:
            # Nobody is left to generate for, and the main thread may be in the midst of it.
            os._exit(0)
