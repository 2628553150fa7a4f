"""Controls: the sources of commands, and the receivers of events."""

from bridge.control.control import Control, OnCommand
from bridge.control.hotkeys import HotkeyControl
from bridge.control.midi import MidiControl
from bridge.control.osc import OscEndpoint, Stats, Subscriber
from bridge.control.osc_control import OscControl

__all__ = [
    "Control",
    "HotkeyControl",
    "MidiControl",
    "OnCommand",
    "OscControl",
    "OscEndpoint",
    "Stats",
    "Subscriber",
]
