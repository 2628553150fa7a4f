"""One model that does the requests of many clients, one after the other.

The engine works in a thread of its own; everything else happens in the event loop's. A request goes
through the engine that `render` has, so a seed gives the same samples as on the client's machine.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

from bridge.engine import Engine, Request
from bridge.engine.process.messages import EngineFacts
from bridge.engine.process.wire import (
    ChunkMade,
    Done,
    Failed,
    Generate,
    Progressed,
    Queued,
    ServerMessage,
)
from bridge.engine.process.worker import defect, facts_of
from bridge.errors import BridgeError, Cancelled, OutOfMemory, TooLate
from bridge.serving.fair_queue import FairQueue
from bridge.serving.outbox import Outbox, pieces

QUEUE_SIZE = 32
"""Requests of all clients that may wait at one replica."""
CLIENT_QUEUE_SIZE = 9
"""Requests of one client that may wait; a daemon has so many at most."""
MOST_UNSENT_BYTES = 16 * 2**20
"""Audio of one request that may wait for a slow network: a minute in stereo. Until then the engine
goes on, and is soon free for others."""
PROGRESS_SECONDS = 0.1
PACE_SECONDS = 1.0
"""Length of the piece that the first estimate of the pace comes from."""
PACE_SHARE = 0.3
"""Weight of the newest request in the mean pace."""
PACE_AGE_SECONDS = 10.0
"""Between two measurements of the pace by a piece of its own."""

_log = logging.getLogger(__name__)


class ServedJob:
    """A client's request at a replica. For the event loop's thread, except as noted.

    Attributes:
        client: whose turn it is.
        work: steps of all variations.
        made: as many of them as were generated.
        made_seconds: how long that took, without `waited_seconds`.
        waited_seconds: how long the engine has waited for the client.
        share: the share done, 0…1.
        outbox: what the client is to be sent.
    """

    def __init__(self, message: Generate, client: str, work: int) -> None:
        self.message, self.client, self.work = message, client, work
        self.made, self.made_seconds, self.waited_seconds = 0, 0.0, 0.0
        self.share = 0.0
        self.outbox = Outbox(message.wanted_steps)
        self.cancelled = threading.Event()
        self.submitted_seconds = time.perf_counter()
        self._loop = asyncio.get_running_loop()
        self._unsent_bytes = 0
        self._changed = threading.Condition()

    def cancel(self) -> None:
        """End the generation within a step. From any thread."""
        self.cancelled.set()
        with self._changed:
            self._changed.notify_all()

    def post(self, message: ChunkMade | Progressed | Done | Failed) -> None:
        """Add a message. In the engine's thread; waits while too much audio is unsent."""
        start = time.perf_counter()
        with self._changed:
            self._changed.wait_for(
                lambda: self._unsent_bytes <= MOST_UNSENT_BYTES or self.cancelled.is_set()
            )
            self._unsent_bytes += _audio_bytes(message)
        self.waited_seconds += time.perf_counter() - start
        self._loop.call_soon_threadsafe(self._post, message)

    def sent(self, message: ServerMessage) -> None:
        """Make room for as much audio as the message has."""
        with self._changed:
            self._unsent_bytes -= _audio_bytes(message)
            self._changed.notify_all()

    def _post(self, message: ChunkMade | Progressed | Done | Failed) -> None:
        if isinstance(message, Progressed):
            self.share = max(self.share, message.share)
        elif isinstance(message, ChunkMade):
            variations, _, steps = message.codes.shape
            self.share = max(self.share, (message.first_step + steps) * variations / self.work)
        self.outbox.put(message)


