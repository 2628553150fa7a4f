"""Live loops that a DAW plays: the daemon's side, with a DAW that does as its device reports."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from math import ceil
from pathlib import Path

import pytest

from bridge.commands import (
    ClipSettings,
    LoopClear,
    LoopCommand,
    LoopFreeze,
    LoopOverdub,
    LoopPlaying,
    LoopRedo,
    LoopStart,
    LoopStop,
    LoopUndo,
)
from bridge.daemon.clips import ClipRegistry
from bridge.daemon.loop_file import LoopFile
from bridge.daemon.loop_players import SILENT_SECONDS
from bridge.daemon.loops import MOST_LIVE_LOOPS, Loops
from bridge.daemon.requests import RequestRegistry
from bridge.delivery import History
from bridge.errors import BadArgument, NoOutput, UnknownId
from bridge.events import LoopChanged
from bridge.timing import ONE_BAR
from tests.daemon.test_loops import BAR_FRAMES, BARS, Band, perform
from tests.delivery.offline_player import OfflinePlayer

ID = "live1-1"
START = LoopStart(ID, ClipSettings(bars=BARS), deliver="live")
PLACING_SECONDS = 0.2
BAR_BEATS = 4


class LiveBand(Band):
    """A band whose loop a DAW plays.

    Attributes:
        grid_bars: the DAW's launch quantization.
        takes_clips: whether it can play clips.
        is_there: whether it reports.
        clip: the clip that it plays.
        began: the clips that it has played, each with the bar on whose line it began, from 1.
    """

    def __init__(self, player: OfflinePlayer, folder: Path) -> None:
        super().__init__(player, folder)
        self.grid_bars, self.takes_clips, self.is_there = 1, True, True
        self.clip = ""
        self.began: list[tuple[str, int]] = []
        self._next, self._at_bar, self._asked_seconds = "", 0, 0.0
        self._sent: LoopPlaying | None = None

    async def settle(self) -> None:
        """Let tasks run as far as they can: one waits for the DAW."""
        for _ in range(20):
            await asyncio.sleep(0)
        if self.is_there and self._is_known:
            self._play(self.newest)

    @property
    def newest(self) -> LoopChanged:
        """The loop's state as the DAW has got it."""
        (*_, newest) = [event for event in self.events if isinstance(event, LoopChanged)]
        return newest

    @property
    def position_bars(self) -> float:
        """Where the song is, from 0."""
        return self.player.frame / BAR_FRAMES

    @property
    def _is_known(self) -> bool:
        return self.loops.has(ID) and any(isinstance(event, LoopChanged) for event in self.events)

    def _play(self, state: LoopChanged) -> None:
        now = self.player.seconds
        if state.next != self._next:
            self._next, self._at_bar, self._asked_seconds = state.next, 0, now
        is_placed = self._next != "" and now >= self._asked_seconds + PLACING_SECONDS
        if is_placed and self.takes_clips and not self._at_bar:
            self._at_bar = ceil(self.position_bars / self.grid_bars) * self.grid_bars + 1
        if self._at_bar and self.position_bars >= self._at_bar - 1:
            self.began.append((self._next, self._at_bar))
            self.clip, self._next, self._at_bar = self._next, "", 0
        if state.sounding == "stopping" or not state.is_on:
            self.clip = ""
        at_beat = -1.0 if not self.takes_clips else (self._at_bar - 1.0) * BAR_BEATS
        waiting = self._next if is_placed else None
        report = LoopPlaying(ID, self.clip or None, waiting, at_beat)
        if report != self._sent:
            self._sent = report
            self.do(report)


def run(
    folder: Path, test: Callable[[LiveBand], Coroutine[None, None, None]]
) -> tuple[LiveBand, list[LoopChanged]]:
    """Run a test; return its band, and the states of its loop. The output is silent throughout."""
    band = perform(folder / "Clips", test, LiveBand)
    assert not band.player.samples.any()
    return band, [event for event in band.events if isinstance(event, LoopChanged)]


def test_it_enters_at_the_bar_that_the_daw_reports_and_plays_from_there(tmp_path: Path) -> None:
    async def test(band: LiveBand) -> None:
        await band.run_to(2.2)
        band.do(START)
        await band.run_to(7.5)

    band, states = run(tmp_path, test)
    assert band.began == [("clip 1", 4), ("clip 2", 6), ("clip 3", 8)]
    whole = states[0]
    assert (whole.deliver, whole.layer, whole.is_on) == ("live", 0, True)
    asked = next(state for state in states if state.next)
    assert Path(asked.next_path) == band.folder / "clip 1.wav"
    assert (asked.next_bars, asked.next_numerator, asked.next_denominator) == (BARS, 4, 4)
    queued = [state for state in states if state.coming == "queued"]
    assert [(state.next, state.bar) for state in queued] == [
        *(("clip 1", 4), ("clip 2", 6), ("clip 3", 8))
    ]
    assert not [state for state in states if state.coming == "slipped"]
    playing = [state for state in states if state.sounding == "playing"]
    assert next(state.clip for state in playing if not state.next) == "clip 1"
    # It sounds from the moment that the DAW says so, and not before.
    assert all(state.sounding == "off" for state in states[: states.index(playing[0])])


