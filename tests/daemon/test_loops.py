"""Live loops with a clock, a session and an output in a time of the test's own: to the frame."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest

from bridge.audio import Waveform
from bridge.clip import stretched_loop
from bridge.clock.exact_clock import ExactClock
from bridge.commands import (
    Cancel,
    CaptureLast,
    ClipSettings,
    Command,
    Generate,
    LoopClear,
    LoopCommand,
    LoopFreeze,
    LoopOverdub,
    LoopSet,
    LoopStart,
    LoopStop,
    LoopUndo,
    Transport,
)
from bridge.daemon.clips import ClipRegistry
from bridge.daemon.loop_file import LoopFile
from bridge.daemon.loops import Loops
from bridge.daemon.requests import RequestRegistry
from bridge.delivery import History, KnownClip, write_clip
from bridge.delivery.playable import PlayableClip
from bridge.delivery.playback import AHEAD_SECONDS, SOONEST_SECONDS, Playback
from bridge.errors import BadArgument, QueueFull, UnknownId, UnknownMelody
from bridge.events import CaptureChanged, DefaultsChanged, Done, Event, Failed, LoopChanged, Remark
from bridge.timing import ONE_BAR, Meter, bars_to_frames
from tests.delivery.offline_player import BEGIN_SECONDS, RATE, OfflinePlayer, offline_player

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
        self.tempo_bpm = TEMPO_BPM
        self.clock = ExactClock()
        self.history = History(folder)
        self._later: list[tuple[float, Callable[[], None]]] = []
        self._blocks = self._made = self._read_frame = 0
        self._beat = 0.0
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
            file=LoopFile(folder),
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
            await self.settle()
            self.player.render()
            self._blocks += 1

    async def settle(self) -> None:
        """Wait for what is read and prepared in threads."""
        while tasks := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(tasks)

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
        """The clock plays from frame 0 on, at `TEMPO_BPM` until `tempo_bpm` is changed."""
        seconds = self.player.seconds
        beat_seconds = 60 / float(self.tempo_bpm)
        self._beat += (self.player.frame - self._read_frame) / RATE / beat_seconds
        self._read_frame = self.player.frame
        self.clock.update(
            Transport(self.tempo_bpm, self._beat, True, Meter(), received_seconds=seconds)
        )

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
        tempo_bpm = command.settings.get("tempo_bpm") or self.tempo_bpm
        frames = bars_to_frames(bars, Meter(), tempo_bpm, RATE)
        samples = np.zeros((frames, 2), np.float32)
        samples[SPIKE_FRAME] = self._made / 10
        path = write_clip(
            self.folder,
            Waveform(samples, RATE),
            {
                **{"request": command.id, "bars": bars, "tempo_bpm": tempo_bpm, "meter": "4/4"},
                **{"seed": 1, "sample_rate": RATE, "melody_similarity": None},
            },
            name=f"clip {self._made}",
            bars=bars,
            tempo_bpm=tempo_bpm,
            meter=Meter(),
        )
        clip = KnownClip(path, command.id, 0, bars, tempo_bpm, Meter(), self._made, RATE, None)
        self.history.add([clip])


AnyBand = TypeVar("AnyBand", bound=Band)


def perform(
    folder: Path,
    test: Callable[[AnyBand], Coroutine[Any, Any, None]],
    make: Callable[[OfflinePlayer, Path], AnyBand] = Band,  # type: ignore[assignment]
) -> AnyBand:
    """Run a test, and return its band."""
    folder.mkdir(exist_ok=True)

    async def main() -> AnyBand:
        with offline_player() as player:
            band = make(player, folder)
            await test(band)
            await band.loops.close()
            return band

    return asyncio.run(main())


START = LoopStart("set-1", ClipSettings(bars=BARS, prompt="keys"))


def test_the_bar_that_is_announced_is_that_of_the_command_that_was_given(tmp_path: Path) -> None:
    """The clip is just in time for a bar line; when the loop goes on, another one would not be."""

    async def test(band: Band) -> None:
        change, line_seconds = band.playback.change, BEGIN_SECONDS + 3 * BAR_FRAMES / RATE

        async def changed(*arguments: Any, **settings: Any) -> float | None:
            assert SOONEST_SECONDS < line_seconds - band.player.seconds < AHEAD_SECONDS
            given = await change(*arguments, **settings)
            while band.player.seconds < line_seconds - SOONEST_SECONDS / 2:
                band.player.render()
            return given

        band.playback.change = changed  # type: ignore[method-assign]
        await band.run_to(2.2)
        band.render_seconds = line_seconds - band.player.seconds - 0.1 - 1.5 * SOONEST_SECONDS
        band.do(START)
        await band.run_to(3.2)

    band = perform(tmp_path / "Clips", test)
    queued = [
        event.bar
        for event in band.events
        if isinstance(event, LoopChanged) and event.coming == "queued"
    ]
    assert queued[:1] == [4] and band.entered()[:1] == [(3.0, 0.1)]


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
        "loop:set-1.2", ClipSettings(bars=BARS, prompt="keys", due_bars=BARS), "loop:set-1.1"
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
    assert first.settings == ClipSettings(bars=BARS, preset="techno", due_bars=BARS)
    # A new variation of the first melody.
    assert second.settings == ClipSettings(bars=1, prompt="strings", seed=-1, due_bars=1)
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


def test_a_loop_that_is_cleared_while_it_plays_is_off(tmp_path: Path) -> None:
    async def test(band: Band) -> None:
        await band.run_to(2.2)
        band.do(START)
        await band.run_to(4.0)
        assert band.state[0] == "playing"
        band.do(LoopClear("set-1"))
        changes = [event for event in band.events if isinstance(event, LoopChanged)]
        assert (changes[-1].sounding, changes[-1].coming) == ("off", "none")
        assert not changes[-1].is_on

    perform(tmp_path / "Clips", test)


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


def test_a_later_run_goes_on_with_every_loop_as_it_was(tmp_path: Path) -> None:
    async def first(band: Band) -> None:
        await band.run_to(2.2)
        band.loops.observe(DefaultsChanged(ClipSettings(bars=1, temperature=1.1)))
        band.do(LoopStart("set-1", ClipSettings(bars=1, prompt="keys", tempo_bpm=Fraction("93.7"))))
        band.do(LoopStart("set-2", ClipSettings(bars=2), layer=3, quick=True))
        band.playback.set_gain(2, -6.0)
        band.playback.mute(1, True)
        await band.run_to(4.5)
        band.do(LoopOverdub("set-1"))
        band.do(LoopFreeze("set-2"))
        await band.run_to(5.5)

    async def later(band: Band) -> None:
        saved = LoopFile(folder).read()
        assert saved is not None
        assert saved.session == ClipSettings(bars=1, temperature=1.1)
        band.loops.resume_from(saved, band.history.named)
        states = [event for event in band.events if isinstance(event, LoopChanged)]
        assert [(event.id, event.coming) for event in states] == [
            ("set-1", "armed"),
            ("set-2", "armed"),
        ]
        await band.run_to(1.2)
        heard = {loop.id: dict(loop.state.heard) for loop in band.loops._loops.values()}
        assert {id: set(layers) for id, layers in heard.items()} == {"set-1": {1, 2}, "set-2": {3}}
        one, two = band.loops._loops.values()
        assert one.settings == ClipSettings(bars=1, prompt="keys", tempo_bpm=Fraction("93.7"))
        assert (two.settings, two.quick, two.state.is_frozen) == (ClipSettings(bars=2), True, True)
        assert two.state.coming == "none" and one.state.coming == "capturing"
        layers = band.playback._layers
        assert (layers[2].gain_db, layers[1].is_muted) == (-6.0, True)
        band.do(LoopUndo("set-1"))
        await band.run_to(2.5)
        assert set(one.state.heard) == {1}

    folder = tmp_path / "Clips"
    perform(folder, first)
    perform(folder, later)


def test_a_clip_that_is_gone_costs_its_arrangements_and_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "Clips"

    async def first(band: Band) -> None:
        await band.run_to(2.2)
        band.do(START)
        await band.run_to(5.5)

    async def later(band: Band) -> None:
        saved = LoopFile(folder).read()
        assert saved is not None
        band.loops.resume_from(saved, band.history.named)
        await band.run_to(1.5)
        (loop,) = band.loops._loops.values()
        assert loop.state.heard == {1: "clip 1"}
        assert band.remarks() == ["clips that it has played are gone: clip 2"]

    perform(folder, first)
    (folder / "clip 2.wav").unlink()
    perform(folder, later)


def test_loops_that_cannot_be_kept_are_a_remark_and_play_on(tmp_path: Path) -> None:
    async def test(band: Band) -> None:
        (band.folder / "loops.json").mkdir()
        await band.run_to(2.2)
        band.do(START)
        await band.run_to(5.5)

    band = perform(tmp_path / "Clips", test)
    assert band.entered() == [(3.0, 0.1), (5.0, 0.2)]
    (said,) = band.remarks()
    assert said.startswith("the live loops cannot be kept for --resume: ")
    assert not list((tmp_path / "Clips").glob(".*"))


def changes_tempo(
    band: Band, *, to: str, settings: ClipSettings = START.settings
) -> Coroutine[Any, Any, None]:
    """Let a loop of eight bars play, and change the clock's tempo in its second bar."""

    async def change() -> None:
        await band.run_to(8.2)
        band.do(LoopStart("set-1", ClipSettings(bars=8).over(settings)))
        await band.run_to(11.5)
        assert band.state[0] == "playing"
        band.tempo_bpm = Fraction(to)
        await band.run_to(14.8)

    return change()


