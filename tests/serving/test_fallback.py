"""A remote engine with one on this machine to fall back on."""

from __future__ import annotations

import asyncio

import pytest

from bridge.engine import Request
from bridge.engine.process.fallback import FallbackEngine
from bridge.engine.process.host import OnState
from bridge.engine.process.job import Result
from bridge.engine.process.remote import RemoteEngine
from bridge.engine.process.supervisor import Supervisor
from bridge.errors import Cancelled, Unsupported
from tests.engine.process.stand_in import stand_in
from tests.engine.recorder import PATIENCE_SECONDS, Recorder
from tests.serving.served import Network, free_port, load_stand_in, network, served


def local(on_state: OnState) -> Supervisor:
    """An engine on this machine."""
    return Supervisor("at home", "cpu", on_state, target=stand_in)


def with_fallback(url: str, recorder: Recorder) -> FallbackEngine:
    """Both engines; the remote one is given up soon."""
    return FallbackEngine(
        lambda on_state: RemoteEngine(url, on_state, client="test", patience_seconds=0.2),
        local,
        recorder.state,
    )


def value(result: Result) -> float:
    """The value of all samples."""
    return round(float(result.waveforms[0].samples[0, 0]), 3)


def test_the_engine_at_home_renders_while_there_is_no_server() -> None:
    async def main() -> None:
        recorder = Recorder()
        engine = with_fallback(f"http://127.0.0.1:{await free_port()}", recorder)
        engine.start()
        try:
            await recorder.until(lambda: engine.state == "ready")
            assert "at home on cpu" in engine.detail
            assert "cannot be reached" in engine.detail
            assert engine.facts is not None
            assert engine.facts.model_name == "at home"
            result = await engine.submit(Request(seed=4)).result()
            assert value(result) == 0.004
            assert "rendered on this machine: " in result.remarks[0]
        finally:
            await engine.stop()

    pytest.importorskip("websockets", reason="needs the extra `remote`")
    run(main())


def test_a_request_whose_server_is_lost_is_rendered_at_home() -> None:
    async def main(url: str) -> None:
        recorder = Recorder()
        async with network(url) as (address, proxy):
            engine = with_fallback(address, recorder)
            engine.start()
            try:
                await recorder.until(lambda: " at http" in engine.detail)
                await recorder.until(lambda: engine.facts is not None)
                assert engine.facts is not None
                assert engine.facts.model_name == "stand-in"
                whole = await engine.submit(Request(seed=2)).result()
                assert (value(whole), whole.remarks) == (0.002, ())
                lose(proxy)
                job = engine.submit(Request(seed=3))
                beginning = await job.beginning(1000)
                assert beginning.waveforms[0].frames == 1000
                result = await job.result()
                assert value(result) == 0.003
                assert "rendered on this machine: " in result.remarks[0]
                assert job.ended
            finally:
                await engine.stop()

    with served(load=load_stand_in) as url:
        run(main(url))


def lose(proxy: Network) -> None:
    """Cut every connection from now on at its first byte."""
    proxy.cut_after = 0


def test_mistakes_and_cancels_do_not_fall_back() -> None:
    async def main(url: str) -> None:
        recorder = Recorder()
        engine = with_fallback(url, recorder)
        engine.start()
        try:
            await recorder.until(lambda: " at http" in engine.detail)
            with pytest.raises(Unsupported):
                await engine.submit(Request(prompt="unsupported")).result()
            job = engine.submit(Request(prompt="for ever"))
            job.cancel()
            with pytest.raises(Cancelled):
                await job.result()
        finally:
            await engine.stop()

    with served(load=load_stand_in) as url:
        run(main(url))


def run(test: object) -> None:
    """Run a test for a limited time."""
    assert asyncio.iscoroutine(test)
    asyncio.run(asyncio.wait_for(test, PATIENCE_SECONDS))
