"""Hold to record: by a terminal's releases, by the mouse, and the toggle without them."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from textual.pilot import Pilot

from bridge.control.addresses import event_message
from bridge.control.packets import read_packet, write_message
from bridge.events import CaptureChanged, Done, Event, Failed, RequestBegun
from bridge.screens.sketch.hold import HOLD_SECONDS, Hold, Key, driver_class
from tests.peers.wait import until
from tests.screens.sketch.conftest import READY, Stage
from tests.screens.sketch.program import EVENT_TYPES, PATIENCE_SECONDS, Program, started

if sys.platform == "win32":
    pytest.skip("pseudo-terminals are POSIX's", allow_module_level=True)

from textual.drivers import linux_driver

from bridge.screens.sketch.event_types import ASK_NO_MORE, EventTypeDriver, EventTypeParser

PRESS, REPEAT, RELEASE = "\x1b[32;;32u", "\x1b[32;1:2;32u", "\x1b[32;1:3u"
"""What kitty sends for the space bar, with textual's flags and event types."""
TAP, QUIT = "\x1b[116;;116u", "\x1b[113;;113u"
SPOKEN = {"/bridge/capture/start", "/bridge/capture/stop", "/bridge/tap", "/bridge/set"}


class Recorder:
    """A daemon that records without sound, and remembers what it was sent.

    Attributes:
        port: its UDP port.
        heard: the last words of the addresses of `SPOKEN`, in order.
    """

    def __init__(self) -> None:
        self.heard: list[str] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self._clients: dict[int, None] = {}
        self._state: list[Event] = [*READY]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
            own.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join()
        self._socket.close()

    def wait(self, *heard: str) -> None:
        """Wait until it was sent so much, and nothing else."""
        until(lambda: len(self.heard) >= len(heard), f"{heard} are heard", PATIENCE_SECONDS)
        assert self.heard == list(heard)

    def _serve(self) -> None:
        while datagram := self._socket.recv(65_536):
            for address, arguments in read_packet(datagram):
                if address == "/bridge/subscribe":
                    self._clients[int(str(arguments[0]))] = None
                    self._publish(*self._state)
                elif address == "/bridge/capture/start":
                    id = str(arguments[0])
                    recording = CaptureChanged(id, "recording", 0.5, -9.0, 1)
                    self._state = [*READY, RequestBegun(id, "capture"), recording]
                    self._publish(*self._state[len(READY) :])
                elif address == "/bridge/capture/stop":
                    id = str(arguments[0])
                    self._state = [*READY]
                    self._publish(CaptureChanged(id, "done", 1.0, -9.0), Done(id, 0))
                if address in SPOKEN:
                    self.heard.append(address.rpartition("/")[2])

    def _publish(self, *events: Event) -> None:
        """Send them in one datagram, so that no key comes between a hello and its state."""
        messages = [write_message(*event_message(event)) for event in events]
        sized = b"".join(len(message).to_bytes(4, "big") + message for message in messages)
        for port in self._clients:
            self._socket.sendto(b"#bundle\0" + bytes(7) + b"\1" + sized, ("127.0.0.1", port))


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    recorder = Recorder()
    try:
        yield recorder
    finally:
        recorder.close()


@pytest.fixture
def program(tmp_path: Path, recorder: Recorder) -> Iterator[Program]:
    """The real program, at that daemon, on a terminal that reports event types when asked."""
    with started(tmp_path, port=recorder.port) as program:
        program.wait("ready")
        until(
            lambda: program.keyboard_flags & EVENT_TYPES, "releases are asked for", PATIENCE_SECONDS
        )
        yield program


def test_a_held_key_records_until_its_release(program: Program, recorder: Recorder) -> None:
    program.press(PRESS)
    program.wait("● rec")
    program.press(REPEAT * 5)
    time.sleep(1.1 * HOLD_SECONDS)  # How long it is held: longer does no harm.
    program.press(RELEASE)
    program.wait("take 1.0 s")
    recorder.wait("start", "stop")


def test_a_short_press_begins_a_recording_and_the_next_ends_it(
    program: Program, recorder: Recorder
) -> None:
    program.press(PRESS + RELEASE)
    program.wait("● rec")
    program.press(TAP)
    recorder.wait("start", "tap")
    program.press(PRESS + RELEASE)
    program.wait("take 1.0 s")
    program.press(TAP)
    recorder.wait("start", "tap", "stop", "tap")


def test_without_releases_a_press_begins_and_a_press_ends(
    program: Program, recorder: Recorder
) -> None:
    program.press(" ")
    program.wait("● rec")
    time.sleep(1.1 * HOLD_SECONDS)
    program.press("t")
    recorder.wait("start", "tap")
    program.press(" ")
    program.wait("take 1.0 s")
    recorder.wait("start", "tap", "stop")


def test_a_terminal_that_loses_the_focus_goes_on_recording(
    program: Program, recorder: Recorder
) -> None:
    program.press(PRESS)
    program.wait("● rec")
    program.press("\x1b[O")
    time.sleep(1.1 * HOLD_SECONDS)
    program.press("\x1b[I" + RELEASE + TAP)
    recorder.wait("start", "tap")
    program.press(PRESS)
    recorder.wait("start", "tap", "stop")


def test_the_mouse_held_on_the_record_control_records_until_it_is_let_go(
    program: Program, recorder: Recorder
) -> None:
    program.press("\x1b[<0;3;24M")
    program.wait("● rec")
    time.sleep(1.1 * HOLD_SECONDS)
    program.press("\x1b[<0;40;5m")
    program.wait("take 1.0 s")
    recorder.wait("start", "stop")


