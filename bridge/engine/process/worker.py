"""The engine's process: it holds the model, and generates one request after another.

After a GPU error only a new process can use the GPU again, so the model lives in a process that can
be replaced. An error of one request is sent to the daemon, and the process continues.
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
    BufferOpened,
    Cancel,
    EngineFacts,
    Failed,
    Finished,
    FramesWritten,
    Progressed,
    Ready,
    Refused,
    WorkCounters,
)
from bridge.engine.process.shared_audio import SharedAudio
from bridge.engine.threads import let_idle_threads_sleep
from bridge.errors import BridgeError, Cancelled, EngineFailed, OutOfMemory
from bridge.process import windows
from bridge.process.child import Line

NICENESS = 5
"""The audio process and the DAW come first."""
PROGRESS_SECONDS = 0.1


def run_engine(line: Line, model: str, device: str | None) -> None:
    """Load a model and serve requests: the target of the process.

    Args:
        model, device: as for `bridge.engine.load`.
    """
    if sys.platform == "win32":
        windows.lower_priority()
    else:
        os.nice(NICENESS)
    let_idle_threads_sleep()

    def load_engine() -> Engine:
        from bridge.engine import load

        return load(model, device=device)

    serve(line, load_engine)


def serve(line: Line, load: Callable[[], Engine]) -> None:
    """Load an engine, warm it up, and generate each request until the line is closed."""
    inbox = _Inbox(line)
    line.start_heartbeat(inbox.counters)
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
        _generate(engine, inbox.assignments.get(), inbox)


def _generate(engine: Engine, assignment: _Assignment, inbox: _Inbox) -> None:
    """Generate one request into its buffer, and send how it ended."""
    number, line = assignment.number, inbox.line
    reported_seconds = 0.0
    frames = 0

    def progress(share: float) -> None:
        nonlocal reported_seconds
        inbox.steps += 1
        assignment.check()
        now = time.perf_counter()
        if share >= 1 or now - reported_seconds >= PROGRESS_SECONDS:
            reported_seconds = now
            line.send(Progressed(number, share))

    try:
        with (
            closing(SharedAudio.attach(assignment.buffer, assignment.check)) as audio,
            engine.stream(assignment.request, progress=progress) as stream,
        ):
            line.send(BufferOpened(number))
            assignment.call_on_cancel(stream.cancel)
            for chunk in stream:
                frames = audio.write(frames, chunk.audio)
                line.send(FramesWritten(number, frames))
    except BridgeError as error:
        line.send(Failed(number, error))
    except MemoryError:
        # The engine turns torch's own errors into OutOfMemory; this is from the code around it.
        line.send(Failed(number, OutOfMemory("out of memory: ask for less, or fewer variations")))
    except Exception as error:
        line.send(Failed(number, _defect("the request failed", error), traceback.format_exc()))
    else:
        line.send(Finished(number))


def _defect(what: str, error: Exception) -> EngineFailed:
    summary = ": ".join([type(error).__name__, *str(error).splitlines()[:1]])
    return EngineFailed(f"{what} ({summary}); the log has more, please report it")


class _Assignment:
    """One request to generate, and whether it has been cancelled."""

    def __init__(self, begin: Begin) -> None:
        self.number, self.request, self.buffer = begin.number, begin.request, begin.buffer
        self.cancelled = threading.Event()
        self._on_cancel: Callable[[], None] = lambda: None

    def cancel(self) -> None:
        """Give the request up; called in the thread that reads messages."""
        self.cancelled.set()
        self._on_cancel()

    def call_on_cancel(self, callback: Callable[[], None]) -> None:
        """Have `cancel` call this too, so that work between two steps also stops."""
        self._on_cancel = callback
        self.check()

    def check(self) -> None:
        """Raise `Cancelled` if the request has been cancelled."""
        if self.cancelled.is_set():
            raise Cancelled("cancelled before it was done")


class _Inbox:
    """Receives the daemon's messages in its own thread, while the main thread generates.

    Attributes:
        assignments: the requests to generate.
        steps: decoding steps made, for the heartbeat; only the main thread counts.
    """

    def __init__(self, line: Line) -> None:
        self.line = line
        self.assignments: SimpleQueue[_Assignment] = SimpleQueue()
        self.steps = 0
        threading.Thread(target=self._read, name="inbox", daemon=True).start()

    def counters(self) -> WorkCounters:
        """The status for the heartbeat."""
        return WorkCounters(self.steps, time.process_time())

    def _read(self) -> None:
        newest: _Assignment | None = None
        try:
            while True:
                message = self.line.receive()
                if isinstance(message, Begin):
                    newest = _Assignment(message)
                    self.assignments.put(newest)
                elif isinstance(message, Cancel) and newest and newest.number == message.number:
                    newest.cancel()
        except EOFError:
            # The daemon is gone; the main thread may be in the middle of a request.
            os._exit(0)
