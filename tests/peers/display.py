"""An X server without a screen, and the keys of a person at it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from PIL import Image

from tests.processes import KILL

SIZE = "640x480x24"


class Display:
    """An X server. Make it with the fixture `display`.

    Attributes:
        name: such as `":5"`, for `DISPLAY`.
    """

    def __init__(self, size: str = SIZE) -> None:
        """Args:
        size: width, height and depth of its screen.
        """
        self._size = size
        self._server: subprocess.Popen[bytes] | None = None
        self.name = ""
        self.start()

    def start(self) -> None:
        """Start the server, under the name that it had before, and wait until it is ready."""
        reading, writing = os.pipe()
        self._server = subprocess.Popen(
            [
                *("setpriv", "--pdeathsig", "TERM", "Xvfb", *filter(None, [self.name])),
                *("-displayfd", str(writing), "-screen", "0", self._size, "-nolisten", "tcp"),
            ],
            pass_fds=[writing],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(writing)
        with os.fdopen(reading) as numbers:
            number = numbers.readline().strip()
        assert number, "Xvfb does not start"
        self.name = f":{number}"

    def kill(self) -> None:
        """Kill the server."""
        assert self._server is not None
        self._server.send_signal(KILL)
        self._server.wait()

    def stop(self) -> None:
        """Stop the server; do nothing if it has ended."""
        assert self._server is not None
        self._server.terminate()
        self._server.wait()

    def keys(self, *words: str) -> None:
        """Let xdotool press keys, such as `("key", "ctrl+alt+c")`."""
        environment = {**os.environ, "DISPLAY": self.name}
        subprocess.run(["xdotool", *words], check=True, env=environment)

    def picture(self) -> Image.Image:
        """What the screen shows."""
        from Xlib.display import Display as Connection
        from Xlib.X import ZPixmap

        connection = Connection(self.name)
        try:
            root = connection.screen().root
            size = root.get_geometry()
            shown = root.get_image(0, 0, size.width, size.height, ZPixmap, 0xFFFFFFFF)
        finally:
            connection.close()
        return Image.frombytes("RGB", (size.width, size.height), shown.data, "raw", "BGRX")

    @contextmanager
    def held(self, *keys: str) -> Iterator[None]:
        """Hold keys down inside; the server repeats the last one."""
        for key in keys:
            self.keys("keydown", key)
        try:
            yield
        finally:
            for key in reversed(keys):
                self.keys("keyup", key)


@pytest.fixture
def display(
    require_program: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Display]:
    """An X server, which processes that a test starts find in their environment."""
    for program in ("Xvfb", "xdotool", "setpriv"):
        require_program(program)
    pytest.importorskip("Xlib")
    server = Display()
    monkeypatch.setenv("DISPLAY", server.name)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    try:
        yield server
    finally:
        server.stop()
