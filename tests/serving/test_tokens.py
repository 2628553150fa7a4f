"""The file of tokens: hashes alone, whole changes, and refusals that say nothing of a token."""

from __future__ import annotations

import hmac
import json
import os
import random
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from bridge.errors import BadArgument, BridgeError, NotAuthorized, UnreadableFile
from bridge.serving import tokens
from bridge.serving.limits import Limits
from bridge.serving.token_changes import add_token, revoke_token
from bridge.serving.tokens import TokenBook, TokenWatch, new_token, read_tokens, tokens_text


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens.json"


def test_a_token_is_found_by_its_text_alone(path: Path) -> None:
    laptop, _ = add_token(path, "laptop", Limits(requests=2))
    studio, _ = add_token(path, "studio", Limits(seconds_a_minute=50))
    book = read_tokens(path)
    assert book.find(laptop).name == "laptop"
    assert book.find(laptop).limits == Limits(requests=2)
    assert book.find(studio).limits == Limits(seconds_a_minute=50)
    wrong = (laptop[:-1], laptop + "A", laptop.swapcase(), book.tokens[0].sha256, "", "laptop")
    for shown in (*wrong, "x" * 10_000_000, "\udcff\x00é"):
        with pytest.raises(NotAuthorized, match="does not know this token") as caught:
            book.find(shown)
        assert not shown or shown[:40] not in str(caught.value)
    with pytest.raises(NotAuthorized, match="needs a token"):
        book.find(None)


def test_the_file_has_hashes_alone_and_is_its_owners(path: Path) -> None:
    text, token = add_token(path, "laptop", Limits())
    content = path.read_text()
    assert text not in content and text.removeprefix(tokens.PREFIX) not in content
    assert token.sha256 in content
    if os.name == "posix":
        assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["tokens.json"]


def test_tokens_have_256_random_bits() -> None:
    drawn = [new_token("a", "", Limits())[0] for _ in range(1000)]
    assert len(set(drawn)) == 1000
    # 43 characters of six bits.
    assert {len(text) for text in drawn} == {len(tokens.PREFIX) + 43}


def test_every_token_is_compared_whichever_is_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn = [new_token(f"t{number}", "", Limits()) for number in range(20)]
    book = TokenBook(tuple(token for _, token in drawn))
    compared = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((len(one), len(other)))
        return original(one, other)

    original = hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", compare)
    for shown in (drawn[0][0], drawn[-1][0], "unknown"):
        compared.clear()
        try:
            book.find(shown)
        except NotAuthorized:
            assert shown == "unknown"
        assert compared == [(32, 32)] * 20


def test_a_revoked_token_is_refused_without_a_restart(path: Path) -> None:
    laptop, _ = add_token(path, "laptop", Limits())
    studio, _ = add_token(path, "studio", Limits())
    watch = TokenWatch(path)
    found = watch.find(laptop)
    assert watch.is_known(found)
    revoke_token(path, "laptop")
    watch.refresh()
    with pytest.raises(NotAuthorized):
        watch.find(laptop)
    assert not watch.is_known(found)
    assert watch.find(studio).name == "studio"


def test_a_broken_file_admits_nobody_until_it_is_mended(path: Path) -> None:
    laptop, _ = add_token(path, "laptop", Limits())
    watch = TokenWatch(path)
    content = path.read_text()
    path.write_text(content[:-20])
    watch.refresh()
    assert isinstance(watch.failure, UnreadableFile)
    with pytest.raises(NotAuthorized):
        watch.find(laptop)
    path.unlink()
    watch.refresh()
    assert isinstance(watch.failure, UnreadableFile)
    path.write_text(content)
    watch.refresh()
    assert watch.failure is None
    assert watch.find(laptop).name == "laptop"


def test_a_name_is_given_once_and_revoked_once(path: Path) -> None:
    add_token(path, "laptop", Limits())
    content = path.read_text()
    with pytest.raises(BadArgument, match="'laptop' is there already"):
        add_token(path, "laptop", Limits())
    with pytest.raises(BadArgument, match="no token is named 'studio': the file has laptop"):
        revoke_token(path, "studio")
    assert path.read_text() == content
    revoke_token(path, "laptop")
    assert read_tokens(path).tokens == ()
    with pytest.raises(UnreadableFile):
        revoke_token(path.with_name("other.json"), "laptop")


@pytest.mark.parametrize("name", ["", "a b", "-a", "a/b", "ä", "a" * 65, "a\n"])
def test_names_of_other_forms_are_refused(path: Path, name: str) -> None:
    with pytest.raises(BadArgument, match="a name has 1 to 64 letters"):
        add_token(path, name, Limits())
    assert not path.exists()


def test_changes_at_the_same_time_are_all_kept(path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        drawn = list(threads.map(lambda n: add_token(path, f"t{n}", Limits())[0], range(24)))
    book = read_tokens(path)
    assert {book.find(text).name for text in drawn} == {f"t{n}" for n in range(24)}


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
def test_a_file_that_others_can_change_is_refused(path: Path) -> None:
    add_token(path, "laptop", Limits())
    path.chmod(0o666)
    with pytest.raises(BadArgument, match="can be changed by other users"):
        read_tokens(path)


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
def test_permissions_that_change_count_while_the_server_runs(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    laptop, _ = add_token(path, "laptop", Limits())
    watch = TokenWatch(path)
    path.chmod(0o666)
    for _ in range(3):
        watch.refresh()
        with pytest.raises(NotAuthorized):
            watch.find(laptop)
    (record,) = caplog.records
    assert "run chmod 600" in record.getMessage()
    path.chmod(0o600)
    watch.refresh()
    assert watch.find(laptop).name == "laptop"


_, GOOD = new_token("laptop", "2026-11-29T12:00:00Z", Limits())
ROW = json.loads(tokens_text(TokenBook((GOOD,))))["tokens"][0]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[" * 100_000,
        "[]",
        '{"version": 1}',
        '{"version": 2, "tokens": []}',
        '{"version": 1, "tokens": {}}',
        '{"version": 1, "tokens": [1]}',
        '{"version": 1, "tokens": [{}]}',
        *(
            json.dumps({"version": 1, "tokens": [ROW | change]})
            for change in (
                {"name": 1},
                {"name": "a b"},
                {"sha256": "0" * 63},
                {"sha256": None},
                {"created": 1},
                {"requests": 0},
                {"requests": "many"},
                {"requests": 1.5},
                {"seconds_a_minute": None},
                {"seconds_a_minute": float("nan")},
                {"more": 1},
            )
        ),
        json.dumps({"version": 1, "tokens": [ROW, ROW]}),
        json.dumps({"version": 1, "tokens": [ROW | {"name": f"t{n}"} for n in range(1001)]}),
        " " * (2 << 20),
    ],
)
def test_a_file_of_something_else_is_refused_in_one_line(path: Path, content: str) -> None:
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(UnreadableFile, match=r"tokens\.json") as caught:
        read_tokens(path)
    assert len(str(caught.value)) < 400


def test_any_bytes_are_a_book_or_a_refusal(path: Path) -> None:
    whole = tokens_text(TokenBook((GOOD,))).encode()
    draw = random.Random(20)
    path.touch(0o600)
    for _ in range(500):
        at, put = draw.randrange(len(whole)), draw.randbytes(draw.randrange(8))
        path.write_bytes(whole[:at] + put + whole[at + len(put) :])
        with suppress(BridgeError):
            read_tokens(path)
