"""MIDI as a `Control`: messages in, commands out, in their order."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Coroutine
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from bridge.commands import (
    Cancel,
    CaptureLast,
    CaptureStart,
    CaptureStop,
    ClipSettings,
    Command,
    Generate,
    LoopClear,
    LoopOverdub,
    LoopStart,
    LoopStop,
    LoopUndo,
    Panic,
    ResetDefaults,
    SetDefaults,
)
from bridge.config import presets
from bridge.control import Control, MidiControl
from bridge.control.midi_pace import COMMANDS_A_SECOND
from bridge.errors import QueueFull, UnreadableFile
from bridge.events import (
    ClockChanged,
    DefaultsChanged,
    Event,
    Failed,
    LoopChanged,
    LoopSounding,
    MidiPortsChanged,
    OutputChanged,
)
from bridge.midi import MidiMessage

PATIENCE_SECONDS = 60.0
PEDAL_DOWN, PEDAL_UP = (0xB0, 64, 127), (0xB0, 64, 0)
PANIC = Panic()


class Stage:
    """A control with a map, the commands that it gave, and the events that it published."""

    def __init__(self, folder: Path, text: str, *, refuses: bool = False) -> None:
        self.path = path = folder / "midi.toml"
        path.write_text(text, encoding="utf-8")
        self.commands: list[Command] = []
        self.events: list[Event] = []
        self.sent: list[bytes] = []
        self._refuses = refuses
        self.send: Callable[[bytes], None] = self.sent.append
        self.control = MidiControl(
            path, bars=4, on_event=self._publish, send=lambda data: self.send(data)
        )
        self._seconds = time.perf_counter()

    async def start(self) -> None:
        await self.control.start(self._on_command)

    def is_mapped(self, *data: int, port: str = "keys") -> bool:
        return self.control.is_mapped(MidiMessage(self._seconds, port, bytes(data)))

    def play(self, *data: int, port: str = "keys", after: float = 0.0) -> None:
        """Receive a message, `after` seconds later than the one before."""
        self._seconds += after
        self.control.received([MidiMessage(self._seconds, port, bytes(data))])

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not condition():
                await asyncio.sleep(0.01)

    async def until_commands(self, count: int) -> None:
        await self.until(lambda: len(self.commands) == count)

    def _on_command(self, command: Command) -> None:
        if self._refuses:
            raise QueueFull("no room: wait")
        self.commands.append(command)

    def _publish(self, event: Event) -> None:
        self.events.append(event)
        self.control.publish(event)


@pytest.fixture
def on_stage(tmp_path: Path) -> Callable[..., Stage]:
    """Run a test in an event loop, on a stage with a map."""

    def run(
        test: Callable[[Stage], Coroutine[Any, Any, None]], text: str = "", **options: Any
    ) -> Stage:
        async def main() -> Stage:
            stage = Stage(tmp_path, text, **options)
            await stage.start()
            try:
                await test(stage)
            finally:
                await stage.control.close()
            return stage

        return asyncio.run(main())

    return run


def test_it_is_a_control(tmp_path: Path) -> None:
    control: Control = Stage(tmp_path, "").control
    control.publish(Failed("-", "x", "before the start"))


def test_a_tap_takes_the_last_bars_and_renders_them(on_stage: Callable[..., Stage]) -> None:
    async def test(stage: Stage) -> None:
        stage.play(*PEDAL_DOWN)
        stage.play(*PEDAL_UP, after=0.2)
        stage.control.publish(DefaultsChanged(ClipSettings(bars=8)))
        stage.play(*PEDAL_DOWN, after=1.0)

    takes = [command for command in on_stage(test).commands if isinstance(command, CaptureLast)]
    assert [(take.id, take.bars) for take in takes] == [("midi-1", 4), ("midi-3", 8)]


def test_the_clip_of_a_tap_follows_its_take(on_stage: Callable[..., Stage]) -> None:
    async def test(stage: Stage) -> None:
        stage.play(*PEDAL_DOWN)

    take, clip = on_stage(test).commands
    assert isinstance(take, CaptureLast)
    assert clip == Generate("midi-2", ClipSettings(), take.id)


def test_a_double_tap_cancels_what_its_first_tap_began(on_stage: Callable[..., Stage]) -> None:
    async def test(stage: Stage) -> None:
        for after in (0.0, 2.0, 0.2, 0.2):
            stage.play(*PEDAL_DOWN, after=after)
            stage.play(*PEDAL_UP, after=0.05)

    first, clip, second, other, *rest = on_stage(test).commands
    assert isinstance(first, CaptureLast) and isinstance(second, CaptureLast)
    assert isinstance(clip, Generate) and isinstance(other, Generate)
    assert rest[:2] == [Cancel(other.id), Cancel(second.id)]
    assert [type(command) for command in rest[2:]] == [CaptureLast, Generate]


def test_a_held_pedal_begins_nothing_more(on_stage: Callable[..., Stage]) -> None:
    async def test(stage: Stage) -> None:
        stage.control.publish(ClockChanged("osc", 120.0, 4, 4, True))
        stage.play(*PEDAL_DOWN)
        stage.play(*PEDAL_UP, after=1.5)

    assert len(on_stage(test).commands) == 2


def test_with_an_output_the_pedal_plays_the_loop(on_stage: Callable[..., Stage]) -> None:
    async def test(stage: Stage) -> None:
        def loop(sounding: LoopSounding) -> None:
            stage.control.publish(LoopChanged("midi-loop", sounding, "none", 1, 0, ""))

        stage.control.publish(OutputChanged("ready", "system", 44_100))
        tapped: list[tuple[LoopSounding, float]] = [
            *(("off", 0.0), ("playing", 0.2), ("stopping", 5.0)),
        ]
        for sounding, after in tapped:
            loop(sounding)
            stage.play(*PEDAL_DOWN, after=after)
            stage.play(*PEDAL_UP, after=0.05)
        stage.play(*PEDAL_DOWN, after=0.2)
        stage.play(*PEDAL_UP, after=0.05)
        held: list[tuple[LoopSounding, float]] = [("playing", 1.1), ("off", 2.1)]
        for sounding, seconds in held:
            loop(sounding)
            stage.play(*PEDAL_DOWN, after=5.0)
            stage.play(*PEDAL_UP, after=seconds)

    take = LoopStart("midi-loop", ClipSettings(bars=4))
    assert on_stage(test).commands == [
        *(take, LoopStop("midi-loop")),
        *(take, LoopStop("midi-loop", now=True)),
        *(take, LoopUndo("midi-loop")),
        *(take, LoopClear("midi-loop")),
    ]


def test_all_pads_play_the_one_loop_of_the_pedal(on_stage: Callable[..., Stage]) -> None:
    async def test(stage: Stage) -> None:
        for note in (36, 37, 38):
            stage.play(0x90, note, 100)

    pads = """
        [[map]]
        note = 36
        do = "/bridge/loop/start"
        arguments = ["bars", 8, "quick", 1]
        [[map]]
        note = 37
        do = "/bridge/loop/overdub"
        [[map]]
        note = 38
        do = "/bridge/loop/stop"
    """
    assert on_stage(test, pads).commands == [
        LoopStart("midi-loop", ClipSettings(bars=8), quick=True),
        LoopOverdub("midi-loop"),
        LoopStop("midi-loop"),
    ]


def test_an_inverted_pedal(on_stage: Callable[..., Stage]) -> None:
    async def test(stage: Stage) -> None:
        stage.play(*PEDAL_DOWN)
        assert not stage.commands
        stage.play(*PEDAL_UP, after=1.0)

    assert len(on_stage(test, "[pedal]\ninverted = true").commands) == 2


def test_each_change_of_a_latching_pedal_is_a_tap(on_stage: Callable[..., Stage]) -> None:
    async def test(stage: Stage) -> None:
        for message in (PEDAL_UP, PEDAL_DOWN, PEDAL_DOWN, PEDAL_UP):
            stage.play(*message, after=1.0)

    taps = on_stage(test, "[pedal]\nlatching = true").commands
    assert [type(command) for command in taps] == [CaptureLast, Generate] * 3


def test_a_pedal_of_another_port_or_channel_is_another_foot(on_stage: Callable[..., Stage]) -> None:
    async def test(stage: Stage) -> None:
        stage.play(*PEDAL_DOWN, port="one")
        stage.play(*PEDAL_UP, port="two", after=0.5)
        stage.control.publish(MidiPortsChanged(("two",), ()))
        stage.play(*PEDAL_DOWN, port="one", after=0.5)

    assert len(on_stage(test).commands) == 4


def test_a_refused_tap_is_published_and_renders_nothing(on_stage: Callable[..., Stage]) -> None:
    async def test(stage: Stage) -> None:
        stage.play(*PEDAL_DOWN)
        stage.play(*PEDAL_UP, after=0.1)
        stage.play(*PEDAL_DOWN, after=0.1)

    assert on_stage(test, refuses=True).events == [Failed("midi-1", "queue-full", "no room: wait")]


def test_a_program_change_chooses_the_preset_of_that_number(on_stage: Callable[..., Stage]) -> None:
    async def test(stage: Stage) -> None:
        stage.play(0xC0, 1)
        await stage.until(lambda: stage.commands)
        stage.play(0xC5, 99)
        await stage.until(lambda: stage.events)

    stage = on_stage(test)
    name = presets.list_presets()[0][1].name
    assert stage.commands == [SetDefaults(ClipSettings(preset=name))]
    (failed,) = stage.events
    assert isinstance(failed, Failed)
    assert "program 99: there are" in failed.message


def test_a_program_with_an_entry_of_its_own_chooses_no_preset(
    on_stage: Callable[..., Stage],
) -> None:
    async def test(stage: Stage) -> None:
        stage.play(0xC0, 1)

    assert on_stage(test, "[[map]]\nprogram = 1\ndo = '/bridge/panic'").commands == [PANIC]


def test_keys_are_the_melody_and_do_nothing_else(on_stage: Callable[..., Stage]) -> None:
    async def test(stage: Stage) -> None:
        for note in range(128):
            stage.play(0x90, note, 100)
            stage.play(0x80, note, 0)
        for number in (7, 120, 123):
            stage.play(0xB0, number, 127)

    stage = on_stage(test)
    assert not stage.commands and not stage.events


def test_a_pad_is_pressed_by_its_note_on_alone(on_stage: Callable[..., Stage]) -> None:
    text = "[[map]]\nnote = 36\nchannel = 10\nvalue = [20, 127]\ndo = '/bridge/panic'"

    async def test(stage: Stage) -> None:
        for message in (
            (0x99, 36, 100),
            (0x99, 36, 0),  # A release.
            (0x89, 36, 64),
            (0x99, 36, 19),  # Too soft.
            (0x99, 37, 100),
            (0x90, 36, 100),  # Another channel.
        ):
            stage.play(*message)
        await asyncio.sleep(2 / COMMANDS_A_SECOND)

    assert on_stage(test, text).commands == [PANIC]


def test_a_note_that_got_no_release_can_be_played_again(on_stage: Callable[..., Stage]) -> None:
    async def test(stage: Stage) -> None:
        stage.play(0x90, 36, 100)
        stage.play(0x90, 36, 100)
        await stage.until_commands(2)

    on_stage(test, "[[map]]\nnote = 36\ndo = '/bridge/panic'")


def test_a_button_of_a_cc_is_pressed_where_its_value_comes_in(
    on_stage: Callable[..., Stage],
) -> None:
    async def test(stage: Stage) -> None:
        for value in (0, 63, 64, 127, 100, 0):
            stage.play(0xB0, 20, value)
        await asyncio.sleep(2 / COMMANDS_A_SECOND)
        stage.play(0xB0, 20, 127)
        await stage.until_commands(2)

    on_stage(test, "[[map]]\ncc = 20\ndo = '/bridge/panic'")


def test_a_pad_that_is_held_records(on_stage: Callable[..., Stage]) -> None:
    text = (
        "[[map]]\nnote = 36\nmode = 'momentary'\n"
        "do = '/bridge/capture/start'\noff = '/bridge/capture/stop'"
    )

    async def test(stage: Stage) -> None:
        for count, message in enumerate([(0x90, 36, 100), (0x80, 36, 0)] * 2, start=1):
            stage.play(*message)
            await stage.until_commands(count)

    assert on_stage(test, text).commands == [
        *(CaptureStart("midi-1"), CaptureStop("midi-1")),
        *(CaptureStart("midi-2"), CaptureStop("midi-2")),
    ]


def test_a_pad_that_is_held_when_its_port_goes_is_released(on_stage: Callable[..., Stage]) -> None:
    text = (
        "[[map]]\nnote = 36\nmode = 'momentary'\n"
        "do = '/bridge/capture/start'\noff = '/bridge/capture/stop'"
    )

    async def test(stage: Stage) -> None:
        stage.play(0x90, 36, 100)
        stage.control.publish(MidiPortsChanged((), ()))
        await stage.until_commands(2)

    assert on_stage(test, text).commands[1] == CaptureStop("midi-1")


def test_a_toggle(on_stage: Callable[..., Stage]) -> None:
    text = (
        "[[map]]\nnote = 36\nmode = 'toggle'\n"
        "do = '/bridge/set'\narguments = ['tempo_lock', '{value}']\nto = [0, 1]"
    )

    async def test(stage: Stage) -> None:
        for count in (1, 2, 3):
            stage.play(0x90, 36, 1)
            stage.play(0x80, 36, 0)
            await stage.until_commands(count)

    assert on_stage(test, text).commands == [
        SetDefaults(ClipSettings(tempo_lock=value)) for value in (True, False, True)
    ]


def test_what_concerns_an_earlier_request_needs_one(on_stage: Callable[..., Stage]) -> None:
    async def test(stage: Stage) -> None:
        stage.play(0x90, 36, 100)

    (failed,) = on_stage(test, "[[map]]\nnote = 36\ndo = '/bridge/discard'").events
    assert failed == Failed(
        "-", "bad-argument", "/bridge/discard: MIDI has sent no /bridge/generate before it"
    )


def test_a_bend_and_a_pressure_follow(on_stage: Callable[..., Stage]) -> None:
    text = (
        "[[map]]\nbend = 'any'\ndo = '/bridge/set'\narguments = ['tempo_bpm', '{value}']\n"
        "to = [100, 140]\n"
        "[[map]]\npressure = 'any'\ndo = '/bridge/set'\narguments = ['top_k', '{value}']\n"
        "to = [1, 128]\n"
    )

    async def test(stage: Stage) -> None:
        for message in ((0xE0, 0, 0), (0xD0, 127), (0xE0, 0x7F, 0x7F)):
            stage.play(*message)
        await stage.until_commands(3)

    assert on_stage(test, text).commands == [
        SetDefaults(ClipSettings(tempo_bpm=Fraction(100))),
        SetDefaults(ClipSettings(top_k=128)),
        SetDefaults(ClipSettings(tempo_bpm=Fraction(140))),
    ]


def test_a_sweep_becomes_few_commands_and_its_last_value_arrives(
    on_stage: Callable[..., Stage],
) -> None:
    text = "[[map]]\ncc = 20\ndo = '/bridge/set'\narguments = ['top_k', '{value}']\nto = [0, 127]"
    last = SetDefaults(ClipSettings(top_k=77))

    async def test(stage: Stage) -> None:
        begun = time.perf_counter()
        for count in range(5000):
            stage.play(0xB0, 20, count % 128)
            if count % 100 == 0:
                await asyncio.sleep(0)
        stage.play(0xB0, 20, 77)
        await stage.until(lambda: stage.commands[-1] == last)
        seconds = time.perf_counter() - begun
        assert len(stage.commands) <= 2 + seconds * COMMANDS_A_SECOND

    on_stage(test, text)


def test_the_data_of_an_nrpn_is_no_control_of_its_own(on_stage: Callable[..., Stage]) -> None:
    async def test(stage: Stage) -> None:
        for message in ((99, 1), (98, 8), (6, 127), (38, 0), (6, 0), (6, 127)):
            stage.play(0xB0, *message)
        assert not stage.commands
        stage.play(0xB1, 6, 127)  # On another channel nothing was selected.
        assert stage.commands == [PANIC]
        stage.play(0xB0, 6, 0, after=1.0)
        stage.play(0xB0, 6, 127)  # Long after the sequence it is a knob.
        await stage.until_commands(2)

    on_stage(test, "[[map]]\ncc = 6\ndo = '/bridge/panic'")


def test_a_map_with_a_mistake_does_not_start(tmp_path: Path) -> None:
    stage = Stage(tmp_path, "[[map]]\ncc = 64")
    with pytest.raises(UnreadableFile, match="do is missing"):
        asyncio.run(stage.start())


def test_a_map_that_changes_is_read_again(on_stage: Callable[..., Stage]) -> None:
    def is_refused(stage: Stage) -> bool:
        return any("earlier map is still" in str(event) for event in stage.events)

    async def test(stage: Stage) -> None:
        stage.path.write_text("[[map]]\nnote = 36\ndo = '/bridge/genrate'")
        await stage.until(lambda: is_refused(stage))
        stage.play(0x90, 36, 100)
        assert stage.commands == [PANIC]
        stage.path.write_text("[[map]]\nnote = 37\ndo = '/bridge/reset'")

        def plays_the_new_one() -> bool:
            stage.play(0x90, 37, 100)
            return ResetDefaults() in stage.commands

        await stage.until(plays_the_new_one)

    on_stage(test, "[[map]]\nnote = 36\ndo = '/bridge/panic'")


def test_a_pad_that_is_held_while_the_map_changes_is_released(
    on_stage: Callable[..., Stage],
) -> None:
    text = (
        "[[map]]\nnote = 36\nmode = 'momentary'\n"
        "do = '/bridge/capture/start'\noff = '/bridge/capture/stop'"
    )

    async def test(stage: Stage) -> None:
        stage.play(0x90, 36, 100)
        await asyncio.sleep(2 / COMMANDS_A_SECOND)
        stage.path.write_text(f"{text}\n[[map]]\nnote = 37\ndo = '/bridge/reset'")
        await stage.until_commands(2)

    assert on_stage(test, text).commands[1] == CaptureStop("midi-1")


def test_no_message_stops_it(on_stage: Callable[..., Stage]) -> None:
    drawn = random.Random(13)
    kinds = ("note", "cc", "program")
    text = "".join(
        f"[[map]]\n{kind} = {number}\ndo = '/bridge/panic'\n"
        for kind in kinds
        for number in range(0, 128, 9)
    )

    async def test(stage: Stage) -> None:
        stream = drawn.randbytes(100_000)
        while stream:
            length = drawn.randrange(0, 6)
            stage.play(*stream[:length], after=0.001)
            stream = stream[max(length, 1) :]
        for _ in range(20_000):
            status = drawn.randrange(0x80, 0x100)
            data = [drawn.randrange(128) for _ in range(drawn.randrange(4))]
            stage.play(status, *data, after=0.001)

    stage = on_stage(test, text)
    assert PANIC in stage.commands
    assert not any("defect" in event.message for event in stage.events if isinstance(event, Failed))


def test_the_notes_of_the_map_are_commands_and_all_others_are_melody(
    on_stage: Callable[..., Stage],
) -> None:
    async def test(stage: Stage) -> None:
        assert stage.is_mapped(0x90, 36, 100)
        assert not stage.is_mapped(0x90, 37, 100)
        assert not stage.is_mapped(0xF8)

    on_stage(test, "[[map]]\nnote = 36\ndo = '/bridge/panic'")