class Replica:
    """A loaded model and its queue. Make it in a running event loop.

    Attributes:
        on_broken: called when the device can be used no more; the process has to be replaced.
    """

    def __init__(self, load: Callable[[], Engine], on_broken: Callable[[], None]) -> None:
        """Nothing is loaded before `start`.

        Args:
            load: makes the engine; called in the engine's thread.
        """
        self._load, self.on_broken = load, on_broken
        # A device's state belongs to a thread: the engine is loaded in the one that uses it.
        self._thread = ThreadPoolExecutor(1, "engine")
        self._queue = FairQueue[ServedJob](QUEUE_SIZE, CLIENT_QUEUE_SIZE)
        self._news = asyncio.Event()
        self._active: ServedJob | None = None
        self._engine: Engine | None = None
        self._seconds_a_step = 0.0
        self._is_pace_doubted = False
        self._measured_seconds = 0.0
        self._task: asyncio.Task[None] | None = None

    @property
    def facts(self) -> EngineFacts:
        """The model and the device. Not before `start` has returned."""
        assert self._engine is not None
        return facts_of(self._engine)

    @property
    def waiting(self) -> int:
        """Requests that wait, without the one that is being generated."""
        return len(self._queue)

    async def start(self) -> None:
        """Load the model, warm it up, and measure its pace.

        Raises:
            BridgeError: the model or the device cannot be used.
        """
        loop = asyncio.get_running_loop()
        self._engine = await loop.run_in_executor(self._thread, self._loaded)
        self._task = loop.create_task(self._work(self._engine), name="serving requests")

    async def stop(self) -> None:
        """Cancel every request, and end the engine's thread. The clients ask another replica."""
        while (job := self._queue.pop()) is not None:
            _fail(job, Cancelled("cancelled: the replica is being stopped"))
        if self._active is not None:
            self._active.cancel()
        if self._task is not None:
            self._task.cancel()
        self._thread.shutdown(wait=False)

    def submit(self, message: Generate, client: str) -> ServedJob:
        """Queue a request.

        Raises:
            QueueFull: the queue, or the client's part of it, has no room.
            TooLate: the request would take longer than its deadline.
        """
        request, facts = message.request, self.facts
        steps = request.steps(facts.frame_rate, facts.longest_delay) + int(request.overlap_steps)
        job = ServedJob(message, client, max(steps, 1) * int(request.variations))
        self._queue.put(client, job, live=message.live)
        try:
            self._check_deadline(job)
        except TooLate:
            self._queue.remove(job)
            self._doubt_pace()
            raise
        self._news.set()
        return job

    def cancel(self, job: ServedJob) -> None:
        """Give a job up: it leaves the queue, or the engine stops within a step."""
        self._queue.remove(job)
        job.cancel()

    def heartbeat(self, job: ServedJob) -> ServerMessage:
        """How a job is doing."""
        if job is self._active:
            return Progressed(job.share)
        waiting = self._queue.in_order()
        ahead = waiting.index(job) if job in waiting else 0
        return Queued(ahead + (self._active is not None))

    def _check_deadline(self, job: ServedJob) -> None:
        deadline = job.message.deadline_seconds
        if deadline is None:
            return
        waiting = self._queue.in_order()
        work = sum(each.work for each in waiting[: waiting.index(job)]) if job in waiting else 0
        if self._active is not None and not self._active.cancelled.is_set():
            work += round(self._active.work * (1 - self._active.share))
        needed = (work + job.work) * self._seconds_a_step
        left = deadline - (time.perf_counter() - job.submitted_seconds)
        if needed > left:
            raise TooLate(
                f"the engine would take {needed:.1f} s, and has {max(left, 0):.1f} s: ask for "
                "less, or for later"
            )

    def _doubt_pace(self) -> None:
        """Measure the pace again, where an idle replica has refused a request.

        The machine may have been busy when it was measured, and a replica that refuses everything
        would never see that it is faster now.
        """
        is_old = time.perf_counter() - self._measured_seconds >= PACE_AGE_SECONDS
        if self._active is None and not self._queue and is_old:
            self._is_pace_doubted = True
            self._news.set()

    def _loaded(self) -> Engine:
        engine = self._load()
        engine.warm_up()
        self._measure_pace(engine)
        return engine

    def _measure_pace(self, engine: Engine) -> None:
        """Measure the pace with a short piece, unless a request comes. In the engine's thread."""

        def check(share: float) -> None:
            if self._queue:
                raise Cancelled("a request goes first")

        self._measured_seconds = start = time.perf_counter()
        with (
            suppress(Cancelled),
            engine.stream(Request(prompt="warm", seconds=PACE_SECONDS), progress=check) as stream,
        ):
            for _ in stream:
                pass
            steps = PACE_SECONDS * engine.frame_rate
            self._seconds_a_step = (time.perf_counter() - start) / steps

    async def _work(self, engine: Engine) -> None:
        """Do one job after the other, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            job = self._queue.pop()
            if job is None:
                if self._is_pace_doubted:
                    self._is_pace_doubted = False
                    try:
                        await loop.run_in_executor(self._thread, self._measure_pace, engine)
                    except Exception:
                        _log.exception("the pace cannot be measured")
                    continue
                self._news.clear()
                await self._news.wait()
                continue
            try:
                self._check_deadline(job)
                self._active = job
                await loop.run_in_executor(self._thread, self._make, engine, job)
            except TooLate as error:
                _fail(job, error)
            finally:
                self._active = None

    def _make(self, engine: Engine, job: ServedJob) -> None:
        """Generate a job's audio. In the engine's thread."""
        try:
            self._stream(engine, job)
        except BridgeError as error:
            job.post(Failed(error))
        except MemoryError:
            job.post(Failed(OutOfMemory("out of memory: ask for less, or fewer variations")))
        except Exception as error:
            _log.exception("a request failed")
            job.post(Failed(defect("the request failed", error)))
            if not engine.device.startswith("cpu"):
                # After a GPU error the same process cannot use the GPU again.
                self.on_broken()
        else:
            job.post(Done())
        # Also of a request that ended early, if it shows more than its beginning.
        if job.made >= PACE_SECONDS * engine.frame_rate:
            pace = job.made_seconds / job.made
            self._seconds_a_step += PACE_SHARE * (pace - self._seconds_a_step)

    def _stream(self, engine: Engine, job: ServedJob) -> None:
        """Post a job's chunks."""
        reported_seconds = 0.0

        def report(share: float) -> None:
            nonlocal reported_seconds
            if job.cancelled.is_set():
                raise Cancelled("cancelled before it was done")
            now = time.perf_counter()
            if share >= 1 or now - reported_seconds >= PROGRESS_SECONDS:
                reported_seconds = now
                job.post(Progressed(min(share, 1.0)))

        step = 0
        start = time.perf_counter()
        with engine.stream(job.message.request, progress=report) as stream:
            for chunk in stream:
                job.made += chunk.codes.shape[0] * chunk.codes.shape[2]
                job.made_seconds = time.perf_counter() - start - job.waited_seconds
                for piece in pieces(ChunkMade(step, chunk.codes, chunk.audio)):
                    step = piece.first_step + piece.codes.shape[2]
                    known = step <= job.message.received_steps
                    job.post(replace(piece, audio=None) if known else piece)


def _fail(job: ServedJob, error: BridgeError) -> None:
    job.outbox.put(Failed(error))


def _audio_bytes(message: ServerMessage) -> int:
    if isinstance(message, ChunkMade) and message.audio is not None:
        return message.audio.nbytes
    return 0
