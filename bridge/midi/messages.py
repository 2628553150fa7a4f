"""What a MIDI port receives."""

from __future__ import annotations

from typing import NamedTuple


class MidiMessage(NamedTuple):
    """One complete MIDI message.

    Attributes:
        seconds: when it was played, on `time.perf_counter`, by the driver's clock where it has one.
            JACK hands over a period's messages as the period begins, so there it may be up to one
            period ahead of now.
        port: the input port's name, without the numbers that change when it is plugged in again.
        data: status and data bytes; running status is resolved, and a sysex is whole.
    """

    seconds: float
    port: str
    data: bytes
