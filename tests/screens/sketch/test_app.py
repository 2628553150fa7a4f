"""The screen under textual's pilot: keys, clicks, sizes, and its pictures at two sizes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from textual.geometry import Region
from textual.pilot import Pilot

from bridge.commands import ClipSettings
from bridge.config import merge_sketch
from bridge.events import (
    CaptureChanged,
    ClipMarked,
    ClockChanged,
    DefaultsChanged,
    Done,
    Failed,
    InputChanged,
    LayerChanged,
    Level,
    LoopChanged,
    MetronomeChanged,
    OutputChanged,
    Progress,
    RequestBegun,
)
from bridge.screens.sketch import problems
from bridge.screens.sketch.app import Canvas
from bridge.soundcard.permission import silence_remedy
from tests.screens.sketch.conftest import READY, Stage

GOLDEN = Path(__file__).parent / "golden"
RENEW = "MELODY_BRIDGE_RENEW_PICTURES"
"""Set, a test writes the picture that it would compare; look at each before you commit it."""
SIZES = [(80, 24), (60, 15)]
SONG = (60, 60, 67, 67, 69, 69, 67)
PATIENCE_PAUSES = 1200

Act = Callable[[Pilot[None]], Awaitable[None]]


def played(stage: Stage, act: Act, size: tuple[int, int] = (80, 24)) -> None:
    """Run the screen, let a daemon answer it, and act."""

    async def run() -> None:
        async with stage.app.run_test(size=size) as pilot:
            stage.events(*READY)
            stage.presets("ambient-pad", "choir", "lofi-keys")
            stage.sent.clear()
            await act(pilot)

    asyncio.run(run())


def shown(stage: Stage) -> str:
    """The characters of the screen."""
    strips = stage.app.screen._compositor.render_strips()
    return "\n".join(strip.text.rstrip() for strip in strips)


async def until(pilot: Pilot[None], stage: Stage, text: str) -> None:
    """Wait until the screen shows a text."""
    for _ in range(PATIENCE_PAUSES):
        if text in shown(stage):
            return
        await pilot.pause(0.05)
    raise AssertionError(f"{text!r} does not appear:\n{shown(stage)}")


async def draw(pilot: Pilot[None], stage: Stage) -> None:
    """Draw what has come now, not when the screen's timer is due."""
    stage.app._draw()
    await pilot.pause()


def take(stage: Stage, number: int) -> str:
    """The id of the screen's take or request of that number; 1 and 2 are its lists."""
    return f"{stage.name}-{number}"


@pytest.mark.parametrize(
    ("key", "messages"),
    [
        ("l", [("capture/last", "ID", 4)]),
        ("space", [("capture/start", "ID")]),
        ("right_square_bracket", [("set", "bars", 5)]),
        ("left_square_bracket", [("set", "bars", 3)]),
        ("equals_sign", [("set", "tempo_bpm", 121)]),
        ("minus", [("set", "tempo_bpm", 119)]),
        ("t", [("tap",)]),
        ("m", [("metronome", 1), ("set", "count_in_bars", 1), ("start",)]),
        ("o", [("loop/start", "sketch-loop", "bars", 4)]),
        ("3", [("set", "preset", "lofi-keys")]),
        ("exclamation_mark", [("panic",)]),
        ("9", []),
        ("z", []),
        ("p", []),
        ("k", []),
        ("f", []),
        ("u", []),
        ("tab", []),
        ("A", []),
        ("enter", []),
    ],
)
def test_a_key_sends_its_message(
    stage: Stage, key: str, messages: list[tuple[object, ...]]
) -> None:
    async def act(pilot: Pilot[None]) -> None:
        await pilot.press(key)
        assert stage.sent == [
            tuple(take(stage, 3) if word == "ID" else word for word in message)
            for message in messages
        ]

    played(stage, act)


