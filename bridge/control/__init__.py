"""Where commands come from, and where events go."""

from bridge.control.control import Control, OnCommand
from bridge.control.osc import OscControl, OscEndpoint, Stats, Subscriber

__all__ = ["Control", "OnCommand", "OscControl", "OscEndpoint", "Stats", "Subscriber"]
