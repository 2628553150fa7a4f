"""Ports on the JACK server: frame-exact, opened again when the server comes back."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Any

from bridge.midi.inbox import Delivery, Inbox
from bridge.midi.library import EXTRA, NoMidi
from bridge.midi.names import CLIENT_NAME
from bridge.midi.times import FrameClock

MOST_WAITING = 1000
"""Messages that wait for the next JACK cycle; more are dropped."""

FLUSH_SECONDS = 0.5
"""How long closing waits for the messages that are still to be sent, such as lights off."""
_FLUSH_STEP_SECONDS = 0.005
_SYSTEM = 0xF0
"""Status bytes from here on are those of clock, transport and sysex."""


class JackPorts:
    """The ports `Melody Bridge:in` and `Melody Bridge:out`; other programs connect them.

    Attributes:
        inputs, outputs: the full names of the open ports.
        problems: sentences about what does not work now.
    """

    def __init__(self, inbox: Inbox, *, receives: bool, sends: bool) -> None:
        """Args:
        inbox: receives the input's data.
        receives, sends: which ports there are.
        """
        self.inputs: tuple[str, ...] = ()
        self.outputs: tuple[str, ...] = ()
        self.problems: tuple[str, ...] = ()
        self._inbox, self._receives, self._sends = inbox, receives, sends
        self._client: Any = None
        self._server_ended = threading.Event()
        self._outbox: deque[bytes] = deque()

    def poll(self) -> None:
        """Open the ports, if they are not open and there is a server."""
        if self._server_ended.is_set():
            self.close()
        if self._client is not None:
            return
        try:
            self._open()
            self.problems = ()
        except NoMidi as problem:
            self.problems = (str(problem),)

    def send(self, data: bytes) -> None:
        """Send one message in the next cycle; drop and count it when too many wait."""
        if self._client is None or len(self._outbox) >= MOST_WAITING:
            self._inbox.count_dropped()
        else:
            self._outbox.append(data)

    def close(self) -> None:
        """Close the ports, once what waits for the output is sent."""
        deadline = time.perf_counter() + FLUSH_SECONDS
        while self._outbox and not self._server_ended.is_set() and time.perf_counter() < deadline:
            time.sleep(_FLUSH_STEP_SECONDS)
        if self._client is not None:
            self._client.close()
        self._client = None
        self.inputs = self.outputs = ()
        self._outbox.clear()

    def _open(self) -> None:
        jack = _load_jack()
        try:
            client = jack.Client(CLIENT_NAME, no_start_server=True)
        except jack.JackOpenError as error:
            raise NoMidi("there is no JACK server: start it") from error
        self._server_ended = ended = threading.Event()
        client.set_shutdown_callback(lambda status, reason: ended.set())
        try:
            source = client.midi_inports.register("in") if self._receives else None
            target = client.midi_outports.register("out") if self._sends else None
            client.set_process_callback(self._processor(jack, client, source, target))
            client.activate()
        except jack.JackError as error:
            client.close()
            raise NoMidi(f"the JACK server refuses MIDI ports: {error}") from error
        self._client = client
        self.inputs = (source.name,) if source is not None else ()
        self.outputs = (target.name,) if target is not None else ()

    def _processor(self, jack: Any, client: Any, source: Any, target: Any) -> Any:
        """Make the callback that JACK calls once a cycle, in a thread of its own."""
        clock, inbox, outbox = FrameClock(client.samplerate), self._inbox, self._outbox
        origin = inbox.source(source.name) if source is not None else None

        def process(frames: int) -> None:
            now_frame = client.frame_time
            clock.begin_cycle(client.last_frame_time, now_frame, time.perf_counter())
            if origin is not None:
                heard = set()
                for frame, buffer in source.incoming_midi_events():
                    data = bytes(buffer)
                    # A device that is connected by two of its ports sends its clock on both.
                    if data[0] >= _SYSTEM:
                        if (frame, data) in heard:
                            continue
                        heard.add((frame, data))
                    inbox.put(Delivery(clock.seconds(frame), origin, data))
            if target is not None:
                target.clear_buffer()
                while outbox:
                    try:
                        target.write_midi_event(0, outbox.popleft())
                    except jack.JackError:  # The cycle has no room for it.
                        inbox.count_dropped()

        return process


def _load_jack() -> Any:
    """The module `jack`, which prints nothing.

    Raises:
        NoMidi: the package or JACK itself is not installed.
    """
    try:
        import jack
    except ImportError as error:
        raise NoMidi(EXTRA) from error
    except OSError as error:
        raise NoMidi(f"JACK is not installed: {error}") from error
    jack.set_error_function(lambda message: None)
    jack.set_info_function(lambda message: None)
    return jack