def test_recording_is_ended_by_the_same_key_and_clips_follow_it(stage: Stage) -> None:
    async def act(pilot: Pilot[None]) -> None:
        id = take(stage, 3)
        await pilot.press("space")
        stage.events(RequestBegun(id, "capture"), CaptureChanged(id, "recording", 1.0, -6.0, 1))
        await until(pilot, stage, "● rec bar 1")
        await pilot.press("space")
        stage.events(CaptureChanged(id, "done", 8.0, -6.0), Done(id, 0))
        await until(pilot, stage, "take 8.0 s")
        await until(pilot, stage, "enter makes clips that follow the take")
        await pilot.press("enter")
        assert stage.sent == [
            ("capture/start", id),
            ("capture/stop", id),
            ("generate", take(stage, 4), "melody", id, "variations", 4, "bars", 4),
        ]

    played(stage, act)


def test_enter_while_recording_ends_the_take_first(stage: Stage) -> None:
    async def act(pilot: Pilot[None]) -> None:
        id = take(stage, 3)
        await pilot.press("space")
        stage.events(RequestBegun(id, "capture"))
        await pilot.press("enter")
        assert [message[0] for message in stage.sent] == [
            *("capture/start", "capture/stop", "generate")
        ]

    played(stage, act)


def test_the_best_clip_plays_by_itself_and_the_keys_choose_keep_and_discard(
    stage: Stage, clip_files: list[Path]
) -> None:
    async def act(pilot: Pilot[None]) -> None:
        id = take(stage, 3)
        names = [path.stem for path in clip_files]
        stage.clips(id, *clip_files)
        stage.events(Done(id, 2))
        assert stage.sent == [("play", id, 0, 1)]
        stage.events(LayerChanged(1, "playing", names[0], "", 0.0, False))
        await until(pilot, stage, "▶A 0.92")
        await pilot.press("tab", "shift+tab", "B", "k")
        assert stage.sent[1:] == [
            *(("play", id, 1, 1), ("play", id, 0, 1), ("play", id, 1, 1), ("keep", id, 1))
        ]
        stage.events(ClipMarked(id, 1, "kept", clip_files[1].as_posix()))
        await until(pilot, stage, "B 0.82 ★")
        await until(pilot, stage, "kept in ")
        await pilot.press("A", "d")
        assert stage.sent[5:] == [("play", id, 0, 1), ("discard", id, 0)]
        stage.events(ClipMarked(id, 0, "discarded", clip_files[0].as_posix()))
        assert stage.sent[7:] == [("play", id, 1, 1)], "the next one plays instead"
        await until(pilot, stage, "A 0.92 ✗")
        await pilot.press("u", "u", "u", "p")
        assert stage.sent[8:] == [("restore", id, 0), ("unkeep", id, 1), ("stop", 1)]

    played(stage, act)


@pytest.mark.parametrize("why", ["an option", "a recording", "no output"])
def test_nothing_plays_by_itself_with(why: str, clip_files: list[Path]) -> None:
    stage = Stage(merge_sketch({"sketch_autoplay": why != "an option"}))

    async def act(pilot: Pilot[None]) -> None:
        if why == "a recording":
            await pilot.press("space")
            stage.events(RequestBegun(take(stage, 3), "capture"))
        if why == "no output":
            stage.events(OutputChanged("lost", "", 0))
        stage.clips(take(stage, 4), *clip_files)
        stage.events(Done(take(stage, 4), 2))
        assert "play" not in [message[0] for message in stage.sent]

    played(stage, act)


def test_the_live_loop_is_stopped_frozen_and_taken_back(stage: Stage) -> None:
    async def act(pilot: Pilot[None]) -> None:
        stage.events(LoopChanged("sketch-loop", "playing", "capturing", 1, 5, "keys"))
        await until(pilot, stage, "live loop playing, capturing")
        await pilot.press("f", "f", "u", "o")
        assert stage.sent == [
            ("loop/freeze", "sketch-loop", 1),
            ("loop/freeze", "sketch-loop", 0),
            ("loop/undo", "sketch-loop"),
            ("loop/stop", "sketch-loop"),
        ]

    played(stage, act)


