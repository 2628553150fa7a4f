"""The sketch book: clips are found by short ids, whatever else is in the folder."""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from itertools import islice
from pathlib import Path

import pytest

from bridge.delivery import clip_files
from bridge.delivery.clip_book import ClipBook, clip_id
from bridge.errors import BadArgument, UnknownId
from tests.delivery.book import store


def names(book: ClipBook) -> list[str]:
    return [clip.known.path.stem for clip in book.newest()]


def colliding(letters: int) -> tuple[str, str]:
    """Two names whose ids begin with the same letters."""
    seen: dict[str, str] = {}
    for number in range(1_000_000):
        name = f"clip {number}"
        other = seen.setdefault(clip_id(name)[:letters], name)
        if other != name:
            return other, name
    raise AssertionError


def test_clips_are_listed_newest_first_with_their_marks(tmp_path: Path) -> None:
    for age, name in enumerate(("c", "b", "a")):
        store(tmp_path, name, age_seconds=age, kept=name == "b")
    book = ClipBook(tmp_path)
    assert [(clip.known.path.stem, clip.mark) for clip in book.newest()] == [
        *(("c", "none"), ("b", "kept"), ("a", "none"))
    ]
    clip_files.discard(tmp_path, [book.find("a").known])
    assert [clip.mark for clip in book.newest(discarded=True)] == ["discarded"]
    assert names(book) == ["c", "b"] and book.count_discarded() == 1


def test_an_id_stays_when_a_clip_is_kept_discarded_and_restored(tmp_path: Path) -> None:
    store(tmp_path, "Käfer 120bpm")
    book = ClipBook(tmp_path)
    (clip,) = book.newest()
    clip_files.mark_kept(tmp_path, [clip.known], is_kept=True)
    assert book.find(clip.id).mark == "kept"
    clip_files.mark_kept(tmp_path, [clip.known], is_kept=False)
    (moved,) = clip_files.discard(tmp_path, [clip.known])
    assert book.find(clip.id, discarded=True).known.path == moved.path
    clip_files.restore(tmp_path, [moved])
    assert book.find(clip.id).known == clip.known
    # macOS may write the name in another form.
    assert clip_id(unicodedata.normalize("NFD", "Käfer 120bpm")) == clip.id


def test_a_clip_is_found_by_id_first_letters_name_path_and_last(tmp_path: Path) -> None:
    store(tmp_path, "2026-11-29 keys 93.7bpm 4bars seed7", age_seconds=9)
    path = store(tmp_path, "2026-11-29 pad 93.5bpm 4bars seed7")
    book, id = ClipBook(tmp_path), clip_id(path.stem)
    words = (id, id.upper(), id[:3], path.stem, path.name, str(path), "last")
    for word in (
        *words,
        str(path.with_suffix(".json")),
        f"{tmp_path}/../{tmp_path.name}/{path.name}",
    ):
        assert book.find(word).known.path == path, word


def test_what_means_no_clip_or_several_is_an_error_that_helps(tmp_path: Path) -> None:
    with pytest.raises(UnknownId, match="no clips yet"):
        ClipBook(tmp_path / "missing").find("last")
    one, other = colliding(3)
    store(tmp_path, one)
    store(tmp_path, other)
    book = ClipBook(tmp_path)
    with pytest.raises(BadArgument) as ambiguous:
        book.find(clip_id(one)[:3])
    assert all(text in str(ambiguous.value) for text in (one, other, clip_id(one), clip_id(other)))
    assert book.find(clip_id(one)).known.path.stem == one
    for word in (
        "nothing",
        clip_id(one)[:2],
        "",
        "/",
        "..",
        f"../{one}",
        "/etc/passwd",
        "a/b",
        "*",
    ):
        with pytest.raises(UnknownId, match=r"`melody-bridge clips` lists them"):
            book.find(word)
    with pytest.raises(UnknownId, match="--discarded"):
        book.find(one, discarded=True)


@pytest.mark.parametrize(
    "content",
    [
        *("", "[]", "null", "[" * 100_000, "\udcff", '{"bars": 4}'),
        '{"bars": 1, "tempo_bpm": NaN, "meter": "4/4", "seed": 7, "sample_rate": 8000}',
    ],
)
def test_sidecars_that_cannot_be_used_are_left_out_and_counted(
    tmp_path: Path, content: str
) -> None:
    store(tmp_path, "good")
    (tmp_path / "bad.json").write_text(content, errors="surrogateescape")
    (tmp_path / "bad.wav").write_bytes(b"RIFF")
    store(tmp_path, "gone").unlink()
    book = ClipBook(tmp_path)
    assert names(book) == ["good"] and book.left_out == 2


def test_numbers_that_are_none_are_left_out_of_a_clip(tmp_path: Path) -> None:
    sidecar = store(tmp_path, "nan").with_suffix(".json")
    sidecar.write_text(sidecar.read_text().replace("0.5", "NaN"))
    (clip,) = ClipBook(tmp_path).newest()
    assert clip.known.melody_similarity is None


def test_pipes_and_devices_are_passed_over(tmp_path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("Windows has no such files in folders")
    store(tmp_path, "good")
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "device.json").symlink_to("/dev/zero")
    for name in ("pipe", "device"):
        (tmp_path / f"{name}.wav").touch()
    assert names(ClipBook(tmp_path)) == ["good"]


def test_a_take_is_linked_inside_the_folder_alone(tmp_path: Path) -> None:
    (tmp_path / "secret.wav").touch()
    clips = tmp_path / "Clips"
    (clips / "Takes").mkdir(parents=True)
    (clips / "Takes" / "hum.wav").touch()
    links = {"good": "Takes/hum.wav", "gone": "Takes/other.wav", "out": "Takes/../../secret.wav"}
    for name, link in {**links, "number": 7, "absolute": str(tmp_path / "secret.wav")}.items():
        store(clips, name, take=link)
    takes = {clip.known.path.stem: clip.take for clip in ClipBook(clips).newest()}
    assert takes.pop("good") == clips / "Takes" / "hum.wav"
    assert set(takes.values()) == {None}


def test_only_as_many_sidecars_are_read_as_are_asked_for(tmp_path: Path) -> None:
    fields = json.loads(store(tmp_path, "0").with_suffix(".json").read_text())
    for number in range(1, 3000):
        (tmp_path / f"{number}.wav").touch()
        (tmp_path / f"{number}.json").write_text(json.dumps(fields if number % 2 else [fields]))
    book = ClipBook(tmp_path)
    assert len(list(islice(book.newest(), 20))) == 20
    assert book.left_out < 200, "the rest was not read"
    assert len(names(book)) == 1501
