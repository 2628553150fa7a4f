"""Hotkeys of a real X server, pressed by xdotool; the hotkey process is the daemon's own."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bridge.config import RunOptions
from bridge.config.chords import Chord, read_chord
from bridge.hotkeys import Hotkeys
from bridge.hotkeys.messages import KeyMoved
from tests.peers.display import Display
from tests.peers.programs import program
from tests.peers.wait import until
from tests.processes import KILL

if sys.platform != "linux":
    pytest.skip("X is Linux's", allow_module_level=True)

PATIENCE_SECONDS = 60.0
CHORDS = {str(action): chord for action, chord in RunOptions().hotkey_chords().items()}
WORKING = ", ".join(f"{action} {chord}" for action, chord in CHORDS.items())


class Watched:
    """Hotkeys at work, with what they reported.

    Attributes:
        moved: the movements of keys.
        details: the sentences.
    """

    def __init__(self, chords: Mapping[str, Chord]) -> None:
        self.moved: list[KeyMoved] = []
        self.details: list[str] = []
        self.hotkeys = Hotkeys(chords, self.moved.append, self.details.append)

    async def reaches(self, reached: Callable[[], object], what: str) -> None:
        deadline = time.perf_counter() + PATIENCE_SECONDS
        while not reached():
            assert time.perf_counter() < deadline, (what, self.moved, self.details)
            await asyncio.sleep(0.01)

    async def says(self, detail: str, after: int = 0) -> None:
        await self.reaches(lambda: detail in self.details[after:], detail)

    async def moves(self, *moves: tuple[str, bool]) -> None:
        """Wait for these movements, and no others, since the last call."""
        await self.reaches(lambda: len(self.moved) >= len(moves), str(moves))
        assert [(each.action, each.is_down) for each in self.moved] == list(moves)
        self.moved.clear()

    async def press(self, display: Display, *keys: str) -> None:
        await asyncio.to_thread(display.keys, "key", *keys)


@asynccontextmanager
async def watched(chords: Mapping[str, Chord] = CHORDS) -> AsyncIterator[Watched]:
    watching = Watched(chords)
    watching.hotkeys.start()
    try:
        yield watching
    finally:
        await watching.hotkeys.stop()


def in_loop(work: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        await work()

    asyncio.run(run())


def test_each_chord_is_heard_whatever_the_locks_are(display: Display) -> None:
    async def work() -> None:
        async with watched() as keys:
            await keys.says(WORKING)
            for lock in (None, "Num_Lock", "Caps_Lock"):
                if lock is not None:
                    await keys.press(display, lock)
                for action, chord in CHORDS.items():
                    await keys.press(display, f"ctrl+alt+{chord.key}")
                    await keys.moves((action, True), (action, False))
            await keys.press(display, "ctrl+c", "alt+c", "c", "ctrl+alt+shift+c", "ctrl+alt+z")
            await keys.press(display, "ctrl+alt+k")
            await keys.moves(("keep", True), ("keep", False))

    in_loop(work)


def test_a_held_key_goes_down_once_and_up_when_it_is_let_go(display: Display) -> None:
    async def work() -> None:
        async with watched() as keys:
            await keys.says(WORKING)
            with display.held("ctrl", "alt", "c"):
                await keys.reaches(lambda: keys.moved, "the key is down")
                # By then the server has repeated it some twenty times.
                begun = time.perf_counter()
                await keys.reaches(lambda: time.perf_counter() > begun + 1.5, "it is held")
                assert [each.is_down for each in keys.moved] == [True]
                let_go = time.perf_counter()
            await keys.reaches(lambda: len(keys.moved) == 2, "the key is up")
            assert keys.moved[1].seconds >= let_go

    in_loop(work)


def test_a_modifier_that_is_let_go_first_does_not_hide_the_release(display: Display) -> None:
    async def work() -> None:
        async with watched() as keys:
            await keys.says(WORKING)
            for key in ("ctrl", "alt", "p"):
                await asyncio.to_thread(display.keys, "keydown", key)
            for key in ("ctrl", "alt", "p"):
                await asyncio.to_thread(display.keys, "keyup", key)
            await keys.moves(("play", True), ("play", False))

    in_loop(work)


def test_the_program_with_the_focus_does_not_get_the_key(
    display: Display, require_program: Callable[[str], str], tmp_path: Path
) -> None:
    typed = tmp_path / "typed"
    script = f"stty raw -echo; touch {typed}; exec cat > {typed}"
    xterm = subprocess.Popen([require_program("xterm"), "-geometry", "80x24+0+0", "-e", script])

    async def work() -> None:
        async with watched() as keys:
            await keys.says(WORKING)
            await keys.reaches(typed.exists, "xterm runs")
            await asyncio.to_thread(display.keys, "mousemove", "100", "100")
            # Until xterm has its window, its keys get lost.
            deadline = time.perf_counter() + PATIENCE_SECONDS
            while not typed.read_bytes():
                assert time.perf_counter() < deadline
                await keys.press(display, "a")
                await asyncio.sleep(0.1)
            await keys.press(display, "ctrl+alt+b")
            await keys.moves(("last", True), ("last", False))
            await keys.press(display, "ctrl+alt+z", "q")
            await keys.reaches(lambda: typed.read_bytes().endswith(b"q"), "xterm has the q")
        rest = typed.read_bytes().lstrip(b"a")
        assert b"\x02" not in rest, "ctrl+b"
        # A chord that nobody has taken reaches it.
        assert b"\x1a" in rest or b"\x9a" in rest, rest

    try:
        in_loop(work)
    finally:
        xterm.kill()
        xterm.wait()


def test_a_chord_of_another_program_is_named_until_that_gives_it_up(display: Display) -> None:
    async def work() -> None:
        with program("tests.peers.key_grabber", "k") as other:
            async with watched() as keys:
                await keys.reaches(lambda: keys.details, "a sentence")
                (detail,) = keys.details
                assert detail.startswith(WORKING.replace(", keep <ctrl>+<alt>+k", ""))
                assert "keep <ctrl>+<alt>+k: another program has it; choose another" in detail
                await keys.press(display, "ctrl+alt+k", "ctrl+alt+n")
                await keys.moves(("next", True), ("next", False))
                other.end()
                await keys.says(WORKING)
                await keys.press(display, "ctrl+alt+k")
                await keys.moves(("keep", True), ("keep", False))

    in_loop(work)


def test_a_dead_display_is_reported_once_and_the_hotkeys_work_again_when_it_is_back(
    display: Display,
) -> None:
    async def work() -> None:
        async with watched() as keys:
            await keys.says(WORKING)
            for key in ("ctrl", "alt", "c"):
                await asyncio.to_thread(display.keys, "keydown", key)
            await keys.reaches(lambda: keys.moved, "the key is down")
            display.kill()
            await keys.reaches(lambda: len(keys.moved) == 2, "what was held is let go")
            await keys.says("the display is gone; the hotkeys work once it is there")
            begun = time.perf_counter()
            await keys.reaches(lambda: time.perf_counter() > begun + 2.5, "it looks again")
            assert len(keys.details) == 2
            keys.moved.clear()
            await asyncio.to_thread(display.start)
            await keys.says(WORKING, after=2)
            await keys.press(display, "ctrl+alt+x")
            await keys.moves(("panic", True), ("panic", False))

    in_loop(work)


def test_a_killed_process_is_replaced(display: Display) -> None:
    async def work() -> None:
        async with watched() as keys:
            await keys.says(WORKING)
            pid = keys.hotkeys.pid
            assert pid is not None
            os.kill(pid, KILL)
            await keys.says(WORKING, after=1)
            await keys.press(display, "ctrl+alt+x")
            await keys.moves(("panic", True), ("panic", False))
            last = keys.hotkeys.pid
            assert last is not None
        until(lambda: not Path(f"/proc/{last}").exists(), "the process has ended")

    in_loop(work)


def test_chords_that_are_one_key_or_none_on_this_keyboard_are_named(display: Display) -> None:
    chords = {
        "last": read_chord("<ctrl>+?"),
        "next": read_chord("<ctrl>+<shift>+/"),
        "keep": read_chord("<ctrl>+π"),
    }

    async def work() -> None:
        async with watched(chords) as keys:
            await keys.says(
                "last <ctrl>+?; next <ctrl>+<shift>+/: last has the same key; choose another "
                "chord; keep <ctrl>+π: this keyboard has no such key; choose another chord"
            )
            await keys.press(display, "ctrl+shift+slash")
            await keys.moves(("last", True), ("last", False))

    in_loop(work)


def test_without_the_package_it_says_which_one(
    display: Display, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.hotkeys.hotkeys.find_spec", lambda name: None)

    async def work() -> None:
        async with watched() as keys:
            assert keys.details == ["they need a package: pip install 'melody-bridge[hotkeys]'"]

    in_loop(work)


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"WAYLAND_DISPLAY": "wayland-0"}, "`melody-bridge send hotkey capture`"),
        ({"WAYLAND_DISPLAY": "", "DISPLAY": ""}, "there is no display"),
    ],
)
def test_where_no_program_may_take_keys_it_says_what_to_do_and_starts_nothing(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], says: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    async def work() -> None:
        async with watched() as keys:
            assert len(keys.details) == 1 and says in keys.details[0]
            assert keys.hotkeys.pid is None

    in_loop(work)
