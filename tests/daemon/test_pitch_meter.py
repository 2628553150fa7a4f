"""The pitch is published while a voice is there and somebody listens."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import numpy as np
import pytest

from bridge.daemon.pitch_meter import PitchMeter
from bridge.events import NO_PITCH, InputState, Pitch
from bridge.soundcard.listener import Listener
from bridge.soundcard.ring import Ring

SAMPLE_RATE = 44_100


def write(ring: Ring, amplitude: float) -> None:
    """Write a tenth of a second of A3."""
    seconds = np.arange(SAMPLE_RATE // 10) / SAMPLE_RATE
    wave = amplitude * np.sin(2 * np.pi * 220 * seconds)
    ring.write(wave.astype(np.float32)[:, np.newaxis], 1.0)


def test_a_voice_is_published_until_it_ends_and_only_to_whoever_listens() -> None:
    async def heard() -> list[Pitch]:
        published: asyncio.Queue[Pitch] = asyncio.Queue()
        wanted = False
        listener = Listener("none", lambda change: None)
        ready: InputState = "ready"
        listener.state, listener.ring = ready, Ring.create(SAMPLE_RATE, 1)
        listener.ring.unlink()
        meter = PitchMeter(listener, published.put_nowait, is_wanted=lambda: wanted)
        write(listener.ring, 0.2)
        running = asyncio.create_task(meter.run())
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(published.get(), 0.5)
        wanted = True
        first = await published.get()
        write(listener.ring, 0.0)
        found = [first, await published.get()]
        while found[-1] != NO_PITCH:
            found.append(await published.get())
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(published.get(), 0.5)
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        return found

    *voice, end = asyncio.run(heard())
    assert {each.note for each in voice} == {57} and end == NO_PITCH
