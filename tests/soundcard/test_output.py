"""What an output plays is what the mixer renders offline, frame by frame of the sound card."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bridge.soundcard.clicks import SetClicks, Tick
from bridge.soundcard.mixer import Anchor, Mixer, MixerCommand, SetGain, Silence, Start, Stop
from tests.peers.jack import (
    ATTEMPTS,
    PERIOD,
    SAMPLE_RATE,
    JackRecording,
    JackServer,
    excusing_xruns,
    recording,
)
from tests.soundcard.clip_material import noise
from tests.soundcard.observed_player import ObservedPlayer, observed_duplex, observed_player

if sys.platform == "win32":
    pytest.skip("JACK and signals are POSIX's", allow_module_level=True)

STALL_SECONDS = 0.5
"""XRuns within this time of a stall are its own."""

pytestmark = pytest.mark.usefixtures("jack_server")


def offline(
    observed: ObservedPlayer, commands: list[MixerCommand], first: int, frames: int
) -> NDArray[np.float32]:
    """What a mixer makes of the commands from an output frame on: each is given in time."""
    mixer = Mixer(SAMPLE_RATE, 2, observed.clips)
    out = np.zeros((frames, 2), np.float32)
    for start in range(0, frames, PERIOD):
        for command in commands:
            # A fade begins before its command's frame.
            given_frame = at_frame_of(command) - PERIOD
            if first + start <= given_frame < first + start + PERIOD:
                mixer.give(command)
        mixer.render(out[start : start + PERIOD], first + start)
    return out


def at_frame_of(command: MixerCommand) -> int:
    assert not isinstance(command, Silence | SetClicks | Tick)
    return command.at_frame


def from_first_sound(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """The samples from the first that is neither silent nor missing."""
    heard = np.flatnonzero(np.nan_to_num(samples).any(axis=1))
    assert len(heard), "nothing is heard"
    return samples[heard[0] :]


def same(heard: NDArray[np.float32], expected: NDArray[np.float32]) -> bool:
    """Whether all that was recorded is as expected, bit for bit."""
    missing = np.isnan(heard).any(axis=1)
    assert missing.mean() < 0.5
    return bool((heard[~missing] == expected[: len(heard)][~missing]).all())


async def play(
    observed: ObservedPlayer, commands: list[MixerCommand], until_frame: int
) -> NDArray[np.float32]:
    """Give commands in good time; return what they are offline, from the first sound on."""
    first = observed.status.frame
    for command in commands:
        await observed.reaches(at_frame_of(command) - SAMPLE_RATE // 2)
        observed.player.send(command)
    await observed.reaches(until_frame)
    return from_first_sound(offline(observed, commands, first, until_frame - first))


def heard(recorded: JackRecording, frames: int) -> NDArray[np.float32]:
    return from_first_sound(recorded.samples())[:frames]


def test_the_captured_output_is_what_the_mixer_renders_bit_for_bit(
    jack_server: JackServer, tmp_path: Path
) -> None:
    async def attempt() -> None:
        jack_server.forget_outputs()
        async with observed_player() as observed:
            await observed.ready()
            assert observed.player.sample_rate == SAMPLE_RATE and observed.player.channels == 2
            with recording(tmp_path) as recorded:
                one = await observed.load(noise(30_000))
                two = await observed.load(noise(44_100, seed=6))
                at = observed.status.frame + SAMPLE_RATE
                commands: list[MixerCommand] = [
                    Start(0, one, at + 123),
                    Start(2, two, at + 5000, 99),
                    SetGain(2, 0.5, at + 20_001),
                    Start(0, two, at + 40_007),
                    Anchor(2, two, at + 60_000, 17),
                    Stop(2, at + 70_001),
                ]
                expected = await play(observed, commands, at + 100_000)
                assert same(heard(recorded, 90_000), expected)
                assert observed.status.late == observed.status.dry == 0
                assert observed.status.layers[0] == (two, at + 40_007)
                assert observed.status.layers[2] == (0, 0)

    excusing_xruns(jack_server, lambda: asyncio.run(attempt()))


def test_after_a_stall_the_output_is_on_its_frames_again(
    jack_server: JackServer, tmp_path: Path
) -> None:
    async def stalled() -> tuple[float, bool]:
        """The instant of the stall, and whether all before it and after it is on its frames."""
        jack_server.forget_outputs()
        async with observed_player() as observed:
            await observed.ready()
            pid = observed.player.pid
            assert pid is not None
            with recording(tmp_path) as recorded:
                clip = await observed.load(noise(300_000))
                at = observed.status.frame + SAMPLE_RATE
                observed.player.send(Start(0, clip, at))
                await observed.reaches(at + SAMPLE_RATE)
                skips, frame, stall_seconds = (
                    observed.status.skips,
                    observed.status.frame,
                    time.perf_counter(),
                )
                os.kill(pid, signal.SIGSTOP)
                try:
                    # The length of the stall; a shorter one would lose nothing.
                    await asyncio.sleep(0.15)
                finally:
                    os.kill(pid, signal.SIGCONT)
                await observed.until(lambda: observed.status.skips > skips, "a skip")
                found = observed.status.frame
                await observed.reaches(found + SAMPLE_RATE)
                assert observed.states == ["ready"]
                samples = heard(recorded, found - at + SAMPLE_RATE // 2)
        first = at - at % PERIOD - PERIOD
        expected = offline(observed, [Start(0, clip, at)], first, len(samples) + 2 * PERIOD)
        expected = from_first_sound(expected)
        end, begin = frame - at - PERIOD, found - at + 2 * PERIOD
        is_same = same(samples[:end], expected[:end]) and same(samples[begin:], expected[begin:])
        return stall_seconds, is_same

    for _ in range(ATTEMPTS):
        begun_seconds = time.perf_counter()
        stall_seconds, is_same = asyncio.run(stalled())
        # The stall itself is an XRun.
        others = [
            seconds
            for seconds in jack_server.xruns()
            if begun_seconds < seconds and not 0 <= seconds - stall_seconds < STALL_SECONDS
        ]
        if is_same or not others:
            break
    else:
        pytest.skip(f"{ATTEMPTS} attempts, and another XRun in each")
    assert is_same


def test_panic_silences_the_output_at_once(jack_server: JackServer, tmp_path: Path) -> None:
    async def attempt() -> None:
        jack_server.forget_outputs()
        async with observed_player() as observed:
            await observed.ready()
            with recording(tmp_path) as recorded:
                clip = await observed.load(noise(44_100))
                observed.player.send(Start(0, clip))
                await observed.until(lambda: observed.status.layers[0][0] == clip, "a start")
                await observed.reaches(observed.status.frame + SAMPLE_RATE // 2)
                observed.player.send(Silence())
                await observed.until(lambda: observed.status.layers[0][0] == 0, "silence")
                await observed.reaches(observed.status.frame + SAMPLE_RATE // 2)
                samples = from_first_sound(recorded.samples())
            sounding = np.flatnonzero(np.nan_to_num(samples).any(axis=1))
            end = sounding[-1] + 1
            levels = np.abs(samples[end - 220 : end]).reshape(-1, 20, 2).mean(axis=(1, 2))
            assert levels[0] > 5 * levels[-1] and not np.nan_to_num(samples[end:]).any()

    excusing_xruns(jack_server, lambda: asyncio.run(attempt()))


def test_frames_are_timed_as_the_sound_card_takes_them(jack_server: JackServer) -> None:
    async def attempt() -> None:
        async with observed_player() as observed:
            await observed.ready()
            await observed.reaches(3 * SAMPLE_RATE)
            before = observed.status
            await observed.reaches(before.frame + 2 * SAMPLE_RATE)
            after = observed.status
            frame = after.frame_at(after.seconds + 1)
            assert abs(before.seconds_at(after.frame) - after.seconds) < 0.002
            assert abs(after.seconds - time.perf_counter()) < 0.1
            assert frame - after.frame == pytest.approx(SAMPLE_RATE, rel=0.001)
            assert 0 < observed.player.latency_seconds < 0.5

    excusing_xruns(jack_server, lambda: asyncio.run(attempt()))


def test_one_device_is_recorded_and_played_in_one_process(
    jack_server: JackServer, tmp_path: Path
) -> None:
    async def attempt() -> None:
        jack_server.forget_outputs()
        async with observed_duplex() as (listener, observed):
            await observed.ready()
            assert listener.state == "ready" and observed.player.pid is None
            with recording(tmp_path) as recorded:
                clip = await observed.load(noise(44_100))
                at = observed.status.frame + SAMPLE_RATE
                expected = await play(observed, [Start(0, clip, at)], at + SAMPLE_RATE)
                assert same(heard(recorded, SAMPLE_RATE // 2), expected)
            assert listener.ring is not None
            written = listener.ring.frames_written
            await observed.until(
                lambda: listener.ring and listener.ring.frames_written > written, "more input"
            )

    excusing_xruns(jack_server, lambda: asyncio.run(attempt()))


def test_an_output_that_is_missing_costs_no_input(jack_server: JackServer) -> None:
    async def missing() -> None:
        async with observed_duplex(output="nothing") as (listener, observed):
            await observed.until(lambda: listener.state == "ready", "an input")
            await observed.until(lambda: "there is no output" in observed.player.detail, "report")
            assert listener.ring is not None
            ring, written = listener.ring, listener.ring.frames_written
            await observed.until(lambda: ring.frames_written > written + 44_100, "more input")
            assert listener.ring is ring and observed.player.state == "none"
            assert "there is no output 'nothing': there are" in observed.player.detail

    asyncio.run(missing())


def test_an_output_plays_though_the_input_is_missing(jack_server: JackServer) -> None:
    async def missing() -> None:
        async with observed_duplex(input_="nothing") as (listener, observed):
            await observed.ready()
            assert listener.state == "none" and "no input 'nothing'" in listener.detail

    asyncio.run(missing())


def test_an_output_that_is_lost_is_reported_and_comes_back(jack_server: JackServer) -> None:
    async def lost() -> None:
        async with observed_player() as observed:
            await observed.ready()
            clip = await observed.load(noise(44_100))
            observed.player.send(Start(0, clip))
            await observed.until(lambda: observed.status.layers[0][0] == clip, "a start")
            jack_server.kill()
            await observed.until(lambda: observed.player.state == "lost", "loss")
            assert observed.player.status is None
            jack_server.start()
            await observed.ready(times=2)
            await observed.until(lambda: observed.status.frame > PERIOD, "audio")
            assert observed.status.layers[0] == (0, 0)
            assert observed.states == ["ready", "lost", "ready"]

    asyncio.run(lost())


def test_stopping_leaves_no_process_and_no_shared_memory(jack_server: JackServer) -> None:
    async def stops() -> tuple[int, list[str]]:
        async with observed_player() as observed:
            await observed.ready()
            pid = observed.player.pid
            assert pid is not None
            number = await observed.load(noise(44_100))
            observed.player.send(Start(0, number))
            await observed.until(lambda: observed.status.layers[0][0] == number, "a start")
            names = [observed.clips[number].name]
            await observed.until(lambda: not Path("/dev/shm", names[0]).exists(), "no name")
            observed.player.drop(observed.clips.pop(number))
            observed.player.send(Stop(0))
            await observed.until(
                lambda: names[0] not in Path(f"/proc/{pid}/maps").read_text(), "a dropped clip"
            )
        return pid, names

    pid, names = asyncio.run(stops())
    assert not Path(f"/proc/{pid}").exists()
    assert not [name for name in names if name in Path("/proc/self/maps").read_text()]
