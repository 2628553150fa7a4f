"""The live status on a terminal: engine, input, clock, clients, requests and the newest clips."""

from __future__ import annotations

import logging
import math
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console, ConsoleOptions, RenderResult
from rich.control import Control
from rich.segment import ControlType, Segment, Segments
from rich.text import Text

from bridge.daemon.logs import FIELDS, plain
from bridge.daemon.snapshot import GENERATE, OpenRequest, Snapshot
from bridge.events import CaptureChanged, LayerChanged, LoopChanged

REFRESHES_PER_SECOND = 8
METER_WIDTH = 24
METER_FLOOR_DB = -60.0
SHOWN_CLIPS = 5
SHOWN_LINES = 5
SHOWN_ERRORS = 2
"""Errors that stay although newer lines have come."""
NAME_WIDTH = 11
PATIENCE_SECONDS = 1.0
"""How long the end waits for a terminal that takes nothing."""
_COLOURS = {
    "ready": "green",
    "busy": "cyan",
    "loading": "yellow",
    "restarting": "yellow",
    "lost": "red",
    "failed": "red",
    "none": "dim",
}


@dataclass
class _Line:
    """A line of the log.

    Attributes:
        sentence: what it says.
        source: what lines that say the same have in common, whatever their numbers.
        count: how often it came.
    """

    sentence: str
    source: object
    is_error: bool
    count: int = 1

    def text(self) -> Text:
        times = f" (×{self.count})" if self.count > 1 else ""
        return Text(self.sentence + times, style="red" if self.is_error else "dim")


