"""Uncancellable writing and the warm-up; `test_daemon` has the clients' requests."""

from __future__ import annotations

import asyncio
import subprocess
import sys

from bridge.daemon.renders import uncancellable


def test_uncancellable_work_finishes_although_it_is_cancelled_twice() -> None:
    async def run() -> str:
        begun, may_finish = asyncio.Event(), asyncio.Event()

        async def write() -> str:
            begun.set()
            await may_finish.wait()
            return "written"

        task = asyncio.create_task(uncancellable(write()))
        await begun.wait()
        for _ in range(2):
            task.cancel()
            # The cancellation arrives in one turn of the loop.
            await asyncio.sleep(0)
        may_finish.set()
        return await task

    assert asyncio.run(run()) == "written"


def test_a_warm_session_imports_nothing_more_for_its_first_clip() -> None:
    script = """
import sys
from fractions import Fraction
import numpy as np
from bridge.daemon.renders import _warm_up
_warm_up()
before = set(sys.modules)
from bridge.audio import Waveform
from bridge.clip import finish, rank, surplus_seconds, why_last
from bridge.timing import Meter
noise = np.random.default_rng(7).normal(size=(300_000, 2)).astype(np.float32) / 8
made = finish(Waveform(noise, 32_000), bars=4, tempo_bpm=Fraction(120), meter=Meter(4, 4),
              sample_rate=44_100, melody_classes=np.arange(62) % 12)
rank([made.score, made.score], {"melody": 1.0})
why_last([made.score, made.score], {"melody": 1.0})
print(sorted(set(sys.modules) - before))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
