"""The script, run by Ardour's own Lua with its own tempo map, without a session."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from bridge.clock.osc_clock import OscClock
from bridge.commands import Transport
from bridge.control.addresses import read_command
from bridge.hosts.ardour.install import SCRIPTS, script

RATE = 48_000
INTERVAL_SECONDS = 0.1006
"""Between two packets; no multiple of it is a bar line's time."""
MOST_DELAY_SECONDS = 0.012
BARS_BEFORE = 8
SECONDS_AFTER = 6.0
MOST_SECONDS_OFF = 0.004

_PROGRAM = """
local sample, is_rolling = 0, true
Session = {
	transport_sample = function () return sample end,
	transport_rolling = function () return is_rolling end,
	get_block_size = function () return 0 end,
	nominal_sample_rate = function () return %(rate)d end
}
Session.get_routes = function ()
	return { iter = function () return function () end end }
end
Session.route_by_name = function () return { isnil = function () return true end } end
ARDOUR.LuaOSC = { Address = function () return {
	send = function (_, address, types, ...) print (address, ...) end
} end }
function ardour () end
%(script)s
local hook = factory ()
%(test)s
"""
"""Ardour's Lua has no session and no OSC here: both are the test's."""
_RAMP = """
local map = Temporal.TempoMap.read ()
local function set (tempo, bar)
	local place = Temporal.timepos_t.from_ticks (bar * 4 * 1920)
	return map:set_tempo (Temporal.Tempo (tempo, tempo, 4), place)
end
local before, bars = %(bars_before)d, %(bars)d
set (%(start_bpm)g, 0)
local ramp = set (%(start_bpm)g, before)
set (%(end_bpm)g, before + bars)
assert (map:set_ramped (ramp, true))
for _, bar in ipairs { before, before + bars, before + bars + 1 } do
	print ("line", map:sample_at (Temporal.timepos_t.from_ticks (bar * 4 * 1920)))
end
local last = map:sample_at (Temporal.timepos_t.from_ticks ((before + bars) * 4 * 1920))
while sample < last + %(after)g * %(rate)d do
	hook ()
	sample = sample + math.floor (%(interval)g * %(rate)d)
end
"""


_ORDERS = """
Editor = { get_selection = function () error ("no selection") end }
for _ = 1, 3 do hook () end
"""
"""Three times the script looks into its inbox; to make a track fails."""


class Played(NamedTuple):
    """What the script has sent, and the times of bar lines.

    Attributes:
        packets: of each, its arguments.
        lines: in seconds: where the ramp begins and ends, and a bar later.
    """

    packets: list[list[float]]
    lines: list[float]


@pytest.fixture
def run_lua(require_program: Callable[[str], str], tmp_path: Path) -> Callable[[str], list[str]]:
    """A function that runs Lua after the script, and returns the lines that it prints."""
    program = require_program("ardour7-lua")

    def run(test: str) -> list[str]:
        text = script(SCRIPTS[0], osc_port=7771, inbox=tmp_path / "inbox")
        body = text[text.index("function signals") :]
        file = tmp_path / "test.lua"
        file.write_text(_PROGRAM % {"rate": RATE, "script": body, "test": test})
        done = subprocess.run([program, str(file)], capture_output=True, text=True, check=True)
        assert "Error" not in done.stdout, done.stdout
        return done.stdout.splitlines()

    return run


@pytest.mark.parametrize(
    ("start_bpm", "end_bpm", "bars"),
    [(60, 140, 2), (80, 160, 2), (96, 140, 1), (120, 90, 1), (140, 96, 1), (140, 70, 2)],
)
def test_the_clock_follows_the_tempo_through_a_ramp(
    run_lua: Callable[[str], list[str]], start_bpm: float, end_bpm: float, bars: int
) -> None:
    test = _RAMP % {
        "start_bpm": start_bpm,
        "end_bpm": end_bpm,
        "bars": bars,
        "rate": RATE,
        "bars_before": BARS_BEFORE,
        "after": SECONDS_AFTER,
        "interval": INTERVAL_SECONDS,
    }
    played = _played(run_lua(test))
    clock, delays = OscClock(), np.random.default_rng(1)
    for number, packet in enumerate(played.packets):
        sent = number * int(INTERVAL_SECONDS * RATE) / RATE
        received = 100 + sent + delays.uniform(0, MOST_DELAY_SECONDS)
        command = read_command("/bridge/transport", packet, received)
        assert isinstance(command, Transport)
        clock.update(command)
    for line in played.lines:
        found = clock.bar_line_at_or_before(100 + line + 0.3)
        assert found == pytest.approx(100 + line, abs=MOST_SECONDS_OFF)
    span = clock.bars_ending(received, 4)
    assert (span.bars, span.broken) == (4, "")


def test_an_order_that_cannot_be_removed_is_not_carried_out(
    run_lua: Callable[[str], list[str]], tmp_path: Path
) -> None:
    inbox = tmp_path / "inbox"
    inbox.write_text("slot\t5\t7000\tMelody Bridge\t/clip.wav\n")
    stuck = "os.remove = function () return nil, 'not permitted' end\n"
    printed = run_lua(stuck + _ORDERS)
    heads = [line.split()[0] for line in printed]
    assert heads.count("/ardour/answer") == 0
    assert heads.count("/bridge/transport") == 3
    # The reason, once.
    assert len([line for line in printed if "cannot remove" in line]) == 1
    answers = [line for line in run_lua(_ORDERS) if line.startswith("/ardour/answer 5 -1 ")]
    assert len(answers) == 1
    assert not inbox.exists()


def test_the_transport_goes_on_during_an_import_that_reads_no_other_order(
    run_lua: Callable[[str], list[str]], tmp_path: Path
) -> None:
    inbox = tmp_path / "inbox"
    inbox.write_text("slot\t5\t7000\tMelody Bridge\t/clip.wav\n")
    # The timer goes on while Ardour makes the track, and the companion has written another order.
    nested = f"""
local again = io.open ({str(inbox)!r}, "r"):read ("a")
Editor = {{ get_selection = function ()
	local file = io.open ({str(inbox)!r}, "w")
	file:write (again)
	file:close ()
	hook ()
	hook ()
	error ("no selection")
end }}
hook ()
"""
    heads = [line.split()[0] for line in run_lua(nested)]
    assert heads == ["/bridge/transport"] * 3 + ["/ardour/answer"]
    assert inbox.exists()


def _played(printed: list[str]) -> Played:
    packets, lines = [], []
    for line in printed:
        head, *arguments = line.split()
        if head == "line":
            lines.append(int(arguments[0]) / RATE)
        else:
            assert head == "/bridge/transport"
            packets.append([float(argument) for argument in arguments])
    return Played(packets, lines)
