"""Ardour's own OSC surface: which cue slots are filled, and their launch.

Whoever wants clips launched switches it on (Preferences, Control Surfaces, Open Sound Control). Its
messages are those of libs/surfaces/osc/osc.cc in Ardour 7.3: `/set_surface` asks for feedback,
then `/trigger_grid/COLUMN/state` comes ten times a second while the transport moves, and every
2.1 s while it does not.
"""

from __future__ import annotations

import math
import re
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from bridge.control.client import HOST, MOST_BYTES, ReceivedEvent, read_events
from bridge.control.packets import write_message

TRIGGER_GRID = 1 << 15
"""The bit of the feedback that sends the states of cue slots."""
SHOWN_COLUMNS = 8
"""Columns of the Cue page, and slots in each, that Ardour reports; it launches others too."""
EMPTY = -1
FRESH_SECONDS = 3.0
"""States that are older count for nothing. An Ardour at rest reports every 2.1 s, and one that is
started anew, with other clips in its slots, takes longer than this."""
_QUIET_SECONDS = 2.5
_ASK_SECONDS = 1.0
"""How long after the last report, and after the last time, Ardour is asked again."""
_MOST_DATAGRAMS = 1000
"""Read at a time; Ardour sends 80 a second."""
_STATE = re.compile(r"/trigger_grid/([0-9]+)/state")
_CLEARED = "/jog/mode"
"""The last message to a surface that Ardour takes out, after states that are all empty. Feedback of
this bit alone has no other such message."""
_NO_BANKS = (0, 0, 0)
_SENDERS_PORT = 0
"""Ardour answers to the port that asks. Any other number would be that of every surface on this
machine, and take out the others (`set_surface_port`)."""


class Surface:
    """A surface of Ardour's, on a socket of its own; it never waits.

    Attributes:
        port: the UDP port on this machine that it receives on; the script answers here, too.
    """

    def __init__(self, ardour_port: int, now_seconds: Callable[[], float] = time.monotonic) -> None:
        """Args:
        ardour_port: where Ardour's OSC surface listens.
        now_seconds: the time.
        """
        self._now_seconds = now_seconds
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((HOST, 0))
        self._socket.setblocking(False)
        self._ardour = (HOST, ardour_port)
        self.port = int(self._socket.getsockname()[1])
        self._columns: dict[int, tuple[int, ...]] = {}
        self._heard_seconds: float | None = None
        self._asked_seconds = -math.inf

    def close(self) -> None:
        """Ask for no more feedback, and free the socket."""
        self._ask(0)
        self._socket.close()

    @property
    def columns(self) -> Mapping[int, Sequence[int]] | None:
        """The states of the slots of each column: `EMPTY`, 0 stopped, 1 playing.

        None while Ardour reports nothing: it does not run, or its surface is off.
        """
        if not self._has_heard_for(FRESH_SECONDS):
            return None
        return MappingProxyType(self._columns)

    def forget(self) -> None:
        """Forget the states so far: only what Ardour reports from now on counts."""
        self._columns = {}

    def launch(self, column: int, slot: int) -> None:
        """Launch a slot, as its own quantization says: a clip's at the next bar line."""
        self._send("/trigger_bang", column, slot)

    def poll(self) -> list[ReceivedEvent]:
        """Read what has arrived, ask for feedback if none comes, and return other messages."""
        others = []
        for event in self._received():
            state = _STATE.fullmatch(event.address)
            if event.address == _CLEARED:
                self._heard_seconds, self._columns = None, {}
            elif state is None:
                others.append(event)
            else:
                if not self._has_heard_for(FRESH_SECONDS):
                    self._columns = {}
                self._heard_seconds = self._now_seconds()
                # Before the slots comes the progress of the one that plays.
                self._columns[int(state.group(1))] = tuple(
                    value for value in event.arguments[1:] if isinstance(value, int)
                )
        now = self._now_seconds()
        if not self._has_heard_for(_QUIET_SECONDS) and now - self._asked_seconds > _ASK_SECONDS:
            # Again and again: Ardour may start later, or anew.
            self._asked_seconds = now
            self._ask(TRIGGER_GRID)
        return others

    def _has_heard_for(self, seconds: float) -> bool:
        """Whether a report has come within so many seconds."""
        heard = self._heard_seconds
        return heard is not None and self._now_seconds() - heard <= seconds

    def _ask(self, feedback: int) -> None:
        self._send("/set_surface", 0, 0, feedback, *_NO_BANKS, _SENDERS_PORT)

    def _received(self) -> list[ReceivedEvent]:
        events: list[ReceivedEvent] = []
        for _ in range(_MOST_DATAGRAMS):
            try:
                events += read_events(self._socket.recv(MOST_BYTES))
            except BlockingIOError:
                break
            except OSError:
                # The answer to an earlier datagram that nobody received.
                continue
        return events

    def _send(self, address: str, *arguments: int) -> None:
        try:
            self._socket.sendto(write_message(address, arguments), self._ardour)
        except OSError:
            # A full buffer, or the answer to an earlier datagram that nobody received.
            return
