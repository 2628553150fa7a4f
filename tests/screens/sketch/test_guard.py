"""The real program on a pseudo-terminal: its ends, and kills of each of its processes."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.peers.daemon import alive, descendants, running
from tests.peers.wait import until
from tests.processes import KILL
from tests.screens.sketch.program import (
    BACK,
    EVENT_TYPES,
    PATIENCE_SECONDS,
    SHOWN,
    Program,
    started,
)

if sys.platform == "win32":
    pytest.skip("pseudo-terminals are POSIX's", allow_module_level=True)

import termios


def test_q_ends_screen_and_daemon_and_the_terminal_is_as_before(tmp_path: Path) -> None:
    with started(tmp_path) as program:
        program.wait(SHOWN)
        program.wait("ready")
        seen = descendants(program.process.pid)
        program.press("q")
        assert program.process.wait(PATIENCE_SECONDS) == 0, program.text()[-2000:]
        assert program.is_sane()
        assert not any(map(alive, seen)), "the daemon has ended before the program"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_everything_in_good_order(tmp_path: Path, number: signal.Signals) -> None:
    with started(tmp_path) as program:
        program.wait(SHOWN)
        seen = descendants(program.process.pid)
        program.process.send_signal(number)
        assert program.process.wait(PATIENCE_SECONDS) == 128 + number
        assert program.is_sane()
        assert not any(map(alive, seen))


@pytest.mark.parametrize("moment", ["the screen starts", "it is ready", "it renders"])
@pytest.mark.parametrize("victim", ["screen", "guard"])
def test_a_kill_leaves_a_sane_terminal_and_no_process(
    tmp_path: Path, victim: str, moment: str
) -> None:
    with started(tmp_path) as program:
        reach(program, moment)
        if moment != "the screen starts":
            assert program.keyboard_flags & EVENT_TYPES, "there is something to restore"
        seen = descendants(program.process.pid)
        os.kill(program.screen if victim == "screen" else program.process.pid, KILL)
        program.process.wait(PATIENCE_SECONDS)
        until(lambda: not any(map(alive, seen)), "no process stays", PATIENCE_SECONDS)
        if moment != "the screen starts":
            until(program.is_sane, "the terminal is sane", PATIENCE_SECONDS)
        else:
            modes = termios.tcgetattr(program.master)[3]
            assert modes & termios.ECHO and modes & termios.ICANON


def test_the_screen_goes_on_with_another_daemon_after_a_kill(tmp_path: Path) -> None:
    with started(tmp_path) as program:
        reach(program, "it is ready")
        killed = program.daemon
        engine = descendants(killed)
        os.kill(killed, KILL)
        until(lambda: program.daemon not in (0, killed), "a daemon is there", PATIENCE_SECONDS)
        # The most there are: any fewer may be passed between two drawings.
        press_until(program, "]", "16 bars")
        until(lambda: not any(map(alive, engine)), "its children have ended", PATIENCE_SECONDS)


def press_until(program: Program, key: str, shown: str) -> None:
    """Press a key again and again until the screen shows the text: a new daemon may be starting."""
    place = len(program.text())

    def pressed() -> bool:
        program.press(key)
        return shown in program.text()[place:]

    until(pressed, f"{shown!r} is shown", PATIENCE_SECONDS)


def reach(program: Program, moment: str) -> None:
    """Wait for a moment."""
    if moment == "the screen starts":
        until(lambda: program.screen and program.daemon, "both are there", PATIENCE_SECONDS)
        return
    program.wait("ready")
    if moment == "it renders":
        place = program.press("1")
        program.wait("ambient-pad", place)
        program.wait("making clips", program.press("\r"))


def test_a_daemon_that_cannot_run_ends_the_screen_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "Clips").write_text("no folder")
    with started(tmp_path) as program:
        assert program.process.wait(PATIENCE_SECONDS) == 1
        assert program.is_sane()
        assert "Clips" in program.text()[program.text().rfind(BACK) :]


def test_a_daemon_that_runs_on_the_port_is_joined_and_stays(tmp_path: Path) -> None:
    with running(tmp_path / "Others") as daemon:
        with started(tmp_path, port=daemon.port) as program:
            program.wait("ready")
            assert program.daemon == 0
            program.wait("5 bars", program.press("]"))
        assert daemon.process.poll() is None


def test_a_port_of_another_program_is_named(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        with started(tmp_path, port=port) as program:
            assert program.process.wait(PATIENCE_SECONDS) == 1
            assert f"UDP port {port} is taken" in program.text()
            assert BACK not in program.text(), "the screen was not begun"


def test_without_a_terminal_it_says_so(tmp_path: Path) -> None:
    assert "sketch draws on a terminal" in refused([], tmp_path)


def test_without_the_extra_it_names_the_one_command(tmp_path: Path) -> None:
    blocked = "import sys; sys.modules['textual'] = None; from bridge.__main__ import main; main()"
    assert "pip install 'melody-bridge[tui]'" in refused(["-c", blocked], tmp_path)


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ('sketch_tap = "k"', "the key 'k' is both"),
        ('sketch_tap = "spacebar"', "sketch_tap 'spacebar'"),
        ('sketch_theme = "pink"', "sketch_theme 'pink'"),
    ],
)
def test_a_mistake_in_the_keys_is_reported_before_anything_starts(
    tmp_path: Path, toml: str, message: str
) -> None:
    (tmp_path / "config.toml").write_text(toml)
    with started(tmp_path) as program:
        assert program.process.wait(PATIENCE_SECONDS) == 2
        assert message in program.text()


def refused(start: Sequence[str], folder: Path) -> str:
    """The one line of a refusal."""
    command = [sys.executable, *(start or ["-m", "bridge"]), "sketch", "--clips", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode in (0, 2) and done.stderr.count("\n") == 1, done
    return done.stderr


@pytest.mark.exclusive
def test_bench_measures_the_start_and_the_keys(tmp_path: Path) -> None:
    """The stated deadlines, times five: a first frame in 1 s, keys in 50 ms at full load.

    Another program may hold up one run: the best of three counts.
    """
    limits = {"first_frame_ms": 5 * 1000, "key_p95_ms": 5 * 50, "daemon_p95_ms": 5 * 50}
    command = [sys.executable, "-m", "bridge", "bench", "--sketch", "--json", "--runs", "1"]
    best = dict.fromkeys(limits, float("inf"))
    for _ in range(3):
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        figures = json.loads(done.stdout)
        best = {name: min(best[name], figures[name]) for name in limits}
        if all(best[name] < limit for name, limit in limits.items()):
            return
    raise AssertionError(f"{best}, with the limits {limits}")
