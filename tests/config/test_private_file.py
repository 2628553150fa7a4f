"""Files that only their owner can read: whole, or not there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bridge.config.private_file import read_private_file, write_private_file
from bridge.errors import BadArgument, NotWritable

posix = pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")


@posix
def test_only_the_owner_has_any_permission_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        write_private_file(tmp_path / "new" / "secret", "text\n", replace=False)
    finally:
        os.umask(before)
    path = tmp_path / "new" / "secret"
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    write_private_file(path, "other\n", replace=True)
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_private_file(path, 100, is_secret=True) == "other\n"


def test_a_name_that_is_taken_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("mine")
    with pytest.raises(BadArgument, match="exists: give a new name"):
        write_private_file(tmp_path / "secret", "text", replace=False)
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]
    assert (tmp_path / "secret").read_text() == "mine"


def test_a_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    with pytest.raises(NotWritable):
        write_private_file(tmp_path / "secret", "text", replace=True)
    assert list((tmp_path / "secret").iterdir()) == []
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


@posix
def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")
    write_private_file(tmp_path / "link", "text", replace=True)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_text() == "text"


@posix
def test_what_is_no_secret_may_be_read_by_others_but_not_changed(tmp_path: Path) -> None:
    path = tmp_path / "hashes"
    path.write_text("text")
    path.chmod(0o644)
    assert read_private_file(path, 100, is_secret=False) == "text"
    path.chmod(0o664)
    with pytest.raises(BadArgument, match="can be changed by other users"):
        read_private_file(path, 100, is_secret=False)
