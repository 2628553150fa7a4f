"""The lights of a controller: what is sent, and in which order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from bridge.events import (
    CaptureChanged,
    ClockChanged,
    Done,
    Failed,
    LoopChanged,
    LoopComing,
    LoopSounding,
    MidiPortsChanged,
    OutputChanged,
    Progress,
)
from tests.control.test_midi_control import PEDAL_DOWN, Stage

LED = """
[led]
off = 0
ready = 1
playing = 21
recording = 5
rendering = 13
"""
PEDAL = """
[[map]]
cc = 64
channel = 2
do = "pedal"
led = true
"""
PAD = """
[[map]]
note = 36
do = "/bridge/generate"
led = 99
"""
PORTS = MidiPortsChanged(("keys",), ("keys",))


@pytest.fixture
def lights(tmp_path: Path) -> Callable[..., list[bytes]]:
    """Run a test on a stage with a map, and return what it sent to the lights."""

    def run(test: Callable[[Stage], Coroutine[Any, Any, None]], text: str) -> list[bytes]:
        async def main() -> list[bytes]:
            stage = Stage(tmp_path, text)
            await stage.start()
            stage.control.publish(PORTS)
            await test(stage)
            await stage.control.close()
            return stage.sent

        return asyncio.run(main())

    return run


def test_a_take_and_its_clip(lights: Callable[..., list[bytes]]) -> None:
    async def test(stage: Stage) -> None:
        stage.play(0xB1, *PEDAL_DOWN[1:])
        for event in (
            Progress("midi-2", 0.0, -1.0),
            CaptureChanged("midi-1", "recording", 0.0, -60.0),
            CaptureChanged("midi-1", "recording", 1.0, -60.0),  # No change: nothing is sent.
            CaptureChanged("osc-1", "recording", 0.0, -60.0),  # Somebody else's.
            CaptureChanged("midi-1", "done", 2.0, -60.0),
            Done("midi-1", 0),
            Progress("midi-2", 0.5, 1.0),
            Done("midi-2", 1),
        ):
            stage.control.publish(event)

    values = [message[2] for message in lights(test, LED + "blink = false\n" + PEDAL)]
    assert values == [1, 13, 5, 13, 1, 0]


def test_a_light_is_the_note_or_the_cc_of_its_entry(lights: Callable[..., list[bytes]]) -> None:
    async def test(stage: Stage) -> None:
        pass

    sent = lights(test, "\n".join((LED, "channel = 10", PEDAL, PAD)))
    assert sent == [bytes.fromhex(one) for one in ("B14001", "996301", "B14000", "996300")]


def test_it_shows_whether_the_clock_plays(lights: Callable[..., list[bytes]]) -> None:
    async def test(stage: Stage) -> None:
        for is_playing in (True, False):
            stage.control.publish(ClockChanged("osc", 120.0, 4, 4, is_playing))

    assert [message[2] for message in lights(test, LED + PEDAL)] == [1, 21, 1, 0]


def test_it_shows_the_loop_that_the_pedal_plays(lights: Callable[..., list[bytes]]) -> None:
    states: list[tuple[LoopSounding, LoopComing]] = [
        *(("off", "capturing"), ("off", "rendering"), ("playing", "capturing")),
        *(("playing", "queued"), ("stopping", "none"), ("off", "none")),
    ]

    async def test(stage: Stage) -> None:
        stage.control.publish(OutputChanged("ready", "system", 44_100))
        stage.control.publish(LoopChanged("osc-1", "playing", "none", 2, 0, ""))
        stage.play(0xB1, *PEDAL_DOWN[1:])
        for sounding, coming in states:
            stage.control.publish(LoopChanged("midi-loop", sounding, coming, 1, 0, ""))

    values = [message[2] for message in lights(test, LED + "blink = false\n" + PEDAL)]
    assert values == [1, 5, 13, 21, 13, 21, 1, 0]


def test_a_failed_request_leaves_no_light(lights: Callable[..., list[bytes]]) -> None:
    async def test(stage: Stage) -> None:
        stage.play(0x90, 36, 100)
        stage.control.publish(Progress("midi-1", 0.0, -1.0))
        stage.control.publish(Failed("midi-1", "cancelled", "cancelled"))

    assert [message[2] for message in lights(test, LED + PAD)] == [1, 13, 1, 0]


def test_rendering_blinks_and_the_blinking_ends(lights: Callable[..., list[bytes]]) -> None:
    async def test(stage: Stage) -> None:
        stage.play(0x90, 36, 100)
        stage.control.publish(Progress("midi-1", 0.0, -1.0))
        await stage.until(lambda: len(stage.sent) >= 6)
        stage.control.publish(Done("midi-1", 1))
        settled = len(stage.sent)
        await asyncio.sleep(0.6)
        assert len(stage.sent) == settled

    values = [message[2] for message in lights(test, LED + PAD)]
    assert values[:6] == [1, 13, 0, 13, 0, 13]
    assert values[-2:] == [1, 0]


def test_a_controller_that_is_plugged_in_gets_its_sysex_and_all_lights(
    lights: Callable[..., list[bytes]],
) -> None:
    async def test(stage: Stage) -> None:
        stage.control.publish(MidiPortsChanged(("keys",), ()))
        stage.sent.clear()
        stage.control.publish(PORTS)
        stage.control.publish(PORTS)  # Nothing is new.

    sent = lights(test, LED + 'init = "F0 00 20 29 02 0D 0E 01 F7"' + PEDAL)
    assert sent == [bytes.fromhex(one) for one in ("F0002029020D0E01F7", "B14001", "B14000")]


def test_without_lights_nothing_is_sent(lights: Callable[..., list[bytes]]) -> None:
    async def test(stage: Stage) -> None:
        stage.play(*PEDAL_DOWN)

    assert lights(test, "[led]\ninit = 'F0 7E F7'") == []
