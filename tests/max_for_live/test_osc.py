"""The script knows the daemon's addresses, events and keys, and is written in Max's language."""

from __future__ import annotations

import json
import re

from bridge.config import read_value
from bridge.control.addresses import _EVENTS, _FORMS
from max_for_live.build import SCRIPT_FILE

SOURCE = SCRIPT_FILE.read_text(encoding="utf-8")
IGNORED = {
    *("/bridge/pong", "/bridge/clock", "/bridge/pitch", "/bridge/metronome", "/bridge/mark"),
    *("/bridge/request", "/bridge/output", "/bridge/layer", "/bridge/beat", "/bridge/queue"),
    "/bridge/network",
}
"""The device subscribes again instead of pinging, and sends the clock that the daemon follows. Live
has a metronome of its own; what else is left out is for screens that show the whole session."""
EVENT_ADDRESSES = {address for address, _ in _EVENTS.values()}
IN_SCRIPT = set(re.findall(r'"(/bridge/[a-z/]+)"', SOURCE))
"""Addresses in the script."""


def test_every_event_is_handled_or_ignored_on_purpose() -> None:
    table = re.search(r"var EVENTS = \{(.*?)\};", SOURCE, re.DOTALL)
    assert table is not None
    handled = re.findall(r'"(/bridge/\w+)": (\w+)', table[1])
    assert {address for address, _ in handled} == EVENT_ADDRESSES - IGNORED
    for _, function in handled:
        assert f"function {function}(" in SOURCE


def test_every_address_in_the_script_is_one_of_the_protocol() -> None:
    assert not IN_SCRIPT - EVENT_ADDRESSES - set(_FORMS)
    assert len(IN_SCRIPT - EVENT_ADDRESSES) >= 8


def test_the_daemon_knows_every_key_that_the_script_can_send() -> None:
    notes = re.search(r"var NOTES = (\[.*?\]);", SOURCE)
    modes = re.search(r"var MODES = \{(.*?)\};", SOURCE, re.DOTALL)
    assert notes is not None and modes is not None
    for note in json.loads(notes[1]):
        for mode in re.findall(r'"(\w+)"', modes[1]):
            assert read_value("key", f"{note} {mode}") == f"{note} {mode}"


def test_the_script_is_ecmascript_5() -> None:
    """Checks the words; functions that are newer are missing where the tests run the script."""
    quoted = r'"(?:[^"\\\n]|\\.)*"'
    code = re.sub(rf"//[^\n]*|{quoted}", " ", SOURCE)
    assert "'" not in code and "`" not in code and "=>" not in code and "..." not in code
    newer = r"\b(let|const|class|extends|import|export|async|await|yield|of|super)\b"
    assert re.findall(newer, code) == []
    # Default values of arguments, and short methods.
    assert re.findall(r"function\s*\w*\([^)]*=", code) == []
