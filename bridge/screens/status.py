"""The daemon on a terminal: what it hears, what it does, who listens, and the last clips."""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from bridge.commands import ClipReady, EngineState, InputState
from bridge.daemon.logs import plain

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


@dataclass
class Status:
    """What there is to see of a daemon, kept up to date by it.

    Attributes:
        engine, engine_detail, waiting: the engine's state, a sentence, requests in its queue.
        input, input_detail: the input's state; device and rate, or why there is none.
        peak_db, rms_db: of the last tenth of a second; −120 when silent.
        overflows: times that the input lost sound.
        transport: such as `"120 bpm, 4/4, playing, beat 65"`.
        clients: who listens, such as `"live1 (7772)"`.
        requests: what is under way, with the share that is done, None when not known.
        clips: the newest first.
        port: where it listens; 0: not yet.
    """

    engine: EngineState = "loading"
    engine_detail: str = ""
    waiting: int = 0
    input: InputState = "none"
    input_detail: str = ""
    peak_db: float = -120.0
    rms_db: float = -120.0
    overflows: int = 0
    transport: str = "not heard yet"
    clients: Sequence[str] = ()
    requests: Sequence[tuple[str, float | None]] = ()
    clips: deque[ClipReady] = field(default_factory=lambda: deque(maxlen=SHOWN_CLIPS))
    port: int = 0


class Screen(logging.Handler):
    """The status as it stands, with the last lines of the log under it; a handler for these."""

    def __init__(self, status: Status) -> None:
        super().__init__()
        self._status = status
        self._lines: deque[str] = deque(maxlen=SHOWN_LINES)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line of the log."""
        self._lines.append(plain(record))

    def __rich__(self) -> Group:
        """The picture of this moment; in another thread than what brings it up to date."""
        status = self._status
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim", no_wrap=True)
        table.add_column()
        queue = f", {status.waiting} waiting" if status.waiting else ""
        table.add_row("engine", _state(status.engine, status.engine_detail + queue))
        table.add_row("input", _state(status.input, status.input_detail))
        if status.input == "ready":
            lost = f"   {status.overflows} overflows" if status.overflows else ""
            table.add_row("", _meter(status.peak_db, status.rms_db) + Text(lost, style="red"))
        table.add_row("transport", escape(status.transport))
        table.add_row("clients", escape(", ".join(status.clients) or "none"))
        for id, share in status.requests:
            table.add_row("request", Text(f"{id}  " + _bar(share)))
        for index, clip in enumerate(tuple(status.clips)):
            score = f"  {clip.score:.2f}" if clip.score >= 0 else ""
            table.add_row("clips" if index == 0 else "", Text(f"{Path(clip.path).name}{score}"))
        place = f" on 127.0.0.1:{status.port}" if status.port else " is starting"
        title = Text(f"Melody Bridge{place}", style="bold")
        return Group(title, table, *(Text(line, style="dim") for line in tuple(self._lines)))


@contextmanager
def shown(screen: Screen) -> Iterator[None]:
    """Draw the screen, eight times a second, at the bottom of the terminal that stderr is."""
    console = Console(stderr=True)
    with Live(screen, console=console, refresh_per_second=REFRESHES_PER_SECOND, transient=False):
        yield


def _state(state: str, detail: str) -> Text:
    return Text.assemble((state, _COLOURS[state]), f"  {detail}")


def _meter(peak_db: float, rms_db: float) -> Text:
    """RMS as a bar with the peak as a line in it, from −60 to 0 dBFS."""

    def place(level_db: float) -> int:
        share = (level_db - METER_FLOOR_DB) / -METER_FLOOR_DB
        return min(max(math.ceil(share * METER_WIDTH), 0), METER_WIDTH)

    filled, peak = place(rms_db), place(peak_db)
    cells = ["█" if cell < filled else "·" for cell in range(METER_WIDTH)]
    if peak > filled:
        cells[peak - 1] = "│"
    figure = f" {peak_db:6.1f} dBFS" if peak_db > METER_FLOOR_DB else "  silent"
    return Text("".join(cells), style="red" if peak_db > -1 else "green") + Text(figure)


def _bar(share: float | None) -> str:
    if share is None:
        return "under way"
    return f"{'█' * round(share * METER_WIDTH):·<{METER_WIDTH}} {share:4.0%}"
