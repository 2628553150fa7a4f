"""The arguments of `serve` that say who may use it."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import pytest

from bridge.errors import BadArgument, UnreadableFile
from bridge.serving.exposure import Address
from bridge.serving.limits import Limits
from bridge.serving.token_changes import add_token, revoke_token
from bridge.tools.serve_security import Security, add_security_flags, security
from bridge.tools.token import default_path

HERE, EVERYWHERE = Address("127.0.0.1", True), Address("0.0.0.0", False)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder, which is the current one too."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def parsed(*arguments: str) -> Security:
    parser = argparse.ArgumentParser()
    add_security_flags(parser)
    return security(parser.parse_args(arguments))


def test_by_default_a_server_is_for_this_machine_alone() -> None:
    assert parsed() == Security(HERE, None, None)
    # Tokens of an earlier server in the network do not lock this one.
    add_token(default_path(), "laptop", Limits())
    assert parsed() == Security(HERE, None, None)


def test_tokens_that_are_named_are_asked_for_on_loopback_too() -> None:
    add_token(Path("mine.json"), "laptop", Limits())
    assert parsed("--tokens", "mine.json").tokens == Path("mine.json")


def test_a_network_takes_the_users_own_tokens() -> None:
    with pytest.raises(BadArgument, match="needs tokens"):
        parsed("--host", "0.0.0.0", "--insecure")
    add_token(default_path(), "laptop", Limits())
    assert parsed("--host", "0.0.0.0", "--insecure") == Security(EVERYWHERE, None, default_path())
    with pytest.raises(BadArgument, match="needs TLS"):
        parsed("--host", "0.0.0.0")
    revoke_token(default_path(), "laptop")
    with pytest.raises(BadArgument, match="needs tokens"):
        parsed("--host", "0.0.0.0", "--insecure")


def test_files_are_checked_before_anything_starts(home: Path) -> None:
    with pytest.raises(UnreadableFile, match="nowhere"):
        parsed("--tokens", "nowhere.json")
    with pytest.raises(UnreadableFile, match="nowhere"):
        parsed("--tls-certificate", "nowhere.crt", "--tls-key", "nowhere.key")
    with pytest.raises(BadArgument, match="--tls-key is missing"):
        parsed("--tls-certificate", "nowhere.crt")
    if os.name == "posix":
        add_token(home / "open.json", "laptop", Limits())
        (home / "open.json").chmod(0o666)
        with pytest.raises(BadArgument, match="other users"):
            parsed("--tokens", "open.json")
