"""The log: a line a sentence for people, an object a line for programs."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime

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


def said(how: str) -> tuple[list[str], list[str]]:
    """Lines on stdout and on stderr."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, how], capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines(), done.stderr.splitlines()


def test_people_read_a_line_a_sentence_on_stderr() -> None:
    stdout, stderr = said("plain")
    assert stdout == []
    sentences = [line.partition(" ")[2] for line in stderr[:3]]
    assert sentences == ["a clip of 4 bars", "warning: but this", "error: it failed"]
    assert stderr[3].startswith("Traceback")


def test_programs_read_an_object_a_line_on_stdout() -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    stdout, stderr = said("json")
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


def test_a_reader_who_does_not_read_stops_nobody_and_is_told_what_it_missed() -> None:
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
        # Now it reads: what fitted is all there, and the gap is told.
        first = [json.loads(process.stdout.readline())["message"] for _ in range(10_000)]
        process.stdin.write("\n")
        process.stdin.close()
        rest = [json.loads(line)["message"] for line in process.stdout]
    assert first == [f"line {number}" for number in range(10_000)]
    assert rest[-1] == "last" and "lines were not read in time" in rest[-2]


def test_a_reader_who_has_gone_or_never_reads_again_lets_it_end() -> None:
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
