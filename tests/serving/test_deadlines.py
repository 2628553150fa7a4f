"""Requests that are wanted by a time: the server refuses what it would bring later."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Generator
from pathlib import Path
from threading import Event
from typing import cast

import pytest

from bridge.engine import Chunk, Engine, Request
from bridge.engine.process.fallback import FallbackEngine
from bridge.engine.process.remote import RemoteEngine
from bridge.engine.process.supervisor import Supervisor
from bridge.errors import TooLate
from tests.engine.process.stand_in import StandIn, stand_in
from tests.engine.recorder import PATIENCE_SECONDS, Recorder
from tests.peers.daemon import Client, DaemonProcess
from tests.serving.served import remote_engine, served

STEP_SECONDS = 0.01
PACE = 1.0
"""Seconds that the server takes for a second of sound."""


class RealTime(StandIn):
    """An engine that is as slow as the sound is long."""

    def _chunks(
        self, request: Request, progress: Callable[[float], None], cancelled: Event
    ) -> Generator[Chunk, None, None]:
        made = 0.0
        for chunk in super()._chunks(request, progress, cancelled):
            seconds = chunk.audio.shape[2] / self.sample_rate
            end = time.perf_counter() + PACE * seconds
            while time.perf_counter() < end:
                time.sleep(STEP_SECONDS)
                # It raises an error where the request is cancelled.
                progress(made / request.seconds)
            made += seconds
            yield chunk


def load_real_time() -> Engine:
    return cast(Engine, RealTime("real-time", "cpu"))


def test_what_would_come_too_late_is_refused_at_once_with_the_time_it_would_take() -> None:
    async def main(url: str) -> None:
        async with remote_engine(url, refuses_late=True) as (engine, recorder):
            await recorder.until(lambda: engine.state == "ready")
            start = time.perf_counter()
            with pytest.raises(TooLate, match=r"would take \d+\.\d s, and has \d\.\d s"):
                await engine.submit(Request(seconds=600.0), due_seconds=start + 5.0).result()
            # Behind a request that is long, a short one is late too.
            long = engine.submit(Request(seconds=600.0), recorder.share)
            await recorder.until(lambda: recorder.shares)
            with pytest.raises(TooLate):
                due_seconds = time.perf_counter() + 60.0
                await engine.submit(Request(seconds=0.5), due_seconds=due_seconds).result()
            long.cancel()
            assert await in_time(engine) == pytest.approx(0.5)

    async def in_time(engine: RemoteEngine) -> float:
        while True:
            due_seconds = time.perf_counter() + PATIENCE_SECONDS
            job = engine.submit(Request(seconds=0.5), due_seconds=due_seconds)
            try:
                return (await job.result()).waveforms[0].seconds
            except TooLate:
                # The server has not seen yet that the long one is cancelled.
                continue

    with served(load=load_real_time) as url:
        run(main(url))


def test_without_another_engine_a_late_request_is_made_all_the_same() -> None:
    async def main(url: str) -> None:
        async with remote_engine(url) as (engine, _):
            due_seconds = time.perf_counter()
            result = await engine.submit(Request(seconds=0.5), due_seconds=due_seconds).result()
            assert result.waveforms[0].seconds == pytest.approx(0.5)

    with served(load=load_real_time) as url:
        run(main(url))


def test_the_engine_on_this_machine_makes_what_the_server_would_bring_too_late() -> None:
    async def main(url: str) -> None:
        recorder = Recorder()
        engine = FallbackEngine(
            lambda on_state: RemoteEngine(url, on_state, client="test", refuses_late=True),
            lambda on_state: Supervisor("at home", "cpu", on_state, target=stand_in),
            recorder.state,
        )
        engine.start()
        try:
            await recorder.until(lambda: " at http" in engine.detail)
            due_seconds = time.perf_counter() + 5.0
            result = await engine.submit(Request(seconds=60.0), due_seconds=due_seconds).result()
            assert result.remarks[0].startswith("rendered on this machine: the engine would take")
            assert result.waveforms[0].seconds == pytest.approx(60.0)
        finally:
            await engine.stop()

    with served(load=load_real_time) as url:
        run(main(url))


def test_a_daemon_renders_itself_what_the_server_would_bring_after_the_bar(
    model: Path, tmp_path: Path
) -> None:
    """Over OSC; a request without a bar, or with enough of them, is the server's."""
    settings = ("melody", "none", "prompt", "keys", "bars", 1, "tempo_bpm", 120, "seed", 7)
    local = ("--engine-fallback", "local", "--model", str(model), "--device", "cpu")
    with served(load=load_real_time) as url:
        daemon = DaemonProcess(tmp_path, "--engine", url, *local)
        try:
            daemon.logged("engine", detail=f"real-time on cpu at {url}")
            with Client(daemon.port) as client:
                remarks = {}
                for id, due in (("soon", 1), ("ever", 0), ("late", 1000)):
                    client.send("/bridge/generate", f"me-{id}", *settings, "due_bars", due)
                    (clip,) = client.done(f"me-{id}")
                    sidecar = Path(str(clip.arguments[3])).with_suffix(".json")
                    remarks[id] = json.loads(sidecar.read_text())["remarks"]
                assert client.of("me-soon")[-1].address == "/bridge/done"
                (network,) = {each.address for each in client.events if "network" in each.address}
                assert network == "/bridge/network"
        finally:
            daemon.stop()
    home = "rendered on this machine: the engine would take"
    assert any(each.startswith(home) for each in remarks["soon"])
    assert not any(each.startswith(home) for each in [*remarks["ever"], *remarks["late"]])


def test_a_daemon_without_a_fallback_brings_the_clip_late(tmp_path: Path) -> None:
    with served(load=load_real_time) as url:
        daemon = DaemonProcess(tmp_path, "--engine", url)
        try:
            daemon.ready()
            with Client(daemon.port) as client:
                settings = ("melody", "none", "prompt", "keys", "bars", 1, "tempo_bpm", 240)
                client.send("/bridge/generate", "me-1", *settings, "due_bars", 1)
                assert len(client.done("me-1")) == 1
        finally:
            daemon.stop()


def run(test: object) -> None:
    """Run a test for a limited time."""
    assert asyncio.iscoroutine(test)
    asyncio.run(asyncio.wait_for(test, PATIENCE_SECONDS))
