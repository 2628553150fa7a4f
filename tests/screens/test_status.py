"""The live status of every state, drawn by rich as on a terminal."""

from __future__ import annotations

import io
import itertools
import logging
import threading

import pytest
from rich.console import Console

from bridge.commands import (
    ClientsChanged,
    ClipReady,
    ClipSettings,
    ClockChanged,
    DefaultsChanged,
    EngineChanged,
    Event,
    InputChanged,
    InputOverflowed,
    Level,
    Listening,
    Progress,
    QueueChanged,
    RequestBegun,
)
from bridge.daemon.snapshot import Snapshot
from bridge.screens.status import SHOWN_CLIPS, SHOWN_LINES, Screen


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
    return ClipReady("me-1", 0, 1, path, 4, 120.0, 7, score, 4, 4, 44_100, f"clip {number}")


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
    for shown in (
        *("pocket on cpu, 2 waiting", "Scarlett 2i2, 48000 Hz", "-6.0 dBFS", "3 overflows"),
        *("93.7 bpm, 7/8, playing", "live1 (7772), unnamed (9001)", "live1-7", "50%"),
        *("under way", "clip 1.wav  0.91"),
        "bars 8, preset lofi-keys",
    ):
        assert shown in text
    assert text.index("clip 2.wav") < text.index("clip 1.wav")
    assert "-1.00" not in text


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