class Screen(logging.Handler):
    """Draws the snapshot as lines, with the last log lines below; a log handler for these.

    Each line takes one row. On a small terminal the least important lines are left out: the last
    errors and the newest clip stay longest.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__()
        self._snapshot = snapshot
        self._lines: deque[_Line] = deque(maxlen=SHOWN_LINES)
        self._errors: deque[_Line] = deque(maxlen=SHOWN_ERRORS)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a log line; count a warning that repeats one which is still shown."""
        sentence = plain(record)
        # A failed request is news to its client, and an error to a person.
        is_failure = getattr(record, FIELDS, {}).get("event") == "error"
        is_error = is_failure or record.levelno >= logging.ERROR
        source = sentence if is_failure else (record.name, record.msg)
        if is_error or record.levelno >= logging.WARNING:
            for line in tuple(self._lines) + tuple(self._errors):
                if line.source == source:
                    line.sentence, line.count = sentence, line.count + 1
                    return
        line = _Line(sentence, source, is_error)
        self._lines.append(line)
        if is_error:
            self._errors.append(line)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the present state in the rows and columns that there are."""
        rows = list(self._rows())
        room = max(options.max_height, 1)
        by_rank = sorted(range(len(rows)), key=lambda index: (rows[index][0], index))
        kept = sorted(by_rank[:room])
        for index in kept:
            text = rows[index][1]
            text.truncate(options.max_width, overflow="ellipsis")
            text.no_wrap = True
            yield text

    def _rows(self) -> Iterator[tuple[int, Text]]:
        """The lines, each with its rank: a higher one is left out earlier."""
        snapshot = self._snapshot
        status = f" on 127.0.0.1:{snapshot.port}" if snapshot.port else " is starting"
        yield 5, Text(f"Melody Bridge{status}", style="bold")
        queue = f", {snapshot.waiting} waiting" if snapshot.waiting else ""
        away = f", {snapshot.network.text()}" if snapshot.network.is_known else ""
        engine = snapshot.engine
        yield 2, _row("engine", _state(engine.state, engine.detail + away + queue))
        yield 4, _row("input", _state(snapshot.input.state, snapshot.input.detail))
        if snapshot.input.state == "ready":
            lost = f"   {snapshot.overflows} overflows" if snapshot.overflows else ""
            level = snapshot.level
            yield 6, _row("", _meter(level.peak_db, level.rms_db) + Text(lost, style="red"))
        if snapshot.output is not None:
            silent = f", {snapshot.underflows} underflows" if snapshot.underflows else ""
            output = snapshot.output
            yield 4, _row("output", _state(output.state, output.detail + silent))
            for number in sorted(snapshot.layers):
                if layer := _layer(snapshot.layers[number]):
                    yield 8, _row(f"layer {number}", Text(layer))
        for loop in snapshot.loops.values():
            yield 3, _row("loop", Text(_loop(loop)))
        if snapshot.midi.detail:
            yield 7, _row("midi", Text(snapshot.midi.detail))
        yield 6, _row("transport", Text(_transport(snapshot)))
        if snapshot.defaults.values:
            yield 9, _row("settings", Text(snapshot.defaults.text()))
        yield 20, _row("clients", Text(", ".join(snapshot.clients) or "none"))
        for index, (request, state) in enumerate(_requests(snapshot)):
            yield 3 + index, _row("request", Text(f"{request.id}  {state}"))
        clips = [clip for clip in snapshot.clips if clip.mark != "discarded"]
        for index, clip in enumerate(clips[:SHOWN_CLIPS]):
            score = f"  {clip.score:.2f}" if clip.score >= 0 else ""
            kept = "  kept" if clip.mark == "kept" else ""
            name = Text(f"{Path(clip.path).name}{score}{kept}")
            yield 1 + index, _row("clips" if index == 0 else "", name)
        lines = tuple(self._lines)
        lines = (*(each for each in tuple(self._errors) if each not in lines), *lines)
        for index, line in enumerate(lines):
            newer = lines[index + 1 :]
            rank = sum(each.is_error for each in newer) if line.is_error else 7 + len(newer)
            yield rank, line.text()


class Painter:
    """Draws a screen on a whole terminal again and again: only the rows that have changed."""

    def __init__(self, console: Console, screen: Screen) -> None:
        self._console, self._screen = console, screen
        self._size: tuple[int, int] | None = None
        self._rows: list[list[Segment]] = []

    def paint(self) -> None:
        """Draw what has changed; all of it when the terminal has another size."""
        console = self._console
        size = (console.width, console.height)
        rows = console.render_lines(self._screen, console.options, pad=False)[: size[1]]
        # Written in one go: a terminal shows no half-drawn state.
        with console:
            if size != self._size:
                console.control(Control.home(), Control.clear())
                self._size, self._rows = size, []
            for index in range(max(len(rows), len(self._rows))):
                row = rows[index] if index < len(rows) else []
                before = self._rows[index] if index < len(self._rows) else []
                if row != before:
                    erase = Control((ControlType.ERASE_IN_LINE, 2))
                    console.control(Control.move_to(0, index), erase)
                    console.print(Segments(row), end="", soft_wrap=True)
        self._rows = rows


@contextmanager
def shown(screen: Screen, console: Console | None = None) -> Iterator[None]:
    """Draw the screen eight times a second on the terminal of stderr, in a thread.

    At the end the terminal has its former content again, and the last state below it.
    """
    over = threading.Event()
    console = console or Console(stderr=True)
    arguments = (Painter(console, screen), console, over)
    thread = threading.Thread(target=_paint_until, args=arguments, name="screen", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        # A terminal that was paused takes nothing: the daemon ends all the same.
        thread.join(PATIENCE_SECONDS)
        if not thread.is_alive():
            console.print(screen)


def _paint_until(painter: Painter, console: Console, over: threading.Event) -> None:
    # A terminal that is closed takes no more; the daemon goes on until it is stopped.
    with suppress(OSError), console.screen(hide_cursor=True):
        while True:
            painter.paint()
            if over.wait(1 / REFRESHES_PER_SECOND):
                return


def _row(name: str, content: Text) -> Text:
    return Text.assemble((f"{name:<{NAME_WIDTH}}", "dim"), content)


def _layer(layer: LayerChanged) -> str:
    """What a layer plays, in words; empty when it plays nothing and nothing is to come."""
    words = []
    if layer.clip:
        words.append(f"{layer.state} {layer.clip}")
    if layer.coming:
        words.append(f"next {layer.coming}")
    if words and layer.is_muted:
        words.append("muted")
    elif words and layer.gain_db:
        words.append(f"{layer.gain_db:+.1f} dB")
    return ", ".join(words)


def _loop(loop: LoopChanged) -> str:
    """The state of a loop in words, such as `set-1: playing lofi, next capturing, bar 12`."""
    words = [f"{loop.id}: {loop.sounding}{f' {loop.clip}' if loop.clip else ''}"]
    if loop.coming != "none":
        words.append(f"next {loop.coming}")
        if loop.bar:
            words.append(f"bar {loop.bar}")
    return ", ".join(words)


def _requests(snapshot: Snapshot) -> Iterator[tuple[OpenRequest, str]]:
    """The requests under way, each with its state in words."""
    is_busy = snapshot.engine.state == "busy"
    requests = tuple(snapshot.requests.values())
    begun = any(request.fraction for request in requests)
    place = 0
    for request in requests:
        match request.state:
            case CaptureChanged():
                yield request, _capture(request.state)
            case _ if request.kind != GENERATE or request.fraction:
                yield request, _bar(request.fraction)
            case _ if is_busy and not begun:
                # The engine takes the requests in their order, and has not reported on this one.
                begun = True
                yield request, "begins"
            case _:
                place += 1
                yield request, f"waits, number {place} in the queue"


def _capture(capture: CaptureChanged) -> str:
    """The state of a capture in words, such as `recording, bar 2 of 4`."""
    words: list[str] = [capture.state]
    if capture.bar:
        words.append(
            f"bar {capture.bar} of {capture.bars}" if capture.bars else f"bar {capture.bar}"
        )
    elif capture.state == "recording":
        words.append(f"{capture.seconds:.1f} s")
    if capture.state == "waiting" and capture.bars:
        words.append(f"{capture.bars} bars")
    return ", ".join(words)


def _state(state: str, detail: str) -> Text:
    return Text.assemble((state, _COLOURS[state]), f"  {detail}")


def _transport(snapshot: Snapshot) -> str:
    clock = snapshot.clock
    peers = snapshot.link_peers
    link = f"   Link: {peers} {'peer' if peers == 1 else 'peers'}" if peers else ""
    if clock is None:
        return f"not received yet{link}"
    state = "stopped"
    if clock.is_playing:
        state = "playing" if snapshot.beat is None else f"playing, beat {snapshot.beat}"
    meter = f"{clock.numerator}/{clock.denominator}"
    return f"{clock.source}: {clock.tempo_bpm:g} bpm, {meter}, {state}{link}"


def _meter(peak_db: float, rms_db: float) -> Text:
    """RMS as a bar and the peak as a line in it, from −60 to 0 dBFS."""

    def cells_up_to(level_db: float) -> int:
        share = (level_db - METER_FLOOR_DB) / -METER_FLOOR_DB
        return min(max(math.ceil(share * METER_WIDTH), 0), METER_WIDTH)

    filled, peak = cells_up_to(rms_db), cells_up_to(peak_db)
    cells = ["█" if cell < filled else "·" for cell in range(METER_WIDTH)]
    if peak > filled:
        cells[peak - 1] = "│"
    peak_text = f" {peak_db:6.1f} dBFS" if peak_db > METER_FLOOR_DB else "  silent"
    return Text("".join(cells), style="red" if peak_db > -1 else "green") + Text(peak_text)


def _bar(share: float | None) -> str:
    if share is None:
        return "under way"
    return f"{'█' * round(share * METER_WIDTH):·<{METER_WIDTH}} {share:4.0%}"
