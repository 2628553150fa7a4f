"""The command line as a process: Ctrl-C at any moment, broken pipes, full disks, progress bar."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

if sys.platform == "win32":
    pytest.skip("terminals, limits and signals are POSIX's", allow_module_level=True)

HUM = Path(__file__).parent / "melodies" / "scarborough-hum-90bpm.wav"
ENVIRONMENT = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
SHOW_CURSOR = "\x1b[?25h"


def arguments(model: Path, *, bars: int) -> list[str]:
    """A render of that many seconds: a bar of 4/4 at 240 bpm takes one."""
    return [
        *("render", str(HUM), "--bars", str(bars), "--meter", "4/4", "--tempo", "240"),
        *("--model", str(model), "--seed", "7", "--out", "clips", "--json"),
    ]


@pytest.mark.parametrize(
    "module",
    ["bridge/cli", "numpy/__init__", "soundfile", "torch/__init__", "transformers/__init__"],
)
def test_ctrl_c_while_a_module_is_imported_is_clean(
    tmp_path: Path, model: Path, module: str
) -> None:
    # With -v Python names each module on stderr when it is loaded.
    with subprocess.Popen(
        [sys.executable, "-v", "-m", "bridge", *arguments(model, bars=8)],
        cwd=tmp_path,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        loading = re.compile(rf"^# .*/{module}\.")
        assert any(loading.match(line) for line in process.stderr)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate()
    assert process.returncode == 130
    assert stdout == ""
    assert "Traceback" not in stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("stage", "number", "status"),
    [
        ("loading", signal.SIGINT, 130),
        ("generating", signal.SIGINT, 130),
        ("generating", signal.SIGTERM, 143),
        ("finishing", signal.SIGINT, 130),
    ],
)
def test_a_signal_during_a_render_leaves_no_file_and_restores_the_terminal(
    tmp_path: Path, model: Path, stage: str, number: signal.Signals, status: int
) -> None:
    shown, returncode, stdout = on_a_terminal(
        tmp_path, arguments(model, bars=16), until=stage, number=number
    )
    assert returncode == status
    assert stdout == b""
    assert "Traceback" not in shown
    assert shown.rstrip().endswith(SHOW_CURSOR)
    assert list(tmp_path.iterdir()) == []


def test_the_bar_shows_the_share_done_and_the_time_left(tmp_path: Path, model: Path) -> None:
    # Long enough for the bar to be drawn several times, at ten times a second.
    shown, returncode, _ = on_a_terminal(tmp_path, arguments(model, bars=24))
    assert returncode == 0
    assert len(set(re.findall(r"\d+%", shown))) > 2
    assert re.search(r"\d:\d\d:\d\d", shown)


def test_no_bar_is_drawn_into_a_pipe(tmp_path: Path, model: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "bridge", *arguments(model, bars=1)],
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0
    assert "\x1b" not in result.stdout + result.stderr
    assert len(result.stdout.splitlines()) == 1
    assert "Traceback" not in result.stderr


def test_a_full_disk_is_a_one_line_error_and_leaves_no_file(tmp_path: Path, model: Path) -> None:
    import resource

    def no_file_over_64_kib() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, 65_536))

    result = subprocess.run(
        [sys.executable, "-m", "bridge", *arguments(model, bars=4), "--variations", "2"],
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        preexec_fn=no_file_over_64_kib,
    )
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.splitlines()[-1].startswith("melody-bridge: ")
    assert "Traceback" not in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads are counted in /proc")
@pytest.mark.parametrize(("given", "used"), [(None, 1), ("2", min(2, os.cpu_count() or 1))])
def test_numpy_computes_in_one_thread_unless_the_user_says_otherwise(
    given: str | None, used: int
) -> None:
    # As many threads as OpenBLAS has made are there once numpy is imported; one is Python's own.
    script = (
        "import sys; sys.argv = ['melody-bridge', '--help']; from bridge.__main__ import main; "
        "main(); import numpy, os; print(len(os.listdir('/proc/self/task')))"
    )
    environment = {
        name: value for name, value in ENVIRONMENT.items() if not name.endswith("_NUM_THREADS")
    }
    if given is not None:
        environment["OPENBLAS_NUM_THREADS"] = given
    ran = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert ran.stdout.splitlines()[-1] == str(used)


@pytest.mark.parametrize("command", [["presets"], ["--help"]])
def test_a_closed_stdout_is_no_error(command: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    result = subprocess.run(
        [sys.executable, "-m", "bridge", *command], stdout=writing, stderr=subprocess.PIPE
    )
    os.close(writing)
    assert result.stderr == b""
    assert result.returncode in (0, 141)


def on_a_terminal(
    folder: Path, arguments: list[str], *, until: str | None = None, number: int = 0
) -> tuple[str, int, bytes]:
    """Run the program with a terminal as stderr; send a signal once it shows a word.

    Returns:
        The text sent to the terminal, the exit status, and the bytes on stdout.
    """
    import pty

    terminal, program_side = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "bridge", *arguments],
        cwd=folder,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=program_side,
    )
    os.close(program_side)
    shown = b""
    try:
        # Reading fails once the program's side is closed.
        while piece := os.read(terminal, 65_536):
            shown += piece
            if until is not None and until.encode() in shown:
                process.send_signal(number)
                until = None
    except OSError:
        pass
    stdout, _ = process.communicate()
    os.close(terminal)
    assert until is None, f"it never showed {until}"
    return shown.decode(errors="replace"), process.returncode, stdout
