"""Signals end the program at once; while it writes files, either all of them stay or none."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

WRITER = """
import sys
from pathlib import Path
from bridge.process import signals
from bridge.rendering import outputs

signals.install()
try:
    with signals.held(), outputs.all_or_nothing() as written:
        folder = Path(sys.argv[1]) / "new" / "clips"
        written.folder(folder)
        folder.mkdir(parents=True)
        for name in ("one", "two"):
            (folder / name).write_text(name)
            written.file(folder / name)
            print(name, flush=True)
            sys.stdin.readline()
            if sys.argv[2] == "checks":
                signals.check()
        signals.accept()
    print("done", flush=True)
    sys.stdin.readline()
except signals.Interrupted as interrupted:
    signals.leave(interrupted.number)
"""


ENDER = """
import signal
import sys
from bridge.process import signals

def say(what):
    print(what, flush=True)
    sys.stdin.readline()

signals.install()
try:
    with signals.raised() as listen:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        listen()
        try:
            if sys.argv[1] == "held":
                with signals.held():
                    say("held")
                    print("written", flush=True)
                    signals.check()
            say("running")
        except signals.Interrupted:
            if sys.argv[1] == "changed":
                raise RuntimeError("an error of a library's own")
            raise
        finally:
            say("ending")
except signals.Interrupted as interrupted:
    signals.leave(interrupted.number)
"""


def start(folder: Path, kind: str = "checks") -> subprocess.Popen[str]:
    """A process that writes two files, and waits for a line on stdin after each."""
    return python(WRITER, str(folder), kind)


def ending(kind: str) -> subprocess.Popen[str]:
    """A process that a signal lets end others, and that waits for a line on stdin meanwhile."""
    return python(ENDER, kind)


def python(code: str, *arguments: str) -> subprocess.Popen[str]:
    """A process that runs some code."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"]
)
@pytest.mark.parametrize("kind", ["checks", "does not check"])
def test_a_signal_while_writing_leaves_nothing(
    tmp_path: Path, number: signal.Signals, status: int, kind: str
) -> None:
    process = start(tmp_path, kind)
    assert process.stdout is not None
    assert process.stdout.readline() == "one\n"
    process.send_signal(number)
    _, stderr = process.communicate("\n\n")
    assert process.returncode == status
    assert stderr == ""
    assert list(tmp_path.iterdir()) == []


def test_a_signal_after_the_last_file_changes_nothing(tmp_path: Path) -> None:
    process = start(tmp_path)
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write("\n\n")
    process.stdin.flush()
    assert [process.stdout.readline() for _ in range(3)] == ["one\n", "two\n", "done\n"]
    process.send_signal(signal.SIGINT)
    process.communicate("\n")
    assert process.returncode == 0
    assert [path.name for path in sorted((tmp_path / "new" / "clips").iterdir())] == ["one", "two"]


def test_a_failure_while_writing_removes_only_the_new_files(tmp_path: Path) -> None:
    from bridge.rendering import outputs

    (tmp_path / "mine").write_text("mine")
    with pytest.raises(OSError, match="disk"), outputs.all_or_nothing() as written:
        path = tmp_path / "new" / "clip"
        written.folder(path.parent)
        path.parent.mkdir()
        path.write_text("clip")
        written.file(path)
        raise OSError("disk")
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"]
)
@pytest.mark.parametrize("is_impatient", [False, True])
def test_a_signal_lets_other_processes_be_ended_and_a_second_one_does_not_wait(
    number: signal.Signals, status: int, is_impatient: bool
) -> None:
    process = ending("not held")
    assert process.stdout is not None
    assert process.stdout.readline() == "running\n"
    process.send_signal(number)
    assert process.stdout.readline() == "ending\n"
    if is_impatient:
        process.send_signal(number)
        assert process.wait() == status
    _, stderr = process.communicate(None if is_impatient else "\n")
    assert process.returncode == status
    assert stderr == ""


def test_an_error_that_a_library_makes_of_a_signal_is_the_signal() -> None:
    process = ending("changed")
    assert process.stdout is not None
    assert process.stdout.readline() == "running\n"
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate("\n")
    assert process.returncode == 130
    assert stderr == ""


def test_a_signal_that_others_wait_for_waits_for_files() -> None:
    process = ending("held")
    assert process.stdout is not None and process.stdin is not None
    assert process.stdout.readline() == "held\n"
    process.send_signal(signal.SIGTERM)
    process.stdin.write("\n")
    process.stdin.flush()
    assert [process.stdout.readline() for _ in range(2)] == ["written\n", "ending\n"]
    process.communicate("\n")
    assert process.returncode == 143
