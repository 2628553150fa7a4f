"""An engine on another machine: the `EngineHost` that speaks to `melody-bridge serve`.

A request travels as prompt, chroma and settings. No recording travels: a mix is separated on this
machine only. Where the connection is lost, the request goes on at another replica: that one makes
the piece again from its seed, sends only what has not arrived, and proves with the codes that it is
the same piece.
"""

from __future__ import annotations

import asyncio
import logging
import time

from bridge.config.engine_token import Secret
from bridge.engine.process.arrived import Arrived, OtherPiece
from bridge.engine.process.host import BaseEngineHost, OnProgress, OnState
from bridge.engine.process.job import Job
from bridge.engine.process.messages import EngineFacts
from bridge.engine.process.network_figures import NetworkFigures
from bridge.engine.process.server_connection import Connection, Lost, Server
from bridge.engine.process.wire import (
    LONGEST_DEADLINE_SECONDS,
    ChunkMade,
    Done,
    Failed,
    Generate,
    Progressed,
    Received,
    ServerMessage,
    Wanted,
)
from bridge.engine.separation import Separation, Work
from bridge.errors import (
    BridgeError,
    Cancelled,
    EngineDied,
    EngineFailed,
    EngineHung,
    LimitReached,
    Unsupported,
)
from bridge.events import EngineState
from bridge.process.tasks import keep_running

PATIENCE_SECONDS = 60.0
"""A request is tried again for so long after its last sign of life: time for a replica to load."""
MOST_LOSSES = 5
"""So many connections in a row may be lost without a new step, however long a queue they waited in;
more only within the patience."""
WATCH_SECONDS = 5.0
"""How often an engine that nobody uses is asked whether it is there."""
ACKNOWLEDGED_BYTES = 2**20
"""After so much audio the server learns that it has arrived. It waits only where four times as much
is on its way, and each message costs Ray's proxy some milliseconds."""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.05, 2.0
"""Pauses between attempts; each is twice as long as the one before."""

_log = logging.getLogger(__name__)


