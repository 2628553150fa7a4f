"""`melody-bridge token`: who may use an engine that this machine serves."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from bridge.config.files import user_folder
from bridge.config.private_file import write_private_file
from bridge.errors import BridgeError
from bridge.serving.limits import (
    DEFAULT_REQUESTS,
    DEFAULT_SECONDS_A_MINUTE,
    REQUESTS,
    SECONDS_A_MINUTE,
    Limits,
)
from bridge.serving.token_changes import add_token, revoke_token
from bridge.serving.tokens import Token, TokenBook, read_tokens


def default_path() -> Path:
    """The user's file of tokens, whether or not it exists."""
    return user_folder() / "tokens.json"


def add_tokens_flag(parser: argparse.ArgumentParser) -> None:
    """Add `--tokens FILE`."""
    parser.add_argument(
        "--tokens", metavar="FILE", help="the file of tokens (tokens.json beside config.toml)"
    )


def tokens_path(arguments: argparse.Namespace) -> Path:
    """The file that `--tokens` names, else the user's."""
    return default_path() if arguments.tokens is None else Path(arguments.tokens).expanduser()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    add = actions.add_parser("add", help="draw a token, and print it once")
    add.add_argument("name", metavar="NAME", help="who or what it is for, such as laptop")
    add.add_argument(
        "--out", metavar="FILE", help="write the token into a new file instead of printing it"
    )
    add.add_argument(
        "--requests",
        metavar="N",
        default=str(DEFAULT_REQUESTS),
        help=f"requests at a time, {REQUESTS.range} (%(default)s)",
    )
    add.add_argument(
        "--seconds-a-minute",
        metavar="S",
        default=f"{DEFAULT_SECONDS_A_MINUTE:g}",
        help=f"seconds of audio in any minute, {SECONDS_A_MINUTE.range} (%(default)s)",
    )
    listing = actions.add_parser("list", help="list the tokens: names, dates and limits")
    revoke = actions.add_parser("revoke", help="accept a token no longer")
    revoke.add_argument("name", metavar="NAME", help="the token's name")
    for action in (add, listing, revoke):
        add_tokens_flag(action)
        action.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Add, list or revoke tokens; return the exit status.

    Raises:
        BadArgument, NotWritable, UnreadableFile: a name, a limit, or the file cannot be used.
    """
    path = tokens_path(arguments)
    if arguments.action == "add":
        _add(path, arguments)
    elif arguments.action == "revoke":
        revoke_token(path, arguments.name)
        _print({"revoked": arguments.name}, f"{arguments.name} is revoked", arguments)
    else:
        book = read_tokens(path) if path.exists() else TokenBook()
        _print({"tokens": [_facts(token) for token in book.tokens]}, _table(book), arguments)
    return 0


def _add(path: Path, arguments: argparse.Namespace) -> None:
    limits = Limits(
        REQUESTS("--requests", arguments.requests),
        SECONDS_A_MINUTE("--seconds-a-minute", arguments.seconds_a_minute),
    )
    text, token = add_token(path, arguments.name, limits)
    facts = _facts(token)
    if arguments.out is None:
        _print(facts | {"token": text}, text, arguments)
        print(f"It is shown once; {path} holds its hash alone.", file=sys.stderr)
        return
    out = Path(arguments.out).expanduser()
    try:
        write_private_file(out, text + "\n", replace=False)
    except BridgeError:
        # Nobody has seen the token, so nobody could use it.
        revoke_token(path, token.name)
        raise
    _print(facts | {"file": str(out)}, str(out), arguments)


def _facts(token: Token) -> dict[str, object]:
    return {"name": token.name, "created": token.created, **asdict(token.limits)}


def _table(book: TokenBook) -> str:
    if not book.tokens:
        return "no token yet: `melody-bridge token add NAME` makes one"
    width = max(len(token.name) for token in book.tokens)
    return "\n".join(
        f"{token.name:{width}}  {token.created}  {token.limits.requests} at a time, "
        f"{token.limits.seconds_a_minute:g} s a minute"
        for token in book.tokens
    )


def _print(facts: dict[str, object], text: str, arguments: argparse.Namespace) -> None:
    print(json.dumps(facts) if arguments.json else text)
