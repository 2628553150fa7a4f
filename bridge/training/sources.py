"""The audio files of a folder, each with the caption that the model is to learn for it.

Captions come from `captions.csv`, else from a text file beside the audio, else from the file's
tags, else from its name.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import soundfile

from bridge.config.small_file import read_small_file
from bridge.errors import BadArgument

CAPTIONS = "captions.csv"
AUDIO_SUFFIXES = (".wav", ".flac", ".aif", ".aiff", ".ogg", ".mp3")
MOST_FILES = 20_000
MOST_CAPTION = 300
"""Characters."""
_TAGS = ("title", "genre", "comment")
_TEMPO = re.compile(r"(?<![a-z0-9])(\d{2,3}) ?bpm(?![a-z])", re.I)
_NUMBER = re.compile(r"(?<![\w#])\d+(?![\w#]| bpm)", re.I)


@dataclass(frozen=True)
class Source:
    """An audio file to train on.

    Attributes:
        path: the file.
        caption: what it sounds like, in the words of a prompt.
    """

    path: Path
    caption: str


def list_sources(folder: Path, word: str | None = None) -> list[Source]:
    """The audio files of a folder and its subfolders, by name.

    Args:
        word: put in front of every caption.

    Raises:
        BadArgument: no folder, no audio in it, too many files, or a broken `captions.csv`.
    """
    if not folder.is_dir():
        raise BadArgument(f"{str(folder)!r} is no folder; give one with audio files")
    captions = _captions(folder)
    sources = []
    for path in _audio_files(folder):
        caption = captions.get(path.relative_to(folder).as_posix()) or _own_caption(path)
        if word is not None:
            caption = f"{word}, {caption}" if caption else word
        sources.append(Source(path, caption[:MOST_CAPTION]))
        if len(sources) > MOST_FILES:
            raise BadArgument(
                f"{str(folder)!r} has more than {MOST_FILES} audio files; give a smaller folder"
            )
    if not sources:
        raise BadArgument(
            f"{str(folder)!r} has no audio files ({' '.join(AUDIO_SUFFIXES)}); give another folder"
        )
    unknown = captions.keys() - {each.path.relative_to(folder).as_posix() for each in sources}
    if unknown:
        raise BadArgument(
            f"{str(folder / CAPTIONS)!r} names {min(unknown)!r}, which is no audio file of the "
            "folder; correct the name"
        )
    return sources


def caption_of_name(stem: str) -> str:
    """A caption from a file's name: words, and a tempo where it says one.

    `Warm_Rhodes-92bpm-03` is "warm rhodes, 92 bpm".
    """
    text = re.sub(r"[_\-.\s]+", " ", stem).strip().lower()
    tempo = _TEMPO.search(text)
    words = _NUMBER.sub(" ", _TEMPO.sub(" ", text))
    parts = [" ".join(words.split())]
    if tempo is not None:
        parts.append(f"{tempo[1]} bpm")
    return ", ".join(part for part in parts if part)


def _audio_files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if not hidden and path.suffix.lower() in AUDIO_SUFFIXES and path.is_file():
            yield path


def _captions(folder: Path) -> Mapping[str, str]:
    """The captions of `captions.csv`, two columns, by file name relative to the folder."""
    file = folder / CAPTIONS
    try:
        lines = read_small_file(file).splitlines()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise BadArgument(f"{str(file)!r} cannot be read ({error})") from error
    captions: dict[str, str] = {}
    for number, row in enumerate(csv.reader(lines), 1):
        if not row or (number == 1 and [cell.strip().lower() for cell in row[:1]] == ["file"]):
            continue
        if len(row) != 2 or not row[1].strip():
            raise BadArgument(
                f"{str(file)!r} line {number} is {','.join(row)[:80]!r}; write FILE,CAPTION, the "
                "caption in quotes where it has commas"
            )
        captions[row[0].strip().replace("\\", "/")] = row[1].strip()
    return captions


def _own_caption(path: Path) -> str:
    try:
        return " ".join(read_small_file(path.with_suffix(".txt")).split())
    except (OSError, UnicodeDecodeError):
        pass
    try:
        with soundfile.SoundFile(path) as audio:
            tags = audio.copy_metadata()
    # A broken file is reported when its audio is read.
    except (soundfile.LibsndfileError, OSError):
        tags = {}
    found = [str(tags[name]).strip().lower() for name in _TAGS if str(tags.get(name, "")).strip()]
    return ", ".join(found) or caption_of_name(path.stem)
