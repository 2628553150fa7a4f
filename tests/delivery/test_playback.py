"""Clips start, swap and stop on the clock's grid, and stay on its bar lines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from bridge.audio import Waveform
from bridge.clip import PREROLL_SECONDS, stretched_loop
from bridge.clock.exact_clock import ExactClock
from bridge.commands import Transport
from bridge.delivery.playable import PlayableClip
from bridge.delivery.playback import SOONEST_SECONDS, Playback
from bridge.errors import Cancelled, NoOutput
from bridge.events import LayerChanged
from bridge.soundcard.clip_memory import ClipMemory
from bridge.soundcard.mixer import Anchor, Start
from bridge.timing import ONE_BAR, Meter, Quantum
from tests.delivery.offline_player import BEGIN_SECONDS, BLOCK, RATE, OfflinePlayer, offline_player
from tests.soundcard.clip_material import spectral_flux

POLL_BLOCKS = 10
PREROLL = round(PREROLL_SECONDS * RATE)


def clicks(
    bars: int = 1, tempo_bpm: int = 120, amplitude: float = 0.8, name: str = "clicks"
) -> PlayableClip:
    """A loop of a click on each beat, much louder on the first; before it is what a clip keeps."""
    beat = 60 * RATE // tempo_bpm
    samples = np.zeros((bars * 4 * beat, 2), np.float32)
    fall = np.exp(-np.arange(2000) / 200)[:, np.newaxis].astype(np.float32)
    for number in range(bars * 4):
        at = number * beat + PREROLL
        samples[at : at + 2000] = amplitude * (1.0 if number == 0 else 0.2) * fall
    return PlayableClip(name, Waveform(samples, RATE), bars, Meter(), Fraction(tempo_bpm))


async def stretch(loop: Waveform, frames: int) -> Waveform:
    return stretched_loop(loop, frames)


class Stage:
    """A playback with an offline output and a clock, in time of its own.

    Attributes:
        events: the changes of layers that were published.
        remarks: that were published.
    """

    def __init__(
        self, player: OfflinePlayer, quantum: Quantum, latency_seconds: float | None = 0.0
    ) -> None:
        self.player, self.clock = player, ExactClock()
        self.events: list[LayerChanged] = []
        self.remarks: list[str] = []
        self.playback = Playback(
            player,
            lambda: self.clock,
            quantum=quantum,
            latency_seconds=latency_seconds,
            stretch=stretch,
            publish=self.events.append,
            remark=self.remarks.append,
            now=lambda: player.seconds,
        )
        self._tempo_bpm: Fraction | None = None
        self._beat = 0.0
        self._blocks = 0

    def tempo(self, tempo_bpm: str | None) -> None:
        """Let the clock play at a tempo from now on; None: it stops."""
        self._tempo_bpm = None if tempo_bpm is None else Fraction(tempo_bpm)
        self._read_clock()

    async def run(self, seconds: float) -> None:
        """Let time pass; poll ten times a second, as the daemon does."""
        for _ in range(round(seconds * RATE / BLOCK)):
            if self._blocks % POLL_BLOCKS == 0:
                self._read_clock()
                self.playback.poll(self.player.seconds)
                await self.settle()
            self.player.render()
            self._blocks += 1
            if self._tempo_bpm is not None:
                self._beat += BLOCK / RATE * float(self._tempo_bpm) / 60

    async def settle(self) -> None:
        """Wait for what is prepared in threads."""
        while tasks := tuple(self.playback._tasks.values()):
            await asyncio.gather(*tasks)

    def _read_clock(self) -> None:
        self.clock.update(
            Transport(
                self._tempo_bpm or Fraction(120),
                self._beat,
                self._tempo_bpm is not None,
                Meter(),
                received_seconds=self.player.seconds,
            )
        )


@asynccontextmanager
async def stage(
    quantum: Quantum = ONE_BAR, latency_seconds: float | None = 0.0
) -> AsyncIterator[Stage]:
    with offline_player() as player:
        made = Stage(player, quantum, latency_seconds)
        try:
            yield made
        finally:
            await made.playback.close()


def onsets(samples: NDArray[np.float32]) -> NDArray[np.int64]:
    """The bar lines of what is heard: a clip keeps a moment before its loudest clicks."""
    level = np.abs(samples[:, 0])
    loud = np.flatnonzero(level > 0.4)
    starts = loud[np.flatnonzero(np.diff(loud, prepend=-10_000) > 2000)]
    return np.array([start + int(level[start:][:300].argmax()) - PREROLL for start in starts])


def test_a_clip_starts_on_the_next_bar_line_and_repeats_on_each() -> None:
    async def starts() -> None:
        async with stage() as on:
            on.tempo("120")
            await on.run(0.5)
            await on.playback.play(clicks())
            await on.run(8)
            assert on.player.status.layers[0][1] == 2 * RATE
            heard = onsets(on.player.samples)
            assert np.abs(heard - np.arange(2, 9, 2) * RATE).max() < 50
            assert [type(command) for command in on.player.commands] == [Start]

    asyncio.run(starts())


def test_the_sound_is_early_by_the_latency_of_the_output() -> None:
    async def early() -> None:
        async with stage(latency_seconds=0.025) as on:
            on.tempo("120")
            await on.playback.play(clicks())
            await on.run(3)
            assert on.player.status.layers[0][1] == pytest.approx(1.975 * RATE, abs=1)

    asyncio.run(early())


@pytest.mark.parametrize(("tempo", "made_at"), [("120.05", 120), ("119.9", 120), ("90", 90)])
def test_thirty_bars_stay_on_the_bar_lines_of_the_clock(tempo: str, made_at: int) -> None:
    async def plays() -> None:
        async with stage() as on:
            on.tempo(tempo)
            await on.playback.play(clicks(2, made_at))
            bar_frames = 240 / float(tempo) * RATE
            await on.run(32 * bar_frames / RATE)
            heard = onsets(on.player.samples)
            assert len(heard) >= 15
            off = (heard - heard[0] + bar_frames) % (2 * bar_frames) - bar_frames
            print(f"{tempo}: off by {np.abs(off).max() / RATE * 1000:.2f} ms at most")
            assert np.abs(off).max() < 0.001 * RATE
            assert abs((heard[0] + bar_frames / 2) % bar_frames - bar_frames / 2) < 0.001 * RATE
            anchors = [each for each in on.player.commands if isinstance(each, Anchor)]
            assert bool(anchors) == (float(tempo) != made_at)
            assert not on.remarks

    asyncio.run(plays())


def test_anchoring_makes_no_click() -> None:
    async def plays() -> None:
        seconds = np.arange(4 * RATE) / RATE
        tone = (0.2 * np.sin(2 * np.pi * 220 * seconds)).astype(np.float32)
        noise = np.random.default_rng(1).normal(0, 0.01, (4 * RATE, 2)).astype(np.float32)
        waveform = Waveform(tone[:, np.newaxis] + noise, RATE)
        async with stage() as on:
            on.tempo("120.1")
            await on.playback.play(PlayableClip("tone", waveform, 2, Meter(), Fraction(120)))
            await on.run(20)
            begun = on.player.status.layers[0][1] + 1000
            heard = spectral_flux(on.player.samples[begun:], lowest_hz=2000)
            own = spectral_flux(waveform.samples, lowest_hz=2000)
            assert any(isinstance(each, Anchor) for each in on.player.commands)
            assert heard.max() < 1.2 * own.max()

    asyncio.run(plays())


def test_a_swap_and_a_stop_come_on_the_grid() -> None:
    async def swaps() -> None:
        async with stage() as on:
            on.tempo("120")
            await on.playback.play(clicks(name="one"))
            await on.run(4.5)
            await on.playback.play(clicks(4, amplitude=0.6, name="two"))
            await on.run(2)
            assert on.player.status.layers[0][1] == 6 * RATE
            on.playback.stop(0)
            await on.run(3)
            assert not on.player.samples[8 * RATE :].any()
            assert on.player.samples[8 * RATE - RATE // 2 : 8 * RATE].any()
        states = [(event.state, event.clip, event.coming) for event in on.events]
        assert states == [
            *[("off", "", "one"), ("playing", "one", "")],
            *[("playing", "one", "two"), ("playing", "two", "")],
            *[("stopping", "two", ""), ("off", "", "")],
        ]
        assert len(on.player.dropped) == len(on.player.clips) == 2

    asyncio.run(swaps())


def test_layers_change_together_on_one_line() -> None:
    async def changes() -> None:
        async with stage() as on:
            on.tempo("120")
            await on.playback.play(clicks(name="old"), 1)
            await on.run(2.5)
            await on.playback.change({0: clicks(name="one"), 1: None, 2: clicks(name="two")})
            await on.run(2)
            frames = [started for _, started in on.player.status.layers]
            assert frames[:3] == [4 * RATE, 0, 4 * RATE]

    asyncio.run(changes())


def test_a_change_returns_the_line_whose_commands_it_has_given() -> None:
    async def changes() -> None:
        async with stage() as on:
            on.tempo("120")
            await on.run(2 - 2 * SOONEST_SECONDS)
            assert await on.playback.change({0: clicks()}) == pytest.approx(BEGIN_SECONDS + 2)
            await on.run(0.5)
            assert await on.playback.change({0: clicks(name="two")}) is None

    asyncio.run(changes())


def test_if_one_of_several_clips_cannot_be_prepared_none_enters() -> None:
    async def changes() -> None:
        async with stage() as on:
            on.tempo("120")
            both = on.playback.change({0: clicks(name="one"), 1: clicks(name="two")})
            task = asyncio.create_task(both)
            await asyncio.sleep(0)
            on.playback.stop(1)
            with pytest.raises(Cancelled):
                await task
            await on.run(4)
            assert not on.player.samples.any()
            assert len(on.player.dropped) == len(on.player.clips)

    asyncio.run(changes())


def test_what_belongs_to_a_line_that_has_just_passed_enters_in_time_with_it() -> None:
    async def enters() -> None:
        async with stage() as on:
            on.tempo("120")
            await on.run(2.1)
            line = BEGIN_SECONDS + 2
            await on.playback.change({0: clicks(4)}, line_seconds=line)
            await on.run(0.7)
            # The click on its second beat is where it is when the clip starts on the line.
            begun = on.player.samples[: round(2.6 * RATE), 0]
            second_beat = int(np.abs(begun).argmax()) - PREROLL
            assert second_beat == pytest.approx(2.5 * RATE, abs=50)
            # Half a second later it is too late for that.
            await on.playback.change({1: clicks(4)}, line_seconds=line)
            await on.run(2)
            assert on.player.status.layers[1][1] == 4 * RATE

    asyncio.run(enters())


def test_a_clip_for_a_bar_line_ignores_a_finer_grid() -> None:
    async def enters() -> None:
        async with stage(Quantum(Fraction(1), "beats")) as on:
            on.tempo("120")
            await on.run(0.2)
            await on.playback.change({0: clicks()})
            await on.playback.change({1: clicks()}, at_bar=True)
            await on.run(2.5)
            assert [on.player.status.layers[each][1] for each in (0, 1)] == [RATE // 2, 2 * RATE]

    asyncio.run(enters())


def test_a_layer_that_is_kept_forgets_what_was_to_come() -> None:
    async def keeps() -> None:
        async with stage() as on:
            on.tempo("120")
            await on.playback.play(clicks(name="one"))
            await on.run(2.5)
            await on.playback.play(clicks(name="two"))
            on.playback.keep(0)
            await on.run(4)
            (last,) = on.events[-1:]
            assert (last.clip, last.coming) == ("one", "")

    asyncio.run(keeps())


def test_what_has_started_when_another_command_comes_sounds_until_that_ones_line() -> None:
    async def overtakes(*, stops: bool) -> None:
        async with stage() as on:
            on.tempo("120")
            await on.playback.play(clicks(name="one"))
            await on.run(3.95)
            await on.playback.play(clicks(name="two"))
            while on.player.status.layers[0][1] != 4 * RATE:
                on.player.render()
            # No poll has seen "two" yet.
            if stops:
                on.playback.stop(0)
            else:
                await on.playback.play(clicks(name="three"))
            await on.run(3)
        clips = [event.clip for event in on.events]
        assert clips == ["", "one", "one", "two", "" if stops else "three"]
        assert sorted(on.player.dropped) == sorted(on.player.clips)[:2]

    asyncio.run(overtakes(stops=True))
    asyncio.run(overtakes(stops=False))


def test_a_layer_that_is_kept_while_a_clip_is_about_to_start_goes_on_with_that() -> None:
    async def keeps() -> None:
        async with stage() as on:
            on.tempo("120")
            await on.playback.play(clicks(name="one"))
            await on.run(3.9)
            await on.playback.play(clicks(name="two"))
            on.playback.keep(0)
            await on.run(0.5)
            on.tempo("126")
            await on.run(4)
            (last,) = on.events[-1:]
            assert (last.clip, last.coming) == ("two", "")
            assert len(on.player.clips) == 3, "it was stretched"

    asyncio.run(keeps())


def test_a_stop_at_once_waits_for_no_line() -> None:
    async def stops() -> None:
        async with stage() as on:
            on.tempo("120")
            await on.playback.play(clicks())
            await on.run(4.5)
            on.playback.stop(0)
            on.playback.stop(0, at_once=True)
            await on.run(0.1)
            assert on.player.status.layers[0] == (0, 0)

    asyncio.run(stops())


def test_without_a_clock_that_plays_a_clip_starts_and_stops_at_once() -> None:
    async def at_once() -> None:
        async with stage() as on:
            await on.run(0.3)
            await on.playback.play(clicks())
            await on.run(1)
            assert on.player.status.layers[0][1] == round(0.3 * RATE / BLOCK) * BLOCK
            on.playback.stop()
            await on.run(0.1)
            assert on.player.status.layers[0] == (0, 0)

    asyncio.run(at_once())


def test_a_clip_that_started_on_a_beat_stays_there() -> None:
    async def plays() -> None:
        async with stage(Quantum(Fraction(1), "beats")) as on:
            on.tempo("120.05")
            await on.run(0.6)
            await on.playback.play(clicks())
            await on.run(30)
            beat_frames = 60 / 120.05 * RATE
            heard = onsets(on.player.samples) / beat_frames
            assert heard[0] == pytest.approx(2, abs=0.002)
            assert np.abs((heard - 2 + 2) % 4 - 2).max() < 0.002

    asyncio.run(plays())


def test_another_tempo_stretches_the_clip_and_swaps_it_in_at_the_next_bar() -> None:
    async def follows() -> None:
        async with stage() as on:
            on.tempo("120")
            await on.playback.play(clicks(2))
            await on.run(5)
            on.tempo("126")
            await on.run(20)
            bar = 240 / 126 * RATE
            # The bar line after the change: a beat and a half at 120 had gone of its bar.
            heard = onsets(on.player.samples)
            late = heard[heard > 7 * RATE]
            off = np.diff(late) - 2 * bar
            assert len(late) >= 4 and np.abs(off).max() < 0.003 * RATE
            first_line = (5 + 2 * 60 / 126) * RATE
            into = (late - first_line + bar / 2) % bar - bar / 2
            assert np.abs(into).max() < 0.004 * RATE
            assert on.player.clips[on.player.status.layers[0][0]].frames == round(2 * bar)
            assert not on.remarks
            on.tempo("140")
            await on.run(4)
            assert on.remarks == [
                "clicks was made at 120 bpm and is stretched to 140: one made at this tempo "
                "sounds better"
            ]
            on.tempo("120.1")
            await on.run(4)
            # Back at its own tempo, it is the original, not a stretch of a stretch.
            clip = on.player.clips[on.player.status.layers[0][0]]
            assert (clip.samples == clicks(2).waveform.samples).all()

    asyncio.run(follows())


def test_a_clip_that_cannot_be_stretched_is_tried_once_for_each_tempo() -> None:
    async def test() -> None:
        async with stage() as band:
            band.tempo("120")
            await band.playback.play(clicks(4))
            await band.run(1.0)
            new_clip = band.player.new_clip

            def full(frames: int) -> ClipMemory:
                raise NoOutput("no room")

            band.player.new_clip = full  # type: ignore[method-assign]
            for count, tempo in enumerate(("110", "130"), start=1):
                band.tempo(tempo)
                await band.run(3.0)
                assert band.remarks == ["no room"] * count
            band.player.new_clip = new_clip  # type: ignore[method-assign]
            band.tempo("110")
            await band.run(3.0)
            assert len(band.remarks) == 3 and "is stretched to 110" in band.remarks[2]

    asyncio.run(test())


def test_panic_silences_and_forgets_everything() -> None:
    async def panics() -> None:
        async with stage() as on:
            on.tempo("120")
            for layer in range(3):
                await on.playback.play(clicks(), layer)
            await on.run(2.1)
            await on.playback.play(clicks(), 1)
            on.playback.panic()
            frame = on.player.frame
            await on.run(4)
            assert not on.player.samples[frame + BLOCK :].any()
            assert len(on.player.dropped) == 4

    asyncio.run(panics())


def test_gain_and_mute_are_each_layers_own() -> None:
    async def mixes() -> None:
        async with stage() as on:
            await on.playback.play(clicks(), 0)
            await on.playback.play(clicks(), 1)
            on.playback.mute(1, True)
            on.playback.set_gain(0, -6.0206)
            await on.run(2.5)
            assert np.abs(on.player.samples[RATE:]).max() == pytest.approx(0.4, rel=0.02)
            on.playback.mute(1, False)
            await on.run(2)
            assert np.abs(on.player.samples[3 * RATE :]).max() == pytest.approx(
                0.9 + 0.1 * np.tanh(3), rel=0.02
            )
            assert on.events[-1] == LayerChanged(2, "playing", "clicks", "", 0.0, False)

    asyncio.run(mixes())


@pytest.mark.parametrize("rate", [RATE, 32_000])
def test_a_clip_plays_while_its_later_chunks_are_made(rate: int) -> None:
    async def streams() -> None:
        whole = clicks(4)
        source = whole.waveform.resampled(rate).samples
        async with stage() as on:
            on.tempo("120")
            await on.run(0.5)
            empty = Waveform(np.zeros((0, 2), np.float32), rate)
            stream = on.playback.stream(replace(whole, waveform=empty))
            for first in range(0, len(source), rate // 2):
                stream.append(source[first : first + rate // 2])
                if first == rate:
                    stream.start()
                await on.run(0.4)
            stream.end()
            assert stream.seconds_left == 0
            await on.run(12)
            assert on.player.mixer.dry == 0
            begun = on.player.status.layers[0][1]
            assert begun == 2 * RATE
            heard = onsets(on.player.samples)
            assert np.abs((heard - begun + RATE) % (2 * RATE) - RATE).max() < 60
            heard_clip = on.player.samples[begun + 100 : begun + 8 * RATE]
            assert np.abs(heard_clip - whole.waveform.samples[100:]).max() < (
                1e-6 if rate == RATE else 0.3
            )
            # Now that all of it is there, it follows the tempo like any other.
            on.tempo("126")
            await on.run(4)
            assert on.player.clips[on.player.status.layers[0][0]].frames == round(
                16 * 60 / 126 * RATE
            )

    asyncio.run(streams())


def test_a_stream_whose_layer_got_another_command_no_longer_starts() -> None:
    async def stops() -> None:
        async with stage() as on:
            empty = Waveform(np.zeros((0, 2), np.float32), RATE)
            stream = on.playback.stream(replace(clicks(), waveform=empty))
            on.playback.stop(0)
            stream.append(clicks().waveform.samples)
            stream.start()
            stream.end()
            await on.run(0.5)
            assert not on.player.samples.any()

    asyncio.run(stops())


def test_the_newest_command_for_a_layer_counts() -> None:
    async def commands() -> None:
        async with stage() as on:
            playing = asyncio.create_task(on.playback.play(clicks(name="one")))
            await asyncio.sleep(0)
            await on.playback.play(clicks(name="two"))
            with pytest.raises(Cancelled, match="one: another command for layer 1"):
                await playing
            await on.run(0.5)
            assert on.events[-1].clip == "two"

    asyncio.run(commands())


def test_an_output_that_is_away_is_an_error_and_what_played_comes_back_with_it() -> None:
    async def away() -> None:
        async with stage() as on:
            await on.playback.play(clicks())
            await on.run(0.5)
            on.playback.set_gain(0, -6.0206)
            on.player.state, on.player.detail = "lost", "the cable is out"
            on.playback.output_changed()
            assert [event.state for event in on.events][-1] == "off"
            with pytest.raises(NoOutput, match="nothing plays: the cable is out"):
                await on.playback.play(clicks(), 1)
            on.player.state = "ready"
            on.playback.output_changed()
            await on.settle()
            await on.run(0.5)
            assert on.events[-1] == LayerChanged(1, "playing", "clicks", "", -6.0206, False)
            # What was refused while it was away is not played now.
            assert on.player.status.layers[1] == (0, 0)

    asyncio.run(away())


def test_the_time_of_frame_0_is_where_the_stage_begins() -> None:
    with offline_player() as player:
        assert player.status.seconds_at(RATE) == BEGIN_SECONDS + 1
