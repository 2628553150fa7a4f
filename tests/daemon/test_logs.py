"""The log: plain lines for people, JSON lines for programs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bridge.daemon.logs import MOST_FILE_BYTES

SCRIPT = """
import logging, sys
from bridge.daemon.logs import set_up, log_fields

with set_up(as_json=sys.argv[1] == "json"):
    log = logging.getLogger("bridge.test")
    log.info("a clip\\nof %d bars", 4, extra=log_fields(event="clip", path="/x y.wav", bars=4))
    log.debug("nobody reads this")
    logging.getLogger("someone.else").info("nor this")
    logging.getLogger("someone.else").warning("but this")
    try:
        1 / 0
    except ZeroDivisionError:
        log.exception("it failed")
"""
FLOOD = """
import logging
from bridge.daemon.logs import set_up

with set_up(as_json=True):
    log = logging.getLogger("bridge.test")
    for number in range(30_000):
        log.info("line %d", number)
    print("went on", file=__import__("sys").stderr, flush=True)
    input()
    log.info("last")
"""


def logged(form: str) -> tuple[list[str], list[str]]:
    """Lines on stdout and on stderr."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, form], capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines(), done.stderr.splitlines()


def test_plain_lines_go_to_stderr() -> None:
    stdout, stderr = logged("plain")
    assert stdout == []
    sentences = [line.partition(" ")[2] for line in stderr[:3]]
    assert sentences == ["a clip of 4 bars", "warning: but this", "error: it failed"]
    assert stderr[3].startswith("Traceback")


def test_json_lines_go_to_stdout() -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    stdout, stderr = logged("json")
    assert stderr == []
    clip, other, failure = map(json.loads, stdout)
    assert before <= datetime.fromisoformat(clip.pop("time")) <= datetime.now(UTC)
    assert clip == {
        "level": "info",
        "message": "a clip\nof 4 bars",
        "event": "clip",
        "path": "/x y.wav",
        "bars": 4,
    }
    assert (other["level"], other["message"]) == ("warning", "but this")
    assert "ZeroDivisionError" in failure["traceback"]


def test_a_slow_reader_stops_nothing_and_gets_the_number_of_dropped_lines() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", FLOOD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        assert process.stderr is not None
        assert process.stderr.readline() == "went on\n"
        # Now it reads: the lines that fitted are complete, and a line reports the gap.
        first = [json.loads(process.stdout.readline())["message"] for _ in range(10_000)]
        process.stdin.write("\n")
        process.stdin.close()
        rest = [json.loads(line)["message"] for line in process.stdout]
    assert first == [f"line {number}" for number in range(10_000)]
    assert rest[-1] == "last" and "lines were not read in time" in rest[-2]


def test_the_daemon_ends_although_its_reader_never_reads_again() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", FLOOD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "went on\n"
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.wait(30) == 0
        assert process.stderr.read() == ""


KEPT = """
import logging, sys
from pathlib import Path
from bridge.daemon import logs

with logs.set_up(as_json=False, screen=logging.NullHandler(), file=Path(sys.argv[1])):
    log = logging.getLogger("bridge.test")
    for number in range(int(sys.argv[2])):
        log.info("line %d %s", number, "x" * 500)
    try:
        1 / 0
    except ZeroDivisionError:
        log.exception("it failed")
    if "raise" in sys.argv:
        raise KeyError("a defect")
"""


def kept(path: Path, lines: int = 0, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", KEPT, str(path), str(lines), *more], capture_output=True, text=True
    )


def test_tracebacks_are_kept_in_a_file_when_a_screen_shows_the_log(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "daemon.log"
    assert kept(path).returncode == 0
    assert kept(path, 0, "raise").returncode == 1
    text = path.read_text()
    assert text.count("ZeroDivisionError: division by zero") == 2, "the second run appends"
    assert text.count("KeyError: 'a defect'") == 1
    assert f"the log is kept in {path}" in text


def test_the_kept_log_is_bounded_and_ends_with_the_newest_lines(tmp_path: Path) -> None:
    path = tmp_path / "daemon.log"
    # In parts: lines that wait for the disk are bounded too.
    for _ in range(3):
        assert kept(path, 3000).returncode == 0
    files = {each.name: each.stat().st_size for each in tmp_path.iterdir()}
    assert set(files) == {"daemon.log", "daemon.log.1", "daemon.log.2"}
    assert all(0 < size <= MOST_FILE_BYTES for size in files.values())
    assert "ZeroDivisionError" in path.read_text()
    assert "line 0 " not in (tmp_path / "daemon.log.2").read_text()[:600]


def test_a_file_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("needs a pipe with a name")
    pipe = tmp_path / "pipe.log"
    os.mkfifo(pipe)
    (tmp_path / "file").touch()
    for path in (pipe, tmp_path / "file" / "daemon.log", tmp_path):
        assert kept(path).returncode == 0