def test_the_daws_own_launch_quantization_counts_and_a_later_line_is_a_slip(tmp_path: Path) -> None:
    async def test(band: LiveBand) -> None:
        band.grid_bars = 4
        await band.run_to(2.2)
        band.do(START)
        await band.run_to(3.1)
        assert band.state == ("off", "queued", 0, 5)
        band.do(LoopPlaying(ID, None, "clip 1", 8.0 * BAR_BEATS))
        assert band.state == ("off", "slipped", 0, 9)
        band.do(LoopPlaying(ID, None, "clip 1", 4.0 * BAR_BEATS))
        assert band.state == ("off", "queued", 0, 5)
        await band.run_to(4.3)
        assert band.state[0] == "playing"

    run(tmp_path, test)


def test_undo_asks_for_the_clip_before_and_redo_for_the_next(tmp_path: Path) -> None:
    async def test(band: LiveBand) -> None:
        await band.run_to(2.2)
        band.do(START)
        await band.run_to(5.3)
        band.do(LoopFreeze(ID))
        band.do(LoopUndo(ID))
        assert (band.newest.clip, band.newest.next) == ("clip 2", "")
        await band.run_to(5.35)
        assert band.newest.next == "clip 1"
        await band.run_to(6.5)
        band.do(LoopRedo(ID))
        await band.run_to(7.5)

    band, states = run(tmp_path, test)
    assert [clip for clip, _ in band.began] == ["clip 1", "clip 2", "clip 1", "clip 2"]
    assert states[-1].clip == "clip 2" and states[-1].is_on


def test_freeze_takes_back_what_was_to_come(tmp_path: Path) -> None:
    async def test(band: LiveBand) -> None:
        await band.run_to(2.2)
        band.do(START)
        await band.run_to(4.1)
        band.grid_bars = 8
        await band.run_to(5.6)
        assert band.newest.next == "clip 2"
        band.do(LoopFreeze(ID))
        assert (band.newest.next, band.newest.clip) == ("", "clip 1")
        await band.run_to(9.5)
        assert band.state == ("playing", "none", 0, 0) and band.newest.is_on

    band, _ = run(tmp_path, test)
    assert band.began == [("clip 1", 4)]


def test_a_clip_that_the_daw_cannot_play_is_said_once_and_the_next_round_comes(
    tmp_path: Path,
) -> None:
    async def test(band: LiveBand) -> None:
        await band.run_to(2.2)
        band.do(START)
        await band.run_to(3.5)
        band.takes_clips = False
        await band.run_to(5.5)
        assert (band.newest.next, band.newest.clip) == ("", "clip 1")
        band.takes_clips = True
        await band.run_to(8.5)

    band, _ = run(tmp_path, test)
    assert band.began == [("clip 1", 4), ("clip 3", 8)]
    (said,) = band.remarks()
    assert said == "Live does not play clip 2: the device says why; the loop goes on as it is"


@pytest.mark.parametrize("is_now", [True, False])
def test_stop_waits_for_the_daw_and_now_does_not(tmp_path: Path, is_now: bool) -> None:
    async def test(band: LiveBand) -> None:
        await band.run_to(2.2)
        band.do(START)
        # A press soon after a bar line is not for a line that the DAW has passed.
        await band.run_to(4.02)
        band.do(LoopStop(ID, is_now))
        newest = band.newest
        sounding = "off" if is_now else "stopping"
        assert (newest.sounding, newest.is_on, newest.next) == (sounding, False, "")
        await band.run_to(4.1)
        assert band.state == ("off", "none", 0, 0)
        await band.run_to(8.0)

    assert run(tmp_path, test)[0].began == [("clip 1", 4)]


@pytest.mark.parametrize(
    "end", [lambda loops: loops.silenced(), lambda loops: loops.stop_layer(None)]
)
def test_panic_and_stop_reach_it_while_it_waits_for_its_start(
    tmp_path: Path, end: Callable[[Loops], object]
) -> None:
    async def test(band: LiveBand) -> None:
        band.grid_bars = 8
        await band.run_to(2.2)
        band.do(START)
        await band.run_to(3.5)
        assert band.newest.next == "clip 1"
        end(band.loops)
        newest = band.newest
        assert (newest.sounding, newest.coming, newest.next) == ("off", "none", "")
        assert not newest.is_on
        await band.run_to(9.5)

    assert run(tmp_path, test)[0].began == []


