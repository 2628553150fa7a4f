"""The arguments of `melody-bridge serve` that say who may use it, and from where."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from bridge.serving.exposure import Address, Tls, listen_address, read_tls
from bridge.serving.tokens import read_tokens
from bridge.tools.token import add_tokens_flag, default_path, tokens_path


@dataclass(frozen=True)
class Security:
    """Where a server listens and whom it serves, all checked.

    Attributes:
        address: where it listens.
        tls: None: the server speaks plain HTTP.
        tokens: the file of the tokens that are accepted; None: it serves everyone on this machine.
    """

    address: Address
    tls: Tls | None
    tokens: Path | None


def add_security_flags(parser: argparse.ArgumentParser) -> None:
    """Add `--host`, `--tokens`, `--tls-certificate`, `--tls-key` and `--insecure`."""
    parser.add_argument(
        "--host",
        metavar="ADDRESS",
        default="127.0.0.1",
        help="the address to listen on; another than this machine's own needs tokens and TLS "
        "(%(default)s)",
    )
    add_tokens_flag(parser)
    parser.add_argument("--tls-certificate", metavar="FILE", help="PEM, with its chain")
    parser.add_argument("--tls-key", metavar="FILE", help="its key: PEM, without a passphrase")
    parser.add_argument(
        "--insecure",
        action="store_true",
        help="no TLS, in a network that you trust: everyone in it can read tokens and music",
    )


def security(arguments: argparse.Namespace) -> Security:
    """Check the arguments, and the files that they name. It reads disks and asks name servers.

    On loopback tokens are asked for where `--tokens` is given; elsewhere always, from the user's
    own file where `--tokens` names none.

    Raises:
        BadArgument: the safeguards do not suffice for the address, or a file cannot be used.
        UnreadableFile: a file cannot be read, or holds something else.
    """
    tls = read_tls(_path(arguments.tls_certificate), _path(arguments.tls_key))
    is_named = arguments.tokens is not None
    file = tokens_path(arguments) if is_named or default_path().exists() else None
    book = None if file is None else read_tokens(file)
    address = listen_address(
        arguments.host,
        is_encrypted=tls is not None,
        has_tokens=book is not None and bool(book.tokens),
        insecure=arguments.insecure,
    )
    return Security(address, tls, None if address.is_loopback and not is_named else file)


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text).expanduser()
