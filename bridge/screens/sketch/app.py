"""The terminal program: it draws the rows that changed, and passes keys and clicks on."""

from __future__ import annotations

import asyncio
import math
import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.app import App, ComposeResult
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Input

from bridge.config import SketchOptions
from bridge.control.client import OscClient
from bridge.events import CaptureChanged, Event
from bridge.screens.sketch.cells import Row
from bridge.screens.sketch.desk import Desk
from bridge.screens.sketch.hold import MOUSE, Hold, Key, KeyReleased, driver_class, name_of
from bridge.screens.sketch.link import Link
from bridge.screens.sketch.outside import copy, open_folder
from bridge.screens.sketch.pictures import NO_PICTURE, Picture, Pictures
from bridge.screens.sketch.problems import Problems
from bridge.screens.sketch.roll import Roll, classes_of, peaks_of
from bridge.screens.sketch.views import Shown, help_rows, screen_rows

DRAW_SECONDS = 0.05
"""The shortest time between two drawings of events; those within it are drawn at once."""
MOVE_SECONDS = 0.1
"""How often the roll is drawn anew: it moves with the time, also between two events."""
PREFIX = "sketch_"
RECORD = "record"
REPEATED = {"fewer_bars", "more_bars", "slower", "faster", "next", "previous"}
"""Actions that a held key repeats, where the terminal says that it is held."""


