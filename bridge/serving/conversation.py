"""One connection of a client, from its handshake to its end: a websocket as ASGI has it.

A client sends one request. Closing the connection cancels it, so a client that is gone takes no
time of the engine.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from bridge.audio import Waveform
from bridge.engine.process.wire import (
    ChunkMade,
    CorruptFrame,
    Done,
    Facts,
    Failed,
    Generate,
    Received,
    ServerMessage,
    Wanted,
    read_client_message,
    to_bytes,
)
from bridge.errors import BadArgument, BridgeError, NotAuthorized
from bridge.serving import patience
from bridge.serving.asgi import POLICY_VIOLATION, Receive, Scope, Send, bearer
from bridge.serving.patience import Patience
from bridge.serving.replica import Replica, ServedJob
from bridge.serving.shared_limits import SharedLimiter
from bridge.serving.tokens import Token

FIRST_MESSAGE_SECONDS = 10.0
"""How long a connection may say nothing before its request."""
HEARTBEAT_SECONDS = 1.0
SENT_AHEAD_BYTES = 4 * 2**20
"""Audio that may be on its way: what the web server and the network hold of one request."""
LARGE_BYTES = 2**16
"""A longer message is read in a thread."""
NORMAL_CLOSURE = 1000

_log = logging.getLogger(__name__)


class Tokens(Protocol):
    """Knows who may use the engine; `TokenWatch` is one."""

    def find(self, shown: str | None) -> Token:
        """The token that a client shows; raises `NotAuthorized`."""


class Conversation:
    """A connection to a replica."""

    def __init__(
        self,
        replica: Replica,
        receive: Receive,
        send: Send,
        *,
        tokens: Tokens | None,
        limiter: SharedLimiter,
    ) -> None:
        """`run` does it all.

        Args:
            tokens: who may use the engine; None: everyone who reaches it.
            limiter: counts what each token uses.
        """
        self._replica, self._receive, self._send = replica, receive, send
        self._tokens, self._limiter = tokens, limiter
        # The last step and the bytes of each chunk that the client has not yet.
        self._on_the_way: deque[tuple[int, int]] = deque()
        self._acknowledged = asyncio.Event()
        self._patience = Patience()
        self._is_gone = False

    async def run(self, scope: Scope) -> None:
        """Serve the connection to its end."""
        if (await self._receive())["type"] != "websocket.connect":
            return
        try:
            token = self._tokens.find(bearer(scope["headers"])) if self._tokens else None
        except NotAuthorized:
            await self._close(POLICY_VIOLATION)
            return
        await self._send({"type": "websocket.accept"})
        await self._send_message(Facts(self._replica.facts, self._replica.waiting))
        try:
            async with asyncio.timeout(FIRST_MESSAGE_SECONDS):
                frame = await self._frame()
        except TimeoutError:
            await self._close(POLICY_VIOLATION)
            return
        if frame is not None:
            await self._serve(frame, token)
            await self._close(NORMAL_CLOSURE)

    async def _serve(self, frame: bytes, token: Token | None) -> None:
        """Answer the request in a frame."""
        try:
            if len(frame) > LARGE_BYTES:
                message = await asyncio.to_thread(read_client_message, frame)
            else:
                message = read_client_message(frame)
            if not isinstance(message, Generate):
                raise BadArgument("a connection begins with a request: send Generate first")
            async with self._submitted(message, token) as job:
                await self._carry_out(job)
        except CorruptFrame as error:
            # Without an answer: the client asks again.
            _log.warning("%s", error)
        except BridgeError as error:
            await self._send_message(Failed(error))

    @asynccontextmanager
    async def _submitted(self, message: Generate, token: Token | None) -> AsyncIterator[ServedJob]:
        """A request in the replica's queue, admitted under the limits of its token.

        Raises:
            BridgeError: as `SharedLimiter.admit` and `Replica.submit`.
        """
        if token is None:
            yield self._replica.submit(message, message.client)
            return
        request, facts = message.request, self._replica.facts
        steps = request.steps(facts.frame_rate, facts.longest_delay)
        seconds = steps / facts.frame_rate * int(request.variations)
        if isinstance(request.continue_from, Waveform):
            # The codec encodes it first.
            seconds += request.continue_from.seconds
        admission = await self._limiter.admit(token.name, token.limits, seconds)
        job = None
        try:
            job = self._replica.submit(message, token.name)
            yield job
        finally:
            if job is None:
                self._limiter.withdraw(admission)
            else:
                self._limiter.close(admission, seconds * job.share)

    async def _carry_out(self, job: ServedJob) -> None:
        """Send a job's messages, until it has ended or the client is gone."""
        tasks = {
            asyncio.create_task(self._send_messages(job)),
            asyncio.create_task(self._read_messages(job)),
        }
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            self._replica.cancel(job)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _send_messages(self, job: ServedJob) -> None:
        await self._send_message(self._replica.heartbeat(job))
        while True:
            message = await job.outbox.next(HEARTBEAT_SECONDS)
            if message is None:
                await self._send_message(self._replica.heartbeat(job))
                continue
            if isinstance(message, ChunkMade) and message.audio is not None:
                await self._wait_for_room()
                end = message.first_step + message.codes.shape[2]
                self._on_the_way.append((end, message.audio.nbytes))
            await self._send_message(message)
            job.sent(message)
            if isinstance(message, (Done, Failed)):
                return

    async def _wait_for_room(self) -> None:
        """Wait until the client has most of what was sent.

        Raises:
            BadArgument: it takes nothing for too long, or little for longer.
        """
        self._patience.renew()
        while sum(size for _, size in self._on_the_way) > SENT_AHEAD_BYTES:
            self._acknowledged.clear()
            start = time.perf_counter()
            try:
                async with asyncio.timeout(self._patience.seconds):
                    await self._acknowledged.wait()
            except TimeoutError as error:
                raise BadArgument(
                    f"no audio was received for {patience.STALLED_SECONDS:g} s, or less than "
                    f"{patience.LEAST_BYTES_PER_SECOND // 1024} kB a second for longer: use a "
                    "faster network"
                ) from error
            self._patience.waited(time.perf_counter() - start)

    async def _read_messages(self, job: ServedJob) -> None:
        """Read what the client has received and waits for, until it is gone.

        Raises:
            BadArgument: it sends anything else.
        """
        while (frame := await self._frame()) is not None:
            match read_client_message(frame):
                case Received(steps):
                    self._take_receipt(steps)
                case Wanted(steps):
                    job.outbox.want(steps)
                case Generate():
                    raise BadArgument("a connection has one request: open another for the next")

    def _take_receipt(self, steps: int) -> None:
        """Count what the client has, up to that step."""
        while self._on_the_way and self._on_the_way[0][0] <= steps:
            _, size = self._on_the_way.popleft()
            self._patience.took(size)
            self._acknowledged.set()

    async def _frame(self) -> bytes | None:
        """The client's next frame; None: it is gone."""
        event = await self._receive()
        if event["type"] != "websocket.receive":
            self._is_gone = True
            return None
        frame = event.get("bytes")
        # What is text is read as a frame that has no beginning.
        return frame if isinstance(frame, bytes) else b""

    async def _send_message(self, message: ServerMessage) -> None:
        if not self._is_gone:
            await self._send({"type": "websocket.send", "bytes": to_bytes(message)})

    async def _close(self, code: int) -> None:
        if not self._is_gone:
            await self._send({"type": "websocket.close", "code": code})
