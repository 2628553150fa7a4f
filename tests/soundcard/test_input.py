"""What is played into the input is in the ring, bit for bit and at its time."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from bridge.soundcard.ring import Ring
from tests.peers.jack import (
    ATTEMPTS,
    PERIOD,
    SAMPLE_RATE,
    XRUN_SECONDS,
    JackServer,
    PlayerDropped,
    playing,
    playing_file,
    without_xruns,
)
from tests.peers.wait import until
from tests.soundcard.listening import listening

if sys.platform == "win32":
    pytest.skip("JACK and signals are POSIX's", allow_module_level=True)

pytestmark = pytest.mark.usefixtures("jack_server")


def noise(seconds: float) -> NDArray[np.float32]:
    """Two channels, never 0."""
    random = np.random.default_rng(11)
    samples = random.uniform(0.001, 1, (round(seconds * SAMPLE_RATE), 2)).astype(np.float32)
    samples[random.random(samples.shape) < 0.5] *= -1
    return samples


def sounding(ring: Ring, start: int) -> NDArray[np.float32]:
    """What was heard since that frame, from the first that is not silent to the last."""
    samples = ring.read(start, ring.frames_written)
    frames = np.flatnonzero(samples.any(axis=1))
    return samples[frames[0] : frames[-1] + 1] if len(frames) else samples[:0]


def test_a_played_file_is_captured_bit_for_bit(jack_server: JackServer, tmp_path: Path) -> None:
    path, played = tmp_path / "noise.wav", noise(1.0)
    # At its end this player repeats a part of the last period: silence, then.
    silence = np.zeros((2 * PERIOD, 2), np.float32)
    soundfile.write(path, np.concatenate([played, silence]), SAMPLE_RATE, subtype="FLOAT")

    async def captured() -> NDArray[np.float32]:
        jack_server.forget_inputs()
        async with listening() as ear:
            await ear.ready()

            def play() -> NDArray[np.float32]:
                start = ear.ring.frames_written
                with playing_file(jack_server, path):
                    pass
                end = ear.ring.frames_written + PERIOD
                until(lambda: ear.ring.frames_written > end, "the last period is there")
                assert ear.ring.continuous_from() <= start
                return sounding(ear.ring, start)

            return without_xruns(jack_server, play)

    heard = asyncio.run(captured())
    assert heard.shape == played.shape
    assert (heard == played).all()


def test_the_time_of_a_frame_is_when_it_sounded(jack_server: JackServer, tmp_path: Path) -> None:
    """A click each 200 ms, at instants that the player knows from the server's clock."""
    spacing = SAMPLE_RATE // 5
    samples = np.zeros((5 * SAMPLE_RATE, 2), np.float32)
    samples[::spacing] = 1

    async def errors() -> NDArray[np.float64]:
        """In seconds, of the clicks that come when the server's clock is right."""
        jack_server.forget_inputs()
        async with listening() as ear:
            await ear.ready()
            at_seconds = time.perf_counter() + 1.0
            with playing(samples, at_seconds=at_seconds, folder=tmp_path):
                pass
            heard = np.flatnonzero(ear.ring.read(0, ear.ring.frames_written)[:, 0])
            seconds = np.array([ear.ring.seconds_at(float(frame)) for frame in heard])
        for xrun in jack_server.xruns():
            seconds = seconds[(seconds < xrun - 0.1) | (seconds > xrun + XRUN_SECONDS)]
        clicks = np.round((seconds - at_seconds) * SAMPLE_RATE / spacing)
        return seconds - at_seconds - clicks * spacing / SAMPLE_RATE

    for _ in range(ATTEMPTS):
        off = np.empty(0)
        with suppress(PlayerDropped):
            off = asyncio.run(errors())
        if len(off) >= 8:
            break
    else:
        pytest.skip("the server misses too many periods")
    print(f"frames are {1000 * off.mean():.2f} ms late, {1000 * np.abs(off).max():.2f} at most")
    assert np.quantile(np.abs(off), 0.95) < 0.005


def test_what_a_stalled_sound_card_loses_is_counted_and_is_a_jump_in_time(
    jack_server: JackServer,
) -> None:
    stall_seconds = 0.4

    async def stalled() -> None:
        async with listening() as ear:
            await ear.ready()
            await ear.until(lambda: ear.ring.frames_written > SAMPLE_RATE, "a second")
            before = ear.ring.frames_written
            os.kill(jack_server.pid, signal.SIGSTOP)
            try:
                # How long it stands, not a wait for something: less would be no loss.
                await asyncio.sleep(stall_seconds)
            finally:
                os.kill(jack_server.pid, signal.SIGCONT)
            await ear.until(lambda: ear.ring.continuous_from() >= before, "a gap")
            gap = ear.ring.continuous_from()
            await ear.until(lambda: ear.ring.frames_written > gap + SAMPLE_RATE, "a second more")
            assert ear.listener.overflows >= 1
            assert ear.states == ["ready"]
            assert ear.ring.continuous_from(gap - 1) <= before
            lost_seconds = ear.ring.seconds_at(gap) - ear.ring.seconds_at(gap - 1)
            assert 0.75 * stall_seconds < lost_seconds < stall_seconds + 1
            # The time is right again: the newest frame was captured just now.
            newest = ear.ring.seconds_at(ear.ring.frames_written)
            assert abs(newest - ear.ring.written_seconds) < 0.1
            print(f"lost {lost_seconds:.3f} s, overflows {ear.listener.overflows}")

    asyncio.run(stalled())
