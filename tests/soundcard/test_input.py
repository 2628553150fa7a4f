"""Audio played into the input is in the ring, bit for bit and at the right time."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from bridge.soundcard.ring import Ring
from tests.peers.jack import (
    PERIOD,
    SAMPLE_RATE,
    JackServer,
    playing_file,
    without_xruns,
)
from tests.peers.wait import until
from tests.soundcard.observed_listener import observed_listener
from tests.soundcard.recorded_clicks import recorded_late_seconds

if sys.platform == "win32":
    pytest.skip("JACK and signals are POSIX's", allow_module_level=True)

pytestmark = pytest.mark.usefixtures("jack_server")


def noise(seconds: float) -> NDArray[np.float32]:
    """Noise of two channels without a 0."""
    random = np.random.default_rng(11)
    samples = random.uniform(0.001, 1, (round(seconds * SAMPLE_RATE), 2)).astype(np.float32)
    samples[random.random(samples.shape) < 0.5] *= -1
    return samples


def without_silence(ring: Ring, start: int) -> NDArray[np.float32]:
    """The audio since a frame, from the first frame that is not silent to the last."""
    samples = ring.read(start, ring.frames_written)
    frames = np.flatnonzero(samples.any(axis=1))
    return samples[frames[0] : frames[-1] + 1] if len(frames) else samples[:0]


def test_a_played_file_is_captured_bit_for_bit(jack_server: JackServer, tmp_path: Path) -> None:
    path, played = tmp_path / "noise.wav", noise(1.0)
    # At the end this player repeats a part of the last period, so that must be silence.
    silence = np.zeros((2 * PERIOD, 2), np.float32)
    soundfile.write(path, np.concatenate([played, silence]), SAMPLE_RATE, subtype="FLOAT")

    async def captured() -> NDArray[np.float32]:
        jack_server.forget_inputs()
        async with observed_listener() as observed:
            await observed.ready()

            def play() -> NDArray[np.float32]:
                start = observed.ring.frames_written
                with playing_file(jack_server, path):
                    pass
                end = observed.ring.frames_written + PERIOD
                until(lambda: observed.ring.frames_written > end, "the last period is there")
                assert observed.ring.continuous_from() <= start
                return without_silence(observed.ring, start)

            return without_xruns(jack_server, play)

    recorded = asyncio.run(captured())
    assert recorded.shape == played.shape
    assert (recorded == played).all()


def test_the_time_of_a_frame_is_when_it_sounded(jack_server: JackServer, tmp_path: Path) -> None:
    late = recorded_late_seconds(jack_server, tmp_path)
    print(f"frames are {1000 * late.mean():.2f} ms late, {1000 * np.abs(late).max():.2f} at most")
    assert np.quantile(np.abs(late), 0.95) < 0.005


def test_frames_lost_by_a_stalled_sound_card_are_counted_and_a_jump_in_time(
    jack_server: JackServer,
) -> None:
    stall_seconds = 0.4

    async def stalled() -> None:
        async with observed_listener() as observed:
            await observed.ready()
            await observed.until(lambda: observed.ring.frames_written > SAMPLE_RATE, "a second")
            before = observed.ring.frames_written
            os.kill(jack_server.pid, signal.SIGSTOP)
            try:
                # The length of the stall; a shorter one would lose nothing.
                await asyncio.sleep(stall_seconds)
            finally:
                os.kill(jack_server.pid, signal.SIGCONT)
            await observed.until(lambda: observed.ring.continuous_from() >= before, "a gap")
            gap = observed.ring.continuous_from()
            await observed.until(
                lambda: observed.ring.frames_written > gap + SAMPLE_RATE, "a second more"
            )
            assert observed.listener.overflows >= 1
            assert observed.states == ["ready"]
            assert observed.ring.continuous_from(gap - 1) <= before
            lost_seconds = observed.ring.seconds_at(gap) - observed.ring.seconds_at(gap - 1)
            assert 0.75 * stall_seconds < lost_seconds < stall_seconds + 1
            # The time is right again: the newest frame has just been captured.
            newest = observed.ring.seconds_at(observed.ring.frames_written)
            assert abs(newest - observed.ring.written_seconds) < 0.1
            print(f"lost {lost_seconds:.3f} s, overflows {observed.listener.overflows}")

    asyncio.run(stalled())
