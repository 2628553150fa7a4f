"""What the device says is what the daemon hears, and what the daemon tells is what it hears."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from bridge.commands import Command
from bridge.control.addresses import _EVENTS, _FORMS, read_command
from max_for_live.build import HERE
from max_for_live.patcher import SCRIPT

SOURCE = (HERE / SCRIPT).read_text(encoding="utf-8")
IGNORED = {"/bridge/pong"}
"""The device subscribes again instead of pinging."""


def test_every_event_is_handled_or_knowingly_ignored() -> None:
    table = re.search(r"var EVENTS = \{(.*?)\};", SOURCE, re.DOTALL)
    assert table is not None
    handled = re.findall(r'"(/bridge/\w+)": (\w+)', table[1])
    told = {address for address, _ in _EVENTS.values()}
    assert {address for address, _ in handled} == told - IGNORED
    for _, function in handled:
        assert f"function {function}(" in SOURCE


def test_every_address_that_it_names_is_one_of_the_protocol() -> None:
    told = {address for address, _ in _EVENTS.values()}
    named = set(re.findall(r'"(/bridge/[a-z/]+)"', SOURCE))
    assert named <= told | set(_FORMS)
    assert len(named - told) >= 8


def test_the_script_does_all_that_its_tests_ask_and_every_message_of_it_is_taken(
    require_program: Callable[[str], str], tmp_path: Path
) -> None:
    sent = tmp_path / "sent.jsonl"
    run = subprocess.run(
        [require_program("node"), "--test", str(Path(__file__).with_name("script.test.js"))],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "MELODY_BRIDGE_SENT": str(sent)},
        check=False,
    )
    assert run.returncode == 0, run.stdout
    messages = [json.loads(line) for line in sent.read_text().splitlines() if line]
    commands: list[Command] = [
        read_command(address, arguments, 0.0) for address, arguments in messages
    ]
    assert len(commands) > 1000
    # All that the script can send was sent by some test.
    named = set(re.findall(r'"(/bridge/[a-z/]+)"', SOURCE)) & set(_FORMS)
    assert {address for address, _ in messages} == named


def test_the_script_is_written_in_the_language_that_max_has() -> None:
    """ECMAScript 5 by its words; newer functions are missing where the tests run it."""
    quoted = r'"(?:[^"\\\n]|\\.)*"'
    code = re.sub(rf"//[^\n]*|{quoted}", " ", SOURCE)
    assert "'" not in code and "`" not in code and "=>" not in code and "..." not in code
    newer = r"\b(let|const|class|extends|import|export|async|await|yield|of|super)\b"
    assert re.findall(newer, code) == []
    # A default, and a short form of a method.
    assert re.findall(r"function\s*\w*\([^)]*=", code) == []
