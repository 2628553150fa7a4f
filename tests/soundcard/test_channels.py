"""Only the chosen channels of an input are recorded."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bridge.errors import NoInput
from bridge.soundcard.channels import (
    Channels,
    LoudestChannel,
    opened_channels,
    recorded_channels,
    selector,
)
from tests.peers.jack import SAMPLE_RATE, JackServer, playing, without_xruns
from tests.soundcard.observed_listener import observed_listener

RATE = 48_000
BLOCK = 256


@pytest.mark.parametrize(
    ("channels", "opened", "recorded"),
    [(None, 2, 2), ((3, 4), 4, 2), ((18,), 18, 1), ((2, 1), 2, 2), ("auto", 18, 1)],
)
def test_no_more_is_opened_than_a_device_needs_and_no_more_is_kept_than_is_taken(
    channels: Channels, opened: int, recorded: int
) -> None:
    assert opened_channels(18, channels, "interface") == opened
    assert recorded_channels(opened, channels) == recorded
    block = np.arange(2 * opened, dtype=np.float32).reshape(2, opened)
    picked = selector(opened, channels, RATE)(block)
    assert picked.shape == (2, recorded)
    if isinstance(channels, tuple):
        assert picked[0].tolist() == [number - 1 for number in channels]


def test_of_a_device_with_one_channel_that_one_is_recorded() -> None:
    assert opened_channels(1, None, "microphone") == recorded_channels(1, None) == 1


def test_a_channel_that_the_device_lacks_is_an_error_that_names_it() -> None:
    message = "input_channels 3,9: interface has 8 channels; name numbers from 1 to 8"
    with pytest.raises(NoInput, match=message):
        opened_channels(8, (3, 9), "interface")


def picked(sound: NDArray[np.float32]) -> tuple[NDArray[np.float32], LoudestChannel]:
    loudest = LoudestChannel(sound.shape[1], RATE)
    blocks = [loudest(sound[first : first + BLOCK]) for first in range(0, len(sound), BLOCK)]
    return np.concatenate(blocks)[:, 0], loudest


def room(seconds: float, channels: int) -> NDArray[np.float32]:
    """Noise of -80 dBFS, and DC on the first channel."""
    noise = np.random.default_rng(1).normal(0, 1e-4, (round(seconds * RATE), channels))
    noise[:, 0] += 0.1
    return noise.astype(np.float32)


def hum(seconds: float, level: float) -> NDArray[np.float32]:
    time = np.arange(round(seconds * RATE)) / RATE
    return (level * np.sin(2 * np.pi * 200 * time)).astype(np.float32)


def test_the_loudest_channel_is_picked_from_the_first_block_of_its_sound() -> None:
    sound = room(3.0, 18)
    sound[RATE : 2 * RATE, 6] += hum(1.0, 0.05)
    recorded, loudest = picked(sound)
    assert loudest.channel == 6
    first = RATE + 2 * BLOCK
    assert np.array_equal(recorded[first:], sound[first:, 6])


def test_a_click_on_another_channel_does_not_take_over() -> None:
    sound = room(3.0, 4)
    sound[:, 2] += hum(3.0, 0.1)
    sound[RATE : RATE + 100, 3] = 0.5
    recorded, _ = picked(sound)
    assert np.array_equal(recorded[RATE // 2 :], sound[RATE // 2 :, 2])


def test_two_channels_of_similar_level_do_not_alternate() -> None:
    sound = room(4.0, 4)
    for number in range(4):
        part = slice(number * RATE, (number + 1) * RATE)
        sound[part, 1] += hum(1.0, 0.1 + 0.05 * (number % 2))
        sound[part, 2] += hum(1.0, 0.15 - 0.05 * (number % 2))
    recorded, loudest = picked(sound)
    taken = sound[RATE:, loudest.channel]
    assert np.array_equal(recorded[RATE:], taken)


@pytest.fixture
def wide_jack_server(jack_server: JackServer) -> Iterator[JackServer]:
    """A JACK server whose sound card has eighteen inputs."""
    jack_server.stop()
    jack_server.start(inputs=18)
    yield jack_server
    jack_server.stop()


@pytest.mark.skipif(sys.platform == "win32", reason="JACK is POSIX's")
@pytest.mark.parametrize(("channels", "columns"), [((7,), [0]), ((3, 7), [1]), ("auto", [0])])
def test_a_sound_on_one_of_eighteen_inputs_is_recorded_at_its_level(
    wide_jack_server: JackServer, tmp_path: Path, channels: Channels, columns: list[int]
) -> None:
    async def recorded() -> NDArray[np.float32]:
        wide_jack_server.forget_inputs()
        async with observed_listener("system", channels) as observed:
            await observed.ready()
            ring = observed.ring
            assert ring.channels == recorded_channels(18, channels)

            def play() -> NDArray[np.float32]:
                start = ring.frames_written
                sound = hum(1.0, 0.25)[:SAMPLE_RATE, None]
                with playing(sound, ("PortAudio:in_6",), folder=tmp_path):
                    pass
                deadline = time.perf_counter() + 30
                while ring.frames_written < start + SAMPLE_RATE:
                    assert time.perf_counter() < deadline
                    time.sleep(0.01)
                return ring.read(start, ring.frames_written)

            return without_xruns(wide_jack_server, play)

    samples = asyncio.run(recorded())
    peaks = np.abs(samples).max(axis=0)
    assert np.flatnonzero(peaks > 0.24).tolist() == columns
    assert peaks.max() <= 0.2501
