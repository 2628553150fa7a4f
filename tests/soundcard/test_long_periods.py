"""A sound card with long periods, which PortAudio divides: its frames have the right times too."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bridge.soundcard.bursts import Bursts
from bridge.soundcard.mixer import Start
from tests.peers.jack import LONG_PERIOD, SAMPLE_RATE, JackServer, excusing_xruns, recording
from tests.soundcard.observed_player import observed_player
from tests.soundcard.recorded_clicks import recorded_late_seconds

MOST_OFF_SECONDS = 0.005
"""Measured 0.2 ms. A block of 1024 frames has 23 ms."""
WORK_SECONDS = 0.012
CLICK_FRAMES = SAMPLE_RATE // 4


@pytest.fixture(scope="module")
def jack_period() -> int:
    return LONG_PERIOD


@pytest.mark.skipif(sys.platform == "win32", reason="JACK's dummy server is POSIX's")
def test_what_is_played_is_heard_at_the_time_of_its_frame(
    jack_server: JackServer, tmp_path: Path
) -> None:
    async def late_seconds() -> NDArray[np.float64]:
        jack_server.forget_outputs()
        async with observed_player() as observed:
            await observed.ready()
            with recording(tmp_path) as recorded:
                clicks = np.zeros((CLICK_FRAMES, 2), np.float32)
                clicks[0] = 0.5
                clip = await observed.load(clicks)
                at = observed.status.frame + SAMPLE_RATE
                observed.player.send(Start(0, clip, at))
                await observed.reaches(at + 4 * SAMPLE_RATE)
                status = observed.status
                heard = np.flatnonzero(np.nan_to_num(recorded.samples()).any(axis=1))
                seconds = recorded.seconds_at(heard)
        numbers = range(len(heard))
        expected = np.array([status.seconds_at(at + each * CLICK_FRAMES) for each in numbers])
        late: NDArray[np.float64] = seconds - expected
        return late

    def attempt() -> None:
        late = asyncio.run(late_seconds())
        print(f"{1000 * late.min():.2f} to {1000 * late.max():.2f} ms late")
        assert len(late) >= 12 and np.abs(late).max() < MOST_OFF_SECONDS

    excusing_xruns(jack_server, attempt)


@pytest.mark.skipif(sys.platform == "win32", reason="JACK's dummy server is POSIX's")
@pytest.mark.parametrize("work_seconds", [0.0, WORK_SECONDS])
def test_what_is_recorded_has_the_time_at_which_it_sounded(
    jack_server: JackServer, tmp_path: Path, work_seconds: float
) -> None:
    """Also what another program plays, which JACK calls first and which works for a while."""
    late = recorded_late_seconds(jack_server, tmp_path, work_seconds=work_seconds)
    print(f"{1000 * late.min():.2f} to {1000 * late.max():.2f} ms late")
    assert np.quantile(np.abs(late), 0.95) < MOST_OFF_SECONDS


def bursts_of(*callbacks: tuple[float, int]) -> list[tuple[float, int, int]]:
    """The period's begin, the frames before and the period's length after each callback."""
    bursts, seen = Bursts(SAMPLE_RATE), []
    for seconds, frames in callbacks:
        bursts.update(seconds, frames)
        seen.append((bursts.begun_seconds, bursts.frames_before, bursts.period_frames))
    return seen


def test_blocks_that_come_at_once_are_one_period() -> None:
    assert bursts_of((10.0, 1024), (10.001, 512), (10.035, 1024), (10.0351, 512)) == [
        (10.0, 0, 1024),
        (10.0, 1024, 1024),
        (10.035, 0, 1536),
        (10.035, 1024, 1536),
    ]


def test_a_driver_that_catches_up_once_has_no_longer_period() -> None:
    period = 512 / SAMPLE_RATE
    late = 3 * period + 0.0001
    seen = bursts_of((0.0, 512), (period, 512), (late, 512), (late, 512), (4 * period, 512))
    assert [frames for _, _, frames in seen] == [512] * 5