def test_the_click_goes_off_again_and_its_clock_with_it(stage: Stage) -> None:
    async def act(pilot: Pilot[None]) -> None:
        stage.events(ClockChanged("internal", 120.0, 4, 4, True), MetronomeChanged(True, -9.0))
        await until(pilot, stage, "click on")
        await pilot.press("m")
        assert stage.sent == [("metronome", 0), ("unset", "count_in_bars"), ("halt",)]

    played(stage, act)


def test_the_prompt_is_edited_and_escape_leaves_it(stage: Stage) -> None:
    async def act(pilot: Pilot[None]) -> None:
        await pilot.press("e", *"lq", "enter")
        await pilot.press("e", "x", "escape", "e", "enter")
        assert stage.sent == [("set", "prompt", "lq"), ("unset", "prompt")]
        await pilot.press("t")
        assert stage.sent[2:] == [("tap",)], "keys are keys again"

    played(stage, act)


def test_keys_of_the_configuration_replace_the_usual_ones() -> None:
    stage = Stage(merge_sketch({"sketch_tap": "T f5", "sketch_help": "h"}))

    async def act(pilot: Pilot[None]) -> None:
        await pilot.press("t", "T", "f5")
        assert stage.sent == [("tap",), ("tap",)]
        await pilot.press("h")
        await until(pilot, stage, "T  tap the tempo")
        await pilot.press("escape")
        await until(pilot, stage, "hum a melody")

    played(stage, act)


def test_a_click_does_what_the_key_does(stage: Stage, clip_files: list[Path]) -> None:
    async def act(pilot: Pilot[None]) -> None:
        stage.clips(take(stage, 3), *clip_files)
        await until(pilot, stage, "B 0.82")
        rows = shown(stage).splitlines()
        (listed,) = (place for place, row in enumerate(rows) if "B 0.82" in row)
        await pilot.click(offset=(rows[listed].index("B 0.82"), listed))
        assert stage.app.desk.chosen == clip_files[1].as_posix()
        await pilot.click(offset=(rows[-1].index("last bars"), len(rows) - 1))
        assert stage.sent[-1] == ("capture/last", take(stage, 3), 4)

    played(stage, act)


def test_errors_and_remarks_of_others_are_not_shown(stage: Stage) -> None:
    async def act(pilot: Pilot[None]) -> None:
        await pilot.press("l")
        stage.events(Failed("live1-7", "no-input", "somebody else's"))
        stage.events(Failed(take(stage, 3), "not-enough-bars", "the input has 2 bars so far"))
        await until(pilot, stage, "the input has 2 bars so far")
        assert "somebody else's" not in shown(stage)
        await pilot.press("t")
        assert "2 bars so far" not in shown(stage)

    played(stage, act)


def test_an_input_that_is_exactly_silent_gets_the_doctors_remedy(stage: Stage) -> None:
    async def act(pilot: Pilot[None]) -> None:
        stage.events(Level(-120.0, -120.0))
        await until(pilot, stage, "silent")
        stage.clock.seconds += problems.SILENT_SECONDS + 1
        stage.events(Level(-120.0, -120.0))
        await until(pilot, stage, f"gives exact silence: {silence_remedy()[:20]}")

    played(stage, act)


