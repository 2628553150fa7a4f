"""The token for a remote engine: where it comes from, and where it never shows."""

from __future__ import annotations

import copy
import json
import logging
import os
import pickle
from pathlib import Path

import pytest

from bridge.config.engine_token import VARIABLE, Secret, engine_token
from bridge.errors import BadArgument, UnreadableFile

TOKEN = "mbt_an-example-of-a-token"


def written(path: Path, text: str = TOKEN, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def test_the_environment_comes_before_the_file(tmp_path: Path) -> None:
    file = written(tmp_path / "engine.token", TOKEN + "-of-the-file\n")
    from_file = engine_token(file, {})
    from_environment = engine_token(file, {VARIABLE: TOKEN})
    assert from_file is not None and from_file.reveal() == TOKEN + "-of-the-file"
    assert from_environment is not None and from_environment.reveal() == TOKEN
    assert engine_token(None, {}) is None


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o622])
def test_a_file_that_others_can_read_or_change_is_refused(tmp_path: Path, mode: int) -> None:
    file = written(tmp_path / "engine.token", mode=mode)
    with pytest.raises(BadArgument, match="other users: run chmod 600") as caught:
        engine_token(file, {})
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["", "short", "two words and spaces", "line\nbreaks-in-a-header", "x" * 300, "schlüssel" * 4],
)
def test_what_is_no_token_is_refused_without_a_quote(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadArgument, match="holds no token") as from_file:
        engine_token(written(tmp_path / "engine.token", text), {})
    with pytest.raises(BadArgument, match=VARIABLE) as from_environment:
        engine_token(None, {VARIABLE: text})
    for caught in (from_file, from_environment):
        assert not text or text not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"engine\.token"):
        engine_token(tmp_path / "engine.token", {})


def test_bytes_that_are_no_text_are_not_quoted(tmp_path: Path) -> None:
    file = written(tmp_path / "engine.token")
    file.write_bytes(b"\xff\xfe" + TOKEN.encode("utf-16-le"))
    with pytest.raises(UnreadableFile, match="is not text"):
        engine_token(file, {})


def test_a_secret_shows_in_no_text_and_no_copy(caplog: pytest.LogCaptureFixture) -> None:
    secret = Secret(TOKEN)
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("bridge").warning("%s %r %s", secret, secret, {"token": secret})
    texts = [str(secret), repr(secret), f"{secret}", f"{[secret]}", caplog.text]
    texts.append(json.dumps({"token": secret}, default=str))
    assert all("hidden" in text and TOKEN not in text for text in texts)
    for copied in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError):
            copied(secret)
    with pytest.raises(TypeError):
        json.dumps(secret)
    assert secret.reveal() == TOKEN