def test_a_tempo_that_is_far_from_the_clips_has_it_made_again(tmp_path: Path) -> None:
    async def test(band: Band) -> None:
        await changes_tempo(band, to="140")
        (loop,) = band.loops._loops.values()
        assert loop.state.heard == {1: "clip 2"}
        assert loop.state.history.beside(-1) is None

    band = perform(tmp_path / "Clips", test)
    first, second = [each for each in band.commands if isinstance(each, Generate)]
    assert second.melody == first.melody == "loop:set-1.1"
    assert second.settings == ClipSettings(bars=8, prompt="keys", seed=1, due_bars=8)
    assert band.remarks() == [
        "the tempo is 140 bpm now: what was made at 120 plays stretched, and is made again"
    ]
    changes = [event for event in band.events if isinstance(event, LoopChanged)]
    coming = [(event.sounding, event.coming) for event in changes]
    begun = coming.index(("playing", "rendering"))
    assert coming[begun : begun + 3] == [
        ("playing", "rendering"),
        ("playing", "queued"),
        ("playing", "capturing"),
    ]
    number = band.player.status.layers[0][0]
    assert band.player.clips[number].frames == bars_to_frames(8, Meter(), Fraction(140), RATE)


@pytest.mark.parametrize("to", ["129", "120.1"])
def test_a_clip_that_is_near_the_tempo_is_only_stretched(tmp_path: Path, to: str) -> None:
    async def test(band: Band) -> None:
        await changes_tempo(band, to=to)

    band = perform(tmp_path / "Clips", test)
    assert [each.id for each in band.commands if isinstance(each, Generate)] == ["loop:set-1.2"]
    assert band.remarks() == []


