"""Real OSC clients: liblo's oscsend, which types its numbers, and Pd, which has floats only."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from bridge.control.packets import Argument

PATIENCE_SECONDS = 20.0
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
    """One process a message, numbers as ints and floats.

    Args:
        oscsend: the program.
    """
    for address, arguments in messages:
        said = [address, *([type_tags(arguments)] if arguments else []), *map(str, arguments)]
        subprocess.run(
            [oscsend, "127.0.0.1", str(port), *said], check=True, timeout=PATIENCE_SECONDS
        )


def send_by_pd(pd: str, port: int, messages: Iterable[Message], folder: Path) -> None:
    """All in one process, every number as a float.

    Args:
        pd: the program.
        folder: to put a patch in.
    """
    patch = folder / "client.pd"
    patch.write_text(PATCH, encoding="ascii")
    say = [f"connect connect 127.0.0.1 {port}"]
    for address, arguments in messages:
        say.append(f"address set {address.strip('/').replace('/', ' ')}")
        say.append(f"arguments list {' '.join(map(_for_pd, arguments))}")
    say.append("pd quit")
    options = [option for one in say for option in ("-send", one)]
    subprocess.run(
        [pd, "-nogui", "-noaudio", "-nomidi", "-noprefs", *options, str(patch)],
        check=True,
        timeout=PATIENCE_SECONDS,
        capture_output=True,
    )


def type_tags(values: Sequence[object]) -> str:
    """As oscsend wants them."""
    tags: dict[type, str] = {int: "i", float: "f", str: "s"}
    return "".join(tags[type(value)] for value in values)


def _for_pd(argument: Argument) -> str:
    """As Pd's messages are written, where blanks and commas would divide them."""
    return re.sub(r"([ ,;$\\])", r"\\\1", str(argument))
