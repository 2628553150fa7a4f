"""The history: sidecars are read after a restart, and clips are discarded, not deleted."""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from bridge.audio import Waveform
from bridge.delivery import History, KnownClip, write_clip
from bridge.delivery.clip_files import MovedClip, mark_kept
from bridge.errors import BadArgument, NotWritable, UnknownId
from bridge.timing import Meter


def write(folder: Path, request: str, index: int, *, age_seconds: float = 0.0) -> KnownClip:
    """Write a real clip with the sidecar of a render."""
    meter, tempo_bpm = Meter(7, 8), Fraction(280, 3)
    path = write_clip(
        folder,
        Waveform(np.full((100, 2), 0.25, np.float32), 44_100),
        {
            "request": request,
            "index": index,
            "bars": 2,
            "tempo_bpm": tempo_bpm,
            "meter": str(meter),
            "seed": 7 + index,
            "sample_rate": 44_100,
            "melody_similarity": None if index else 0.75,
            "remarks": ["The melody's 4 bars are repeated to fill 8."],
        },
        name=f"{request} {index}",
        bars=2,
        tempo_bpm=tempo_bpm,
        meter=meter,
    )
    then = time.time() - age_seconds
    os.utime(path.with_suffix(".json"), (then, then))
    similarity = None if index else 0.75
    return KnownClip(path, request, index, 2, tempo_bpm, meter, 7 + index, 44_100, similarity)


def discard(history: History, request: str, index: int | None = None) -> list[MovedClip]:
    return history.discard(history.request_clips(request, index))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_after_a_restart_all_clips_are_listed_newest_first(tmp_path: Path) -> None:
    clips = [write(tmp_path, f"me-{age}", 0, age_seconds=age) for age in (1, 3, 2)]
    assert History(tmp_path).newest(10) == [clips[0], clips[2], clips[1]]
    assert History(tmp_path).newest(1) == [clips[0]]


def test_added_clips_come_first_and_deleted_ones_are_gone(tmp_path: Path) -> None:
    old = write(tmp_path, "me-1", 0, age_seconds=10)
    history = History(tmp_path)
    new = [write(tmp_path, "me-2", index) for index in (0, 1)]
    history.add(new)
    assert history.newest(10) == [*new, old]
    new[0].path.unlink()
    assert history.newest(10) == [new[1], old]


def test_a_clip_of_another_program_joins_and_a_mark_of_it_shows(tmp_path: Path) -> None:
    clip = write(tmp_path, "me-1", 0, age_seconds=9)
    history = History(tmp_path)
    other = write(tmp_path, "", 0)
    assert history.newest(10) == [other, clip]
    mark_kept(tmp_path, [clip], True)
    assert history.newest(10) == [other, replace(clip, is_kept=True)]


def test_a_missing_folder_is_an_empty_history(tmp_path: Path) -> None:
    assert History(tmp_path / "not there").newest(10) == []
    assert not (tmp_path / "not there").exists()


VALID = (
    '{"bars": 4, "tempo_bpm": 120, "meter": "4/4", "seed": 7, "sample_rate": 44100, '
    '"melody_similarity": null}'
)


@pytest.mark.parametrize(
    "content",
    [
        *("", "no json", "[]", "{}", '{"bars": "x"}', "null", "[" * 100_000, "\udcff"),
        VALID.replace("4,", "Infinity,", 1),
        VALID.replace("120", '"1/0"'),
        VALID.replace("7", "5000000000"),
        VALID.replace("44100", "-1"),
    ],
)
def test_files_of_other_programs_are_ignored(tmp_path: Path, content: str) -> None:
    clip = write(tmp_path, "me-1", 0)
    (tmp_path / "other.json").write_text(content, errors="surrogateescape")
    (tmp_path / "other.wav").write_bytes(b"RIFF")
    assert History(tmp_path).newest(10) == [clip]