def test_a_loop_whose_settings_name_a_tempo_is_made_again_once(tmp_path: Path) -> None:
    """What is made again has the settings' tempo, as before."""

    async def test(band: Band) -> None:
        settings = ClipSettings(tempo_bpm=Fraction(120))
        await changes_tempo(band, to="140", settings=settings)

    band = perform(tmp_path / "Clips", test)
    assert len([each for each in band.commands if isinstance(each, Generate)]) == 2


def test_a_clip_that_cannot_be_made_again_goes_on_stretched(tmp_path: Path) -> None:
    async def test(band: Band) -> None:
        await band.run_to(8.2)
        band.do(LoopStart("set-1", ClipSettings(bars=8)))
        await band.run_to(11.5)
        band.errors = {Generate: "engine-died"}
        band.tempo_bpm = Fraction(140)
        await band.run_to(14.8)
        assert band.state[:2] == ("playing", "capturing")

    band = perform(tmp_path / "Clips", test)
    assert len([each for each in band.commands if isinstance(each, Generate)]) == 2
    assert band.remarks()[1:] == ["it failed; the loop goes on as it is"]


async def until_queued(band: Band) -> None:
    """Let time pass until the loop's next clip is to enter."""
    while band.state[1] != "queued":
        await band.run_to(band.player.frame / BAR_FRAMES + 0.02)


