"""The live status of every state, drawn by rich as on a terminal."""

from __future__ import annotations

import io
import itertools
import logging
import re
import threading
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console, ConsoleDimensions

from bridge.commands import ClipSettings
from bridge.daemon.snapshot import Snapshot
from bridge.events import (
    CaptureChanged,
    ClientsChanged,
    ClipReady,
    ClockChanged,
    DefaultsChanged,
    EngineChanged,
    Event,
    InputChanged,
    InputOverflowed,
    LayerChanged,
    Level,
    Listening,
    LoopChanged,
    MidiPortsChanged,
    NetworkChanged,
    OutputChanged,
    OutputUnderflowed,
    Progress,
    QueueChanged,
    RequestBegun,
)
from bridge.screens.status import SHOWN_CLIPS, SHOWN_LINES, Painter, Screen, shown
from tests.peers.wait import until


def after(*events: Event) -> Snapshot:
    snapshot = Snapshot()
    for event in events:
        snapshot.apply(event)
    return snapshot


def drawn(snapshot: Snapshot, screen: Screen | None = None, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    console.print(screen or Screen(snapshot))
    output = console.file
    assert isinstance(output, io.StringIO)
    return output.getvalue()


def clip(number: int, score: float = 0.91) -> ClipReady:
    path = f"/clips/clip {number}.wav"
    return ClipReady("me-1", number, 1, path, 4, 120.0, 7, score, 4, 4, 44_100, f"clip {number}")


def test_a_daemon_that_has_just_started_shows_its_port_and_that_it_loads() -> None:
    text = drawn(after(Listening(7771), EngineChanged("loading", "loading pocket")))
    assert "127.0.0.1:7771" in text
    assert "loading pocket" in text
    assert "not received yet" in text
    assert "dBFS" not in text


def test_input_transport_clients_requests_and_clips_are_shown() -> None:
    snapshot = after(
        EngineChanged("busy", "pocket on cpu"),
        QueueChanged(2),
        InputChanged("ready", "Scarlett 2i2", 48_000, "Scarlett 2i2, 48000 Hz, 2 channels"),
        Level(-6.0, -30.0),
        InputOverflowed(3),
        ClockChanged("osc", 93.7, 7, 8, True),
        MidiPortsChanged(("Launchkey",), (), "from Launchkey"),
        DefaultsChanged(ClipSettings(bars=8, preset="lofi-keys")),
        ClientsChanged(("live1 (7772)", "unnamed (9001)")),
        RequestBegun("me-1", "generate"),
        clip(1),
        clip(2, score=-1.0),
        RequestBegun("live1-7", "generate"),
        Progress("live1-7", 0.5, 3.0),
        RequestBegun("live1-8", "generate"),
    )
    text = drawn(snapshot)
    for words in (
        *("pocket on cpu, 2 waiting", "Scarlett 2i2, 48000 Hz", "-6.0 dBFS", "3 overflows"),
        *("osc: 93.7 bpm, 7/8, playing", "live1 (7772), unnamed (9001)", "live1-7", "50%"),
        *("live1-8  waits, number 2 in the queue", "clip 1.wav  0.91"),
        *("bars 8, preset lofi-keys", "midi       from Launchkey"),
    ):
        assert words in text
    assert text.index("clip 2.wav") < text.index("clip 1.wav")
    assert "-1.00" not in text


def test_how_far_away_a_remote_engine_is_is_shown_while_it_is_known() -> None:
    ready = EngineChanged("ready", "pocket on cuda:0 at http://box:8000")
    text = drawn(after(ready, NetworkChanged(12.5, 3.25)), width=120)
    assert "http://box:8000, 12.5 ms away and back, 3.25 MB/s" in text
    assert "12.5 ms away and back\n" in drawn(after(ready, NetworkChanged(12.5)), width=120)
    assert "away" not in drawn(after(ready, NetworkChanged(12.5), NetworkChanged()), width=120)


def test_the_output_and_its_layers_are_shown_where_there_is_one() -> None:
    assert "output" not in drawn(Snapshot())
    snapshot = after(
        OutputChanged("ready", "speaker", 48_000, "speaker, 48000 Hz"),
        OutputUnderflowed(3),
        LayerChanged(1, "playing", "keys", "drums", -6.0, False),
        LayerChanged(2, "stopping", "bass", "", 0.0, True),
        LayerChanged(3, "off", "", "", -3.0, False),
    )
    text = drawn(snapshot)
    assert re.search(r"output +ready +speaker, 48000 Hz, 3 underflows", text)
    assert re.search(r"layer 1 +playing keys, next drums, -6\.0 dB", text)
    assert re.search(r"layer 2 +stopping bass, muted", text)
    assert "layer 3" not in text


def test_live_loops_show_what_sounds_and_what_comes() -> None:
    snapshot = after(
        LoopChanged("set-1", "playing", "queued", 1, 12, "keys"),
        LoopChanged("set-2", "off", "armed", 2, 0, ""),
        LoopChanged("set-3", "off", "none", 3, 0, ""),
    )
    text = drawn(snapshot)
    assert re.search(r"loop +set-1: playing keys, next queued, bar 12\n", text)
    assert re.search(r"loop +set-2: off, next armed\n", text)
    assert "set-3" not in text


def test_the_meter_grows_with_the_level_and_marks_the_peak() -> None:
    def cells(rms_db: float, peak_db: float) -> str:
        text = drawn(after(InputChanged("ready", "", 48_000), Level(peak_db, rms_db)))
        return next(line for line in text.splitlines() if "·" in line or "█" in line)

    assert cells(-30.0, -30.0).count("█") == 12
    assert cells(-15.0, -15.0).count("█") == 18
    assert cells(0.0, 0.0).count("█") == 24
    assert "│" in cells(-30.0, -6.0) and "│" not in cells(-30.0, -30.0)
    assert "silent" in cells(-120.0, -120.0)


def test_the_last_lines_of_the_log_and_the_newest_clips_stay() -> None:
    snapshot = after(RequestBegun("me-1", "generate"))
    screen = Screen(snapshot)
    for number in range(20):
        record = logging.LogRecord("bridge", logging.INFO, "", 0, f"line {number}!", None, None)
        screen.handle(record)
        snapshot.apply(clip(number))
    text = drawn(snapshot, screen)
    assert f"line {20 - SHOWN_LINES}!" in text and f"line {19 - SHOWN_LINES}!" not in text
    assert f"clip {20 - SHOWN_CLIPS}.wav" in text
    assert f"clip {19 - SHOWN_CLIPS}.wav" not in text


def test_the_screen_can_be_drawn_while_the_snapshot_changes() -> None:
    snapshot = after(RequestBegun("me-1", "generate"))
    screen = Screen(snapshot)
    over = threading.Event()

    def change() -> None:
        for number in itertools.count():
            record = logging.LogRecord("bridge", logging.INFO, "", 0, f"{number}", None, None)
            screen.handle(record)
            snapshot.apply(clip(number))
            if over.is_set():
                return

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(200):
            drawn(snapshot, screen)
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize("width", [30, 50])
def test_names_with_markup_are_shown_unchanged_on_narrow_terminals_too(width: int) -> None:
    snapshot = after(ClientsChanged(("[red]x[/red] (1)",)), EngineChanged("ready", "[/oops]"))
    text = drawn(snapshot, width=width)
    assert "[red]x[/red]" in text and "[/oops]" in text


def test_a_capture_shows_that_it_waits_and_which_bar_it_records() -> None:
    def capture(**changes: Any) -> str:
        changed = replace(CaptureChanged("me-1", "waiting", 0.0, -120.0), **changes)
        return drawn(after(RequestBegun("me-1", "capture"), changed))

    assert "me-1  waiting, 4 bars\n" in capture(bars=4)
    assert "me-1  waiting\n" in capture()
    assert "me-1  recording, bar 2 of 4\n" in capture(state="recording", bar=2, bars=4)
    assert "me-1  recording, bar 3\n" in capture(state="recording", bar=3)
    assert "me-1  recording, 1.5 s\n" in capture(state="recording", seconds=1.5)


def test_waiting_requests_show_their_place_in_the_queue() -> None:
    begun = [RequestBegun(f"me-{number}", "generate") for number in range(3)]
    text = drawn(after(EngineChanged("busy", ""), *begun))
    assert "me-0  begins" in text
    assert "me-1  waits, number 1 in" in text and "me-2  waits, number 2 in" in text
    text = drawn(after(EngineChanged("busy", ""), *begun, Progress("me-0", 0.5, 1.0)))
    assert "50%" in text and "me-2  waits, number 2 in" in text
    text = drawn(after(EngineChanged("loading", ""), *begun))
    assert "me-0  waits, number 1 in" in text


def record(level: int, message: str, *values: object, **fields: object) -> logging.LogRecord:
    entry = logging.LogRecord("bridge", level, "", 0, message, values, None)
    entry.fields = fields
    return entry


def test_a_warning_that_comes_again_is_counted_and_not_repeated() -> None:
    screen = Screen(Snapshot())
    for count in range(1, 8):
        screen.handle(record(logging.WARNING, "the input has lost audio %d times", count))
        screen.handle(record(logging.INFO, "an event"))
    text = drawn(Snapshot(), screen)
    assert text.count("lost audio") <= 2
    screen.handle(record(logging.WARNING, "the input has lost audio %d times", 8))
    screen.handle(record(logging.WARNING, "the input has lost audio %d times", 9))
    text = drawn(Snapshot(), screen)
    assert "the input has lost audio 9 times (×" in text and text.count("lost audio") == 1


@pytest.mark.parametrize("height", range(1, 20))
def test_a_small_terminal_keeps_the_newest_clip_and_the_last_error(height: int) -> None:
    snapshot = after(
        Listening(7771),
        InputChanged("ready", "", 48_000),
        ClientsChanged(("x" * 500,)),
        RequestBegun("me-1", "generate"),
        *map(clip, range(10)),
        *(RequestBegun(f"me-{number}", "generate") for number in range(2, 9)),
    )
    screen = Screen(snapshot)
    screen.handle(record(logging.INFO, "me-0: queue-full: wait", event="error"))
    for number in range(9):
        screen.handle(record(logging.INFO, f"line {number}"))
    console = Console(file=io.StringIO(), width=20, height=height, force_terminal=False)
    console.print(screen)
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert len(lines) == height and all(len(line) <= 20 for line in lines)
    assert any("me-0: queue-full" in line for line in lines)
    assert height == 1 or any("clip 9" in line for line in lines)
    assert "line 8" in lines or "line 7" not in lines, "the newest lines stay"


class Terminal:
    """What a terminal shows, of the control sequences that the painter uses."""

    def __init__(self, width: int, height: int) -> None:
        self.output = io.StringIO()
        self.console = Console(
            file=self.output, width=width, height=height, force_terminal=True, legacy_windows=False
        )
        self._cells: dict[tuple[int, int], str] = {}
        self._at = [0, 0]

    def resize(self, width: int, height: int) -> None:
        """Become smaller or larger; long rows are wrapped, as terminals do."""
        self.console.size = ConsoleDimensions(width, height)
        self._cells |= {(row + 1, column): "?" for row, column in self._cells}

    def written(self) -> str:
        """Take what was written since the last call to the screen; return it."""
        text = self.output.getvalue()
        self.output.seek(0)
        self.output.truncate()
        for sequence, character in re.findall(r"\x1b\[([0-9;?]*[A-Za-z])|([^\x1b])", text):
            self._take(sequence, character)
        return text

    def _take(self, sequence: str, character: str) -> None:
        row, column = self._at
        if character:
            assert character != "\n" and column < self.console.width
            self._cells[row, column] = character
            self._at = [row, column + 1]
        elif sequence == "2J":
            self._cells.clear()
        elif sequence == "2K":
            self._cells = {at: each for at, each in self._cells.items() if at[0] != row}
        elif sequence.endswith("H"):
            place = [int(each or 1) - 1 for each in sequence[:-1].split(";")]
            self._at = [*place, 0][:2]
        else:
            assert sequence.endswith("m"), sequence

    def shows(self) -> list[str]:
        """Its rows, without empty ends."""
        rows = [row for row, _ in self._cells]
        return [
            "".join(
                self._cells.get((row, column), " ") for column in range(self.console.width)
            ).rstrip()
            for row in range(max(rows, default=-1) + 1)
        ]


def test_only_what_has_changed_is_drawn_again() -> None:
    snapshot = after(Listening(7771), InputChanged("ready", "", 48_000), clip(1))
    terminal = Terminal(80, 24)
    painter = Painter(terminal.console, Screen(snapshot))
    painter.paint()
    assert "127.0.0.1:7771" in terminal.written()
    painter.paint()
    assert terminal.written() == ""
    snapshot.apply(Level(-6.0, -30.0))
    painter.paint()
    written = terminal.written()
    assert "-6.0 dBFS" in written and "transport" not in written
    assert terminal.shows() == [line.rstrip() for line in drawn(snapshot).splitlines()]


@pytest.mark.parametrize("size", [(30, 6), (80, 24), (120, 40), (10, 2)])
def test_a_terminal_of_another_size_shows_no_ghosts(size: tuple[int, int]) -> None:
    snapshot = after(Listening(7771), RequestBegun("me-1", "generate"), *map(clip, range(5)))
    terminal = Terminal(60, 12)
    screen = Screen(snapshot)
    painter = Painter(terminal.console, screen)
    painter.paint()
    terminal.written()
    terminal.resize(*size)
    painter.paint()
    terminal.written()
    console = Console(file=io.StringIO(), width=size[0], height=size[1], force_terminal=False)
    console.print(screen)
    assert isinstance(console.file, io.StringIO)
    assert terminal.shows() == [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_the_terminal_has_the_last_state_below_its_former_content_at_the_end() -> None:
    output = io.StringIO()
    console = Console(file=output, width=80, height=24, force_terminal=True, legacy_windows=False)
    with shown(Screen(after(Listening(7771))), console):
        until(lambda: "7771" in output.getvalue(), "the first drawing")
    whole, _, below = output.getvalue().partition("\x1b[?1049l")
    assert "\x1b[?1049h" in whole and "127.0.0.1:7771" in below
