"""Old takes: which ones go, and that nothing else ever does."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import pytest

from bridge.delivery.old_takes import MOST_AT_ONCE, delete_old_takes

DAY = 24 * 3600


def take(clips: Path, name: str, *, days: float) -> Path:
    path = clips / "Takes" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"RIFF")
    return aged(path, days)


def clip(clips: Path, name: str, *, days: float, **fields: object) -> Path:
    sidecar = clips / f"{name}.json"
    sidecar.parent.mkdir(exist_ok=True)
    sidecar.write_text(json.dumps(fields))
    return aged(sidecar, days)


def aged(path: Path, days: float) -> Path:
    then = time.time() - days * DAY
    os.utime(path, (then, then))
    return path


def test_an_old_take_goes_unless_a_clip_that_follows_it_is_kept_or_new(tmp_path: Path) -> None:
    for name in ("old", "kept", "new clip", "restorable", "earlier version"):
        take(tmp_path, f"{name}.wav", days=40)
    recent, notes = take(tmp_path, "recent.wav", days=20), take(tmp_path, "notes.mid", days=40)
    clip(tmp_path, "a", days=40, take="Takes/old.wav", kept=False)
    clip(tmp_path, "b", days=400, take="Takes/kept.wav", kept=True)
    clip(tmp_path, "c", days=5, take="Takes/new clip.wav")
    clip(tmp_path / "Discarded", "d", days=2, take="Takes/restorable.wav")
    clip(tmp_path, "e", days=400, melody=str(tmp_path / "Takes/earlier version.wav"), kept=True)
    assert delete_old_takes(tmp_path, 30) == ["notes.mid", "old.wav"]
    assert recent.exists() and not notes.exists()
    assert len(list((tmp_path / "Takes").iterdir())) == 5
    assert len(list(tmp_path.glob("*.json"))) == 4, "no clip goes"


def test_the_notes_of_a_take_stay_as_long_as_the_take(tmp_path: Path) -> None:
    for name in ("kept", "old"):
        take(tmp_path, f"{name}.wav", days=40)
        take(tmp_path, f"{name}.notes.mid", days=40)
    clip(tmp_path, "a", days=400, take="Takes/kept.wav", kept=True)
    assert delete_old_takes(tmp_path, 30) == ["old.notes.mid", "old.wav"]


def test_only_files_of_its_own_in_the_folder_for_takes_go(tmp_path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("links need rights there")
    outside = aged_file(tmp_path / "outside.wav")
    clips = tmp_path / "Clips"
    clips.mkdir()
    stays = [aged_file(clips / "clip.wav"), take(clips, "notes.txt", days=40)]
    stays += [take(clips, ".hidden.wav", days=40)]
    (clips / "Takes" / "folder.wav").mkdir()
    stays.append(aged_file(clips / "Takes" / "folder.wav" / "inner.wav"))
    (clips / "Takes" / "link.wav").symlink_to(outside)
    os.utime(clips / "Takes" / "link.wav", (0, 0), follow_symlinks=False)
    assert delete_old_takes(clips, 30) == []
    assert outside.exists() and all(path.exists() for path in stays)
    # A link in place of the folder for takes.
    elsewhere = tmp_path / "Elsewhere"
    (clips / "Takes").rename(elsewhere)
    old = aged_file(elsewhere / "old.wav")
    (clips / "Takes").symlink_to(elsewhere)
    assert delete_old_takes(clips, 30) == [] and old.exists()


def aged_file(path: Path) -> Path:
    path.write_bytes(b"RIFF")
    return aged(path, 400)


def test_files_of_other_programs_neither_hold_takes_nor_stop_the_work(tmp_path: Path) -> None:
    take(tmp_path, "old.wav", days=40)
    for number, text in enumerate(("", "[", '{"kept": true, "take": 7}', '["kept"]', "\0" * 100)):
        (tmp_path / f"{number}.json").write_text(text)
    (tmp_path / "folder.json").mkdir()
    assert delete_old_takes(tmp_path, 30) == ["old.wav"]


def test_where_a_sidecar_may_not_be_read_nothing_goes(tmp_path: Path) -> None:
    if sys.platform == "win32" or os.geteuid() == 0:
        pytest.skip("needs a user whom the system refuses files")
    old = take(tmp_path, "old.wav", days=40)
    clip(tmp_path, "a", days=40, kept=True, take="Takes/old.wav").chmod(0)
    with pytest.raises(PermissionError):
        delete_old_takes(tmp_path, 30)
    assert old.exists()


def test_the_work_of_one_time_is_bounded_and_can_be_stopped(tmp_path: Path) -> None:
    for number in range(MOST_AT_ONCE + 5):
        take(tmp_path, f"{number}.wav", days=40)
    clip(tmp_path, "a", days=1)
    assert delete_old_takes(tmp_path, 30, lambda: True) == []
    assert len(delete_old_takes(tmp_path, 30)) == MOST_AT_ONCE
    assert len(delete_old_takes(tmp_path, 30)) == 5


def test_a_clip_that_is_kept_while_the_clips_are_looked_at_saves_its_take(tmp_path: Path) -> None:
    old = take(tmp_path, "old.wav", days=40)
    sidecar = clip(tmp_path, "a", days=40, take="Takes/old.wav")
    clip(tmp_path, "b", days=40)
    asked = 0

    def keep_at_the_end() -> bool:
        nonlocal asked
        asked += 1
        if asked == 2:
            sidecar.write_text(json.dumps({"take": "Takes/old.wav", "kept": True}))
            aged(sidecar, 40)
        return False

    assert delete_old_takes(tmp_path, 30, keep_at_the_end) == []
    assert old.exists() and asked > 2


def test_a_missing_folder_has_no_takes(tmp_path: Path) -> None:
    assert delete_old_takes(tmp_path / "nowhere", 30) == []