def takes(band: Band) -> int:
    return sum(isinstance(command, CaptureLast) for command in band.commands)


def test_an_overdub_that_comes_before_the_last_one_has_entered_loses_no_layer(
    tmp_path: Path,
) -> None:
    async def test(band: Band) -> None:
        await band.run_to(2.2)
        band.do(START)
        await band.run_to(3.3)
        for _ in range(2):
            band.do(LoopOverdub("set-1"))
            await until_queued(band)
        await band.run_to(20)
        assert takes(band) > 6
        playing = [layer.sounding and layer.sounding.clip.name for layer in band.playback._layers]
        (loop,) = band.loops._loops.values()
        assert {
            number + 1 for number, name in enumerate(playing) if name
        } == loop.state.heard.keys()

    perform(tmp_path / "Clips", test)


def test_a_layer_that_is_stopped_before_the_loop_is_heard_stops_the_loop(tmp_path: Path) -> None:
    async def test(band: Band) -> None:
        await band.run_to(2.2)
        band.do(START)
        await until_queued(band)
        assert band.loops.stop_layer(1)
        await band.run_to(14)
        assert band.entered() == []
        assert band.state[:2] == ("off", "none")

    perform(tmp_path / "Clips", test)


def test_a_loop_whose_layer_is_taken_while_its_clip_waits_goes_on_with_the_next(
    tmp_path: Path,
) -> None:
    async def test(band: Band) -> None:
        await band.run_to(2.2)
        band.do(START)
        await until_queued(band)
        frames = np.zeros((BAR_FRAMES, 2), np.float32)
        frames[SPIKE_FRAME] = 0.9
        clip = PlayableClip("mine", Waveform(frames, RATE), 1, Meter(), TEMPO_BPM)
        await band.playback.play(clip, 0)
        band.loops.layer_taken(1)
        await band.run_to(16)
        assert takes(band) > 3
        levels = [level for _, level in band.entered()]
        assert levels[0] == 0.9 and len(levels) > 3

    perform(tmp_path / "Clips", test)


def test_clips_of_a_tempo_that_the_loop_asks_for_are_made_once(tmp_path: Path) -> None:
    async def test(band: Band) -> None:
        await band.run_to(2.2)
        settings = ClipSettings(bars=BARS, prompt="keys", tempo_bpm=Fraction(100))
        band.do(LoopStart("set-1", settings))
        await band.run_to(20)
        assert sum(isinstance(command, Generate) for command in band.commands) == takes(band) > 3
        assert not any("made again" in text for text in band.remarks())

    perform(tmp_path / "Clips", test)


def test_a_loop_whose_melody_is_forgotten_takes_another(tmp_path: Path) -> None:
    async def test(band: Band) -> None:
        await band.run_to(2.2)
        band.do(LoopStart("set-1", ClipSettings(bars=BARS, prompt="keys"), follow=False))
        await band.run_to(5)
        assert takes(band) == 1
        band.errors[Generate] = UnknownMelody.code
        await band.run_to(9)
        del band.errors[Generate]
        await band.run_to(16)
        assert takes(band) > 1 and band.state[0] == "playing"

    perform(tmp_path / "Clips", test)
