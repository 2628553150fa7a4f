"""What each hotkey does, by what is recorded and played just now."""

from __future__ import annotations

import asyncio

import pytest

from bridge.commands import (
    CaptureLast,
    CaptureStart,
    CaptureStop,
    ClipSettings,
    Command,
    Generate,
    HotkeyAction,
    Keep,
    Panic,
    Play,
    StopPlaying,
)
from bridge.control.hotkey_actions import HOLD_SECONDS, NO_CLIP, HotkeyActions
from bridge.errors import BridgeError, NoInput, UnknownId
from bridge.events import (
    ClipMarked,
    ClipReady,
    ClockChanged,
    DefaultsChanged,
    Done,
    Failed,
    LayerChanged,
    RequestBegun,
)


class Desk:
    """The actions, with what they send, say and publish.

    Attributes:
        refusal: what the daemon answers to every command; None: it accepts them.
    """

    def __init__(self, lead_seconds: float = 0.0) -> None:
        self.commands: list[Command] = []
        self.said: list[tuple[str, bool]] = []
        self.refused: list[str] = []
        self.refusal: BridgeError | None = None
        self.now = 100.0
        self.actions = HotkeyActions(
            bars=4,
            refuse=lambda error: self.refused.append(str(error)),
            say=lambda text, is_done: self.said.append((text, is_done)),
            lead_seconds=lead_seconds,
        )
        self.actions.on_command = self._take

    def _take(self, command: Command) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.commands.append(command)

    def press(self, action: HotkeyAction, held_seconds: float = 0.1) -> list[Command]:
        """Press a key, and let it go; return the commands of that."""
        before = len(self.commands)
        self.actions.press(action, self.now)
        self.now += held_seconds
        self.actions.release(action, self.now)
        return self.commands[before:]

    def made(self, id: str, count: int = 3) -> None:
        """Let a request for clips make them."""
        self.actions.publish(RequestBegun(id, "generate"))
        for index in range(count):
            self.actions.publish(clip(id, index, count))
        self.actions.publish(Done(id, count))


def clip(id: str, index: int, count: int = 3) -> ClipReady:
    name = f"{id} seed{index}"
    return ClipReady(id, index, count, f"/clips/{name}.wav", 4, 120, 7, 0.9, 4, 4, 44_100, name)


def layer(number: int, clip: str, coming: str = "") -> LayerChanged:
    return LayerChanged(number, "playing" if clip else "off", clip, coming, 0.0, False)


def test_a_tap_records_until_the_next_one_and_the_recording_is_rendered_once_it_has_ended() -> None:
    async def work() -> None:
        desk = Desk()
        assert desk.press("capture") == [CaptureStart("hotkeys-1")]
        assert desk.press("capture") == [CaptureStop("hotkeys-1")]
        # It ends at a bar line.
        desk.actions.publish(Done("hotkeys-1", 0))
        await asyncio.sleep(0)
        assert desk.commands[2:] == [Generate("hotkeys-2", ClipSettings(), melody="hotkeys-1")]
        desk.made("hotkeys-2", 2)
        assert desk.said[-1] == ("2 clips are ready", True)
        assert desk.press("capture") == [CaptureStart("hotkeys-3")]

    asyncio.run(work())


def test_a_key_that_is_held_records_until_it_is_let_go() -> None:
    desk = Desk()
    held = desk.press("capture", held_seconds=HOLD_SECONDS + 0.1)
    assert held == [CaptureStart("hotkeys-1"), CaptureStop("hotkeys-1")]


def test_a_recording_that_ends_by_itself_is_rendered_too_and_one_that_fails_is_not() -> None:
    async def work() -> None:
        desk = Desk()
        desk.press("capture")
        desk.actions.publish(Done("hotkeys-1", 0))
        await asyncio.sleep(0)
        assert isinstance(desk.commands[-1], Generate)
        desk.press("capture")
        desk.actions.publish(Failed("hotkeys-3", "silent-melody", "nothing sounds"))
        await asyncio.sleep(0)
        assert desk.said[-1] == ("nothing sounds", False)
        assert desk.press("capture") == [CaptureStart("hotkeys-4")]

    asyncio.run(work())


