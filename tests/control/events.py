"""One event of each kind, and the message that a client must receive for it (docs/osc.md)."""

from __future__ import annotations

from fractions import Fraction

from bridge.commands import ClipSettings
from bridge.events import (
    BeatReached,
    CaptureChanged,
    ClipMarked,
    ClipReady,
    ClockChanged,
    DefaultsChanged,
    Done,
    EngineChanged,
    Event,
    Failed,
    Hello,
    InputChanged,
    LayerChanged,
    Level,
    LoopChanged,
    MetronomeChanged,
    NetworkChanged,
    NoteListed,
    OutputChanged,
    Pitch,
    Pong,
    PresetListed,
    Progress,
    QueueChanged,
    Remark,
    RequestBegun,
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
    (NetworkChanged(12.5, 3.25), ("/bridge/network", 12.5, 3.25)),
    (
        InputChanged("ready", "Scarlett 2i2 USB", 48_000, "2 channels"),
        ("/bridge/input", "ready", "Scarlett 2i2 USB", 48_000, "2 channels"),
    ),
    (
        OutputChanged("ready", "Speakers", 44_100, "plays"),
        ("/bridge/output", "ready", "Speakers", 44_100, "plays"),
    ),
    (
        LayerChanged(1, "playing", NAME, "", -6.0, True),
        ("/bridge/layer", 1, "playing", NAME, "", -6.0, 1),
    ),
    (
        LoopChanged(
            *("me-4", "playing", "queued", 2, 33, NAME, True, "live", "late", PATH, 4, 7, 8),
        ),
        (
            *("/bridge/loop", "me-4", "playing", "queued", 2, 33, NAME),
            *(1, "live", "late", PATH, 4, 7, 8),
        ),
    ),
    (MetronomeChanged(True, -9.0), ("/bridge/metronome", 1, -9.0)),
    (
        CaptureChanged("me-1", "recording", 1.5, -6.25, 2, 4),
        ("/bridge/capture", "me-1", "recording", 1.5, -6.25, 2, 4),
    ),
    (Level(-6.25, -18.5), ("/bridge/level", -6.25, -18.5)),
    (Pitch(69, -12.5, 0.75), ("/bridge/pitch", 69, -12.5, 0.75)),
    (Progress("me-2", 0.5, 3.25), ("/bridge/progress", "me-2", 0.5, 3.25)),
    (
        ClipReady("me-2", 0, 2, PATH, 4, 93.75, 7, 0.875, 7, 8, 44_100, NAME),
        ("/bridge/clip", "me-2", 0, 2, PATH, 4, 93.75, 7, 0.875, 7, 8, 44_100, NAME, "none"),
    ),
    (ClipMarked("me-2", 1, "kept", PATH), ("/bridge/mark", "me-2", 1, "kept", PATH)),
    (
        NoteListed("me-1", 2, 14, 4.5, 60, 0.75, 0.5, 90),
        ("/bridge/note", "me-1", 2, 14, 4.5, 60, 0.75, 0.5, 90),
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
    (
        DefaultsChanged(ClipSettings(bars=8, tempo_bpm=Fraction("93.75"), tempo_lock=True)),
        ("/bridge/settings", "bars", 8, "tempo_bpm", 93.75, "tempo_lock", 1),
    ),
    (BeatReached(7), ("/bridge/beat", 7)),
    (RequestBegun("me-2", "generate"), ("/bridge/request", "me-2", "generate")),
    (QueueChanged(2), ("/bridge/queue", 2)),
]
