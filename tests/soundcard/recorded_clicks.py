"""Clicks that are played into an input at known instants, and when they were recorded."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.peers.jack import (
    ATTEMPTS,
    SAMPLE_RATE,
    XRUN_SECONDS,
    JackServer,
    PeerLate,
    PlayerDropped,
    playing,
)
from tests.soundcard.observed_listener import observed_listener

LEAD_SECONDS = 2.0
"""Time for a player to start; one that takes longer starts again."""


def recorded_late_seconds(
    jack_server: JackServer, folder: Path, *, work_seconds: float = 0.0
) -> NDArray[np.float64]:
    """How late the clicks of five seconds were recorded, without those near an XRun.

    There is one every 200 ms, at instants that the player knows from the server's clock. The test
    is skipped where the server misses too many periods.

    Args:
        folder: where the player finds its samples.
        work_seconds: how long the player works in each cycle, as a host does.
    """
    spacing = SAMPLE_RATE // 5
    samples = np.zeros((5 * SAMPLE_RATE, 2), np.float32)
    samples[::spacing] = 1

    async def late_seconds() -> NDArray[np.float64]:
        jack_server.forget_inputs()
        async with observed_listener() as observed:
            await observed.ready()
            at_seconds = time.perf_counter() + LEAD_SECONDS
            with playing(samples, at_seconds=at_seconds, work_seconds=work_seconds, folder=folder):
                pass
            recorded = np.flatnonzero(observed.ring.read(0, observed.ring.frames_written)[:, 0])
            seconds = np.array([observed.ring.seconds_at(float(frame)) for frame in recorded])
        for xrun in jack_server.xruns():
            seconds = seconds[(seconds < xrun - 0.1) | (seconds > xrun + XRUN_SECONDS)]
        clicks = np.round((seconds - at_seconds) * SAMPLE_RATE / spacing)
        return seconds - at_seconds - clicks * spacing / SAMPLE_RATE

    for _ in range(ATTEMPTS):
        with suppress(PeerLate, PlayerDropped):
            late = asyncio.run(late_seconds())
            if len(late) >= 8:
                return late
    pytest.skip("the server misses too many periods")
