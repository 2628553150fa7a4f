"""Loops are stretched in a process of its own, which may fail without harm."""

from __future__ import annotations

import asyncio
import os
import time

import numpy as np
import pytest

from bridge.audio import Waveform
from bridge.clip import stretched_loop
from bridge.daemon.stretcher import Stretcher
from bridge.errors import Internal
from tests.processes import KILL


def loop() -> Waveform:
    random = np.random.default_rng(1)
    return Waveform(random.normal(0, 0.1, (44_100 * 4, 2)).astype(np.float32), 44_100)


def test_loops_are_stretched_one_after_the_other() -> None:
    async def stretches() -> None:
        stretcher = Stretcher()
        lengths = [170_000, 190_000, 176_400]
        results = await asyncio.gather(*(stretcher.stretched(loop(), each) for each in lengths))
        await stretcher.stop()
        assert [result.frames for result in results] == lengths
        assert (results[0].samples == stretched_loop(loop(), 170_000).samples).all()

    asyncio.run(stretches())


def test_a_process_that_dies_is_an_error_and_is_replaced() -> None:
    async def dies() -> None:
        stretcher = Stretcher()
        await stretcher.stretched(loop(), 170_000)
        assert stretcher.pid is not None
        stretching = asyncio.create_task(stretcher.stretched(loop(), 190_000))
        await asyncio.sleep(0)
        os.kill(stretcher.pid, KILL)
        with pytest.raises(Internal, match="its process ended"):
            await stretching
        assert (await stretcher.stretched(loop(), 190_000)).frames == 190_000
        await stretcher.stop()
        assert stretcher.pid is None

    asyncio.run(dies())


def test_a_stretch_that_is_given_up_does_not_answer_the_next() -> None:
    async def given_up() -> None:
        stretcher = Stretcher()
        stretching = asyncio.create_task(stretcher.stretched(loop(), 170_000))
        begun = time.perf_counter()
        while stretcher.pid is None and time.perf_counter() < begun + 60:
            await asyncio.sleep(0.01)
        stretching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stretching
        assert (await stretcher.stretched(loop(), 190_000)).frames == 190_000
        await stretcher.stop()

    asyncio.run(given_up())
