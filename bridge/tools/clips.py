"""`melody-bridge clips`: what was made, from which melody, and what is kept or discarded."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterator
from itertools import islice
from typing import Any

from bridge.config.readers import ints
from bridge.delivery.clip_book import BookClip, ClipBook
from bridge.tools.clip_folder import add_folder_flags, open_book

LISTED = 20
"""Clips that are listed, where `--limit` does not say otherwise."""
ON_A_PAGE = 100
"""Clips on a page, likewise."""
MOST_ON_A_PAGE = 500
"""A minute of drawing, and 4 MB."""
MOST_LISTED = 10_000_000
_SETTINGS = (
    *("prompt", "preset", "key", "model", "guidance_scale", "temperature", "top_k", "top_p"),
    *("melody", "take", "again_of", "remarks"),
)
"""Fields of a sidecar that `--json` prints as they are."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--kept", action="store_true", help="only those that are kept")
    chosen.add_argument("--discarded", action="store_true", help="those that were discarded")
    parser.add_argument("--preset", metavar="NAME", help="only those of this preset")
    parser.add_argument(
        "--melody", metavar="TEXT", help="only those whose melody has this in its name"
    )
    parser.add_argument(
        "--limit",
        metavar="N",
        help=f"how many, the newest first (0: all; default: {LISTED}, on a page {ON_A_PAGE})",
    )
    add_folder_flags(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON object")
    form.add_argument(
        "--html", action="store_true", help="write a page with players into the folder"
    )


def run(arguments: argparse.Namespace) -> int:
    """List the clips, or write the page; return the exit status.

    Raises:
        BadArgument: an option cannot be used.
        NotWritable, DiskFull: the page cannot be written.
    """
    limit = _limit(arguments)
    book = open_book(arguments)
    clips = islice(_wanted(book, arguments), limit)
    if arguments.html:
        from bridge.tools.clip_page import write_page
        from bridge.tools.progress_bar import progress_bar

        with progress_bar() as progress:
            page = write_page(book.folder, list(clips), lambda share: progress("drawing", share))
        print(page)
    elif arguments.json:
        _print_json(book, clips)
    else:
        _print_lines(book, clips)
        if not arguments.discarded and (count := book.count_discarded()):
            print(f"{count} discarded: `melody-bridge clips --discarded` lists them")
    if book.left_out and sys.stderr is not None:
        print(
            f"{book.left_out} sidecars are left out: their clip is gone, or they cannot be read",
            file=sys.stderr,
        )
    return 0


def _limit(arguments: argparse.Namespace) -> int | None:
    """How many clips to show at most; None: all."""
    if arguments.limit is None:
        return ON_A_PAGE if arguments.html else LISTED
    most = MOST_ON_A_PAGE if arguments.html else MOST_LISTED
    limit = int(ints(0, most)("limit", arguments.limit))
    return limit or (MOST_ON_A_PAGE if arguments.html else None)


def _wanted(book: ClipBook, arguments: argparse.Namespace) -> Iterator[BookClip]:
    """The clips that the command line asks for, the newest first."""
    melody = None if arguments.melody is None else arguments.melody.casefold()
    preset = None if arguments.preset is None else arguments.preset.casefold()
    for clip in book.newest(discarded=arguments.discarded):
        if arguments.kept and not clip.known.is_kept:
            continue
        if preset is not None and clip.text("preset").casefold() != preset:
            continue
        if melody is None or melody in clip.melody.casefold():
            yield clip


def _print_lines(book: ClipBook, clips: Iterator[BookClip]) -> None:
    """Print a line a clip: id, mark, time, similarity, name and melody."""
    is_empty = True
    for clip in clips:
        is_empty = False
        similarity = clip.known.melody_similarity
        columns = [
            clip.id,
            "kept" if clip.known.is_kept else "    ",
            f"{clip.made.astimezone():%Y-%m-%d %H:%M}",
            f"{similarity:4.2f}" if similarity is not None else "    ",
            printable(clip.known.path.stem),
            *([f"<- {printable(clip.melody)}"] if clip.melody else []),
        ]
        print("  ".join(columns))
    if is_empty:
        print(f"no such clips in {book.folder}")


def _print_json(book: ClipBook, clips: Iterator[BookClip]) -> None:
    """Print one object, clip by clip: a folder may hold more than memory does."""
    print(f'{{"folder": {json.dumps(str(book.folder))}, "clips": [', end="")
    for number, clip in enumerate(clips):
        print(",\n" if number else "\n", end="")
        print(json.dumps(as_json(clip), ensure_ascii=False, allow_nan=False), end="")
    print(f'\n], "left_out": {book.left_out}}}')


def as_json(clip: BookClip) -> dict[str, Any]:
    """A clip as JSON's types."""
    known = clip.known
    return {
        "id": clip.id,
        "path": str(known.path),
        "mark": clip.mark,
        "made": clip.made.isoformat(timespec="seconds"),
        "request": known.request,
        "index": known.index,
        "bars": known.bars,
        "tempo_bpm": float(known.tempo_bpm),
        "meter": str(known.meter),
        "seed": known.seed,
        "sample_rate": known.sample_rate,
        "melody_similarity": known.melody_similarity,
        **{name: plain(clip.fields.get(name)) for name in _SETTINGS},
        # Where it is now, wherever the folder has been moved to.
        "take": None if clip.take is None else str(clip.take),
        "notes": None if clip.notes is None else str(clip.notes),
    }


def plain(value: object) -> Any:
    """A field of a sidecar as JSON's types; None: it is nothing that this program writes there."""
    if isinstance(value, list):
        return [each for each in value if isinstance(each, str)]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | bool) else None


def printable(text: str) -> str:
    """A name on one line of a terminal: file names and sidecars may hold control characters."""
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text
    )