def test_without_an_input_the_others_are_named(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(problems, "_inputs", lambda: "quit, and name one with --input: USB, Mic")

    async def act(pilot: Pilot[None]) -> None:
        stage.events(InputChanged("lost", "", 0, "USB Audio is unplugged"))
        stage.clock.seconds += problems.NO_INPUT_SECONDS + 1
        await until(pilot, stage, "input lost  USB Audio is unplugged")
        await until(pilot, stage, "name one with --input: USB, Mic")

    played(stage, act)


def test_nothing_is_drawn_while_nothing_happens(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def act(pilot: Pilot[None]) -> None:
        stage.sing(*SONG)
        stage.clock.seconds += 10
        await until(pilot, stage, "silent")
        await draw(pilot, stage)
        drawn: list[Region] = []
        refresh = Canvas.refresh

        def record(canvas: Canvas, *regions: Region, **how: bool) -> Canvas:
            drawn.extend(regions)
            return refresh(canvas, *regions, **how)

        monkeypatch.setattr(Canvas, "refresh", record)
        for _ in range(10):
            stage.events(Level(-70.0, -80.0))
            stage.clock.seconds += 0.1
            await draw(pilot, stage)
        assert drawn == []
        stage.events(Level(-50.0, -55.0))
        await until(pilot, stage, "-50 dB")
        assert {region.y for region in drawn} == {1}, "only the row of the level"

    played(stage, act)


@pytest.mark.parametrize("size", [(1, 1), (20, 3), (30, 8), (59, 14), (61, 16), (200, 60)])
def test_any_size_is_drawn(stage: Stage, clip_files: list[Path], size: tuple[int, int]) -> None:
    async def act(pilot: Pilot[None]) -> None:
        stage.sing(*SONG)
        stage.clips(take(stage, 3), *clip_files)
        await pilot.press("question_mark")
        await pilot.press("question_mark")
        rows = stage.app.canvas.rows
        assert len(rows) <= size[1]
        assert all(sum(len(cell.text) for cell in row) == size[0] for row in rows)

    played(stage, act, size)


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_the_pictures_of_the_screen(
    theme: str, size: tuple[int, int], clip_files: list[Path], tmp_path: Path
) -> None:
    stage = Stage(merge_sketch({"sketch_theme": theme}))

    async def act(pilot: Pilot[None]) -> None:
        stage.events(DefaultsChanged(ClipSettings(preset="lofi-keys", tempo_bpm=100)))
        await pilot.press("l")
        stage.sing(*SONG)
        stage.events(RequestBegun(take(stage, 3), "capture"))
        stage.events(CaptureChanged(take(stage, 3), "done", 3.5, -12.0), Done(take(stage, 3), 0))
        await pilot.press("enter")
        stage.clips(take(stage, 4), *clip_files)
        stage.events(
            ClipMarked(take(stage, 4), 1, "kept", clip_files[1].as_posix()),
            LayerChanged(1, "playing", clip_files[0].stem, "", 0.0, False),
            RequestBegun(take(stage, 5), "generate"),
            Progress(take(stage, 5), 0.4, 7.0),
            Level(-18.0, -24.0),
        )
        for _ in range(PATIENCE_PAUSES):
            if len(stage.app.pictures.of_clip(clip_files[0].as_posix())[0].peaks):
                break
            await pilot.pause(0.05)
        await draw(pilot, stage)
        await until(pilot, stage, "-18 dB")
        compare(stage.app.picture(), f"{theme}-{size[0]}x{size[1]}", tmp_path)

    played(stage, act, size)


def test_the_picture_of_the_keys(stage: Stage, tmp_path: Path) -> None:
    async def act(pilot: Pilot[None]) -> None:
        await pilot.press("question_mark")
        await until(pilot, stage, "All keys")
        compare(stage.app.picture(), "keys-60x15", tmp_path)

    played(stage, act, (60, 15))


def compare(picture: str, name: str, folder: Path) -> None:
    """Compare an SVG with the one that was committed, byte for byte."""
    golden = GOLDEN / f"{name}.svg"
    if os.environ.get(RENEW):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(picture, encoding="utf-8")
        return
    (folder / golden.name).write_text(picture, encoding="utf-8")
    assert picture == golden.read_text(encoding="utf-8"), (
        f"{folder / golden.name} is not {golden}: look at both; {RENEW}=1 writes new ones"
    )
