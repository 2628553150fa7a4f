"""One event of each kind, and the message that a client must receive for it (docs/osc.md)."""

from __future__ import annotations

from bridge.commands import (
    CaptureChanged,
    ClipReady,
    ClockChanged,
    Done,
    EngineChanged,
    Event,
    Failed,
    Hello,
    InputChanged,
    Level,
    LoopChanged,
    Pong,
    PresetListed,
    Progress,
    Remark,
)

PATH = "/home/kät/Music/Melody Bridge/2026-11-22 lofi-keys 120bpm 4bars seed7.wav"
NAME = "2026-11-22 lofi-keys 120bpm 4bars seed7"

ONE_OF_EACH: list[tuple[Event, tuple[int | float | str, ...]]] = [
    (
        Hello("0.1.0", 1, "ready", "pocket", "live1", "/home/kät/Music/Melody Bridge/Takes"),
        (
            *("/bridge/hello", "0.1.0", 1, "ready", "pocket", "live1"),
            "/home/kät/Music/Melody Bridge/Takes",
        ),
    ),
    (Pong("busy"), ("/bridge/pong", "busy")),
    (
        EngineChanged("loading", "reading pocket, 80 %"),
        ("/bridge/engine", "loading", "reading pocket, 80 %"),
    ),
    (
        InputChanged("ready", "Scarlett 2i2 USB", 48_000),
        ("/bridge/input", "ready", "Scarlett 2i2 USB", 48_000),
    ),
    (
        LoopChanged("me-4", "playing", "queued", 2, 33, NAME),
        ("/bridge/loop", "me-4", "playing", "queued", 2, 33, NAME),
    ),
    (
        CaptureChanged("me-1", "recording", 1.5, -6.25),
        ("/bridge/capture", "me-1", "recording", 1.5, -6.25),
    ),
    (Level(-6.25, -18.5), ("/bridge/level", -6.25, -18.5)),
    (Progress("me-2", 0.5, 3.25), ("/bridge/progress", "me-2", 0.5, 3.25)),
    (
        ClipReady("me-2", 0, 2, PATH, 4, 93.75, 7, 0.875, 7, 8, 44_100, NAME),
        ("/bridge/clip", "me-2", 0, 2, PATH, 4, 93.75, 7, 0.875, 7, 8, 44_100, NAME),
    ),
    (
        PresetListed("me-3", 0, 9, "lofi-keys", "warm rhodes, {tempo} bpm"),
        ("/bridge/preset", "me-3", 0, 9, "lofi-keys", "warm rhodes, {tempo} bpm"),
    ),
    (
        Remark("me-2", "the last bar is repeated"),
        ("/bridge/remark", "me-2", "the last bar is repeated"),
    ),
    (Done("me-2", 2), ("/bridge/done", "me-2", 2)),
    (
        Failed("me-4", "no-input", "no input is open: name one with --input"),
        ("/bridge/error", "me-4", "no-input", "no input is open: name one with --input"),
    ),
    (ClockChanged("osc", 93.75, 7, 8, True), ("/bridge/clock", "osc", 93.75, 7, 8, 1)),
]
