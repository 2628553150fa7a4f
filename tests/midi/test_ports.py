"""The MIDI process is replaced when it fails, and what is missing is said."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from bridge.midi import library, ports
from bridge.midi.ports import MidiPorts
from tests.midi.observed_ports import observed_ports
from tests.peers.jack import LONG_PERIOD, JackServer
from tests.peers.midi import sending

if sys.platform == "win32":
    pytest.skip("JACK and signals are POSIX's", allow_module_level=True)

IN = "Melody Bridge:in"
MIDDLE_C = bytes([0x90, 60, 100])


@pytest.fixture(scope="module")
def jack_period() -> int:
    return LONG_PERIOD


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_process_that_dies_or_stops_is_replaced(
    jack_server: JackServer, number: signal.Signals
) -> None:
    async def replaced() -> None:
        async with observed_ports("jack") as observed:
            await observed.hears(IN)
            pid = observed.ports.pid
            assert pid is not None
            os.kill(pid, number)
            await observed.hears()
            assert "MIDI process" in observed.ports.detail
            # JACK gives the name again once it has noticed that the old client is gone.
            await observed.until(lambda: observed.ports.inputs, "another process")
            assert not Path(f"/proc/{pid}").exists()
            with sending() as keyboard:
                jack_server.connect(keyboard.ports[0], observed.ports.inputs[0])
                keyboard.play(MIDDLE_C)
                await observed.receives(MIDDLE_C)

    asyncio.run(replaced())


def test_without_the_extra_a_sentence_names_it_and_no_process_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ports, "find_spec", lambda name: None)

    async def starts() -> None:
        async with observed_ports("auto") as observed:
            assert observed.ports.detail == library.EXTRA
            assert "pip install 'melody-bridge[midi]'" in library.EXTRA
            assert observed.ports.pid is None
            observed.ports.send(MIDDLE_C)

    asyncio.run(starts())


def test_without_a_selection_nothing_starts_and_nothing_is_said() -> None:
    async def starts() -> None:
        async with observed_ports("none") as observed:
            assert observed.ports.pid is None and not observed.changes

    asyncio.run(starts())


@pytest.mark.skipif(Path("/dev/snd/seq").exists(), reason="this machine has ALSA's sequencer")
def test_a_system_without_midi_is_reported_once_with_the_remedy() -> None:
    async def starts() -> None:
        async with observed_ports("auto") as observed:
            await observed.until(lambda: observed.changes, "a report")
            assert "there is no /dev/snd/seq: sudo modprobe snd-seq" in observed.ports.detail

    asyncio.run(starts())


CRASHING = """
API_LINUX_ALSA = API_UNIX_JACK = 0
class MidiOut:
    ports = []
    def __init__(self, name, api): pass
class MidiIn(MidiOut):
    def ignore_types(self, **ignored): pass
    def open_virtual_port(self, name):
        import os
        os.abort()
"""
"""An rtmidi2 whose virtual port ends the process, as its own libjack does on Debian."""


def test_a_port_whose_opening_ends_the_process_is_not_opened_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rtmidi.py").write_text("raise ImportError")
    (tmp_path / "rtmidi2.py").write_text(CRASHING)
    monkeypatch.syspath_prepend(tmp_path)

    async def opens() -> None:
        async with observed_ports("auto", api="API_UNIX_JACK") as observed:
            await observed.until(lambda: len(observed.changes) >= 2, "two reports")
            (_, crash), (_, after) = observed.changes
            assert "MIDI process ended" in crash.detail and "Melody Bridge" in crash.detail
            assert "has ended the MIDI process before" in after.detail
            pid = observed.ports.pid
            await asyncio.sleep(0)
            assert pid is not None and observed.ports.pid == pid

    asyncio.run(opens())


def test_a_receiver_that_raises_does_not_stop_the_messages(
    jack_server: JackServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Each batch is answered: without it, the process would wait after a few."""
    failures = []

    def fail(messages: object) -> None:
        failures.append(messages)
        raise ValueError("no")

    async def receives() -> None:
        midi = MidiPorts("jack", fail, lambda change: None)
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: None)
        midi.start()
        try:
            while not midi.inputs:
                await asyncio.sleep(0.01)
            with sending() as keyboard:
                jack_server.connect(keyboard.ports[0], IN)
                for count in range(1, 20):
                    keyboard.play(MIDDLE_C)
                    while len(failures) < count:
                        await asyncio.sleep(0.01)
        finally:
            await midi.stop()

    asyncio.run(asyncio.wait_for(receives(), 60))
