"""MIDI ports: a child process owns them, and gives each message the time at which it came."""

from bridge.midi.messages import MidiMessage
from bridge.midi.ports import MidiPorts

__all__ = ["MidiMessage", "MidiPorts"]
