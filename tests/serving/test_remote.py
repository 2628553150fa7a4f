"""The remote engine, against the real application behind a real web server on this machine."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from bridge.audio import Waveform
from bridge.config.engine_token import Secret
from bridge.engine import Engine, Request, Stream, load
from bridge.engine.process.job import Result
from bridge.engine.process.remote import RemoteEngine
from bridge.engine.process.wire import Failed, read_server_message
from bridge.engine.separation import Separation
from bridge.errors import (
    BadArgument,
    BridgeError,
    Cancelled,
    EngineDied,
    EngineFailed,
    LimitReached,
    OutOfMemory,
    QueueFull,
    Unsupported,
)
from bridge.serving import outbox
from bridge.serving.application import ReplicaSettings
from bridge.serving.limits import Limits
from bridge.serving.token_changes import add_token
from tests.engine.process.stand_in import StandIn
from tests.engine.recorder import PATIENCE_SECONDS, Recorder
from tests.serving.served import (
    POCKET,
    free_port,
    load_stand_in,
    network,
    remote_engine,
    served,
)

FOR_EVER = Request(prompt="for ever")
MELODY = np.eye(12, dtype=np.float32)[[0, 4, 7, 11, 0, 2, 2, 9]]
PIECE = Request(prompt="warm keys", melody=MELODY, seconds=4.0, seed=7, variations=2)


def run(test: Callable[[], Awaitable[None]], seconds: float = PATIENCE_SECONDS) -> None:
    """Run a test in an event loop, for a limited time."""

    async def main() -> None:
        async with asyncio.timeout(seconds):
            await test()

    asyncio.run(main())


def with_stand_in(
    test: Callable[[RemoteEngine, Recorder], Awaitable[None]], **options: Any
) -> None:
    """Run a test with a remote engine that has no model."""

    async def main() -> None:
        async with remote_engine(url, **options) as (engine, recorder):
            await test(engine, recorder)

    with served(load=load_stand_in) as url:
        run(main)


def value(result: Result) -> list[float]:
    """The value of each variation: the stand-in gives all its samples the same one."""
    for waveform in result.waveforms:
        assert (waveform.samples == waveform.samples[0, 0]).all()
    return [round(float(waveform.samples[0, 0]), 3) for waveform in result.waveforms]


def same(result: list[Waveform], expected: list[Waveform]) -> bool:
    """Whether all samples are the same, to the bit."""
    return [each.samples.tobytes() for each in result] == [
        each.samples.tobytes() for each in expected
    ]


def test_states_facts_progress_and_the_result_are_as_of_a_local_engine() -> None:
    async def test(engine: RemoteEngine, recorder: Recorder) -> None:
        await recorder.until(lambda: engine.state == "ready")
        assert engine.facts is not None
        assert (engine.facts.model_name, engine.facts.device) == ("stand-in", "cpu")
        job = engine.submit(Request(seed=5, variations=3), recorder.share)
        assert value(await job.result()) == [0.005, 0.006, 0.007]
        assert recorder.shares[-1] == 1.0
        await recorder.until(lambda: engine.state == "ready")
        assert recorder.names == ["loading", "ready", "busy", "ready"]
        assert engine.network is not None
        assert engine.network.round_trip_seconds > 0

    with_stand_in(test)


@pytest.mark.parametrize(
    ("prompt", "error"),
    [
        ("unsupported", Unsupported),
        ("defect", EngineFailed),
        ("no memory to join", OutOfMemory),
        ("too short", EngineFailed),
        ("nan", EngineFailed),
    ],
)
def test_an_error_of_a_request_has_its_type_and_the_next_request_works(
    prompt: str, error: type[BridgeError]
) -> None:
    async def test(engine: RemoteEngine, recorder: Recorder) -> None:
        job = engine.submit(Request(prompt=prompt))
        with pytest.raises(error):
            await job.result()
        assert value(await engine.submit(Request(seed=9)).result()) == [0.009]

    with_stand_in(test)


def test_the_beginning_comes_before_the_end_and_a_cancel_frees_the_engine() -> None:
    async def test(engine: RemoteEngine, recorder: Recorder) -> None:
        job = await until_generating(engine, recorder)
        beginning = await job.beginning(1000)
        assert beginning.waveforms[0].frames == 1000
        second = engine.submit(Request(seed=3))
        assert not second.ended
        job.cancel()
        with pytest.raises(Cancelled):
            await job.result()
        assert value(await second.result()) == [0.003]

    with_stand_in(test)


def test_audio_that_somebody_waits_for_comes_at_once_and_the_rest_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def test(engine: RemoteEngine, recorder: Recorder) -> None:
        job = engine.submit(FOR_EVER)
        # The first is known when the request is sent, the others are not.
        for frames in (1000, 2000, 100_000):
            assert (await job.beginning(frames)).waveforms[0].frames == frames
        job.cancel()

    # For ever, in the time of a test.
    monkeypatch.setattr(outbox, "PAUSE_SECONDS", 10 * PATIENCE_SECONDS)
    monkeypatch.setattr(outbox, "MESSAGE_BYTES", 2**40)
    with_stand_in(test)


async def until_generating(engine: RemoteEngine, recorder: Recorder) -> Any:
    """Submit a request that runs for ever, and return once a part of it is made."""
    before = len(recorder.shares)
    job = engine.submit(FOR_EVER, recorder.share)
    await recorder.until(lambda: len(recorder.shares) > before)
    return job


def test_the_queue_is_bounded_and_a_request_that_waits_can_be_cancelled() -> None:
    async def test(engine: RemoteEngine, recorder: Recorder) -> None:
        await until_generating(engine, recorder)
        waiting = [engine.submit(Request(seed=seed)) for seed in (1, 2)]
        assert engine.waiting == 2
        with pytest.raises(QueueFull):
            engine.submit(Request())
        waiting[0].cancel()
        with pytest.raises(Cancelled):
            await waiting[0].result()

    with_stand_in(test, queue_size=2)


def test_two_clients_take_turns() -> None:
    order: list[int] = []

    class Noting(StandIn):
        """Notes the seeds of the requests in the order in which it begins them."""

        def stream(self, request: Request, *, progress: Callable[[float], None]) -> Stream:
            order.append(int(request.seed))
            return super().stream(request, progress=progress)

    async def main() -> None:
        async with (
            remote_engine(url, client="a") as (a, recorder),
            remote_engine(url, client="b") as (b, _),
        ):
            running = await until_generating(a, recorder)
            order.clear()
            jobs = []
            for engine, seed in ((a, 1), (a, 2), (b, 3)):
                jobs.append(engine.submit(Request(seed=seed)))
                await queued(url, len(jobs))
            running.cancel()
            for job in jobs:
                await job.result()
            assert order == [1, 3, 2]

    with served(load=lambda: cast(Engine, Noting("stand-in", "cpu"))) as url:
        run(main)


async def queued(url: str, count: int) -> None:
    """Return once that many requests wait at the server."""
    from websockets.asyncio.client import connect

    from bridge.engine.process.wire import Facts, read_server_message

    while True:
        async with connect(url.replace("http", "ws"), proxy=None) as socket:
            facts = read_server_message(await socket.recv(decode=False))
        assert isinstance(facts, Facts)
        if facts.waiting == count:
            return


def test_a_recording_does_not_travel() -> None:
    async def test(engine: RemoteEngine, recorder: Recorder) -> None:
        mix = Waveform(np.zeros((100, 2), dtype=np.float32), 48000)
        with pytest.raises(Unsupported, match="no recording travels"):
            engine.submit(Separation(mix))

    with_stand_in(test)


@pytest.mark.parametrize(
    "url", ["gpu-box:8000", "ftp://gpu-box", "http://", "http://a:b@c", "http://h:99999", ""]
)
def test_an_address_of_another_form_is_refused(url: str) -> None:
    with pytest.raises(BadArgument, match="give local, or an address"):
        RemoteEngine(url, lambda state, detail: None, client="test")


def test_an_engine_that_is_not_there_is_named_and_used_once_it_is_there() -> None:
    async def main() -> None:
        port = await free_port()
        async with remote_engine(f"http://127.0.0.1:{port}", patience_seconds=0.1) as (
            engine,
            recorder,
        ):
            await recorder.until(lambda: "cannot be reached" in engine.detail)
            assert engine.failure is None
            with pytest.raises(EngineDied, match="see whether the server runs"):
                await engine.submit(Request()).result()
            with served(load=load_stand_in, port=port):
                await recorder.until(lambda: engine.state == "ready")
                assert value(await engine.submit(Request(seed=1)).result()) == [0.001]

    run(main)


def test_a_server_of_something_else_is_refused_for_good() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server, remote_engine(f"http://127.0.0.1:{port}") as (engine, recorder):
            await recorder.until(lambda: engine.state == "failed")
            assert "no engine of Melody Bridge (status 404)" in str(engine.failure)
            with pytest.raises(BadArgument):
                engine.submit(Request())

    pytest.importorskip("websockets", reason="needs the extra `remote`")
    run(main)


@pytest.fixture(scope="module")
def pocket() -> Engine:
    return load("pocket", device="cpu")


def test_a_clip_is_the_local_one_to_the_bit(pocket: Engine) -> None:
    async def main() -> None:
        async with remote_engine(url) as (engine, _):
            codes = np.stack([np.full(8, step) for step in range(60)], axis=1)
            continued = replace(PIECE, continue_from=codes, overlap_steps=10)
            for request in (PIECE, continued, Request(max_new_tokens=80, do_sample=False)):
                result = await engine.submit(request).result()
                assert same(result.waveforms, pocket.generate(request))

    with served(POCKET) as url:
        run(main)


def test_a_clip_is_the_same_through_a_network_that_cuts_and_changes(pocket: Engine) -> None:
    async def main() -> None:
        async with network(url) as (address, proxy), remote_engine(address) as (engine, recorder):
            await recorder.until(lambda: engine.state == "ready")
            piece = replace(PIECE, seconds=2.0, variations=1)
            expected = pocket.generate(piece)
            for cut_after in (10, 2000, 100_000, 300_000):
                proxy.cut_after = cut_after
                job = engine.submit(piece)
                await until(lambda: proxy.cuts > 0)
                proxy.cut_after, proxy.cuts = None, 0
                assert same((await job.result()).waveforms, expected)
            for flip_at in (400, 300_000):
                proxy.flip_at = flip_at
                assert same((await engine.submit(piece).result()).waveforms, expected)
                assert proxy.flip_at is None

    with served(POCKET) as url:
        run(main, 3 * PATIENCE_SECONDS)


async def until(condition: Callable[[], object]) -> None:
    """Let the event loop run until a condition holds."""
    while not condition():
        await asyncio.sleep(0.005)


def test_a_replica_that_makes_another_piece_begins_it_again() -> None:
    versions = threading.Semaphore(0)

    class Version(StandIn):
        """Each piece has other codes and samples than the one before."""

        def _chunk(self, request: Request, done: int) -> Any:
            if done == 0:
                versions.release()
            chunk = super()._chunk(request, done)
            number = versions._value
            return type(chunk)(chunk.codes + number, chunk.audio + np.float32(number))

    async def main() -> None:
        async with network(url) as (address, proxy), remote_engine(address) as (engine, _):
            await until(lambda: engine.state == "ready")
            proxy.cut_after = 500_000
            job = engine.submit(Request(seed=0))
            await until(lambda: proxy.cuts > 0)
            proxy.cut_after = None
            (number,) = value(await job.result())
            assert number > 1

    with served(load=lambda: cast(Engine, Version("stand-in", "cpu"))) as url:
        run(main)


class Lingering:
    """An application that learns of a lost connection only once a request was refused for it.

    So a server's ledger counts the requests of a replica that was killed for some seconds more.

    Attributes:
        refusals: how many requests were refused.
    """

    def __init__(self, application: Any) -> None:
        self._application = application
        self._refused = asyncio.Event()
        self.refusals = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """See ASGI."""

        async def receive_late() -> Any:
            event = await receive()
            if event["type"] == "websocket.disconnect":
                await self._refused.wait()
            return event

        async def send_late(event: Any) -> None:
            try:
                await send(event)
            except OSError:
                await self._refused.wait()
                raise
            if event["type"] == "websocket.send" and isinstance(
                message := read_server_message(event["bytes"]), Failed
            ):
                assert isinstance(message.error, LimitReached)
                self.refusals += 1
                self._refused.set()

        if scope["type"] != "websocket":
            await self._application(scope, receive, send)
        else:
            await self._application(scope, receive_late, send_late)


class EndsTheSecondTime(StandIn):
    """Makes half of its first request with a seed, and all of the others."""

    _was_asked = False

    def _misbehave(self, request: Request, progress: Callable[[float], None]) -> None:
        # A replica begins with a request of its own.
        if request.seed and not self._was_asked:
            self._was_asked = True
            request = FOR_EVER
        super()._misbehave(request, progress)


@pytest.mark.parametrize("seconds_a_minute", [100.0, 8.5])
def test_a_request_goes_on_though_its_lost_replica_still_counts(
    seconds_a_minute: float, tmp_path: Path
) -> None:
    """It waits for the lost replica's request to end, and not for the token's next minute."""
    file = tmp_path / "tokens.json"
    token, _ = add_token(file, "anna", Limits(requests=1, seconds_a_minute=seconds_a_minute))
    layers: list[Lingering] = []

    def layer(application: Any) -> Any:
        layers.append(Lingering(application))
        return layers[0]

    async def main() -> None:
        async with (
            network(url) as (address, proxy),
            # Longer than the lost replica counts, and shorter than a minute.
            remote_engine(address, token=Secret(token), patience_seconds=30.0) as (
                engine,
                recorder,
            ),
        ):
            await recorder.until(lambda: engine.state == "ready")
            proxy.cut_after = 2000
            job = engine.submit(Request(seed=5, seconds=8.0))
            await until(lambda: proxy.cuts > 0)
            proxy.cut_after = None
            if seconds_a_minute == 100.0:
                assert value(await job.result()) == [0.005]
            else:
                with pytest.raises(LimitReached, match="s of audio a minute"):
                    await job.result()
        assert layers[0].refusals

    settings = ReplicaSettings("stand-in", tokens=file)
    engine = cast(Engine, EndsTheSecondTime("stand-in", "cpu"))
    with served(settings, lambda: engine, layer) as url:
        run(main)
