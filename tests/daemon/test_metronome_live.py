"""The metronome and the count-in on a sound card: JACK's dummy server, whose output is recorded."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.peers.daemon import Client, DaemonProcess, running
from tests.peers.jack import (
    INPUT_PORTS,
    LONG_PERIOD,
    OUTPUT_PORTS,
    SAMPLE_RATE,
    JackRecording,
    JackServer,
    excusing_xruns,
    playing,
    recording,
)
from tests.peers.wait import until

TEMPO_BPM = 120
BEAT_FRAMES = SAMPLE_RATE // 2
MOST_OFF_SECONDS = 5 * 0.002
"""A gap between two clicks may differ by 2 ms, where the sound card's drift is made up."""


@pytest.fixture(scope="module")
def jack_period() -> int:
    """A period that a busy machine seldom misses."""
    return LONG_PERIOD


@pytest.fixture(scope="module")
def daemon(
    module_jack_server: JackServer, tmp_path_factory: pytest.TempPathFactory, model: Path
) -> Iterator[DaemonProcess]:
    """A daemon that records and plays on the server's sound card, with no latency to correct."""
    folder = tmp_path_factory.mktemp("metronome")
    config = folder / "config.toml"
    config.write_text("output_latency_ms = 0\nmetronome_gain_db = -12\n")
    arguments = ("--config", str(config), "--model", str(model), "--output", "system")
    with running(folder / "Clips", *arguments, input="system") as daemon:
        daemon.logged("input", state="ready")
        daemon.logged("output", state="ready")
        yield daemon


@contextmanager
def stage(daemon: DaemonProcess, folder: Path) -> Iterator[tuple[Client, JackRecording]]:
    """A client, and what is heard; the clock is stopped and the metronome off at the end."""
    with recording(folder) as recorded, Client(daemon.port, "stage") as client:
        client.send("/bridge/clock", "auto")
        client.send("/bridge/set", "tempo_bpm", TEMPO_BPM)
        try:
            yield client, recorded
        finally:
            client.send("/bridge/metronome", 0)
            client.send("/bridge/halt")
            client.sync()


def begins(recorded: JackRecording) -> NDArray[np.int64]:
    """The frames at which a click begins."""
    loud = np.flatnonzero(np.nan_to_num(recorded.samples())[:, 0])
    return loud[np.flatnonzero(np.diff(loud, prepend=-SAMPLE_RATE) > 2000)]


def hears(recorded: JackRecording, clicks: int) -> None:
    """Wait until so many clicks were heard."""
    until(lambda: len(begins(recorded)) >= clicks, f"{clicks} clicks")


def test_clicks_are_evenly_spaced_to_the_sample_and_end_when_they_are_switched_off(
    jack_server: JackServer, daemon: DaemonProcess, tmp_path: Path
) -> None:
    def attempt() -> None:
        with stage(daemon, tmp_path) as (client, recorded):
            client.wait("/bridge/metronome", 0, -12.0)
            client.send("/bridge/metronome", 1)
            client.send("/bridge/start")
            hears(recorded, 9)
            already = len(client.events)
            client.send("/bridge/metronome", 0)
            client.wait("/bridge/metronome", 0, after=already)
            count = len(begins(recorded))
            frames = recorded.samples().shape[0]
            until(lambda: len(recorded.samples()) > frames + 3 * BEAT_FRAMES, "three beats")
            found, samples = begins(recorded), np.nan_to_num(recorded.samples())
        assert len(found) - count <= 1, "one may sound while the command is on its way"
        # A gap differs only where the sound card's own drift is made up.
        off = np.abs(np.diff(found) - BEAT_FRAMES)
        print(f"{len(found)} clicks, {np.count_nonzero(off)} gaps off by up to {off.max()} frames")
        assert np.median(off) == 0 and off.max() <= MOST_OFF_SECONDS * SAMPLE_RATE
        assert np.abs(samples).max() == pytest.approx(10 ** (-12 / 20), rel=0.01)

    excusing_xruns(jack_server, attempt)


def test_a_recording_is_counted_in_and_begins_on_the_beat_after_the_last_click(
    jack_server: JackServer, daemon: DaemonProcess, tmp_path: Path
) -> None:
    def attempt() -> None:
        with stage(daemon, tmp_path) as (client, recorded):
            id = f"count-{time.monotonic_ns()}"
            # A tone all the time: where the recording begins is seen by its state alone.
            tone = np.sin(np.arange(8 * SAMPLE_RATE) / 20).astype(np.float32)
            with playing(0.3 * np.stack([tone, tone], axis=1), folder=tmp_path):
                client.send("/bridge/capture/start", id, 1, "count_in_bars", 1)
                client.wait("/bridge/capture", id, "waiting")
                begun = client.wait("/bridge/capture", id, "recording")
                client.done(id)
            found = begins(recorded)
            last = float(recorded.seconds_at(found[-1:])[0])
        assert len(found) == 4
        assert np.abs(np.diff(found) - BEAT_FRAMES).max() <= MOST_OFF_SECONDS * SAMPLE_RATE
        # The state is published after the bar line; it comes late on a slow machine.
        assert 0.48 < begun.seconds - last < 3
        length = next(
            float(str(event.arguments[2]))
            for event in client.of(id)
            if event.arguments[1:2] == ("done",)
        )
        assert length == pytest.approx(2.0, abs=1e-3)

    excusing_xruns(jack_server, attempt)


def test_the_take_has_no_click_of_the_count_in_though_the_input_hears_the_output(
    jack_server: JackServer, daemon: DaemonProcess, tmp_path: Path
) -> None:
    def attempt() -> None:
        for output, input_ in zip(OUTPUT_PORTS, INPUT_PORTS, strict=True):
            jack_server.connect(output, input_)
        try:
            with stage(daemon, tmp_path) as (client, recorded):
                id = f"loop-{time.monotonic_ns()}"
                client.send("/bridge/capture/start", id, 1, "count_in_bars", 1)
                assert client.failed(id)[0] == "silent-melody"
                assert len(begins(recorded)) == 4
        finally:
            for output, input_ in zip(OUTPUT_PORTS, INPUT_PORTS, strict=True):
                subprocess.run(["jack_disconnect", output, input_], check=True)

    excusing_xruns(jack_server, attempt)


def test_without_an_output_the_metronome_is_an_error_with_the_remedy(
    tmp_path: Path, model: Path
) -> None:
    arguments = ("--model", str(model), "--metronome")
    with running(tmp_path, *arguments) as daemon, Client(daemon.port, "none") as client:
        client.send("/bridge/metronome", 1)
        assert "start with --output NAME" in str(client.wait("/bridge/error", "-").arguments[2])
        assert any("nobody hears the metronome" in line["message"] for line in daemon.log)
