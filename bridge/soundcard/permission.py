"""What a person does about an input that gives exact zeros: it is muted, or not permitted."""

from __future__ import annotations

import sys

_UNMUTE = "unmute the microphone, and turn it up"
_REMEDIES = {
    "darwin": (f"{_UNMUTE}; allow the terminal in System Settings, Privacy & Security, Microphone"),
    "win32": (f"{_UNMUTE}; let desktop apps use it in Settings, Privacy & security, Microphone"),
}


def silence_remedy(platform: str = sys.platform) -> str:
    """The remedy on that platform, and on no other."""
    return _REMEDIES.get(platform, _UNMUTE)
