"""Networks that cut, change, delay and throttle: each clip is the same, or ends in one error."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bridge.engine import Engine, Request, load
from bridge.engine.process import server_connection
from bridge.engine.process.remote import RemoteEngine
from bridge.errors import BridgeError, EngineDied
from bridge.serving.application import ReplicaSettings
from tests.engine.recorder import PATIENCE_SECONDS, Recorder
from tests.peers.daemon import Client, DaemonProcess
from tests.serving.served import Network, network, remote_engine, served

MELODY = np.eye(12, dtype=np.float32)[[0, 4, 7, 11, 0, 2, 2, 9]]
PIECE = Request(prompt="warm keys", melody=MELODY, seconds=8.0, seed=7)
WIDE = replace(PIECE, seconds=1.5, variations=8)
"""Its messages have up to 1 MB: they take longer on a slow network than a silence may last."""
PIECE_BYTES = 8 * 32000 * 2 * 4
SLOW_BYTES_PER_SECOND = 256_000.0
DELAY_SECONDS = 0.2
SILENT_SECONDS = 2.0
"""In place of ten: after so long without a sign of life a connection is given up."""
RANDOM_FAULTS = 24


@pytest.fixture(scope="module")
def url(model: Path) -> Iterator[str]:
    with served(ReplicaSettings(str(model), "cpu")) as url:
        yield url


@pytest.fixture(scope="module")
def local(model: Path) -> Engine:
    return load(str(model), device="cpu")


@pytest.fixture(scope="module")
def expected(local: Engine) -> bytes:
    """The samples of the piece, as the engine on this machine makes them."""
    return local.generate(PIECE)[0].samples.tobytes()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_connection, "SILENT_SECONDS", SILENT_SECONDS)


Test = Callable[[RemoteEngine, Network], Awaitable[None]]


def through_a_network(url: str, test: Test, **options: float) -> None:
    """Run a test with a remote engine behind a proxy, once it is ready."""

    async def main() -> None:
        async with (
            asyncio.timeout(5 * PATIENCE_SECONDS),
            network(url) as (address, proxy),
            remote_engine(address, **options) as (engine, recorder),
        ):
            await until_ready(engine, recorder)
            await test(engine, proxy)

    asyncio.run(main())


async def until_ready(engine: RemoteEngine, recorder: Recorder) -> None:
    await recorder.until(lambda: engine.state == "ready")


async def samples(engine: RemoteEngine, request: Request = PIECE) -> bytes:
    return (await engine.submit(request).result()).waveforms[0].samples.tobytes()


@pytest.mark.parametrize("after", [0, 200, 5000, PIECE_BYTES // 2, PIECE_BYTES - 1000])
@pytest.mark.parametrize("fault", ["cut_after", "silent_after", "half_closed_after"])
def test_a_connection_that_is_lost_costs_no_sample(
    url: str, expected: bytes, fault: str, after: int
) -> None:
    async def test(engine: RemoteEngine, proxy: Network) -> None:
        proxy.faulty_connections = 1
        setattr(proxy, fault, after)
        assert await samples(engine) == expected
        assert proxy.cuts == 1

    through_a_network(url, test)


@pytest.mark.parametrize("fault", ["cut_after", "silent_after", "half_closed_after"])
def test_a_network_that_stays_broken_is_one_clear_error(url: str, fault: str) -> None:
    async def test(engine: RemoteEngine, proxy: Network) -> None:
        setattr(proxy, fault, 1000)
        with pytest.raises(EngineDied, match="see whether the server runs"):
            await engine.submit(PIECE).result()

    through_a_network(url, test, patience_seconds=0.5)


def test_a_far_network_costs_time_and_no_sample(url: str, expected: bytes) -> None:
    async def test(engine: RemoteEngine, proxy: Network) -> None:
        proxy.delay_seconds = DELAY_SECONDS
        assert await samples(engine) == expected
        assert engine.network is not None
        assert engine.network.round_trip_seconds >= 2 * DELAY_SECONDS

    through_a_network(url, test)


def test_a_slow_network_costs_time_and_no_sample(url: str, local: Engine, expected: bytes) -> None:
    """A message takes longer than the time after which silence counts as a loss."""

    async def test(engine: RemoteEngine, proxy: Network) -> None:
        proxy.bytes_per_second = SLOW_BYTES_PER_SECOND
        assert await samples(engine) == expected
        assert engine.network is not None
        rate = engine.network.bytes_per_second
        # The machine may carry slower than the limit, and never faster.
        assert rate is not None
        assert rate < 1.5 * SLOW_BYTES_PER_SECOND
        result = await engine.submit(WIDE).result()
        expected_wide = local.generate(WIDE)
        for made, waveform in zip(result.waveforms, expected_wide, strict=True):
            assert made.samples.tobytes() == waveform.samples.tobytes()

    through_a_network(url, test)


def test_changed_bytes_are_never_heard(url: str, expected: bytes) -> None:
    random_number = random.Random(7).randrange

    async def test(engine: RemoteEngine, proxy: Network) -> None:
        arrived = 0
        for number in range(RANDOM_FAULTS):
            # Half of them in the handshake and the first messages, where there is more structure.
            at = random_number(600 if number % 2 else PIECE_BYTES)
            if number % 4 == 0:
                proxy.flip_request_at = random_number(700)
            else:
                proxy.flip_at = at
            try:
                assert await samples(engine) == expected, number
                arrived += 1
            except BridgeError as error:
                # A refusal that the network made of an answer.
                assert str(error)
            proxy.flip_at = proxy.flip_request_at = None
        # Most changes cost one message or connection, and the request goes on.
        assert arrived >= RANDOM_FAULTS / 4

    through_a_network(url, test)


def test_each_request_of_a_daemon_ends_once_whatever_the_network_does(
    url: str, model: Path, tmp_path: Path
) -> None:
    choose = random.Random(20)
    ids = [f"me-{number}" for number in range(12)]

    async def main() -> None:
        async with network(url) as (address, proxy):
            daemon = await asyncio.to_thread(DaemonProcess, tmp_path, "--engine", address)
            try:
                client = await asyncio.to_thread(Client, daemon.port)
                with client:
                    for id in ids:
                        proxy.faulty_connections = choose.randrange(3)
                        proxy.cut_after = proxy.silent_after = proxy.half_closed_after = None
                        fault = choose.choice(["cut_after", "half_closed_after", "flip_at"])
                        setattr(proxy, fault, choose.randrange(600_000))
                        settings = ("melody", "none", "prompt", "keys", "bars", 1, "seed", 7)
                        client.send("/bridge/generate", id, *settings)
                        await asyncio.to_thread(client.ended, id)
                    await asyncio.to_thread(client.sync)
                    ends = [
                        event.arguments[0]
                        for event in client.events
                        if event.address in ("/bridge/done", "/bridge/error")
                    ]
                    assert ends == ids
                    assert any(event.address == "/bridge/done" for event in client.events)
            finally:
                await asyncio.to_thread(daemon.stop)

    asyncio.run(main())
    clips = {path.read_bytes()[-100_000:] for path in tmp_path.glob("*.wav")}
    assert len(clips) == 1, "clips of one seed differ"
