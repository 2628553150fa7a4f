"""The log: a line a sentence for people, an object a line for programs."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime

SCRIPT = """
import logging, sys
from bridge.logs import set_up, told

set_up(as_json=sys.argv[1] == "json")
log = logging.getLogger("bridge.test")
log.info("a clip\\nof %d bars", 4, extra=told(event="clip", path="/x y.wav", bars=4))
log.debug("nobody reads this")
logging.getLogger("someone.else").info("nor this")
logging.getLogger("someone.else").warning("but this")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("it failed")
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
