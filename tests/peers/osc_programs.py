"""Real OSC clients: liblo's oscsend, which types its numbers, and Pd, which has floats only."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from bridge.control.packets import Argument

PATIENCE_SECONDS = 60.0
Message = tuple[str, Sequence[Argument]]

PATCH = """#N canvas 0 0 450 300 12;
#X obj 10 10 r connect;
#X obj 10 40 r address;
#X obj 10 70 r arguments;
#X obj 10 100 oscformat;
#X obj 10 130 list prepend send;
#X obj 10 160 list trim;
#X obj 10 190 netsend -u -b;
#X connect 0 0 6 0;
#X connect 1 0 3 0;
#X connect 2 0 3 0;
#X connect 3 0 4 0;
#X connect 4 0 5 0;
#X connect 5 0 6 0;
"""


def send_by_oscsend(oscsend: str, port: int, messages: Iterable[Message]) -> None:
    """Send with liblo's oscsend: one process a message, numbers as ints and floats.

    Args:
        oscsend: the program's path.
    """
    for address, arguments in messages:
        words = [address, *([type_tags(arguments)] if arguments else []), *map(str, arguments)]
        subprocess.run(
            [oscsend, "127.0.0.1", str(port), *words], check=True, timeout=PATIENCE_SECONDS
        )


def send_by_pd(pd: str, port: int, messages: Iterable[Message], folder: Path) -> None:
    """Send with Pd: all messages from one process, every number as a float.

    Args:
        pd: the program's path.
        folder: where the patch is written.
    """
    patch = folder / "client.pd"
    patch.write_text(PATCH, encoding="ascii")
    lines = [f"connect connect 127.0.0.1 {port}"]
    for address, arguments in messages:
        lines.append(f"address set {address.strip('/').replace('/', ' ')}")
        lines.append(f"arguments list {' '.join(map(_for_pd, arguments))}")
    lines.append("pd quit")
    options = [option for line in lines for option in ("-send", line)]
    subprocess.run(
        [pd, "-nogui", "-noaudio", "-nomidi", "-noprefs", *options, str(patch)],
        check=True,
        timeout=PATIENCE_SECONDS,
        capture_output=True,
    )


def type_tags(values: Sequence[object]) -> str:
    """The OSC type tags of these values, for oscsend."""
    tags: dict[type, str] = {int: "i", float: "f", str: "s"}
    return "".join(tags[type(value)] for value in values)


def _for_pd(argument: Argument) -> str:
    """An argument as Pd's messages are written: blanks, commas and semicolons are escaped."""
    return re.sub(r"([ ,;$\\])", r"\\\1", str(argument))
