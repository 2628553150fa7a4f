"""Global hotkeys: a child process takes them, and says when each goes down and up."""

from bridge.hotkeys.hotkeys import Hotkeys

__all__ = ["Hotkeys"]
