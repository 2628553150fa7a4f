"""Sources of commands, and receivers of events."""

from bridge.control.osc import OscEndpoint, Stats, Subscriber

__all__ = ["OscEndpoint", "Stats", "Subscriber"]
