"""Changes to stored clips: whole or not at all, and one program at a time."""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import time
from pathlib import Path

import pytest

from bridge.delivery import clip_files
from bridge.delivery.clip_book import ClipBook
from bridge.delivery.folder_lock import folder_lock
from bridge.delivery.sidecar import KnownClip
from bridge.errors import BadArgument, NotWritable
from tests.delivery.book import store


def known(
    folder: Path, name: str = "clip", notes: bytes | None = None, **fields: object
) -> KnownClip:
    store(folder, name, age_seconds=1000, notes=notes, **fields)
    return ClipBook(folder).find(name).known


def test_a_mark_changes_one_field_of_the_sidecar_and_nothing_else(tmp_path: Path) -> None:
    clip = known(tmp_path, remarks=["Ä \udcff"], exact="1000/9")
    sidecar = clip.path.with_suffix(".json")
    before, written = json.loads(sidecar.read_text()), sidecar.stat().st_mtime_ns
    (marked,) = clip_files.mark_kept(tmp_path, [clip], is_kept=True)
    assert marked.is_kept
    assert json.loads(sidecar.read_text()) == {**before, "kept": True}
    assert sidecar.stat().st_mtime_ns == written, "clips are listed by it"
    clip_files.mark_kept(tmp_path, [clip], is_kept=False)
    assert json.loads(sidecar.read_text()) == {**before, "kept": False}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.json", "clip.wav"]


def test_kept_clips_stay_when_clips_are_discarded(tmp_path: Path) -> None:
    kept, other = known(tmp_path, "kept", kept=True), known(tmp_path, "other")
    # What the caller knew may be old: the sidecar counts.
    (moved,) = clip_files.discard(tmp_path, [kept, other])
    assert moved.clip == other and kept.path.exists()
    with pytest.raises(BadArgument, match="kept: kept, and a kept clip is not discarded"):
        clip_files.discard(tmp_path, [kept])


def test_the_notes_go_where_their_clip_goes(tmp_path: Path) -> None:
    clip = known(tmp_path, notes=b"first")
    notes, discarded = tmp_path / "clip.notes.mid", tmp_path / "Discarded"
    moved = clip_files.discard(tmp_path, [clip])
    assert [path.name for path in tmp_path.iterdir()] == ["Discarded"]
    # Notes alone take the name as well.
    notes.write_bytes(b"another's")
    (restored,) = clip_files.restore(tmp_path, moved)
    assert restored.path.name == "clip 2.wav"
    assert (tmp_path / "clip 2.notes.mid").read_bytes() == b"first"
    assert notes.read_bytes() == b"another's" and list(discarded.iterdir()) == []
    (again,) = clip_files.discard(tmp_path, [restored])
    old = time.time() - clip_files.KEPT_SECONDS - 10
    for path in discarded.iterdir():
        os.utime(path, (old, old))
    clip_files.clear_discarded(tmp_path)
    assert not again.path.exists() and list(discarded.iterdir()) == []


def test_files_that_are_no_discarded_clips_stay_in_the_folder(tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "clips", tmp_path / "elsewhere"
    discarded = folder / clip_files.DISCARDED
    for place in (discarded, elsewhere):
        place.mkdir(parents=True)
        known(place)
        (place / "recording.wav").write_bytes(b"a person's own")
        (place / "settings.json").write_text('{"bars": 4}')
        (place / "tune.notes.mid").write_bytes(b"a person's own")
        old = time.time() - clip_files.KEPT_SECONDS - 10
        for path in place.iterdir():
            os.utime(path, (old, old))
    own = {"recording.wav", "settings.json", "tune.notes.mid"}
    clip_files.clear_discarded(folder)
    assert {path.name for path in discarded.iterdir()} == own
    for path in discarded.iterdir():
        path.unlink()
    discarded.rmdir()
    discarded.symlink_to(elsewhere)
    clip_files.clear_discarded(folder)
    assert {path.name for path in elsewhere.iterdir()} > own


def test_a_clip_that_is_gone_is_passed_over_and_a_broken_sidecar_is_an_error(
    tmp_path: Path,
) -> None:
    gone, broken = known(tmp_path, "gone"), known(tmp_path, "broken")
    gone.path.unlink()
    broken.path.with_suffix(".json").write_text("{")
    assert clip_files.mark_kept(tmp_path, [gone], is_kept=True) == []
    with pytest.raises(BadArgument, match=r"broken\.json cannot be read"):
        clip_files.mark_kept(tmp_path, [broken], is_kept=True)
    assert broken.path.with_suffix(".json").read_text() == "{"


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("a folder takes the part file's name in another way there")
    clip = known(tmp_path)
    (tmp_path / ".clip.json.part").mkdir()
    with pytest.raises(NotWritable, match=r"clip\.json cannot be written"):
        clip_files.mark_kept(tmp_path, [clip], is_kept=True)
    assert not ClipBook(tmp_path).find("clip").known.is_kept
    with pytest.raises(NotWritable, match="cannot be changed"):
        clip_files.mark_kept(tmp_path / "nowhere", [clip], is_kept=True)


def test_while_another_program_changes_the_clips_the_wait_is_bounded(tmp_path: Path) -> None:
    clip = known(tmp_path)
    with (
        folder_lock(tmp_path),
        pytest.raises(NotWritable, match="another program"),
        folder_lock(tmp_path, 0.05),
    ):
        raise AssertionError
    clip_files.mark_kept(tmp_path, [clip], is_kept=True)


def test_programs_that_keep_discard_and_restore_at_once_lose_no_clip(tmp_path: Path) -> None:
    for number in range(6):
        store(tmp_path, f"clip {number}", notes=b"notes")
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=churn, args=(tmp_path, seed)) for seed in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    book = ClipBook(tmp_path)
    clips = [*book.newest(), *book.newest(discarded=True)]
    assert len(clips) == 6 and book.left_out == 0
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 18, sorted(path.name for path in files)


def churn(folder: Path, seed: int) -> None:
    """Keep, discard and restore clips at random, as several commands at once would."""
    import random

    chance = random.Random(seed)
    book = ClipBook(folder)
    for _ in range(60):
        there = [clip.known for clip in book.newest()]
        gone = [clip.known for clip in book.newest(discarded=True)]
        try:
            if there and chance.random() < 0.4:
                clip_files.mark_kept(folder, [chance.choice(there)], chance.random() < 0.3)
            elif there and chance.random() < 0.6:
                clip_files.discard(folder, [chance.choice(there)])
            elif gone:
                clip = chance.choice(gone)
                clip_files.restore(folder, [clip_files.MovedClip(clip, clip.path)])
        except BadArgument as error:
            assert "kept, and a kept clip is not discarded" in str(error)
    assert os.listdir(folder)
