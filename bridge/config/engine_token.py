"""The token that the daemon shows a remote engine: from the environment, or from a file.

It is no option itself. So it is in no list of options, no log, no sidecar, and in no command line,
which other users can see with `ps`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from bridge.config.private_file import read_private_file
from bridge.errors import BadArgument

VARIABLE = "MELODY_BRIDGE_ENGINE_TOKEN"
"""The variable of the environment that holds a token."""
_MOST_BYTES = 4096
_SHAPE = re.compile(r"[!-~]{16,256}")
"""What a header of HTTP carries unchanged, without spaces."""


class Secret:
    """A text that shows itself only to who asks for it by `reveal`."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(hidden)"

    def __reduce__(self) -> str:
        raise TypeError("a secret is not copied to other processes")


def engine_token(file: Path | None, environment: Mapping[str, str] = os.environ) -> Secret | None:
    """The token for the remote engine; the environment comes before the file.

    Args:
        file: a file that holds the token alone, as `melody-bridge token add --out` writes it.

    Returns:
        The token; None: neither has one.

    Raises:
        BadArgument: other users can read the file, or it holds no token. The message does not
            quote the token.
        UnreadableFile: the file cannot be read.
    """
    if (given := environment.get(VARIABLE)) is not None:
        return _checked(given, f"the variable {VARIABLE}")
    if file is None:
        return None
    text = read_private_file(file, _MOST_BYTES, is_secret=True)
    return _checked(text, f"engine_token_file {str(file)!r}")


def _checked(text: str, where: str) -> Secret:
    if not _SHAPE.fullmatch(stripped := text.strip()):
        raise BadArgument(
            f"{where} holds no token: write the one that `melody-bridge token add` printed, alone"
        )
    return Secret(stripped)
