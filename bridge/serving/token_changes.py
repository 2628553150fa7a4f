"""Changes of a file of tokens: one program at a time, and the whole change or none."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from bridge.config.private_file import write_private_file
from bridge.delivery.folder_lock import file_lock
from bridge.errors import BadArgument, NotWritable
from bridge.serving.limits import Limits
from bridge.serving.tokens import Token, TokenBook, new_token, read_tokens, tokens_text

_WAIT_SECONDS = 5.0
"""How long to wait for another program; a change takes a few milliseconds."""
_POLL_SECONDS = 0.01


def add_token(path: Path, name: str, limits: Limits) -> tuple[str, Token]:
    """Draw a token and add it to a file, which is made if it is missing.

    Returns:
        The token's text, which is nowhere else, and what the file holds of it.

    Raises:
        BadArgument: the name is taken or has another form, there are too many tokens, or other
            users can change the file.
        NotWritable, UnreadableFile: the file cannot be written or read.
    """
    created = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    text, token = new_token(name, created, limits)
    with _locked(path):
        tokens = read_tokens(path).tokens if path.exists() else ()
        if any(each.name == name for each in tokens):
            raise BadArgument(f"token {name!r} is there already: revoke it, or give a new name")
        _write(path, (*tokens, token))
    return text, token


def revoke_token(path: Path, name: str) -> None:
    """Remove a token from a file. A server that runs refuses it within two seconds.

    Raises:
        BadArgument: the file has no token of that name, or other users can change it.
        NotWritable, UnreadableFile: the file cannot be written or read.
    """
    with _locked(path):
        tokens = read_tokens(path).tokens
        left = tuple(each for each in tokens if each.name != name)
        if len(left) == len(tokens):
            names = ", ".join(each.name for each in tokens) or "none"
            raise BadArgument(f"no token is named {name!r}: the file has {names}")
        _write(path, left)


def _write(path: Path, tokens: tuple[Token, ...]) -> None:
    write_private_file(path, tokens_text(TokenBook(tokens)), replace=True)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        deadline = time.monotonic() + _WAIT_SECONDS
        while True:
            with file_lock(path) as is_ours:
                if is_ours:
                    yield
                    return
            if time.monotonic() > deadline:
                raise NotWritable(
                    f"another program has been changing {str(path)!r} for {_WAIT_SECONDS:g} s: "
                    "try again when it is done"
                )
            time.sleep(_POLL_SECONDS)
    except OSError as error:
        raise NotWritable(f"{str(path)!r} cannot be written: {error.strerror or error}") from error
