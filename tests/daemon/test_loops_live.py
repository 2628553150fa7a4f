"""Live loops on a real daemon: JACK as sound card and clock, a DAW over OSC, and a MIDI pedal."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from bridge.tools import bench_heard
from tests.daemon.loop_stage import BAR_SECONDS, BARS, TEMPO_BPM, Stage, band, on_stage, tune
from tests.peers.daemon import Client, DaemonProcess, engine_pid, running
from tests.peers.jack import (
    SAMPLE_RATE,
    JackRecording,
    JackServer,
    excusing_xruns,
    playing,
    recording,
)
from tests.peers.midi import Timed, sending
from tests.peers.transport import leading
from tests.peers.wait import until
from tests.processes import KILL

MIDI_PORT = "Melody Bridge:in"
PEDAL_DOWN, PEDAL_UP = bytes((0xB0, 64, 127)), bytes((0xB0, 64, 0))
LOOP = "midi-loop"
MOST_OFF_SECONDS = 0.025
"""Measured 0.5 ms; on a busy machine the output estimates worse. `test_loops` counts frames."""
SILENT_FRAMES = 8192
"""Silence of this length at the end of what was heard."""


@pytest.fixture(scope="module")
def daemon(
    module_jack_server: JackServer, tmp_path_factory: pytest.TempPathFactory, model: Path
) -> Iterator[DaemonProcess]:
    """A daemon with the server's sound card and a tiny model, whose clips come at once."""
    with on_stage(tmp_path_factory.mktemp("loops"), "--model", str(model)) as daemon:
        yield daemon.ready()


def heard(recorded: JackRecording) -> NDArray[np.float32]:
    """All samples so far, zeros where the server missed periods."""
    return np.nan_to_num(recorded.samples())


def entries(samples: NDArray[np.float32], clips: Path, name: str) -> NDArray[np.int64]:
    """The frames at which repetitions of a clip begin in what was heard."""
    clip, rate = soundfile.read(clips / f"{name}.wav", dtype="float32")
    assert rate == SAMPLE_RATE
    return bench_heard.entries(samples[:, 0], clip[:, 0])


def longest_silence_seconds(samples: NDArray[np.float32]) -> float:
    """The longest silence between the first sound and the last."""
    sounding = np.flatnonzero(np.abs(samples).max(axis=1) > 1e-4)
    return float(np.diff(sounding).max()) / SAMPLE_RATE


