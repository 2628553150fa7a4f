"""Controls: the sources of commands, and the destinations of events."""

from bridge.control.control import Control, OnCommand
from bridge.control.osc import OscControl, OscEndpoint, Stats, Subscriber

__all__ = ["Control", "OnCommand", "OscControl", "OscEndpoint", "Stats", "Subscriber"]
