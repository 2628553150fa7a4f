"""A pedal and lights over real JACK MIDI ports."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bridge.commands import CaptureLast, Generate
from bridge.events import Event, MidiPortsChanged, Progress
from bridge.midi import MidiPorts
from tests.control.test_midi_control import PEDAL_DOWN, PEDAL_UP, Stage
from tests.peers.jack import JackServer, excusing_xruns, jack_server, module_jack_server
from tests.peers.midi import receiving, sending

__all__ = ["jack_server", "module_jack_server"]

MAP = """
[led]
ready = 1
rendering = 13
blink = false

[[map]]
cc = 64
do = "pedal"
led = true
"""
pytestmark = pytest.mark.exclusive


def test_a_pedal_is_heard_and_its_light_goes_on_and_off(
    jack_server: JackServer, tmp_path: Path
) -> None:
    async def main() -> None:
        stage = Stage(tmp_path, MAP)
        opened: list[Event] = []

        def on_change(changed: MidiPortsChanged) -> None:
            opened.append(changed)
            stage.control.publish(changed)

        ports = MidiPorts("jack", stage.control.received, on_change, output="jack")
        stage.send = ports.send
        with sending("keyboard") as keyboard, receiving("device") as device:
            try:
                await stage.start()
                ports.start()
                await asyncio.to_thread(jack_server.connect, keyboard.ports[0], "Melody Bridge:in")
                await asyncio.to_thread(jack_server.connect, "Melody Bridge:out", device.port)
                await stage.until(lambda: opened)
                await asyncio.to_thread(keyboard.play, bytes(PEDAL_DOWN), bytes(PEDAL_UP))
                await stage.until_commands(2)
                take, clip = stage.commands
                assert isinstance(take, CaptureLast) and isinstance(clip, Generate)
                stage.control.publish(Progress(clip.id, 0.0, -1.0))
                await asyncio.to_thread(device.wait_for, bytes((0xB0, 64, 13)))
                await stage.control.close()
            finally:
                await ports.stop()
            await asyncio.to_thread(device.wait_for, bytes((0xB0, 64, 0)))

    excusing_xruns(jack_server, lambda: asyncio.run(main()))