def test_the_last_bars_are_as_many_as_the_session_sets() -> None:
    desk = Desk()
    desk.actions.publish(DefaultsChanged(ClipSettings(bars=2)))
    assert desk.press("last") == [
        CaptureLast("hotkeys-1", 2),
        Generate("hotkeys-2", ClipSettings(), melody="hotkeys-1"),
    ]
    desk.actions.publish(Failed("hotkeys-2", "silent-melody", "nothing sounds"))
    assert desk.said == [
        ("the last 2 bars: a clip is being made", True),
        ("nothing sounds", False),
    ]


def test_play_next_and_keep_are_about_the_newest_clips_whoever_made_them() -> None:
    desk = Desk()
    desk.made("live1-4")
    assert desk.press("play") == [Play("live1-4", 0, 1)]
    desk.actions.publish(layer(1, "", coming="live1-4 seed0"))
    assert desk.press("next") == [Play("live1-4", 1, 1)]
    assert desk.press("keep") == [Keep("live1-4", 1)]
    assert desk.press("next") == [Play("live1-4", 2, 1)]
    assert desk.press("next") == [Play("live1-4", 0, 1)]
    # Another client plays a variation on the layer: that is the one that is meant.
    desk.actions.publish(layer(1, "live1-4 seed2"))
    assert desk.press("keep") == [Keep("live1-4", 2)]
    assert desk.press("play") == [StopPlaying(1)]
    desk.actions.publish(layer(1, ""))
    assert desk.press("play") == [Play("live1-4", 2, 1)]
    desk.made("sketch-9", 1)
    assert desk.press("play") == [Play("sketch-9", 0, 1)]


def test_lists_loops_and_discarded_clips_are_not_the_newest_ones() -> None:
    desk = Desk()
    desk.made("me-1", 2)
    desk.actions.publish(RequestBegun("me-2", "list of clips"))
    desk.actions.publish(clip("me-2", 0))
    desk.made("loop:set-1.1", 1)
    desk.actions.publish(layer(2, "loop:set-1.1 seed0"))
    desk.actions.publish(ClipMarked("me-1", 0, "discarded", "/clips/Discarded/x.wav"))
    assert desk.press("play") == [Play("me-1", 1, 1)]
    assert desk.press("next") == [Play("me-1", 1, 1)]
    desk.actions.publish(ClipMarked("me-1", 1, "discarded", "/clips/Discarded/y.wav"))
    with pytest.raises(UnknownId, match=NO_CLIP):
        desk.press("next")


@pytest.mark.parametrize("action", ["play", "next", "keep"])
def test_without_a_clip_it_says_so(action: HotkeyAction) -> None:
    desk = Desk()
    with pytest.raises(UnknownId, match=NO_CLIP):
        desk.press(action)
    assert desk.said == []


def test_panic_ends_all() -> None:
    assert Desk().press("panic") == [Panic()]


def test_what_is_refused_begins_nothing() -> None:
    async def work() -> None:
        desk = Desk()
        desk.refusal = NoInput("no input is open")
        with pytest.raises(NoInput):
            desk.press("capture")
        assert desk.said == []
        desk.refusal = None
        assert desk.press("capture") == [CaptureStart("hotkeys-2")]
        desk.actions.publish(Done("hotkeys-2", 0))
        desk.refusal = NoInput("the queue is full")
        await asyncio.sleep(0)
        assert desk.refused == ["the queue is full"]

    asyncio.run(work())


def test_what_the_answer_sounds_like_is_not_recorded_while_no_clock_plays() -> None:
    async def work() -> None:
        desk = Desk(lead_seconds=0.05)
        assert desk.press("capture") == []
        assert len(desk.said) == 1
        while not desk.commands:
            await asyncio.sleep(0.01)
        assert desk.press("capture") == [CaptureStop("hotkeys-1")]
        desk.actions.publish(Failed("hotkeys-1", "silent-melody", "nothing sounds"))
        # Under a clock it begins with a bar line.
        desk.actions.publish(ClockChanged("osc", 120.0, 4, 4, True))
        assert desk.press("capture") == [CaptureStart("hotkeys-2")]
        desk.actions.publish(Failed("hotkeys-2", "cancelled", "cancelled"))
        desk.actions.publish(ClockChanged("osc", 120.0, 4, 4, False))
        # Pressed again before it began.
        assert desk.press("capture") == desk.press("capture") == []
        await asyncio.sleep(0.1)
        assert len(desk.commands) == 3

    asyncio.run(work())