class Canvas(Widget):
    """Rows of cells. Only rows that change are drawn; a click is an action of the cell.

    Attributes:
        rows: what is drawn.
    """

    def __init__(
        self,
        on_action: Callable[[str], None],
        on_hold: Callable[[bool], None],
        on_resize: Callable[[], None],
    ) -> None:
        """Args:
        on_action: called with the action of a cell that was clicked.
        on_hold: called with True when the mouse is pressed on `record`, and with False when it is
            let go, wherever it is then.
        """
        super().__init__()
        self.rows: list[Row] = []
        self._on_action, self._on_hold, self._on_resized = on_action, on_hold, on_resize
        self._is_held = False

    def show(self, rows: list[Row]) -> None:
        """Draw these rows, as many as the screen has."""
        before, self.rows = self.rows, rows
        width = self.size.width
        changed = [
            Region(0, line, width, 1)
            for line in range(max(len(rows), len(before)))
            if rows[line : line + 1] != before[line : line + 1]
        ]
        if changed:
            self.refresh(*changed)

    def render_line(self, y: int) -> Strip:
        """See `Widget`."""
        row = self.rows[y] if y < len(self.rows) else []
        cells = [Segment(cell.text, Style.parse(cell.style)) for cell in row if cell.text]
        return Strip(cells).adjust_cell_length(self.size.width)

    def on_resize(self) -> None:
        """Draw for the new size."""
        self._on_resized()

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Begin or end a recording, if the cell is for that."""
        self._is_held = self._action_at(event) == RECORD
        if self._is_held:
            self.capture_mouse()
            self._on_hold(True)

    def on_mouse_up(self, event: events.MouseUp) -> None:
        """End a recording for which the mouse was held."""
        if self._is_held:
            self.release_mouse()
            self._on_hold(False)

    def on_click(self, event: events.Click) -> None:
        """Do what the cell under the mouse is for."""
        action = self._action_at(event)
        if action and action != RECORD and not self._is_held:
            self._on_action(action)

    def _action_at(self, event: events.MouseEvent) -> str:
        left = event.x
        for cell in self.rows[event.y] if 0 <= event.y < len(self.rows) else []:
            if left < len(cell.text):
                return cell.action
            left -= len(cell.text)
        return ""


@dataclass(frozen=True)
class Start:
    """What the screen is started with.

    Attributes:
        port: the daemon's.
        bars: length of takes and clips where the session says none.
        leave_descriptor: a pipe whose end says that the screen is to leave; None: there is none.
    """

    port: int
    bars: int
    leave_descriptor: int | None = None


class SketchApp(App[None]):
    """The screen of `melody-bridge sketch`.

    Attributes:
        link, desk, pictures, canvas: the parts of the screen.
        last_picture: the last screen, as an SVG; empty until the person leaves.
    """

    CSS = """
    Canvas { width: 100%; height: 1fr; }
    Input { dock: bottom; height: 1; border: none; padding: 0 1; display: none; }
    Input:focus { border: none; }
    Input.open { display: block; }
    """
    ENABLE_COMMAND_PALETTE = False
    AUTO_FOCUS = None
    BINDINGS: ClassVar = [("ctrl+c", "quit")]

    def __init__(
        self,
        options: SketchOptions,
        start: Start,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Args:
        clock: returns seconds; it moves the roll.
        """
        super().__init__(driver_class=driver_class())
        self._clock = clock
        self.last_picture = ""
        self.theme = f"ansi-{_background(options, os.environ)}"
        self._start = start
        self._keys = {name.removeprefix(PREFIX): keys for name, keys in options.keys().items()}
        self._actions = {
            key: (action, number)
            for action, keys in self._keys.items()
            for number, key in enumerate(keys)
        }
        # The name is part of a clip's: it says when the idea came.
        self._client = OscClient(start.port, time.strftime("hum%H%M%S"))
        self.link = Link(self._client, self._follow, clock)
        self.desk = Desk(
            self.link.snapshot, options, name=self._client.name, bars=start.bars, send=self._send
        )
        self._roll, self._take = Roll(), NO_PICTURE
        self.pictures = Pictures(self._draw_soon)
        self._problems = Problems(self._draw_soon, clock)
        self._is_helping = self._is_due = False
        self._drawn_seconds = 0.0
        self._tasks: list[asyncio.Task[None]] = []
        self._hold = Hold()
        self.canvas = Canvas(self._do, self._hold_mouse, self._draw)
        self._prompt = Input(placeholder="how it sounds, such as: warm rhodes, lo-fi drums")

    def compose(self) -> ComposeResult:
        """See `App`."""
        yield self.canvas
        yield self._prompt

    def on_mount(self) -> None:
        """Open the line to the daemon."""
        loop = asyncio.get_running_loop()
        self._tasks.append(loop.create_task(self.link.open()))
        if self._start.leave_descriptor is not None:
            loop.add_reader(self._start.leave_descriptor, self.exit)
        self.set_interval(MOVE_SECONDS, self._draw)
        self._draw()

    async def on_unmount(self) -> None:
        """Close the line."""
        if self._start.leave_descriptor is not None:
            asyncio.get_running_loop().remove_reader(self._start.leave_descriptor)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.pictures.close()

    def on_key(self, event: events.Key) -> None:
        """Do what the key is for, unless the prompt is being written."""
        if self._prompt.has_class("open"):
            if event.key == "escape":
                event.stop()
                self._close_prompt()
            return
        event.stop()
        event.prevent_default()
        name = name_of(event)
        if name == "escape":
            self._is_helping = False
            self._draw()
        elif name in self._actions:
            action, number = self._actions[name]
            if _is_repeat(event) and action not in REPEATED:
                return
            if action == RECORD:
                self._press(name, event.time)
            else:
                self._do(action, number)

    def on_key_released(self, event: KeyReleased) -> None:
        """End the take for which the key was held."""
        self._release(name_of(event), event.time)

    def on_app_blur(self) -> None:
        """Expect no release of a held key."""
        self._hold.leave()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Set the prompt."""
        self.desk.set_prompt(event.value)
        self._close_prompt()

    def _do(self, action: str, number: int = 0) -> None:
        kind, _, path = action.partition(":")
        own: dict[str, Callable[[], None]] = {
            "prompt": self._open_prompt,
            "copy": self._copy,
            "open": self._open,
            "help": self._help,
            "quit": self._quit,
            "clip": lambda: self.desk.choose(path),
        }
        if kind in own:
            own[kind]()
        else:
            self.desk.do(action, number)
        self._draw()
        # The daemon's answer is drawn as soon as it comes.
        self._drawn_seconds = -math.inf

    def _hold_mouse(self, is_held: bool) -> None:
        if is_held:
            self._press(MOUSE, self._clock())
        else:
            self._release(MOUSE, self._clock())

    def _press(self, by: str, seconds: float) -> None:
        before = self.desk.take
        self._do(RECORD)
        take = self.desk.take
        self._hold.press(by, take if take != before else "", seconds)

    def _release(self, by: str, seconds: float) -> None:
        take, desk = self._hold.release(by, seconds), self.desk
        # A take that failed is none, and one that is complete needs no end.
        if take and desk.take and not (desk.take == take and desk.is_done):
            self._send("capture/stop", take)
            self._drawn_seconds = -math.inf

    def _send(self, address: str, *arguments: int | float | str) -> None:
        if not self.link.is_connected:
            self.desk.say("no daemon answers yet", is_error=True)
            return
        try:
            self.link.send(address, *arguments)
        except ValueError as error:
            self.desk.say(str(error), is_error=True)

    def _follow(self, event: Event | None) -> None:
        if event is None:
            if self.link.is_connected:
                self.desk.begin()
        else:
            now = self._clock()
            self._roll.observe(event, now)
            self.desk.observe(event)
            if isinstance(event, CaptureChanged) and event.id == self.desk.take:
                moments = self._roll.take(event.seconds, now)
                self._take = Picture(peaks_of(moments), classes_of(moments))
        self._draw_soon()

    def _draw_soon(self) -> None:
        if not self._is_due:
            self._is_due = True
            wait_seconds = self._drawn_seconds + DRAW_SECONDS - self._clock()
            self.set_timer(max(wait_seconds, 0.001), self._draw)

    def _draw(self) -> None:
        self._is_due, self._drawn_seconds = False, self._clock()
        width, height = self.canvas.size
        if not width or not height:
            return
        shown = self._shown()
        draw = help_rows if self._is_helping else screen_rows
        self.canvas.show(draw(shown, width, height))

    def _shown(self) -> Shown:
        snapshot, chosen = self.link.snapshot, self.desk.chosen
        picture, melody = self.pictures.of_clip(chosen) if chosen else (NO_PICTURE, NO_PICTURE)
        if not self.desk.is_followed and self.desk.take:
            melody = NO_PICTURE
        return Shown(
            snapshot=snapshot,
            desk=self.desk,
            roll=self._roll,
            keys=self._keys,
            problem=self._problems.of(snapshot) if self.link.is_connected else "",
            connection="" if self.link.is_connected else "the daemon is starting",
            picture=picture,
            melody=melody,
            take=self._take,
            seconds=self._clock(),
        )

    def _help(self) -> None:
        self._is_helping = not self._is_helping

    def _quit(self) -> None:
        self.last_picture = self.picture()
        self.exit()

    def picture(self) -> str:
        """The screen as an SVG that needs no font from the network."""
        drawn = self.export_screenshot(title="melody-bridge sketch")
        return re.sub(r"\s*@font-face \{[^}]*\}", "", drawn)

    def _open_prompt(self) -> None:
        self._prompt.value = str(self.link.snapshot.defaults.get("prompt") or "")
        self._prompt.add_class("open")
        self._prompt.focus()

    def _close_prompt(self) -> None:
        self._prompt.remove_class("open")
        self.set_focus(None)

    def _copy(self) -> None:
        clip = self.desk.clip
        if clip is None:
            self.desk.say("there is no clip yet")
            return
        if not copy(clip.path):
            # The terminal's own way (OSC 52), which some terminals take only if they are set to.
            self.copy_to_clipboard(clip.path)
        self.desk.say(f"copied {clip.path}")

    def _open(self) -> None:
        clip = self.desk.clip
        if clip is None:
            self.desk.say("there is no clip yet")
            return
        folder = Path(clip.path).parent
        opened = open_folder(folder)
        self.desk.say(f"opened {folder}" if opened else f"no program opens it here: {folder}")


def _is_repeat(event: events.Key) -> bool:
    return isinstance(event, Key) and event.is_repeat


def _background(options: SketchOptions, environment: Mapping[str, str]) -> str:
    """Whether the terminal is dark or light.

    Many terminals set COLORFGBG to the numbers of their two colours, such as `15;0`; 7 and from 9
    on are light.
    """
    if options.sketch_theme != "auto":
        return options.sketch_theme
    background = environment.get("COLORFGBG", "").rpartition(";")[2]
    is_light = background.isdigit() and (background == "7" or int(background) > 8)
    return "light" if is_light else "dark"
