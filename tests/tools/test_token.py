"""`melody-bridge token`: adding, listing and revoking, as a person and as a program sees them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from bridge.cli import main
from bridge.config.engine_token import engine_token
from bridge.serving.limits import Limits
from bridge.serving.tokens import PREFIX, read_tokens


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder, which is the current one too."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_token_is_printed_once_and_never_again(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["token", "add", "laptop", "--requests", "3"]) == 0
    printed = capsys.readouterr()
    (text,) = printed.out.splitlines()
    assert text.startswith(PREFIX)
    assert "shown once" in printed.err and text not in printed.err
    book = read_tokens(home / "config" / "melody-bridge" / "tokens.json")
    assert book.find(text).limits == Limits(requests=3)
    for arguments in (["token", "list"], ["token", "list", "--json"]):
        assert main(arguments) == 0
        listed = capsys.readouterr()
        assert "laptop" in listed.out
        assert text not in listed.out + listed.err
        assert book.tokens[0].sha256 not in listed.out
    assert main(["token", "revoke", "laptop"]) == 0
    assert main(["token", "list"]) == 0
    assert "no token yet" in capsys.readouterr().out


def test_a_token_in_a_file_is_what_the_client_takes(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["token", "add", "laptop", "--out", "laptop.token", "--tokens", "all.json"]
    assert main([*arguments, "--json"]) == 0
    printed = capsys.readouterr()
    facts = json.loads(printed.out)
    assert facts | {"created": ""} == {
        "name": "laptop",
        "created": "",
        "requests": 4,
        "seconds_a_minute": 600.0,
        "file": "laptop.token",
    }
    assert PREFIX not in printed.out + printed.err
    token = engine_token(Path("laptop.token"), {})
    assert token is not None
    assert read_tokens(Path("all.json")).find(token.reveal()).name == "laptop"
    if os.name == "posix":
        assert Path("laptop.token").stat().st_mode & 0o777 == 0o600


def test_a_token_that_cannot_be_written_is_not_left_valid(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "taken").write_text("mine")
    assert main(["token", "add", "laptop", "--out", "taken", "--tokens", "all.json"]) == 2
    assert "'taken' exists" in capsys.readouterr().err
    assert (home / "taken").read_text() == "mine"
    assert read_tokens(Path("all.json")).tokens == ()


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["add", "a b"], "'a b'"),
        (["add", "a", "--requests", "0"], "--requests 0"),
        (["add", "a", "--seconds-a-minute", "x"], "--seconds-a-minute 'x'"),
        (["revoke", "a"], "tokens.json"),
        (["list", "--tokens", "."], "'.'"),
        (["change", "a"], "change"),
        ([], "ACTION"),
    ],
)
def test_mistakes_are_one_line_that_names_the_value(
    home: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], names: str
) -> None:
    assert main(["token", *arguments]) == 2
    printed = capsys.readouterr()
    (line,) = printed.err.splitlines()
    assert names in line
    assert printed.out == ""
    assert not (home / "config" / "melody-bridge" / "tokens.json").exists()
