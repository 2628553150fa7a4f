"""The page of clips: one file, relative links that exist, every text escaped."""

from __future__ import annotations

import os
import shutil
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from bridge.delivery.clip_book import ClipBook
from bridge.errors import BadArgument, NotWritable
from bridge.tools.clip_page import write_page
from tests.delivery.book import store

MELODIES = Path(__file__).parent.parent / "melodies"
VOID = {"meta", "path"}


class Page(HTMLParser):
    """A page's elements: checks that each is closed, and collects links, texts and paths."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.elements: list[str] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]
        assert not any(name.startswith("on") for name, _ in attrs)
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def page(folder: Path) -> Page:
    return Page(write_page(folder, list(ClipBook(folder).newest())))


def test_every_clip_has_a_player_and_a_picture_with_links_that_exist(tmp_path: Path) -> None:
    takes = tmp_path / "Takes"
    takes.mkdir()
    shutil.copy(MELODIES / "twinkle-hum-100bpm.wav", takes / "100 % hum?#.wav")
    shutil.copy(MELODIES / "twinkle-100bpm.mid", takes / "notes.mid")
    store(tmp_path, "Käse & Brot #1 50%", take="Takes/100 % hum?#.wav", kept=True)
    store(tmp_path, "notes", take="Takes/notes.mid", melody_tempo_bpm=100, notes=b"notes")
    store(tmp_path, "elsewhere", melody="/home/me/tune.wav", melody_similarity=None)
    seen = page(tmp_path)
    assert (seen.elements.count("article"), seen.elements.count("svg")) == (3, 5)
    assert seen.elements.count("audio") == 4, "no browser plays MIDI"
    files = [tmp_path / unquote(link) for link in seen.links]
    assert len(files) == 7 and all(path.is_file() for path in files), seen.links
    for link in seen.links:
        assert urlsplit(link)[:2] == ("", "") and not link.startswith("/") and ".." not in link
    assert "Käse & Brot #1 50%" in seen.text and "follows tune" in seen.text


def test_no_text_of_a_sidecar_or_name_becomes_markup(tmp_path: Path) -> None:
    evil = "</p><script>alert('1')</script>\"onload=x&lt;\x00\x1b\ud800"
    fields = ("prompt", "preset", "melody", "key", "model", "made_by", "again_of")
    name = "x" if sys.platform == "win32" else "<script>alert(2)<\u2215script>\x07"
    store(tmp_path, name, **dict.fromkeys(fields, evil), remarks=[evil, 7, None])  # type: ignore[arg-type]
    seen = page(tmp_path)
    assert seen.elements.count("script") == 1, "the page's own"
    assert evil[:20] in seen.text
    assert not {"\x00", "\x1b", "\x07"} & set(seen.text)


def test_a_clip_that_cannot_be_drawn_says_why_and_the_rest_is_drawn(tmp_path: Path) -> None:
    store(tmp_path, "broken").write_bytes(b"RIFF no audio")
    store(tmp_path, "good")
    seen = page(tmp_path)
    assert seen.elements.count("svg") == 1 and seen.text.count("no picture:") == 1


def test_a_page_replaces_its_own_and_no_other_file(tmp_path: Path) -> None:
    path = write_page(tmp_path, [])
    assert path == tmp_path / "clips.html" and "0 clips" in path.read_text()
    store(tmp_path, "a")
    assert "1 clip" in page(tmp_path).text
    path.write_text("<p>mine</p>")
    with pytest.raises(BadArgument, match="not a page of this program"):
        page(tmp_path)
    assert path.read_text() == "<p>mine</p>"


def test_a_page_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    path = write_page(tmp_path, [])
    before = path.read_text()
    (tmp_path / ".clips.html.part").mkdir()
    with pytest.raises(NotWritable, match=r"clips\.html' cannot be written"):
        write_page(tmp_path, [])
    assert path.read_text() == before
    os.rmdir(tmp_path / ".clips.html.part")
    with pytest.raises(NotWritable, match="cannot be changed"):
        write_page(tmp_path / "nowhere", [])
