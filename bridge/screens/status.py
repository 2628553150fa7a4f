"""The live status on a terminal: engine, input, clock, clients, requests and the newest clips."""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from bridge.daemon.logs import plain
from bridge.daemon.snapshot import Snapshot

REFRESHES_PER_SECOND = 8
METER_WIDTH = 24
METER_FLOOR_DB = -60.0
SHOWN_CLIPS = 5
SHOWN_LINES = 5
_COLOURS = {
    "ready": "green",
    "busy": "cyan",
    "loading": "yellow",
    "restarting": "yellow",
    "lost": "red",
    "failed": "red",
    "none": "dim",
}


class Screen(logging.Handler):
    """Draws the snapshot as a table, with the last log lines below; a log handler for these."""

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__()
        self._snapshot = snapshot
        self._lines: deque[str] = deque(maxlen=SHOWN_LINES)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a log line."""
        self._lines.append(plain(record))

    def __rich__(self) -> Group:
        """Draw the present state; rich calls it in a thread of its own."""
        snapshot = self._snapshot
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim", no_wrap=True)
        table.add_column()
        queue = f", {snapshot.waiting} waiting" if snapshot.waiting else ""
        table.add_row("engine", _state(snapshot.engine.state, snapshot.engine.detail + queue))
        table.add_row("input", _state(snapshot.input.state, snapshot.input.detail))
        if snapshot.input.state == "ready":
            lost = f"   {snapshot.overflows} overflows" if snapshot.overflows else ""
            level = snapshot.level
            table.add_row("", _meter(level.peak_db, level.rms_db) + Text(lost, style="red"))
        table.add_row("transport", _transport(snapshot))
        if snapshot.defaults.values:
            table.add_row("settings", Text(snapshot.defaults.text()))
        table.add_row("clients", escape(", ".join(snapshot.clients) or "none"))
        for request in snapshot.requests.values():
            table.add_row("request", Text(f"{request.id}  {_bar(request.fraction)}"))
        for index, clip in enumerate(snapshot.clips[:SHOWN_CLIPS]):
            score = f"  {clip.score:.2f}" if clip.score >= 0 else ""
            table.add_row("clips" if index == 0 else "", Text(f"{Path(clip.path).name}{score}"))
        status = f" on 127.0.0.1:{snapshot.port}" if snapshot.port else " is starting"
        title = Text(f"Melody Bridge{status}", style="bold")
        return Group(title, table, *(Text(line, style="dim") for line in tuple(self._lines)))


@contextmanager
def shown(screen: Screen) -> Iterator[None]:
    """Draw the screen eight times a second, at the bottom of the terminal on stderr."""
    console = Console(stderr=True)
    with Live(screen, console=console, refresh_per_second=REFRESHES_PER_SECOND, transient=False):
        yield


def _state(state: str, detail: str) -> Text:
    return Text.assemble((state, _COLOURS[state]), f"  {detail}")


def _transport(snapshot: Snapshot) -> str:
    clock = snapshot.clock
    if clock is None:
        return "not received yet"
    state = "stopped"
    if clock.is_playing:
        state = "playing" if snapshot.beat is None else f"playing, beat {snapshot.beat}"
    return f"{clock.tempo_bpm:g} bpm, {clock.numerator}/{clock.denominator}, {state}"


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
