"""The MIDI ports as the daemon sees them: messages come, sentences say what is open."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any

from bridge.events import MidiPortsChanged
from bridge.midi.library import EXTRA
from bridge.midi.messages import MidiMessage
from bridge.midi.names import JACK, NONE
from bridge.midi.process import Batch, OpeningPort, OpenPorts, SendOut, SentOut, Taken, run_midi
from bridge.process.kept import KeptChild

MOST_UNSENT = 1000
"""Messages to the output that the MIDI process has not sent yet; more are dropped."""

_log = logging.getLogger(__name__)


class MidiPorts:
    """The MIDI inputs and the output that were selected. Use it in a running event loop.

    Attributes:
        inputs, outputs: names of the open ports.
        detail: a sentence about them.
    """

    def __init__(
        self,
        selection: str,
        on_messages: Callable[[Sequence[MidiMessage]], None],
        on_change: Callable[[MidiPortsChanged], None],
        *,
        output: str = NONE,
        api: str | None = None,
    ) -> None:
        """Args:
        selection: `"auto"`: every input, and a port "Melody Bridge" for other programs where the
            system has such ports; `"jack"`: the JACK port `Melody Bridge:in`; `"none"`; else the
            name of an input or part of one.
        on_messages: called in the event loop with messages, in order of their arrival.
        on_change: called in the event loop whenever inputs, outputs or detail change.
        output: `"jack"`: the JACK port `Melody Bridge:out`; `"none"`; else the name of an output
            or part of one.
        api: the name of RtMidi's constant for the system's MIDI; None: the usual one.
        """
        self.inputs: tuple[str, ...] = ()
        self.outputs: tuple[str, ...] = ()
        self.detail = ""
        self._selection, self._output = selection, output
        self._on_messages, self._on_change = on_messages, on_change
        self._opening = ""
        self._avoided: list[str] = []
        self._dropped = self._dropped_earlier = 0
        self._unsent = 0
        self._child = KeptChild(
            run_midi,
            lambda: (selection, output, tuple(self._avoided), api),
            name="MIDI process",
            on_message=self._receive,
            on_fault=self._lose_process,
        )

    @property
    def pid(self) -> int | None:
        """The process id of the MIDI process; None when none runs."""
        return self._child.pid

    def start(self) -> None:
        """Open the ports, and keep them open from now on."""
        selected = {self._selection, self._output} - {NONE}
        if not selected:
            return
        if any(map(is_installed, selected)):
            self._child.start()
        else:
            self._change((), (), EXTRA)

    async def stop(self) -> None:
        """Close the ports."""
        await self._child.stop()

    def send(self, data: bytes) -> None:
        """Send one message to the output, without waiting; it is lost while no output is open."""
        if not self.outputs:
            return
        if self._unsent >= MOST_UNSENT:
            _log.warning("the MIDI output is too slow: messages to it are dropped")
            return
        self._unsent += 1
        self._child.send(SendOut(data))

    def _receive(self, message: Any) -> None:
        match message:
            case Batch(messages):
                try:
                    self._on_messages(messages)
                finally:
                    self._child.send(Taken())
            case SentOut():
                self._unsent -= 1
            case OpeningPort(name):
                self._opening = name
            case OpenPorts(inputs, outputs, problems, dropped):
                self._dropped = self._dropped_earlier + dropped
                self._change(inputs, outputs, self._sentence(inputs, outputs, problems))

    def _lose_process(self, fault: str) -> None:
        self._dropped_earlier, self._unsent = self._dropped, 0
        if self._opening:
            self._avoided.append(self._opening)
            fault = f"{fault}; it was opening {self._opening}, which stays closed from now on"
            self._opening = ""
        self._change((), (), fault)

    def _sentence(
        self, inputs: Sequence[str], outputs: Sequence[str], problems: Sequence[str]
    ) -> str:
        parts = [f"from {', '.join(inputs)}"] if inputs else []
        parts += [f"to {', '.join(outputs)}"] if outputs else []
        parts += problems
        if self._dropped:
            parts.append(f"{self._dropped} messages were dropped: too many came at once")
        return "; ".join(parts) or "no MIDI input is plugged in"

    def _change(self, inputs: tuple[str, ...], outputs: tuple[str, ...], detail: str) -> None:
        if (inputs, outputs, detail) != (self.inputs, self.outputs, self.detail):
            self.inputs, self.outputs, self.detail = inputs, outputs, detail
            self._on_change(MidiPortsChanged(inputs, outputs, detail))


def is_installed(selection: str) -> bool:
    """Whether the packages for that selection are installed."""
    names = ("jack",) if selection == JACK else ("rtmidi", "rtmidi2")
    return any(find_spec(name) is not None for name in names)