def test_only_keys_that_step_repeat_while_they_are_held(
    program: Program, recorder: Recorder
) -> None:
    """A held enter would ask for clips again and again."""
    program.press(TAP + 2 * "\x1b[116;1:2;116u" + "\x1b[93;;93u\x1b[93;1:2;93u")
    recorder.wait("tap", "set", "set")
    program.press(TAP)
    recorder.wait("tap", "set", "set", "tap")


def test_the_terminal_reports_nothing_after_the_end(program: Program, recorder: Recorder) -> None:
    program.press(QUIT)
    assert program.process.wait(PATIENCE_SECONDS) == 0
    assert program.is_sane()
    assert ASK_NO_MORE in program.text(), "before the unread input is dropped"


Act = Callable[[Pilot[None]], Awaitable[None]]


def played(stage: Stage, act: Act) -> None:
    async def run() -> None:
        async with stage.app.run_test(size=(80, 24)) as pilot:
            stage.events(*READY)
            stage.sent.clear()
            await act(pilot)

    asyncio.run(run())


def footer_place(stage: Stage) -> tuple[int, int]:
    row = "".join(cell.text for cell in stage.app.canvas.rows[-1])
    return row.index("rec"), len(stage.app.canvas.rows) - 1


@pytest.mark.parametrize("held_seconds", [0.5 * HOLD_SECONDS, 1.5 * HOLD_SECONDS])
def test_the_mouse_under_the_pilot(stage: Stage, held_seconds: float) -> None:
    async def act(pilot: Pilot[None]) -> None:
        id = f"{stage.name}-3"
        await pilot.mouse_down(offset=footer_place(stage))
        stage.events(RequestBegun(id, "capture"))
        stage.clock.seconds += held_seconds
        await pilot.mouse_up(offset=(70, 3))
        begun: list[tuple[int | float | str, ...]] = [("capture/start", id)]
        is_hold = held_seconds > HOLD_SECONDS
        assert stage.sent == [*begun, ("capture/stop", id)] if is_hold else stage.sent == begun
        if not is_hold:
            await pilot.click(offset=footer_place(stage))
            assert stage.sent == [*begun, ("capture/stop", id)], "one click, one end"

    played(stage, act)


@pytest.mark.parametrize("why", ["it failed", "it is complete"])
def test_a_release_after_the_take_ended_sends_nothing(stage: Stage, why: str) -> None:
    async def act(pilot: Pilot[None]) -> None:
        id = f"{stage.name}-3"
        await pilot.mouse_down(offset=footer_place(stage))
        if why == "it failed":
            stage.events(Failed(id, "no-input", "no input"))
        else:
            stage.events(RequestBegun(id, "capture"))
            stage.events(CaptureChanged(id, "done", 60.0, -9.0), Done(id, 0))
        stage.clock.seconds += 60
        await pilot.mouse_up(offset=footer_place(stage))
        assert stage.sent == [("capture/start", id)]

    played(stage, act)


def test_a_release_names_the_key_as_its_press_did() -> None:
    """Shift may be up again by then, and a release carries no text."""
    parser = EventTypeParser()
    keys = [*parser.feed("\x1b[114;2;82u\x1b[114;1:3u\x1b[20~\x1b[20;1:3~\x1b[127;1:2u")]
    assert all(isinstance(key, Key) for key in keys)
    seen = [
        (key.character, key.key, key.is_repeat, key.is_release)
        for key in keys
        if isinstance(key, Key)
    ]
    assert seen[0][:2] == seen[1][:2] and seen[0][0] == "R" and seen[1][2:] == (False, True)
    assert seen[2:4] == [(None, "f9", False, False), (None, "f9", False, True)]
    assert seen[4][1:] == ("backspace", True, False)


@pytest.mark.parametrize("text", ["\x1b[97;1:3u", "\x1b[1;1:3A", "\x1b[57441;2:3u", "\x1b[9;5:3u"])
def test_a_release_without_its_press_is_no_key(text: str) -> None:
    assert [
        event.key for event in EventTypeParser().feed(text + "a") if isinstance(event, Key)
    ] == []
    assert len([*EventTypeParser().feed(text + "a")]) == 1, "only the letter after it"


def test_presses_without_releases_do_not_pile_up() -> None:
    parser = EventTypeParser()
    for code in range(1000, 3000):
        assert len([*parser.feed(f"\x1b[{code};;{code}u")]) == 1
    assert len(parser._pressed) < 100


def test_another_key_or_a_second_release_ends_nothing() -> None:
    hold = Hold()
    hold.press("space", "take", 1.0)
    assert hold.release("f9", 9.0) == ""
    assert hold.release("space", 9.0) == "take"
    assert hold.release("space", 9.0) == ""


def test_this_version_of_textual_has_the_private_parts_that_hold_needs() -> None:
    """If it fails after an upgrade: keys toggle, until `event_types.py` follows the new version."""
    assert driver_class() is EventTypeDriver


def test_a_textual_without_them_leaves_keys_to_toggle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(EventTypeParser, "_sequence_to_key_events")
    assert driver_class() is None, "the parser fails on a release"
    monkeypatch.undo()
    monkeypatch.delattr(linux_driver, "XTermParser")
    assert driver_class() is None
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "bridge.screens.sketch.event_types", None)
    assert driver_class() is None
