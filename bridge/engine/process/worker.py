"""The engine's process: it holds the model, and does one request or separation after another.

After a GPU error only a new process can use the GPU again, so the model lives in a process that can
be replaced. An error of one request is sent to the daemon, and the process continues.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from queue import SimpleQueue

from bridge.commands import Precision
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
from bridge.engine.request import Request
from bridge.engine.separation import Separation
from bridge.engine.threads import let_idle_threads_sleep
from bridge.errors import BridgeError, Cancelled, EngineFailed, OutOfMemory
from bridge.process import windows
from bridge.process.child import Line

NICENESS = 5
"""The audio process and the DAW come first."""
PROGRESS_SECONDS = 0.1
FETCHING_SHARE = 0.5
"""Share of a separation that fetching Demucs's weights takes, where they have to be fetched."""


def run_engine(
    line: Line,
    model: str,
    device: str | None,
    decoder: str | None = None,
    precision: Precision = "exact",
) -> None:
    """Load a model and serve requests: the target of the process.

    Args:
        model, device, decoder, precision: as for `bridge.engine.load`.
    """
    if sys.platform == "win32":
        windows.lower_priority()
    else:
        os.nice(NICENESS)
    let_idle_threads_sleep()

    def load_engine() -> Engine:
        from bridge.engine import load

        return load(model, device=device, decoder=decoder, precision=precision)

    serve(line, load_engine)


def serve(line: Line, load: Callable[[], Engine]) -> None:
    """Load an engine, warm it up, and do each job until the line is closed."""
    inbox = _Inbox(line)
    line.start_heartbeat(inbox.counters)
    try:
        engine = load()
        engine.warm_up()
    except BridgeError as error:
        line.send(Refused(error))
        return
    except Exception as error:
        line.send(Refused(defect("the model could not be loaded", error), traceback.format_exc()))
        return
    line.send(Ready(facts_of(engine)))
    while True:
        _do(engine, inbox.assignments.get(), inbox)


def facts_of(engine: Engine) -> EngineFacts:
    """What others have to know of a loaded engine."""
    return EngineFacts(
        engine.model_name,
        engine.revision,
        engine.device,
        engine.sample_rate,
        engine.audio_channels,
        engine.frame_rate,
        engine.remarks,
        engine.longest_delay,
        engine.precision,
        engine.decoder,
    )


def _do(engine: Engine, assignment: _Assignment, inbox: _Inbox) -> None:
    """Do one job into its buffer, and send how it ended."""
    number, line = assignment.number, inbox.line
    try:
        with closing(SharedAudio.attach(assignment.buffer, assignment.check)) as audio:
            line.send(BufferOpened(number))
            if isinstance(assignment.work, Separation):
                _separate(assignment.work, engine.device, audio, assignment, inbox)
            else:
                _generate(engine, assignment.work, audio, assignment, inbox)
    except BridgeError as error:
        line.send(Failed(number, error))
    except MemoryError:
        # The engine turns torch's own errors into OutOfMemory; this is from the code around it.
        line.send(Failed(number, OutOfMemory("out of memory: ask for less, or fewer variations")))
    except Exception as error:
        line.send(Failed(number, defect("the request failed", error), traceback.format_exc()))
    else:
        line.send(Finished(number))


def _generate(
    engine: Engine, request: Request, audio: SharedAudio, assignment: _Assignment, inbox: _Inbox
) -> None:
    report = _reporter(assignment, inbox)
    frames = 0
    with engine.stream(request, progress=report) as stream:
        assignment.call_on_cancel(stream.cancel)
        for chunk in stream:
            frames = audio.write(frames, chunk.audio)
            inbox.line.send(FramesWritten(assignment.number, frames))


def _separate(
    separation: Separation,
    device: str,
    audio: SharedAudio,
    assignment: _Assignment,
    inbox: _Inbox,
) -> None:
    report = _reporter(assignment, inbox)
    fetched_share = 0.0
    with inbox.loading():
        # Not earlier: whoever separates nothing needs no Demucs.
        from bridge.engine.stems import FETCHING, load_separator

        def progress(doing: str, share: float | None) -> None:
            nonlocal fetched_share
            done = share or 0.0
            if doing == FETCHING:
                fetched_share, done = FETCHING_SHARE, done * FETCHING_SHARE
            else:
                done = fetched_share + done * (1 - fetched_share)
            report(done, doing)

        separator = load_separator(device, progress, may_fetch=separation.may_fetch)
    melody = separator.melody_of(separation.mix, progress)
    frames = audio.write(0, melody.samples.T[None])
    inbox.line.send(FramesWritten(assignment.number, frames))


def _reporter(assignment: _Assignment, inbox: _Inbox) -> Callable[..., None]:
    """A function that counts a step, stops a cancelled job, and sends its share now and then.

    It takes the share, and what is being done where that is not generating.
    """
    reported_seconds = 0.0

    def report(share: float, doing: str = "") -> None:
        nonlocal reported_seconds
        inbox.steps += 1
        assignment.check()
        now = time.perf_counter()
        if share >= 1 or now - reported_seconds >= PROGRESS_SECONDS:
            reported_seconds = now
            inbox.line.send(Progressed(assignment.number, share, doing))

    return report


def defect(what: str, error: Exception) -> EngineFailed:
    """The error for a request that raised an unexpected one."""
    summary = ": ".join([type(error).__name__, *str(error).splitlines()[:1]])
    return EngineFailed(f"{what} ({summary}); the log has more, please report it")


class _Assignment:
    """One job, and whether it has been cancelled."""

    def __init__(self, begin: Begin) -> None:
        self.number, self.work, self.buffer = begin.number, begin.work, begin.buffer
        self.cancelled = threading.Event()
        self._on_cancel: Callable[[], None] = lambda: None

    def cancel(self) -> None:
        """Give the job up; called in the thread that reads messages."""
        self.cancelled.set()
        self._on_cancel()

    def call_on_cancel(self, callback: Callable[[], None]) -> None:
        """Have `cancel` call this too, so that work between two steps also stops."""
        self._on_cancel = callback
        self.check()

    def check(self) -> None:
        """Raise `Cancelled` if the job has been cancelled."""
        if self.cancelled.is_set():
            raise Cancelled("cancelled before it was done")


class _Inbox:
    """Receives the daemon's messages in its own thread, while the main thread works.

    Attributes:
        assignments: the jobs to do.
        steps: decoding steps made, and segments separated, for the heartbeat.
    """

    def __init__(self, line: Line) -> None:
        self.line = line
        self.assignments: SimpleQueue[_Assignment] = SimpleQueue()
        self.steps = 0
        self._is_loading = False
        threading.Thread(target=self._read, name="inbox", daemon=True).start()

    def counters(self) -> WorkCounters:
        """The status for the heartbeat."""
        # A slow disk or network is no hang.
        self.steps += self._is_loading
        return WorkCounters(self.steps, time.process_time())

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Count every heartbeat inside as a step."""
        self._is_loading = True
        try:
            yield
        finally:
            self._is_loading = False

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
