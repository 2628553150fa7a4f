"""Ports by RtMidi come and go, and are heard once each. JACK takes the place of ALSA."""

from __future__ import annotations

import asyncio
import sys
import time
from ctypes.util import find_library
from pathlib import Path

import pytest

from tests.midi.observed_ports import RTMIDI_ON_JACK, observed_ports
from tests.peers.jack import LONG_PERIOD, JackServer, excusing_xruns
from tests.peers.midi import receiving, sending, sending_by_rtmidi

if sys.platform == "win32":
    pytest.skip("JACK is POSIX's", allow_module_level=True)
pytest.importorskip("rtmidi", reason="rtmidi2's JACK does not know Debian's")

VIRTUAL = "Melody Bridge"
NOTICED_SECONDS = 5 * 2.0
"""Five times what a port that is back may take."""
MIDDLE_C = bytes([0x90, 60, 100])


@pytest.fixture(scope="module")
def jack_period() -> int:
    return LONG_PERIOD


def test_all_inputs_are_heard_each_once_and_a_port_is_there_for_other_programs(
    jack_server: JackServer,
) -> None:
    async def receives() -> None:
        with sending() as keyboard, sending_by_rtmidi() as synth:
            async with observed_ports("auto", api=RTMIDI_ON_JACK) as observed:
                await observed.hears(keyboard.ports[0], synth.port, VIRTUAL)
                keyboard.play(MIDDLE_C)
                await observed.receives(MIDDLE_C)
                synth.play(b"\xc0\x05")
                await observed.receives(b"\xc0\x05")
                (virtual,) = (port for port in jack_server.ports() if port.endswith(f":{VIRTUAL}"))
                jack_server.connect(synth.port, virtual)
                # By its own port, as JACK does not separate programs from devices, and by ours.
                synth.play(b"\xc0\x06")
                await observed.until(lambda: len(observed.messages) == 2, "both")
                assert {message.port for message in observed.messages} == {synth.port, VIRTUAL}

    excusing_xruns(jack_server, lambda: asyncio.run(receives()))


@pytest.fixture(params=["python-rtmidi", "rtmidi2"])
def package(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of the two packages in turn."""
    if request.param == "rtmidi2":
        pytest.importorskip("rtmidi2")
        (tmp_path / "rtmidi.py").write_text("raise ImportError")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        monkeypatch.syspath_prepend(tmp_path)
        # The libjack in its wheel speaks another protocol than Debian's server.
        monkeypatch.setenv("LD_PRELOAD", find_library("jack") or "")


@pytest.mark.usefixtures("package")
def test_sysex_clock_and_a_flood_are_whole(jack_server: JackServer) -> None:
    sysex = bytes([0xF0, *(number % 128 for number in range(1998)), 0xF7])
    flood = [bytes([0xB0, number // 128, number % 128]) for number in range(10_000)]

    async def receives() -> None:
        with sending() as keyboard:
            async with observed_ports("keyboard", api=RTMIDI_ON_JACK) as observed:
                await observed.hears(keyboard.ports[0])
                keyboard.play(sysex, b"\xf8", b"\xfe", MIDDLE_C)
                await observed.receives(sysex, b"\xf8", MIDDLE_C)
                before = time.perf_counter()
                keyboard.play(*flood)
                await observed.until(lambda: len(observed.messages) == len(flood), "all")
                assert observed.data == flood
                now = time.perf_counter()
                assert all(before < message.seconds < now for message in observed.messages)

    # In a period that the server misses, a reader loses what came, or gets it twice.
    excusing_xruns(jack_server, lambda: asyncio.run(receives()))


def test_a_device_that_is_unplugged_is_reported_and_heard_again_when_it_is_back(
    jack_server: JackServer,
) -> None:
    async def receives() -> None:
        async with observed_ports("keyboard", api=RTMIDI_ON_JACK) as observed:
            await observed.until(lambda: observed.changes, "a report")
            assert "there is no MIDI input 'keyboard'" in observed.ports.detail
            for _ in range(2):
                with sending() as keyboard:
                    plugged_seconds = time.perf_counter()
                    await observed.hears("keyboard:out")
                    assert observed.changes[-1][0] - plugged_seconds < NOTICED_SECONDS
                    keyboard.play(MIDDLE_C)
                    await observed.receives(MIDDLE_C)
                    keyboard.unplug()
                    unplugged_seconds = time.perf_counter()
                    await observed.hears()
                    assert observed.changes[-1][0] - unplugged_seconds < NOTICED_SECONDS

    asyncio.run(receives())


@pytest.mark.usefixtures("package")
def test_lights_go_to_the_named_output_also_when_it_is_back(jack_server: JackServer) -> None:
    async def sends() -> None:
        async with observed_ports("none", output="device", api=RTMIDI_ON_JACK) as observed:
            for _ in range(2):
                with receiving() as device:
                    await observed.until(lambda: observed.ports.outputs, "the output")
                    assert observed.ports.outputs == ("device:in",)
                    observed.ports.send(MIDDLE_C)
                    await asyncio.to_thread(device.wait_for, MIDDLE_C)
                await observed.until(lambda: not observed.ports.outputs, "no output")

    excusing_xruns(jack_server, lambda: asyncio.run(sends()))
