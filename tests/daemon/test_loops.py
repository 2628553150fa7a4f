"""Live loops with a clock, a session and an output in a time of the test's own: to the frame."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bridge.audio import Waveform
from bridge.clip import stretched_loop
from bridge.clock.exact_clock import ExactClock
from bridge.commands import (
    Cancel,
    CaptureChanged,
    CaptureLast,
    ClipSettings,
    Command,
    DefaultsChanged,
    Done,
    Event,
    Failed,
    Generate,
    LoopChanged,
    LoopClear,
    LoopCommand,
    LoopFreeze,
    LoopOverdub,
    LoopSet,
    LoopStart,
    LoopStop,
    LoopUndo,
    Remark,
    Transport,
)
from bridge.daemon.clips import ClipRegistry
from bridge.daemon.loops import Loops
from bridge.daemon.requests import RequestRegistry
from bridge.delivery import History, KnownClip, write_clip
from bridge.delivery.playback import Playback
from bridge.errors import BadArgument, QueueFull, UnknownId
from bridge.timing import ONE_BAR, Meter, bars_to_frames
from tests.delivery.offline_player import RATE, OfflinePlayer, offline_player

TEMPO_BPM = Fraction(120)
BAR_FRAMES = 2 * RATE
BARS = 2
POLL_BLOCKS = 10
SPIKE_FRAME = 1000
"""The loud frame of each clip: after its fade."""


class Band:
    """Loops on an offline output, with a session that makes a clip for each request.

    Attributes:
        commands: that the loops gave the session.
        events: that they published.
        render_seconds: how long the session takes for a clip of `BARS` bars.
        errors: codes with which the next requests fail, by their kind.
    """

    def __init__(self, player: OfflinePlayer, folder: Path) -> None:
        async def stretched(waveform: Waveform, frames: int) -> Waveform:
            return stretched_loop(waveform, frames)

        self.player, self.folder = player, folder
        self.commands: list[Command] = []
        self.events: list[Event] = []
        self.render_seconds = 0.5
        self.errors: dict[type[Command], str] = {}
        self.bars = BARS
        self.clock = ExactClock()
        self.history = History(folder)
        self._later: list[tuple[float, Callable[[], None]]] = []
        self._blocks = self._made = 0
        self.playback = Playback(
            player,
            lambda: self.clock,
            quantum=ONE_BAR,
            latency_seconds=0.0,
            stretch=stretched,
            publish=lambda event: self._later.append((0.0, lambda: self.loops.observe(event))),
            remark=lambda text: None,
            now=lambda: player.seconds,
        )
        self.loops = Loops(
            self.playback,
            ClipRegistry(RequestRegistry(self.events.append), self.history),
            clock=lambda: self.clock,
            quantum=ONE_BAR,
            bars=lambda: self.bars,
            perform=self._perform,
            publish=self.events.append,
            now=lambda: player.seconds,
        )

    def do(self, command: LoopCommand) -> None:
        self.loops.handle(command)

    async def run_to(self, bar: float) -> None:
        """Let time pass until a bar, counted from 0."""
        while self.player.frame < bar * BAR_FRAMES:
            if self._blocks % POLL_BLOCKS == 0:
                self._read_clock()
                self.playback.poll(self.player.seconds)
                self.loops.poll()
            due = [work for at, work in self._later if at <= self.player.seconds]
            self._later = [each for each in self._later if each[0] > self.player.seconds]
            for work in due:
                work()
            await settle()
            self.player.render()
            self._blocks += 1

    @property
    def state(self) -> tuple[str, str, int, int]:
        """What sounds, what is to come, on which layer, and at which bar, from 1."""
        (*_, newest) = [event for event in self.events if isinstance(event, LoopChanged)]
        return newest.sounding, newest.coming, newest.layer, newest.bar

    def entered(self) -> list[tuple[float, float]]:
        """The bars, exact to the frame, on which clips of another level began, and that level."""
        left = self.player.samples[:, 0]
        spikes = np.flatnonzero(left > 0.05)
        levels = np.round(left[spikes].astype(float), 2)
        changes = np.flatnonzero(np.diff(levels, prepend=0.0))
        bars = (spikes[changes] - SPIKE_FRAME) / BAR_FRAMES
        return list(zip(bars.tolist(), levels[changes].tolist(), strict=True))

    def remarks(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Remark)]

    def _read_clock(self) -> None:
        seconds = self.player.seconds
        beat = self.player.frame / BAR_FRAMES * 4
        self.clock.update(Transport(TEMPO_BPM, beat, True, Meter(), received_seconds=seconds))

    def _perform(self, command: Command) -> None:
        self.commands.append(command)
        if code := self.errors.get(type(command)):
            if code == QueueFull.code:
                raise QueueFull("no room")
            assert isinstance(command, CaptureLast | Generate)
            self._in(0.1, Failed(command.id, code, "it failed"))
            return
        match command:
            case CaptureLast(id):
                self._in(0.1, CaptureChanged(id, "done", 4.0, -6.0))
                self._in(0.1, Done(id, 0))
            case Generate():
                self._history_of(command)
                bars = command.settings.get("bars")
                self._in(self.render_seconds * bars / BARS, Done(command.id, 1))

    def _in(self, seconds: float, event: Event) -> None:
        at = self.player.seconds + seconds
        self._later.append((at, lambda: self.loops.observe(event)))

    def _history_of(self, command: Generate) -> None:
        """Write a silent clip with one loud frame: of 0.1 in the first one, 0.2 in the second."""
        self._made += 1
        bars = command.settings.get("bars")
        frames = bars_to_frames(bars, Meter(), TEMPO_BPM, RATE)
        samples = np.zeros((frames, 2), np.float32)
        samples[SPIKE_FRAME] = self._made / 10
        path = write_clip(
            self.folder,
            Waveform(samples, RATE),
            {},
            name=f"clip {self._made}",
            bars=bars,
            tempo_bpm=TEMPO_BPM,
            meter=Meter(),
        )
        clip = KnownClip(path, command.id, 0, bars, TEMPO_BPM, Meter(), 1, RATE, None)
        self.history.add([clip])


async def settle() -> None:
    """Wait for what is read and prepared in threads."""
    while tasks := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(tasks)


def perform(folder: Path, test: Callable[[Band], Coroutine[Any, Any, None]]) -> Band:
    """Run a test, and return its band."""
    folder.mkdir(exist_ok=True)

    async def main() -> Band:
        with offline_player() as player:
            band = Band(player, folder)
            await test(band)
            await band.loops.close()
            return band

    return asyncio.run(main())


START = LoopStart("set-1", ClipSettings(bars=BARS, prompt="keys"))


def test_each_loop_enters_on_the_frame_of_a_bar_line(tmp_path: Path) -> None:
    async def test(band: Band) -> None:
        await band.run_to(2.2)
        band.do(START)
        assert band.state == ("off", "capturing", 1, 0)
        await band.run_to(2.4)
        assert band.state == ("off", "rendering", 1, 0)
        await band.run_to(7.5)

    band = perform(tmp_path / "Clips", test)
    assert band.entered() == [(3.0, 0.1), (5.0, 0.2), (7.0, 0.3)]
    # The take ends at bar 4, one second before: ids go on, and the first two measure the pace.
    assert [command for command in band.commands if isinstance(command, CaptureLast)] == [
        CaptureLast("loop:set-1.1", BARS),
        CaptureLast("loop:set-1.3", BARS),
        CaptureLast("loop:set-1.5", BARS),
    ]
    assert band.commands[1] == Generate(
        "loop:set-1.2", ClipSettings(bars=BARS, prompt="keys"), "loop:set-1.1"
    )


def test_a_loop_that_is_late_slips_by_whole_bars_and_the_last_one_goes_on(tmp_path: Path) -> None:
    async def test(band: Band) -> None:
        await band.run_to(2.2)
        band.do(START)
        await band.run_to(3.5)
        band.render_seconds = 5.0
        await band.run_to(7.5)

    band = perform(tmp_path / "Clips", test)
    assert band.entered() == [(3.0, 0.1), (7.0, 0.2)]
    changes = [event for event in band.events if isinstance(event, LoopChanged)]
    slips = [event.bar for event in changes if event.coming == "slipped"]
    assert slips == sorted(set(slips)) and slips[-1] == 8


@pytest.mark.parametrize(
    ("kind", "code", "remark"),
    [
        (CaptureLast, "silent-melody", "nothing with a pitch was played: the loop goes on as it"),
        (Generate, "engine-died", "it failed; the loop goes on as it is"),
        (Generate, "queue-full", "no room; the loop goes on as it is"),
    ],
)
def test_a_failure_keeps_what_plays_is_said_once_and_the_next_round_comes(
    tmp_path: Path, kind: type[Command], code: str, remark: str
) -> None:
    async def test(band: Band) -> None:
        await band.run_to(2.2)
        band.do(START)
        await band.run_to(3.5)
        band.errors = {kind: code}
        await band.run_to(8.5)
        band.errors = {}
        await band.run_to(11.5)

    band = perform(tmp_path / "Clips", test)
    assert [bar for bar, _ in band.entered()] == [3.0, 11.0]
    (said,) = band.remarks()
    assert said.startswith(remark)


def test_settings_hold_from_the_next_round_on(tmp_path: Path) -> None:
    async def test(band: Band) -> None:
        await band.run_to(2.2)
        band.do(LoopStart("set-1", ClipSettings(preset="techno")))
        band.do(LoopSet("set-1", ClipSettings(prompt="strings"), follow=False))
        band.bars = 1
        band.loops.observe(DefaultsChanged(ClipSettings(bars=1)))
        await band.run_to(6.5)

    band = perform(tmp_path / "Clips", test)
    first, second, *_ = [each for each in band.commands if isinstance(each, Generate)]
    assert first.settings == ClipSettings(bars=BARS, preset="techno")
    # A new variation of the first melody.
    assert second.settings == ClipSettings(bars=1, prompt="strings", seed=-1)
    assert (first.melody, second.melody) == ("loop:set-1.1", "loop:set-1.1")


def test_layers_sound_together_and_undo_takes_one_off_on_a_bar_line(tmp_path: Path) -> None:
    async def test(band: Band) -> None:
        await band.run_to(2.2)
        band.do(LoopStart("set-1", ClipSettings(bars=1)))
        await band.run_to(3.5)
        band.do(LoopOverdub("set-1"))
        await band.run_to(4.5)
        assert band.state[:3] == ("playing", "capturing", 2)
        band.do(LoopUndo("set-1"))
        await band.run_to(5.5)
        band.do(LoopFreeze("set-1"))
        band.do(LoopStop("set-1"))
        await band.run_to(7.5)
        assert band.state == ("off", "none", 1, 0)
        assert not band.player.samples[6 * BAR_FRAMES :].any()

    band = perform(tmp_path / "Clips", test)
    assert band.entered() == [(3.0, 0.1), (4.0, 0.3), (5.0, 0.1)]


def test_a_second_press_takes_the_bars_that_there_are_and_the_loop_keeps_that_length(
    tmp_path: Path,
) -> None:
    async def test(band: Band) -> None:
        await band.run_to(2.2)
        band.do(LoopStart("set-1", ClipSettings(bars=8)))
        assert band.state == ("off", "capturing", 1, 9)
        await band.run_to(3.2)
        band.do(LoopStart("set-1", ClipSettings(bars=8)))
        band.loops.observe(DefaultsChanged(ClipSettings(temperature=1.1)))
        await band.run_to(7.5)

    band = perform(tmp_path / "Clips", test)
    takes = [each.bars for each in band.commands if isinstance(each, CaptureLast)]
    assert takes == [3, 3]
    assert band.entered() == [(4.0, 0.1), (7.0, 0.2)]


def test_after_a_panic_nothing_enters_that_was_being_read(tmp_path: Path) -> None:
    async def test(band: Band) -> None:
        band.render_seconds = 100.0
        await band.run_to(2.2)
        band.do(START)
        await band.run_to(2.4)
        band.loops.observe(Done("loop:set-1.2", 1))
        # One turn of the event loop: the clip is found, and is to be read.
        await asyncio.sleep(0)
        band.loops.silenced()
        band.playback.panic()
        await band.run_to(4.0)
        assert band.state == ("off", "none", 1, 0)

    assert perform(tmp_path / "Clips", test).entered() == []


def test_a_second_loop_has_a_layer_of_its_own(tmp_path: Path) -> None:
    async def test(band: Band) -> None:
        await band.run_to(2.2)
        band.do(START)
        band.do(LoopStart("set-2", ClipSettings()))
        with pytest.raises(BadArgument, match="layer 2 is the loop 'set-2'"):
            band.do(LoopStart("set-3", ClipSettings(), layer=2))
        with pytest.raises(BadArgument, match="plays on layer 1"):
            band.do(LoopStart("set-1", ClipSettings(), layer=2))
        with pytest.raises(BadArgument, match="plays nothing"):
            band.do(LoopOverdub("set-1"))
        band.do(LoopClear("set-1"))
        with pytest.raises(UnknownId):
            band.do(LoopUndo("set-1"))
        await band.run_to(3.5)
        band.do(LoopStart("set-3", ClipSettings(), layer=1))

    band = perform(tmp_path / "Clips", test)
    assert band.entered() == [(3.0, 0.2)]
    cancelled = [command.id for command in band.commands if isinstance(command, Cancel)]
    assert cancelled == ["loop:set-1.1", "loop:set-1.2"]


def test_a_quick_clip_plays_until_the_whole_one_is_there(tmp_path: Path) -> None:
    async def test(band: Band) -> None:
        await band.run_to(4.2)
        band.render_seconds = 2.0
        band.do(LoopStart("set-1", ClipSettings(bars=4), quick=True))
        await band.run_to(7.5)
        # The short one is no loop to go back to.
        band.do(LoopUndo("set-1"))
        await band.run_to(8.5)

    band = perform(tmp_path / "Clips", test)
    assert band.entered() == [(5.0, 0.1), (7.0, 0.2)]
    assert band.remarks() == ["there is nothing before what the loop plays"]


def test_a_whole_clip_that_is_there_first_plays_at_once(tmp_path: Path) -> None:
    async def test(band: Band) -> None:
        await band.run_to(4.2)
        band.do(LoopStart("set-1", ClipSettings(bars=4), quick=True))
        await band.run_to(6.5)

    band = perform(tmp_path / "Clips", test)
    quick, whole = [each for each in band.commands if isinstance(each, Generate)]
    assert (quick.id, quick.settings.get("bars")) == ("loop:set-1.2quick", 1)
    assert (whole.id, whole.settings.get("bars")) == ("loop:set-1.3", 4)
    assert band.entered() == [(5.0, 0.2)]