@pytest.mark.slow
def test_the_pedal_plays_a_set_whose_clips_enter_on_bar_lines_whatever_the_engine_does(
    jack_server: JackServer, tmp_path: Path
) -> None:
    def attempt() -> None:
        with (
            on_stage(tmp_path, "--clock", "jack") as daemon,
            Client(daemon.port, "stage") as client,
            sending() as foot,
            leading(TEMPO_BPM) as leader,
            recording(tmp_path) as recorded,
        ):

            def press(*seconds: float) -> None:
                """Press the pedal, and press it again: for so many seconds each."""
                at, messages = time.perf_counter() + 0.2, []
                for held in seconds:
                    messages += [Timed(at, PEDAL_DOWN), Timed(at + held, PEDAL_UP)]
                    at += held + 0.1
                foot.send(messages)

            daemon.ready()
            jack_server.connect(foot.ports[0], MIDI_PORT)
            client.send("/bridge/set", "bars", BARS)
            stage = Stage(client, LOOP)
            timeline = leader.start()
            begin = timeline.seconds_of(4 * (int(timeline.beat_at(time.perf_counter())) // 4 + 2))
            with playing(tune(24), at_seconds=begin, folder=tmp_path):
                until(lambda: time.perf_counter() > begin + 2.3 * BAR_SECONDS, "two bars")
                press(0.1)
                first = stage.state("playing", other_than="")
                os.kill(engine_pid(daemon), KILL)
                second = stage.state("playing", other_than=first)
                press(1.3)
                assert stage.state("playing", other_than=second) == first
                press(0.1, 0.1)
                stage.state("off", "none")
            samples = heard(recorded)
            frames = np.concatenate(
                [entries(samples, daemon.clips, name) for name in (first, second)]
            )
            seconds = recorded.seconds_at(frames)
        lines = np.array([timeline.beat_at(each) / 4 for each in seconds])
        off_ms = 1000 * BAR_SECONDS * (lines - np.round(lines))
        silence = longest_silence_seconds(samples)
        print(f"{len(lines)} repetitions, {off_ms.min():.2f} to {off_ms.max():.2f} ms off")
        print(f"longest silence {1000 * silence:.1f} ms")
        assert len(lines) >= 3
        assert np.abs(off_ms).max() < 1000 * MOST_OFF_SECONDS
        assert silence < 0.05

    excusing_xruns(jack_server, attempt)


def test_silence_keeps_the_last_loop_and_panic_ends_all(
    jack_server: JackServer, daemon: DaemonProcess, tmp_path: Path
) -> None:
    def attempt() -> None:
        with band(daemon, tmp_path, bars=8, silent_from=2) as (stage, recorded):
            stage.client.send("/bridge/loop/start", stage.id, "bars", BARS, "prompt", "keys")
            first = stage.state("playing", other_than="")
            stage.remark("nothing with a pitch was played: the loop goes on as it is")
            assert stage.state("playing", "capturing") == first
            stage.client.send("/bridge/panic")
            stage.state("off", "none")
            until(lambda: not heard(recorded)[-SILENT_FRAMES:].any(), "silence")
            assert longest_silence_seconds(heard(recorded)) < 0.05

    excusing_xruns(jack_server, attempt)


def test_a_quick_clip_comes_first_and_layers_come_and_go(
    jack_server: JackServer, daemon: DaemonProcess, tmp_path: Path
) -> None:
    def attempt() -> None:
        with band(daemon, tmp_path, bars=40) as (stage, _):
            stage.client.send(
                "/bridge/loop/start", stage.id, "bars", BARS, "prompt", "keys", "quick", 1
            )
            made = stage.client.wait_for(
                lambda event: (
                    event.address == "/bridge/clip"
                    and str(event.arguments[0]).startswith(f"loop:{stage.id}.")
                ),
                "a quick clip",
            )
            assert str(made.arguments[0]).endswith("quick") and made.arguments[4] == 1
            # On a fast machine the whole one is there before the quick one's bar line.
            whole = stage.state("playing", other_than="")
            if " 1bar " in whole:
                whole = stage.state("playing", other_than=whole)
            assert f" {BARS}bars " in whole
            stage.client.send("/bridge/loop/overdub", stage.id)
            over = stage.state("playing", other_than=whole)
            stage.client.send("/bridge/loop/undo", stage.id)
            assert stage.state("playing", other_than=over) == whole
            stage.client.send("/bridge/loop/redo", stage.id)
            assert stage.state("playing", other_than=whole) == over
            stage.client.send("/bridge/loop/freeze", stage.id)
            stage.state("playing", "none")
            stage.client.send("/bridge/loop/stop", stage.id, 1)
            stage.state("off", "none")

    excusing_xruns(jack_server, attempt)


def test_what_a_loop_cannot_do_is_an_error_with_the_remedy(
    daemon: DaemonProcess, tmp_path: Path, model: Path
) -> None:
    with Client(daemon.port, "mistakes") as client:
        client.send("/bridge/loop/stop", "nothing-1")
        assert client.failed("nothing-1")[0] == "unknown-id"
        client.send("/bridge/loop/start", "x" * 60)
        assert "48 characters" in client.failed("x" * 60)[1]
        client.send("/bridge/generate", "loop:set-1.1", "prompt", "keys")
        assert "the loops' own" in client.failed("loop:set-1.1")[1]
        client.send("/bridge/loop/start", "preset-1", "preset", "none of these")
        assert client.failed("preset-1")[0] == "unknown-preset"
    with (
        running(tmp_path / "Clips", "--model", str(model)) as silent,
        Client(silent.port, "no-output") as client,
    ):
        client.send("/bridge/loop/start", "set-1")
        assert "start with --output NAME" in client.failed("set-1")[1]
