"""The tokens that a server accepts: named, each with limits, in one file that holds their hashes.

A token is 256 random bits. Nobody finds it by trying, so its hash needs no salt and may be fast: a
slow one as for passwords, such as scrypt, would only let strangers take the server's processor with
wrong tokens.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bridge.config.private_file import read_private_file
from bridge.errors import BadArgument, BridgeError, NotAuthorized, UnreadableFile
from bridge.serving.limits import Limits

_log = logging.getLogger(__name__)

PREFIX = "mbt_"
"""Begins every token, so that scanners for secrets in files and logs can find one."""
MOST_TOKENS = 1000
MOST_BYTES = 1 << 20
"""A file of 1000 tokens has a fifth of this."""
VERSION = 1
TOKENS_SECONDS = 2.0
"""How often a server looks at its file: a revoked token is refused after this time."""
_RANDOM_BYTES = 32
_MOST_CHARACTERS = 256
"""Of a token that a client shows; a longer one is refused unread."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HASH = re.compile(r"[0-9a-f]{64}")
_FIELDS = {"name", "sha256", "created", "requests", "seconds_a_minute"}


@dataclass(frozen=True)
class Token:
    """What a server knows of a token.

    Attributes:
        name: 1 to 64 letters, digits, dots, dashes and underscores; unique in its file.
        sha256: hash of the token's text, as 64 hexadecimal digits.
        created: when, in UTC, such as `"2026-11-29T12:00:00Z"`.

    Raises:
        BadArgument: the name or the hash has another form.
    """

    name: str
    sha256: str
    created: str
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            raise BadArgument(
                f"token {str(self.name)[:80]!r}: a name has 1 to 64 letters, digits, dots, dashes "
                "and underscores, and begins with a letter or digit"
            )
        if not isinstance(self.sha256, str) or not _HASH.fullmatch(self.sha256):
            raise BadArgument(f"token {self.name!r}: sha256 has 64 hexadecimal digits")
        if not isinstance(self.created, str):
            raise BadArgument(f"token {self.name!r}: created is a date and time")


class TokenBook:
    """The tokens that are accepted at one time."""

    def __init__(self, tokens: tuple[Token, ...] = ()) -> None:
        """Raises:
        BadArgument: two tokens have one name, or there are too many.
        """
        if len(tokens) > MOST_TOKENS:
            raise BadArgument(f"{len(tokens)} tokens: the most are {MOST_TOKENS}")
        names = [token.name for token in tokens]
        for name in names:
            if names.count(name) > 1:
                raise BadArgument(f"token {name!r} is there twice: revoke it, and add it again")
        self.tokens = tokens
        self._hashes = [(token, bytes.fromhex(token.sha256)) for token in tokens]

    def find(self, shown: str | None) -> Token:
        """The token that a client shows.

        Every token of the book is compared, each in constant time, so that the time says neither
        which one it was nor how much of it was right.

        Args:
            shown: the text after `Bearer`; None: the client showed none.

        Raises:
            NotAuthorized: the book has no such token. The message does not quote it.
        """
        if shown is None:
            raise NotAuthorized("the server needs a token: name its file with --engine-token-file")
        found = None
        if len(shown) <= _MOST_CHARACTERS:
            hashed = hashlib.sha256(shown.encode("utf-8", "surrogatepass")).digest()
            for token, known in self._hashes:
                if hmac.compare_digest(hashed, known):
                    found = token
        if found is None:
            raise NotAuthorized(
                "the server does not know this token: it may be revoked; ask for a new one"
            )
        return found


class TokenWatch:
    """The tokens of a file that may change while the server runs."""

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises:
            BadArgument, UnreadableFile: as `read_tokens`.
        """
        self._path = path
        self._version = _version(path)
        self._book = read_tokens(path)
        self._failure: BridgeError | None = None

    def refresh(self) -> None:
        """Read the file again where it has changed. It reads a disk: call it in a thread.

        A file that is gone or broken accepts nobody until it is mended.
        """
        version = _version(self._path)
        if version == self._version and self._failure is None:
            return
        self._version = version
        try:
            self._book, self._failure = read_tokens(self._path), None
        except BridgeError as error:
            if str(error) != str(self._failure):
                _log.error("no token is accepted: %s", error)
            self._book, self._failure = TokenBook(), error

    async def follow(self) -> None:
        """Refresh for ever, so that a change counts after `TOKENS_SECONDS`."""
        while True:
            await asyncio.sleep(TOKENS_SECONDS)
            await asyncio.to_thread(self.refresh)

    @property
    def failure(self) -> BridgeError | None:
        """Why the file cannot be used; None: it can."""
        return self._failure

    def find(self, shown: str | None) -> Token:
        """As `TokenBook.find`, in the newest book. It waits for nothing."""
        return self._book.find(shown)

    def is_known(self, token: Token) -> bool:
        """Whether a token that was found earlier still is in the newest book."""
        return any(hmac.compare_digest(token.sha256, each.sha256) for each in self._book.tokens)


def new_token(name: str, created: str, limits: Limits) -> tuple[str, Token]:
    """Draw a token: its text, which nothing keeps, and what the server knows of it.

    Raises:
        BadArgument: the name has another form.
    """
    text = PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
    return text, Token(name, hashlib.sha256(text.encode()).hexdigest(), created, limits)


def read_tokens(path: Path) -> TokenBook:
    """The tokens of a file.

    Raises:
        BadArgument: other users can change the file.
        UnreadableFile: the file cannot be read, or holds something else.
    """
    text = read_private_file(path, MOST_BYTES, is_secret=False)
    try:
        return _parsed(json.loads(text))
    except (ValueError, RecursionError, KeyError, TypeError, BadArgument) as error:
        raise UnreadableFile(f"{str(path)!r} is no file of tokens: {_reason(error)}") from error


def tokens_text(book: TokenBook) -> str:
    """The text of a file with these tokens."""
    rows = [
        {
            "name": token.name,
            "sha256": token.sha256,
            "created": token.created,
            "requests": token.limits.requests,
            "seconds_a_minute": token.limits.seconds_a_minute,
        }
        for token in book.tokens
    ]
    return json.dumps({"version": VERSION, "tokens": rows}, indent=1) + "\n"


def _parsed(value: Any) -> TokenBook:
    if not isinstance(value, Mapping) or value.keys() != {"version", "tokens"}:
        raise BadArgument("it has not one object with version and tokens")
    if value["version"] != VERSION:
        raise BadArgument(f"its version is {value['version']!r}, and this program reads {VERSION}")
    rows = value["tokens"]
    if not isinstance(rows, list) or any(not isinstance(row, Mapping) for row in rows):
        raise BadArgument("tokens is no list of objects")
    for row in rows:
        if row.keys() != _FIELDS:
            raise BadArgument(f"a token has the fields {', '.join(sorted(_FIELDS))}, and no others")
    return TokenBook(
        tuple(
            Token(
                row["name"],
                row["sha256"],
                row["created"],
                Limits(row["requests"], row["seconds_a_minute"]),
            )
            for row in rows
        )
    )


def _reason(error: Exception) -> str:
    return "it is nested too deep" if isinstance(error, RecursionError) else str(error)


def _version(path: Path) -> tuple[int, int, int, int] | None:
    """What changes with every write and every change of permissions. None: there is no file."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size, status.st_mode
