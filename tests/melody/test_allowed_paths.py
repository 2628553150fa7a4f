"""Files that a message names: only audio and MIDI, and only in allowed folders."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from bridge.errors import PathRefused, UnreadableFile
from bridge.melody import allowed_path, usual_roots
from tests.processes import is_root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An allowed folder beside one that is not allowed."""
    root = tmp_path / "open"
    root.mkdir()
    (tmp_path / "closed").mkdir()
    (tmp_path / "closed" / "secret.wav").write_bytes(b"secret")
    (root / "hum.wav").write_bytes(b"RIFF")
    return root


def test_a_file_in_an_allowed_folder_is_allowed_at_any_depth(root: Path) -> None:
    assert allowed_path(str(root / "hum.wav"), [root]) == (root / "hum.wav").resolve()
    deep = root / "a" / "Möller – tür"
    deep.mkdir(parents=True)
    (deep / "x.MID").write_bytes(b"MThd")
    assert allowed_path(str(deep / "x.MID"), [root]) == (deep / "x.MID").resolve()


def test_a_link_inside_a_root_is_followed_and_a_root_may_be_a_link(root: Path) -> None:
    (root / "link.wav").symlink_to(root / "hum.wav")
    alias = root.parent / "alias"
    alias.symlink_to(root)
    assert allowed_path(str(root / "link.wav"), [alias]) == (root / "hum.wav").resolve()
    assert allowed_path(str(alias / "hum.wav"), [root]) == (root / "hum.wav").resolve()


@pytest.mark.parametrize(
    "name",
    [
        "{root}/../closed/secret.wav",
        "{root}/x/../hum.wav",
        "hum.wav",
        "~/hum.wav",
        "",
        "{closed}/secret.wav",
        "/etc/passwd",
        "/etc/hostname.wav",
        "/proc/self/root/etc/x.wav",
        "//server/share/x.wav",
        "\\\\server\\share\\x.wav",
        "C:\\Windows\\x.wav",
        "{root}/hum.wav\0.txt",
        "{root}/hum\n.wav",
        "{root}/\u202evaw.muh.wav",
        "{root}/\u200fhum.wav",
        "{root}/hum\udcff.wav",
        "{root}/notes.txt",
        "{root}/hum",
        "{root}/weights.pt",
    ],
)
def test_paths_that_could_lead_elsewhere_are_refused(root: Path, name: str) -> None:
    path = name.format(root=root, closed=root.parent / "closed")
    with pytest.raises(PathRefused) as refusal:
        allowed_path(path, [root])
    shown = str(refusal.value)
    assert shown.isascii() and "\n" not in shown and len(shown) < 400


def test_links_out_of_the_roots_are_refused_whether_or_not_the_target_exists(root: Path) -> None:
    (root / "out.wav").symlink_to(root.parent / "closed" / "secret.wav")
    (root / "folder").symlink_to(root.parent / "closed")
    (root / "nowhere.wav").symlink_to(root.parent / "closed" / "nothing.wav")
    for name in ("out.wav", "folder/secret.wav", "nowhere.wav", "folder/nothing.wav"):
        with pytest.raises(PathRefused, match="outside"):
            allowed_path(str(root / name), [root])


def test_a_link_to_another_kind_of_file_is_refused(root: Path) -> None:
    (root / "notes.txt").write_text("notes")
    (root / "notes.wav").symlink_to(root / "notes.txt")
    with pytest.raises(PathRefused, match="neither audio nor MIDI"):
        allowed_path(str(root / "notes.wav"), [root])


def test_devices_pipes_folders_loops_and_missing_files_are_unreadable(root: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("needs POSIX's file system")
    os.mkfifo(root / "pipe.wav")
    (root / "folder.wav").mkdir()
    (root / "loop.wav").symlink_to(root / "loop.wav")
    for name in ("pipe.wav", "folder.wav", "loop.wav", "nothing.wav", "x" * 300 + ".wav"):
        with pytest.raises(UnreadableFile):
            allowed_path(str(root / name), [root])


def test_a_device_is_never_opened(root: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("needs POSIX's file system")
    device = root / "zero.wav"
    try:
        os.mknod(device, 0o666 | stat.S_IFCHR, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("only root makes devices")
    with pytest.raises(UnreadableFile, match="a device"):
        allowed_path(str(device), [root])


@pytest.mark.skipif(is_root(), reason="root reads anything")
def test_a_file_without_permission_is_unreadable(root: Path) -> None:
    (root / "hum.wav").chmod(0)
    with pytest.raises(UnreadableFile, match="permissions"):
        allowed_path(str(root / "hum.wav"), [root])


def test_home_temp_and_volumes_are_allowed(tmp_path: Path) -> None:
    roots = usual_roots()
    assert Path.home() in roots
    assert any(tmp_path.is_relative_to(root) for root in roots)
