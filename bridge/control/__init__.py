"""Where commands come from, and where events go."""

from bridge.control.osc import OscEndpoint, Stats, Subscriber

__all__ = ["OscEndpoint", "Stats", "Subscriber"]