def test_a_sidecar_with_all_required_fields_is_listed(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text(VALID)
    (tmp_path / "other.wav").write_bytes(b"RIFF")
    (clip,) = History(tmp_path).newest(10)
    assert (clip.bars, clip.seed, clip.request) == (4, 7, "")


def test_a_sidecar_of_the_previous_version_is_listed_as_before(tmp_path: Path) -> None:
    """It has the field `told` instead of `remarks`."""
    clip = write(tmp_path, "me-1", 0)
    sidecar = clip.path.with_suffix(".json")
    fields = json.loads(sidecar.read_text(encoding="utf-8"))
    assert History(tmp_path).newest(10) == [clip]
    fields.pop("remarks")
    fields["told"] = ["The melody's 4 bars are repeated to fill 8."]
    sidecar.write_text(json.dumps(fields), encoding="utf-8")
    history = History(tmp_path)
    assert history.newest(10) == [clip]
    assert len(discard(history, "me-1")) == 1


def test_only_a_discarded_clip_and_its_sidecar_move(tmp_path: Path) -> None:
    first, second = (write(tmp_path, "me-1", index) for index in (0, 1))
    history = History(tmp_path)
    assert len(discard(history, "me-1", 1)) == 1
    assert names(tmp_path) == ["Discarded", first.path.with_suffix(".json").name, first.path.name]
    assert names(tmp_path / "Discarded") == [
        second.path.with_suffix(".json").name,
        second.path.name,
    ]
    assert history.newest(10) == [first]
    assert len(discard(History(tmp_path), "me-1")) == 1
    assert len(names(tmp_path / "Discarded")) == 4


def test_discarding_never_overwrites_a_discarded_clip(tmp_path: Path) -> None:
    for _ in range(3):
        write(tmp_path, "me-1", 0)
        assert len(discard(History(tmp_path), "me-1")) == 1
    assert len(names(tmp_path / "Discarded")) == 6


def test_unknown_requests_and_indices_are_errors(tmp_path: Path) -> None:
    write(tmp_path, "me-1", 0)
    history = History(tmp_path)
    with pytest.raises(UnknownId, match="me-2"):
        discard(history, "me-2")
    with pytest.raises(BadArgument, match=r"index 3.*has 0"):
        discard(history, "me-1", 3)
    assert "Discarded" not in names(tmp_path)


def test_discarding_a_removed_clip_is_not_an_error(tmp_path: Path) -> None:
    clip = write(tmp_path, "me-1", 0)
    history = History(tmp_path)
    clip.path.unlink()
    assert len(discard(history, "me-1")) == 0


def test_only_clips_discarded_a_week_ago_are_deleted(tmp_path: Path) -> None:
    for index in (0, 1):
        write(tmp_path, "me-1", index)
    discard(History(tmp_path), "me-1")
    discarded = tmp_path / "Discarded"
    week_old = time.time() - 7 * 24 * 3600 - 60
    for path in discarded.glob("me-1 0.*"):
        os.utime(path, (week_old, week_old))
    old = write(tmp_path, "me-2", 0)
    os.utime(old.path, (week_old, week_old))
    History(tmp_path)
    assert names(discarded) == ["me-1 1.json", "me-1 1.wav"]
    assert old.path.exists(), "age alone deletes no clip"


def test_an_old_clip_is_kept_for_a_week_after_it_is_discarded(tmp_path: Path) -> None:
    clip = write(tmp_path, "me-1", 0)
    year_old = time.time() - 365 * 24 * 3600
    for path in (clip.path, clip.path.with_suffix(".json")):
        os.utime(path, (year_old, year_old))
    discard(History(tmp_path), "me-1")
    History(tmp_path)
    assert len(names(tmp_path / "Discarded")) == 2


def test_of_two_requests_with_one_id_the_newer_is_discarded(tmp_path: Path) -> None:
    """Each client numbers its requests from the start: the README's example is always `me-2`."""
    write(tmp_path, "me-2", 0, age_seconds=1000)
    write(tmp_path, "me-2", 1, age_seconds=1000)
    newer = write(tmp_path, "me-2", 0)
    history = History(tmp_path)
    assert len(discard(history, "me-2", 0)) == 1
    assert not newer.path.exists()
    assert len(history.newest(10)) == 2


def test_a_discarded_clip_comes_back_under_its_name_also_after_a_restart(tmp_path: Path) -> None:
    clips = [write(tmp_path, "me-1", index) for index in (0, 1)]
    history = History(tmp_path)
    before = names(tmp_path)
    moved = discard(history, "me-1")
    assert history.discarded("me-1", 1)[0].path == moved[1].path
    assert history.restore(moved) == clips
    assert history.newest(10) == clips
    assert [name for name in names(tmp_path) if name != "Discarded"] == before
    assert names(tmp_path / "Discarded") == []
    discard(history, "me-1", 1)
    later = History(tmp_path)
    assert later.restore(later.discarded("me-1")) == clips[1:]
    assert History(tmp_path).newest(1) == clips[1:]


def test_restoring_takes_no_other_clips_name_and_skips_what_is_gone(tmp_path: Path) -> None:
    clip = write(tmp_path, "me-1", 0)
    history = History(tmp_path)
    moved = discard(history, "me-1")
    other = write(tmp_path, "me-1", 0)
    assert other.path == clip.path
    (restored,) = history.restore(moved)
    assert restored.path.stem == f"{clip.path.stem} 2" and other.path.exists()
    assert history.restore(moved) == [], "nothing is left in Discarded"
    with pytest.raises(UnknownId, match="no discarded clip of 'me-1'"):
        history.discarded("me-1")


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    clip = write(tmp_path, "me-1", 0)
    history = History(tmp_path)
    (tmp_path / "Discarded").write_text("a file is in its place")
    with pytest.raises(NotWritable, match="cannot be moved to Discarded"):
        discard(history, "me-1")
    assert clip.path.exists()


def test_pipes_devices_and_deep_or_huge_files_beside_clips_are_passed_over(tmp_path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("Windows has no such files in folders")
    clip = write(tmp_path, "me-1", 0)
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "device.json").symlink_to("/dev/zero")
    (tmp_path / "deep.json").write_text("[" * 100_000)
    with (tmp_path / "huge.json").open("wb") as huge:
        huge.truncate(1 << 40)
    for sidecar in tmp_path.glob("*.json"):
        sidecar.with_suffix(".wav").touch()
    assert History(tmp_path).newest(10) == [clip]
