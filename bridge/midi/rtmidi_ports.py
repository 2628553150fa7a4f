"""The system's MIDI ports by RtMidi, opened again when they come back.

RtMidi says nothing when a port goes: its name is no longer listed. A port that is opened again on
the same object receives nothing, so each opening makes a new one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial

from bridge.midi.inbox import Delivery, Inbox
from bridge.midi.library import NoMidi, OpenPort, RtMidi
from bridge.midi.names import AUTO, CLIENT_NAME, Kind, ListedPort, NoSuchPort, chosen, read_list
from bridge.midi.times import DeltaClock

Opening = Callable[[str], AbstractContextManager[None]]
"""Entered while a port of that name is opened, which may end the process."""


@dataclass(frozen=True)
class _Open:
    name: str
    port: OpenPort


class RtMidiPorts:
    """The selected inputs and output.

    Attributes:
        problems: sentences about what does not work now.
    """

    def __init__(
        self,
        selection: str | None,
        output: str | None,
        inbox: Inbox,
        *,
        opening: Opening,
        avoided: Sequence[str] = (),
        api: str | None = None,
    ) -> None:
        """Args:
        selection: `AUTO`, or the name of an input or part of one; None: no input.
        output: the name of an output or part of one; None: no output.
        inbox: receives the inputs' data.
        avoided: names of ports that must not be opened.
        api: RtMidi's constant; None: the system's.
        """
        self.problems: tuple[str, ...] = ()
        self._selection, self._output = selection, output
        self._inbox, self._opening, self._avoided, self._api = inbox, opening, avoided, api
        self._rtmidi: RtMidi | None = None
        self._inputs: dict[str, _Open] = {}
        self._outputs: dict[str, _Open] = {}
        self._virtual: _Open | None = None

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the open inputs; the port that other programs see is the last."""
        virtual = (self._virtual.name,) if self._virtual is not None else ()
        return (*(each.name for each in self._inputs.values()), *virtual)

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of the open outputs."""
        return tuple(each.name for each in self._outputs.values())

    def poll(self) -> None:
        """Close the ports that are gone, and open the selected ones that are there."""
        problems: list[str] = []
        try:
            rtmidi = self._rtmidi = self._rtmidi or RtMidi(self._api)
            for problem in self._poll(rtmidi):
                problems.append(problem)
        except NoMidi as error:
            problems.append(str(error))
        self.problems = tuple(problems)

    def send(self, data: bytes) -> None:
        """Send one message to the output, if it is open."""
        for each in self._outputs.values():
            each.port.send(data)

    def close(self) -> None:
        """Close every port."""
        virtual = (self._virtual,) if self._virtual is not None else ()
        for each in (*self._inputs.values(), *self._outputs.values(), *virtual):
            each.port.close()

    def _poll(self, rtmidi: RtMidi) -> Iterator[str]:
        def open_input(port: ListedPort) -> OpenPort:
            return rtmidi.open_input(port.index, port.name, self._receiver(port.name))

        def open_output(port: ListedPort) -> OpenPort:
            return rtmidi.open_output(port.index, port.name)

        if self._selection is not None:
            listed = read_list(rtmidi.inputs())
            yield from self._update(self._inputs, listed, self._selection, "input", open_input)
        if self._output is not None:
            listed = read_list(rtmidi.outputs())
            yield from self._update(self._outputs, listed, self._output, "output", open_output)
        if self._selection == AUTO and rtmidi.has_virtual_ports and self._virtual is None:
            receiver = self._receiver(CLIENT_NAME)
            try:
                opened = self._guarded(
                    CLIENT_NAME, lambda: rtmidi.open_input(None, CLIENT_NAME, receiver)
                )
                self._virtual = _Open(CLIENT_NAME, opened)
            except NoMidi as problem:
                yield f"there is no port {CLIENT_NAME!r} for other programs: {problem}"

    def _update(
        self,
        open_ports: dict[str, _Open],
        listed: Sequence[ListedPort],
        selection: str,
        kind: Kind,
        open_port: Callable[[ListedPort], OpenPort],
    ) -> Iterator[str]:
        """Close and open ports of one kind; yield what does not work."""
        for identity in open_ports.keys() - {port.identity for port in listed}:
            open_ports.pop(identity).port.close()
        try:
            selected = chosen(listed, selection, kind, lambda port: port.identity in open_ports)
        except NoSuchPort as problem:
            yield str(problem)
            return
        for port in selected:
            if port.identity in open_ports:
                continue
            try:
                opened = self._guarded(port.name, partial(open_port, port))
                open_ports[port.identity] = _Open(port.name, opened)
            except NoMidi as problem:
                yield f"MIDI {kind} {port.name} does not open: {problem}"

    def _guarded(self, name: str, open_port: Callable[[], OpenPort]) -> OpenPort:
        if name in self._avoided:
            raise NoMidi("opening it has ended the MIDI process before")
        with self._opening(name):
            return open_port()

    def _receiver(self, name: str) -> Callable[[Sequence[int], float], None]:
        inbox = self._inbox
        clock, source = DeltaClock(), inbox.source(name)

        def receive(data: Sequence[int], delta_seconds: float) -> None:
            seconds = clock.seconds(time.perf_counter(), delta_seconds)
            inbox.put(Delivery(seconds, source, bytes(data)))

        return receive
