"""A live loop that Live plays: the device, the daemon with an input, real UDP.

Live and Max are the model and the host of this folder; JACK is the sound card.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.max_for_live.test_live import connected, filled, is_exact_loop
from tests.peers.daemon import running
from tests.peers.jack import SAMPLE_RATE, JackServer, excusing_xruns, playing
from tests.peers.live import CallFailed, Device, LiveSet, live_set
from tests.peers.wait import until

BARS = 2
FOLLOWED_SECONDS = 24.0
"""Length of the tune: two clips follow it on a busy machine too."""
TUNE = (60, 62, 64, 67, 69, 67, 64, 62)
LAUNCHED_BEATS = 1.0
"""A clip began on its bar line: within this of one when a test looks for it again and again."""


def tune(seconds: float) -> NDArray[np.float32]:
    """A pitch for each beat at 120 bpm, in two channels."""
    frames = np.arange(SAMPLE_RATE // 2)
    notes = [
        0.3 * np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) / SAMPLE_RATE * frames)
        for pitch in TUNE
    ]
    samples = np.tile(np.concatenate(notes), round(seconds * 2 / len(TUNE)))
    return np.repeat(samples.astype(np.float32)[:, np.newaxis], 2, axis=1)


def sounding(live: LiveSet) -> str:
    """The name of the clip that plays on the device's track; empty: none does."""
    for number in range(int(live.call("live.song.tracks.length"))):
        if live.call(f"live.song.tracks.{number}.name") == "Melody Bridge":
            # One call: between two, another clip may take its place.
            track = f"live.song.tracks.{number}"
            try:
                return str(live.call(f"{track}.playingClip.name"))
            except CallFailed:
                return ""
    return ""


def loop_state(device: Device) -> str:
    return device.text("loop_state").strip()


@contextmanager
def on_stage(node: str, port: int) -> Iterator[tuple[LiveSet, Device]]:
    """A set with a device that is connected to the daemon."""
    with live_set(node) as live:
        device = live.add_device("one", live.add_track("Voice"))
        device.set_value("Daemon Port", port)
        live.until(lambda: connected(device), "it is connected")
        device.set_value("Bars", BARS)
        yield live, device
        # A port that another program has is no fault: the device takes the next one.
        assert [line for line in device.console() if "EADDRINUSE" not in line] == []


@contextmanager
def tune_played(folder: Path, seconds: float) -> Iterator[None]:
    """Play the tune into the daemon's input; the end of the block waits for the tune's."""
    start = time.perf_counter() + 1.5
    with playing(tune(seconds), at_seconds=start, folder=folder):
        until(lambda: time.perf_counter() > start, "the tune begins")
        yield


def start_loop(live: LiveSet, device: Device) -> None:
    """Start the set and the loop, and wait until its first clip sounds."""
    live.call("live.song.play")
    device.press("Loop")
    live.until(lambda: loop_state(device).startswith("listens"), "it listens")
    live.until(lambda: sounding(live), "a clip sounds")


@pytest.mark.exclusive
@pytest.mark.slow
def test_what_is_played_comes_back_in_live_clip_after_clip(
    jack_server: JackServer, require_program: Callable[[str], str], tmp_path: Path, model: Path
) -> None:
    node = require_program("node")

    def attempt() -> None:
        with running(tmp_path / "Clips", "--model", str(model), input="system") as daemon:
            daemon.logged("input", state="ready")
            daemon.ready()
            with (
                on_stage(node, daemon.port) as (live, device),
                tune_played(tmp_path, FOLLOWED_SECONDS),
            ):
                start_loop(live, device)
                _follow(live, device)
            # The daemon had no output, and played nothing.
            assert not [line for line in daemon.log if line.get("event") == "output"]

    excusing_xruns(jack_server, attempt)


def still_sounding(live: LiveSet) -> str:
    """The name of the clip that sounds: there is no gap."""
    name = sounding(live)
    assert name != "", "a gap"
    return name


def _follow(live: LiveSet, device: Device) -> None:
    first = still_sounding(live)
    beat = float(live.call("live.song.beats"))
    assert min(beat % 4, 4 - beat % 4) < LAUNCHED_BEATS
    live.until(lambda: loop_state(device).startswith("plays"), "the daemon knows")
    live.until(lambda: still_sounding(live) != first, "another clip takes its place")
    live.until(lambda: first not in names_on(live), "the first is deleted")
    live.until(lambda: has_exact_loop(live), "a clip has whole bars")
    device.press("Freeze")
    live.until(lambda: loop_state(device) == "plays, frozen", "it is frozen")
    kept = still_sounding(live)
    device.press("Loop")
    live.until(lambda: loop_state(device) == "no loop", "it has stopped")
    assert sounding(live) == "" and names_on(live) == [kept]
    assert device.text("status").strip() == ""


def has_exact_loop(live: LiveSet) -> bool:
    """Whether a clip on the device's track is a loop of whole bars."""
    try:
        return any(is_exact_loop(clip, 4.0 * BARS) for clip in filled(live))
    except CallFailed:
        # The device has deleted the one that was looked at.
        return False


def names_on(live: LiveSet) -> list[str]:
    """The names of all clips on the device's track."""
    return [str(clip["name"]) for clip in filled(live)]
