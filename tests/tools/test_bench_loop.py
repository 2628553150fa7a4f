"""`melody-bridge bench --loop`: the figures of a real run, its refusals, and Ctrl-C."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bridge.tools.bench_heard import FIRST_FRAMES, Heard, entries
from bridge.tools.bench_loop import PARTS, _off_the_frame, is_cut_by_a_bar_line
from bridge.tools.bench_rounds import BAR_SECONDS
from bridge.tools.bench_sound import READY, SAMPLE_RATE
from tests.peers.daemon import alive, descendants
from tests.peers.wait import until

if sys.platform == "win32":
    pytest.skip("JACK, process groups and signals are POSIX's", allow_module_level=True)

BENCH = (sys.executable, "-m", "bridge", "bench", "--loop")
XRUNS_FAIL = "periods were missed"


@pytest.fixture
def jack(require_program: Callable[[str], str]) -> None:
    """What the bench's own JACK server needs."""
    require_program("jackd")
    pytest.importorskip("jack")


@pytest.mark.exclusive
def test_a_run_prints_its_figures(jack: None, model: Path) -> None:
    command = [*BENCH, "--runs", "2", "--model", str(model), "--json"]
    ran = subprocess.run(command, capture_output=True, text=True)
    if ran.returncode and XRUNS_FAIL in ran.stderr:
        pytest.skip("the machine is too busy")
    assert ran.returncode == 0, ran.stderr
    loop: dict[str, Any] = json.loads(ran.stdout)["loop"]
    for name in ("clip", "sound", "clip_quick", "sound_quick"):
        figure = loop[f"trigger_to_{name}_ms"]
        assert 0 < figure["p50"] <= figure["p95"]
    assert loop["trigger_to_clip_ms"]["p50"] < loop["trigger_to_sound_ms"]["p95"]
    for of_kind in loop["parts_ms"].values():
        assert tuple(of_kind) == PARTS
        assert all(part >= 0 for part in of_kind.values()), of_kind
    assert loop["rounds"] == 2 and loop["swaps"] == 6
    assert loop["swaps_off_the_frame"] == 0 or loop["xruns"], ran.stderr
    assert loop["underflows"] == 0 or loop["xruns"]
    callbacks = loop["callbacks"]
    assert callbacks["count"] > 1000
    for times in (callbacks["late_ms"], callbacks["took_ms"]):
        assert 0 < times["p50"] <= times["p99"]


@pytest.mark.exclusive
def test_ctrl_c_ends_every_process(jack: None, model: Path) -> None:
    with subprocess.Popen(
        [*BENCH, "--model", str(model)], stderr=subprocess.PIPE, text=True
    ) as bench:
        assert bench.stderr is not None
        assert any(line.startswith(READY) for line in iter(bench.stderr.readline, ""))
        started = descendants(bench.pid)
        # JACK, the daemon with audio and engine, and the player.
        assert len(started) >= 5
        bench.send_signal(signal.SIGINT)
        assert bench.wait(60) == 130
        assert "Traceback" not in bench.stderr.read()
    until(lambda: not any(map(alive, started)), "every process has ended")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--runs", "0"], "--runs 0: give 1 to 500"),
        (["--size", "full"], "leave it out with --loop"),
        (["--seconds", "4"], "--seconds is for a checkpoint alone"),
        (["--device", "abacus"], "device 'abacus'"),
    ],
)
def test_wrong_arguments_are_refused_in_one_line(arguments: list[str], error: str) -> None:
    ran = subprocess.run([*BENCH, *arguments], capture_output=True, text=True)
    assert ran.returncode == 2
    assert error in ran.stderr and len(ran.stderr.splitlines()) == 1 and ran.stdout == ""


def test_without_jack_it_says_what_to_install(tmp_path: Path) -> None:
    environment = {**os.environ, "PATH": str(tmp_path)}
    assert shutil.which("jackd", path=str(tmp_path)) is None
    ran = subprocess.run(BENCH, env=environment, capture_output=True, text=True)
    assert ran.returncode == 2
    assert "apt install jackd2" in ran.stderr and len(ran.stderr.splitlines()) == 1


def test_a_model_that_cannot_be_loaded_ends_it(jack: None) -> None:
    ran = subprocess.run([*BENCH, "--model", "/nothing/here"], capture_output=True, text=True)
    assert ran.returncode == 1
    assert "/nothing/here" in ran.stderr and "the daemon has ended" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_each_repetition_of_a_clip_is_found_on_its_frame() -> None:
    random = np.random.default_rng(1)
    clip = random.normal(0, 0.1, 20_000).astype(np.float32)
    heard = np.zeros(100_000, np.float32)
    for begin in (1234, 50_001):
        heard[begin : begin + len(clip)] = clip
    assert entries(heard, clip).tolist() == [1234, 50_001]
    # The recording begins in the clip.
    assert entries(heard[3000:], clip).tolist() == [50_001 - 3000]
    assert entries(heard[3000:], clip, 2000).tolist() == [1234 - 3000, 50_001 - 3000]
    assert not len(entries(np.roll(clip, FIRST_FRAMES)[::-1], clip))


def test_the_first_sound_is_looked_for_from_an_instant_on() -> None:
    samples = np.zeros((SAMPLE_RATE, 2), np.float32)
    samples[100:200] = samples[30_000:, 1:] = 0.1
    heard = Heard(samples, 0, 10.0, 0)
    assert heard.first_sound_seconds(9.0) == pytest.approx(10 + 100 / SAMPLE_RATE)
    assert heard.first_sound_seconds(10.1) == pytest.approx(10 + 30_000 / SAMPLE_RATE)
    assert Heard(samples[200:30_000], 0, 10.0, 0).first_sound_seconds(9.0) is None


def test_a_start_is_off_the_frame_where_it_is_not_where_most_are() -> None:
    assert _off_the_frame([(0, [7]), (0, [7, 90]), (0, [8, 90]), (3, [9]), (3, [2, 9])]) == 1


def test_a_start_whose_piece_a_bar_line_cuts_is_not_compared() -> None:
    """The clip is anchored again on the line: the piece may be in two parts there."""
    for seconds, is_cut in ((0.0, False), (1.7, False), (1.81, True), (1.97, True), (1.99, False)):
        assert is_cut_by_a_bar_line(seconds) is is_cut
        assert is_cut_by_a_bar_line(7 * BAR_SECONDS + seconds) is is_cut