def test_without_reports_it_waits_says_so_and_goes_on_when_they_come_back(tmp_path: Path) -> None:
    away_bars = SILENT_SECONDS / 2

    async def test(band: LiveBand) -> None:
        await band.run_to(2.2)
        band.do(START)
        await band.run_to(4.1)
        band.is_there = False
        await band.run_to(4.1 + away_bars + 0.2)
        # What it last reported still counts.
        assert band.state == ("playing", "armed", 0, 0) and band.newest.next == ""
        made = len(band.commands)
        await band.run_to(4.1 + 2 * away_bars)
        assert len(band.commands) == made
        band.is_there = True
        band.do(LoopPlaying(ID, band.clip))
        await band.run_to(4.1 + 2 * away_bars + 2 * BARS)

    band, _ = run(tmp_path, test)
    assert len(band.began) > 1
    assert band.remarks()[0].startswith("nothing has reported for 10 s that it plays the loop")


def test_its_length_and_layer_are_its_own(tmp_path: Path) -> None:
    async def test(band: LiveBand) -> None:
        await band.run_to(2.2)
        refused: list[tuple[LoopCommand, str]] = [
            (replace(START, layer=2), "layer 2: a loop with deliver live has no layer"),
        ]
        for command, message in refused:
            with pytest.raises(BadArgument, match=message):
                band.do(command)
            assert not band.loops.has(ID)
        band.do(START)
        for command, message in (
            (replace(START, deliver="output"), "has deliver live; clear it first"),
            (replace(START, layer=1), "plays on layer 0"),
            (LoopOverdub(ID), "has deliver live, and one layer"),
        ):
            with pytest.raises(BadArgument, match=message):
                band.do(command)
        band.do(LoopStart("set-1", ClipSettings(bars=BARS)))
        with pytest.raises(BadArgument, match="plays on the output: start it with deliver live"):
            band.do(LoopPlaying("set-1", "clip 1"))
        band.do(LoopClear("set-1"))
        band.do(LoopClear(ID))
        with pytest.raises(UnknownId):
            band.do(LoopPlaying(ID, "clip 1"))

    run(tmp_path, test)


def test_only_so_many_loops_can_be_there(tmp_path: Path) -> None:
    async def test(band: LiveBand) -> None:
        await band.run_to(0.1)
        for number in range(MOST_LIVE_LOOPS):
            band.do(replace(START, id=f"live-{number}"))
        with pytest.raises(BadArgument, match="clear one"):
            band.do(START)
        band.do(replace(START, id="live-1"))
        band.do(LoopClear("live-0"))
        band.do(START)
        assert band.loops.has(ID)

    run(tmp_path, test)


def test_a_clip_of_an_earlier_run_is_shown_and_cannot_be_gone_back_to(tmp_path: Path) -> None:
    async def test(band: LiveBand) -> None:
        await band.run_to(2.2)
        band.clip = "of an earlier run"
        band.do(START)
        await band.run_to(2.9)
        assert (band.newest.sounding, band.newest.clip) == ("playing", "of an earlier run")
        await band.run_to(3.5)
        assert band.newest.clip == "clip 1"
        band.do(LoopUndo(ID))
        await band.run_to(4.9)

    band, _ = run(tmp_path, test)
    assert band.began[0] == ("clip 1", 4)
    assert band.remarks() == ["there is nothing before what the loop plays"]


def test_it_needs_no_output_and_others_do(tmp_path: Path) -> None:
    loops = Loops(
        None,
        ClipRegistry(RequestRegistry(lambda event: None), History(tmp_path)),
        clock=lambda: pytest.fail("no clock is needed"),
        quantum=ONE_BAR,
        bars=lambda: BARS,
        perform=lambda command: None,
        publish=lambda event: None,
        file=LoopFile(tmp_path),
    )
    with pytest.raises(NoOutput, match="start with --output NAME"):
        loops.handle(LoopStart("set-1", ClipSettings()))
    assert not loops.stop_layer(1)


def test_a_restarted_daemon_leaves_a_daws_loop_to_its_device(tmp_path: Path) -> None:
    async def test(band: LiveBand) -> None:
        await band.run_to(2.2)
        band.do(START)
        band.do(LoopStart("set-1", ClipSettings(bars=BARS)))
        await band.run_to(4.5)

    perform(tmp_path / "Clips", test, LiveBand)
    saved = LoopFile(tmp_path / "Clips").read()
    assert saved is not None
    assert [loop.settings.id for loop in saved.loops] == ["set-1"]