class RemoteEngine(BaseEngineHost):
    """The `EngineHost` of a remote engine. For the thread of a running event loop."""

    def __init__(
        self,
        url: str,
        on_state: OnState,
        *,
        client: str,
        token: Secret | None = None,
        live: bool = True,
        queue_size: int = 8,
        patience_seconds: float = PATIENCE_SECONDS,
        refuses_late: bool = False,
    ) -> None:
        """Nothing is connected before `start`.

        Args:
            url: `http://host:port`, or `https://` where the server has TLS.
            on_state: called in the event loop with each change: the state, and a sentence.
            client: who asks, where the server has no tokens; 80 letters at most.
            token: shown to the server.
            live: requests go before those of other clients that are not live.
            queue_size: how many requests may wait beside the one that is generated, 1 or more.
            patience_seconds: how long a request waits for an engine that cannot be reached.
            refuses_late: a request that the server would not make in time fails with `TooLate`;
                else it comes late.

        Raises:
            BadArgument: the address has another form.
        """
        super().__init__(on_state, queue_size)
        self._url, self._client = url, client
        self._server = Server(url, token)
        self._live, self._patience = live, patience_seconds
        self._refuses_late = refuses_late
        self._waiting: set[Job] = set()
        self._tasks: dict[Job, asyncio.Task[None]] = {}
        self._watch: asyncio.Task[None] | None = None
        self._look = asyncio.Event()

    @property
    def waiting(self) -> int:
        """How many of this machine's requests wait for the engine."""
        return len(self._waiting)

    def start(self) -> None:
        """Connect; `state` follows how that goes."""
        self._set_state("loading", f"connecting to {self._url}")
        self._watch = keep_running("watching the remote engine", self._watch_engine)

    async def stop(self) -> None:
        """Cancel the requests that wait or run, and close their connections."""
        self._stopping = True
        tasks = list(self._tasks.values())
        for job in list(self._tasks):
            job.fail(Cancelled("cancelled: the engine is being stopped"))
        if self._watch is not None:
            tasks.append(self._watch)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def submit(
        self,
        work: Work,
        on_progress: OnProgress = lambda share: None,
        *,
        first: bool = False,
        due_seconds: float | None = None,
    ) -> Job:
        """Send a request. The server keeps the order of this machine's requests.

        Args:
            on_progress: called about four times a second. The share rises, but starts again where
                the connection was lost.
            first: of no effect: the server takes the clients' requests in turn.
            due_seconds: when the audio is wanted, on `time.perf_counter`.

        Raises:
            QueueFull: `queue_size` requests wait already.
            BridgeError: why the engine cannot be used. The watch goes on asking it.
            Unsupported: a separation.
            Cancelled: the host is being stopped.
        """
        self._check_running()
        if isinstance(work, Separation):
            raise Unsupported(
                "a mix is separated on this machine only, for no recording travels: give --stems "
                "off, or --engine-fallback local"
            )
        if self._failure is not None:
            self._look.set()
            raise self._failure
        self._check_room(self.waiting)
        job = Job(work, on_progress, self._cancel)
        self._waiting.add(job)
        task = asyncio.get_running_loop().create_task(
            self._carry_out(job, due_seconds), name="remote request"
        )
        self._tasks[job] = task
        task.add_done_callback(lambda task: self._forget(job))
        return job

    def _cancel(self, job: Job) -> None:
        job.fail(Cancelled("cancelled before it was done"))
        # Closing the connection ends the request at the server.
        self._tasks[job].cancel()

    def _forget(self, job: Job) -> None:
        self._waiting.discard(job)
        del self._tasks[job]
        self._show_work()

    async def _carry_out(self, job: Job, due_seconds: float | None) -> None:
        """Have replicas do a job until it ends."""
        try:
            await self._until_done(job, due_seconds if self._refuses_late else None)
        except BridgeError as error:
            job.fail(error)
        except Exception as error:
            _log.exception("a request to the remote engine failed")
            job.fail(EngineFailed(f"the request failed ({type(error).__name__}); please report it"))

    async def _until_done(self, job: Job, due_seconds: float | None) -> None:
        arrived = Arrived(job)
        pause, losses, steps = FIRST_PAUSE_SECONDS, 0, 0
        first_loss_seconds = last_loss_seconds = 0.0
        while True:
            wait_seconds = pause
            try:
                await self._attempt(job, arrived, due_seconds)
                return
            except OtherPiece:
                # Another device or version: its samples do not continue the first one's.
                arrived.forget()
                _log.warning("another replica makes other samples: the request begins again")
                continue
            except LimitReached as limit:
                # The server may count what a lost replica had at work for some seconds more.
                wait_seconds = max(pause, limit.retry_seconds)
                retry_seconds = time.perf_counter() + wait_seconds
                if losses == 0 or retry_seconds > last_loss_seconds + self._patience:
                    raise
            except (EngineHung, Lost) as lost:
                self._look.set()
                now_seconds = last_loss_seconds = time.perf_counter()
                if losses == 0 or arrived.steps > steps:
                    losses, first_loss_seconds = 0, now_seconds
                losses, steps = losses + 1, max(steps, arrived.steps)
                is_silent = now_seconds - arrived.alive_seconds > self._patience
                is_stuck = (
                    losses > MOST_LOSSES and now_seconds - first_loss_seconds > self._patience
                )
                if is_silent or is_stuck:
                    raise EngineDied(f"{lost}: see whether the server runs") from lost
            self._waiting.add(job)
            await asyncio.sleep(wait_seconds)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    async def _attempt(self, job: Job, arrived: Arrived, due_seconds: float | None) -> None:
        """Have one replica do what is left of a job.

        Raises:
            Lost, EngineHung: the connection or the replica is gone.
            OtherPiece: this replica makes another piece.
            BridgeError: the server refused the request, or failed at it.
        """
        async with self._server.connected() as connection:
            self._learn(connection.facts)
            wanted_frames = job.wanted_frames
            message = Generate(
                arrived.request,
                self._client,
                self._live,
                self._deadline_seconds(due_seconds),
                received_steps=arrived.steps,
                wanted_steps=connection.facts.steps(job.work, wanted_frames),
            )
            await connection.send(message)
            sent_seconds = time.perf_counter()
            wanting = asyncio.create_task(_send_wanted(job, wanted_frames, connection))
            try:
                reply = await connection.next()
                round_trip_seconds = time.perf_counter() - sent_seconds
                try:
                    await self._take_in(reply, job, arrived, connection)
                finally:
                    self._measured(round_trip_seconds, connection)
            finally:
                wanting.cancel()
                await asyncio.gather(wanting, return_exceptions=True)

    async def _take_in(
        self, reply: ServerMessage, job: Job, arrived: Arrived, connection: Connection
    ) -> None:
        """Take in a request's first reply and all that follow, until its audio is complete."""
        unacknowledged_bytes, share = 0, 0.0
        while True:
            arrived.alive_seconds = time.perf_counter()
            match reply:
                case Progressed() | ChunkMade():
                    self._waiting.discard(job)
                    self._show_work()
            match reply:
                case Progressed() if reply.share > 0:
                    share = max(share, reply.share)
                    job.report_progress(share)
                case ChunkMade():
                    arrived.add(reply, connection.facts)
                    share = max(share, arrived.share)
                    job.report_progress(share)
                    unacknowledged_bytes += 0 if reply.audio is None else reply.audio.nbytes
                    if unacknowledged_bytes >= ACKNOWLEDGED_BYTES:
                        unacknowledged_bytes = 0
                        await connection.send(Received(arrived.steps))
                case Done():
                    arrived.check_complete()
                    # Before the connection is closed, which takes another round trip.
                    job.finish(arrived.waveforms)
                    return
                case Failed(Cancelled() as error):
                    # Its replica is being stopped, such as for a new version.
                    raise Lost(str(error))
                case Failed():
                    raise reply.error
            reply = await connection.next()

    def _deadline_seconds(self, due_seconds: float | None) -> float | None:
        """How long the server has, from its first look at the request to its last message."""
        if due_seconds is None:
            return None
        away_seconds = 0.0 if self._network is None else self._network.round_trip_seconds
        left = due_seconds - time.perf_counter() - away_seconds
        return min(max(left, 0.0), LONGEST_DEADLINE_SECONDS)

    def _measured(self, round_trip_seconds: float, connection: Connection) -> None:
        """Take in what a request has shown of the network."""
        rate = connection.bytes_per_second
        if rate is None and self._network is not None:
            rate = self._network.bytes_per_second
        self._network = NetworkFigures(round_trip_seconds, rate)

    async def _watch_engine(self) -> None:
        """Follow whether the engine is there; run until cancelled."""
        while True:
            self._look.clear()
            try:
                # A request that is being made shows that the engine is there.
                if len(self._tasks) == len(self._waiting) or self._state != "busy":
                    await self._ask()
            except (Lost, EngineHung) as lost:
                state: EngineState = "loading" if self._facts is None else "restarting"
                self._network = None
                self._set_state(state, f"{lost}; trying again")
            except BridgeError as error:
                self._failure = error
                self._set_state("failed", str(error))
            try:
                async with asyncio.timeout(WATCH_SECONDS):
                    await self._look.wait()
                await asyncio.sleep(FIRST_PAUSE_SECONDS)
            except TimeoutError:
                continue

    async def _ask(self) -> None:
        async with self._server.connected() as connection:
            self._learn(connection.facts)
            if self._network is None:
                self._measured(await connection.round_trip_seconds(), connection)

    def _learn(self, facts: EngineFacts) -> None:
        if facts != self._facts:
            for remark in facts.remarks:
                _log.warning("%s", remark)
        self._facts, self._failure = facts, None
        self._show_work()

    def _show_work(self) -> None:
        """Show whether one of this machine's requests is being made."""
        if self._facts is None or self._failure is not None or self._stopping:
            return
        where = f"{self._facts.model_name} on {self._facts.device} at {self._url}"
        is_busy = len(self._tasks) > len(self._waiting)
        self._set_state("busy" if is_busy else "ready", where)


async def _send_wanted(job: Job, wanted_frames: int, connection: Connection) -> None:
    """Say what is waited for each time that this changes, until cancelled.

    Args:
        wanted_frames: what the server knows of.
    """
    while True:
        wanted_frames = await job.wanted_other_than(wanted_frames)
        # What has come needs no word, and each message costs the server's proxy time.
        if wanted_frames:
            await connection.send(Wanted(connection.facts.steps(job.work, wanted_frames)))
