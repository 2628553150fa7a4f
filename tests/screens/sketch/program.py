"""The real program on a pseudo-terminal that understands the kitty keyboard protocol."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bridge.tools.bench_sketch import Terminal
from tests.peers.daemon import alive, descendants
from tests.peers.wait import until

SHOWN = "Melody Bridge"
"""The first frame."""
BACK = "\x1b[?1049l"
"""The terminal has its former content again."""
PATIENCE_SECONDS = 60.0
EVENT_TYPES = 2
"""The flag with which a terminal reports repeats and releases."""
_KEYBOARD = re.compile(
    r"\x1b\[(?:(?P<how>[>=<])(?P<flags>\d*);?(?P<mode>\d*)u|\?1049(?P<screen>[hl]))"
)


class Program(Terminal):
    """`melody-bridge sketch` on a terminal, with neither sound nor MIDI."""

    def __init__(self, folder: Path, *arguments: str, port: int = 0) -> None:
        config = folder / "config.toml"
        config.touch()
        super().__init__(
            [
                *(sys.executable, "-m", "bridge", "sketch", "--config", str(config)),
                *("--clips", str(folder / "Clips"), "--input", "none", "--output", "none"),
                *("--midi", "none", "--osc-port", str(port), *arguments),
            ]
        )

    @property
    def daemon(self) -> int:
        """The process number of its daemon; 0: none is there."""
        children = [int(each) for each in direct_children(self.process.pid)]
        return next((pid for pid in children if b"--until-stdin-ends" in command_of(pid)), 0)

    @property
    def screen(self) -> int:
        """The process number of its screen; 0: it is not yet there."""
        children = direct_children(self.process.pid)
        return next((pid for pid in children if b"\0sketch\0" in command_of(pid)), 0)

    @property
    def keyboard_flags(self) -> int:
        """The flags of the kitty keyboard protocol that the program has set.

        Each of the terminal's two screens has a stack of them: `>` pushes, `<` pops, and `=` sets
        all (1), adds (2), or clears (3).
        """
        stacks, shown = {"h": [0], "l": [0]}, "l"
        for found in _KEYBOARD.finditer(self.text()):
            if found["screen"]:
                shown = found["screen"]
                continue
            stack, flags = stacks[shown], int(found["flags"] or 0)
            if found["how"] == ">":
                stack.append(flags)
            elif found["how"] == "<":
                del stack[max(len(stack) - (flags or 1), 1) :]
            elif found["mode"] == "2":
                stack[-1] |= flags
            elif found["mode"] == "3":
                stack[-1] &= ~flags
            else:
                stack[-1] = flags
        return stacks[shown][-1]

    def is_sane(self) -> bool:
        """Whether the terminal shows what is typed, line by line, and has its cursor."""
        if sys.platform == "win32":
            raise NotImplementedError("pseudo-terminals are POSIX's")
        import termios

        modes = termios.tcgetattr(self.master)[3]
        text = self.text()
        return bool(modes & termios.ECHO and modes & termios.ICANON) and (
            text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l")
            and text.rfind(BACK) > text.rfind("\x1b[?1049h")
            and text.rfind("\x1b[?1003l") > text.rfind("\x1b[?1003h")
            and text.rfind("\x1b[?2004l") > text.rfind("\x1b[?2004h")
            and self.keyboard_flags == 0
        )


def direct_children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@contextmanager
def started(folder: Path, *arguments: str, port: int = 0) -> Iterator[Program]:
    """The program, which must leave no process behind."""
    program = Program(folder, *arguments, port=port)
    seen: set[int] = set()
    try:
        yield program
        seen |= {*descendants(program.process.pid)}
    finally:
        program.close()
    until(lambda: not any(map(alive, seen)), "no process stays", PATIENCE_SECONDS)
