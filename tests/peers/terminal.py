"""A terminal, and what it shows: tmux."""

from __future__ import annotations

import os
import subprocess

from tests.peers.wait import until

PATIENCE_SECONDS = 120.0
_SESSION = "program"


class Pane:
    """A terminal of 24 lines in tmux, with a shell's line in it."""

    def __init__(self, tmux: str, line: str, columns: int = 80) -> None:
        self._tmux = [tmux, "-L", f"melody-bridge-{os.getpid()}", "-f", os.devnull]
        self._run("new-session", "-d", "-s", _SESSION, "-x", str(columns), "-y", "24", line)

    def press(self, *keys: str) -> None:
        """Press keys, by tmux's names."""
        self._run("send-keys", "-t", _SESSION, *keys)

    def text(self) -> str:
        """What the terminal shows."""
        return self._run("capture-pane", "-p", "-t", _SESSION)

    def wait(self, text: str) -> None:
        """Wait until the terminal shows a text."""
        try:
            until(lambda: text in self.text(), f"{text!r} is shown", PATIENCE_SECONDS)
        except AssertionError as error:
            raise AssertionError(f"{error}:\n{self.text()}") from None

    def close(self) -> None:
        """End the terminal, as a person who closes the window."""
        self._run("kill-server")

    def _run(self, *arguments: str) -> str:
        done = subprocess.run([*self._tmux, *arguments], capture_output=True, text=True, check=True)
        return done.stdout
