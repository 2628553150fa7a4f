"""A remote engine for programs without an event loop, such as `render`, in any of their threads."""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bridge.audio import Waveform
from bridge.commands import Precision
from bridge.config.engine_token import Secret
from bridge.engine.process.job import Job
from bridge.engine.process.messages import EngineFacts
from bridge.engine.process.remote import RemoteEngine
from bridge.engine.process.server_connection import Lost, Server
from bridge.engine.request import Request
from bridge.errors import Cancelled, EngineDied, EngineHung, LimitReached, QueueFull

PAUSE_SECONDS = 1.0
"""After this time a request for which the server had no room is sent again."""
CONNECT_PATIENCE_SECONDS = 60.0
"""How long a server without room is asked again what it is: time for a crowd to go."""


class Listener(Protocol):
    """Hears what is made, and knows how much of it is needed."""

    def __call__(self, numbers: Sequence[int], audio: NDArray[np.float32]) -> bool:
        """Hear more audio, maybe none; return whether it is enough. The `OnAudio` of an engine."""

    def frames_to_come(self, numbers: Sequence[int]) -> int | None:
        """How many frames of these variations are needed next, in all; None: all that are made.

        For a thread: it waits until what was heard is looked at.
        """


class RemoteGenerator:
    """What `render` uses of an `Engine`. The requests of one call go to the server together."""

    def __init__(
        self,
        url: str,
        token: Secret | None,
        progress: Callable[[str], None] = lambda doing: None,
    ) -> None:
        """Ask the server what it is; where it has no room or says nothing, for some time again.

        Args:
            progress: called with what is being done.

        Raises:
            EngineDied: the server cannot be reached.
            QueueFull, EngineHung: it has no room, or says nothing, and stays so.
            BridgeError: as `Server.connected`.
        """
        self._url, self._token = url, token
        self._client = secrets.token_hex(8)
        self._lock = threading.Lock()
        self._calls: set[asyncio.Task[list[list[Waveform]]]] = set()
        self._is_stopped = False
        progress(f"connecting to {url}")
        self._facts = self._asked(progress)

    @property
    def model_name(self) -> str:
        """As of `Engine`."""
        return self._facts.model_name

    @property
    def revision(self) -> str | None:
        """As of `Engine`."""
        return self._facts.revision

    @property
    def device(self) -> str:
        """As of `Engine`, on the server's machine."""
        return self._facts.device

    @property
    def precision(self) -> Precision:
        """As of `Engine`."""
        return self._facts.precision

    @property
    def decoder(self) -> str | None:
        """As of `Engine`, on the server's machine."""
        return self._facts.decoder

    @property
    def remarks(self) -> tuple[str, ...]:
        """As of `Engine`."""
        return self._facts.remarks

    def generate(
        self,
        requests: Sequence[Request],
        *,
        progress: Callable[[float], None],
        on_audio: Listener,
    ) -> list[list[Waveform]]:
        """The audio of some requests, as `Engine.generate` gives it.

        Raises:
            EngineDied: the server was lost for too long.
            Cancelled: `stop` was called.
            BridgeError: as `Engine.generate`.
        """
        try:
            return asyncio.run(self._stoppable(requests, progress, on_audio))
        except asyncio.CancelledError as error:
            raise Cancelled("cancelled before it was done") from error

    def stop(self) -> None:
        """Cancel what other threads generate, now and from now on."""
        with self._lock:
            self._is_stopped = True
            for task in self._calls:
                with suppress(RuntimeError):  # Its event loop has just been closed.
                    task.get_loop().call_soon_threadsafe(task.cancel)

    async def _stoppable(
        self,
        requests: Sequence[Request],
        progress: Callable[[float], None],
        on_audio: Listener,
    ) -> list[list[Waveform]]:
        task = asyncio.ensure_future(self._generate(requests, progress, on_audio))
        with self._lock:
            self._calls.add(task)
            if self._is_stopped:
                task.cancel()
        try:
            return await task
        finally:
            with self._lock:
                self._calls.discard(task)

    def _asked(self, progress: Callable[[str], None]) -> EngineFacts:
        """What the server says of itself, once it has room."""
        last_seconds = time.monotonic() + CONNECT_PATIENCE_SECONDS
        while True:
            try:
                return asyncio.run(self._ask())
            except Lost as lost:
                raise EngineDied(f"{lost}: see whether `melody-bridge serve` runs there") from lost
            except (QueueFull, EngineHung):
                if time.monotonic() >= last_seconds:
                    raise
            progress(f"waiting for {self._url}")
            time.sleep(PAUSE_SECONDS)

    async def _ask(self) -> EngineFacts:
        async with Server(self._url, self._token).connected() as connection:
            return connection.facts

    async def _generate(
        self,
        requests: Sequence[Request],
        progress: Callable[[float], None],
        on_audio: Listener,
    ) -> list[list[Waveform]]:
        shares = [0.0] * len(requests)

        def reporter(index: int) -> Callable[[float], None]:
            def report(share: float) -> None:
                shares[index] = share
                progress(sum(shares) / len(shares))

            return report

        engine = RemoteEngine(
            self._url,
            lambda state, detail: None,
            client=self._client,
            token=self._token,
            # Who plays goes first.
            live=False,
            queue_size=len(requests),
        )
        tasks, number = [], 0
        for index, request in enumerate(requests):
            numbers = range(number, number + int(request.variations))
            number = numbers.stop
            made = _made(engine, request, numbers, reporter(index), on_audio)
            tasks.append(asyncio.ensure_future(made))
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await engine.stop()


async def _made(
    engine: RemoteEngine,
    request: Request,
    numbers: Sequence[int],
    report: Callable[[float], None],
    on_audio: Listener,
) -> list[Waveform]:
    """One request's audio, as far as it is needed; waits until the server has room for it."""
    while True:
        try:
            return await _heard(engine.submit(request, report), numbers, on_audio)
        except QueueFull:
            await asyncio.sleep(PAUSE_SECONDS)
        except LimitReached as limit:
            if not np.isfinite(limit.retry_seconds):
                raise
            await asyncio.sleep(max(limit.retry_seconds, PAUSE_SECONDS))


async def _heard(job: Job, numbers: Sequence[int], on_audio: Listener) -> list[Waveform]:
    heard: list[Waveform] = []
    while True:
        frames = heard[0].frames if heard else 0
        needed = await asyncio.to_thread(on_audio.frames_to_come, numbers)
        # The last look may show that less is needed than was heard.
        waiting = job.result() if needed is None else job.beginning(max(needed, frames))
        made = (await waiting).waveforms
        for before, now in zip(heard, made, strict=False):
            if not np.array_equal(before.samples, now.samples[:frames]):
                raise EngineDied(
                    "another replica of the server makes other samples, so that the beginning that "
                    "was heard does not fit: render again"
                )
        new = np.stack([each.samples[frames:].T for each in made])
        if on_audio(numbers, new):
            job.cancel()
            return made
        if needed is None:
            return made
        heard = made
