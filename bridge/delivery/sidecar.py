"""Sidecars: what is known of a clip in a clips folder, where any program may have written."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from bridge.config import read_value
from bridge.config.small_file import read_small_file
from bridge.delivery.wav import SIDECAR
from bridge.errors import BadArgument
from bridge.timing import Meter, parse_tempo

KEPT = "kept"
"""The field that says whether the clip is kept; missing: it is not."""
UNREADABLE = (
    *(OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError, ArithmeticError),
    BadArgument,
)
"""Errors that reading another program's file can raise."""


@dataclass(frozen=True)
class KnownClip:
    """A clip in the clips folder.

    Attributes:
        path: absolute.
        request: the id of the request that made it; empty when none did.
        index: its index in that request, from 0.
        bars: 0: a raw clip, which has none and cannot loop.
        melody_similarity: 0…1; None without a melody.
        is_kept: somebody has marked it as kept.
    """

    path: Path
    request: str
    index: int
    bars: int
    tempo_bpm: Fraction
    meter: Meter
    seed: int
    sample_rate: int
    melody_similarity: float | None
    is_kept: bool = False


def read_fields(sidecar: Path) -> dict[str, Any]:
    """The fields of a sidecar.

    Raises:
        OSError: it cannot be read, or is no small file.
        ValueError, RecursionError: it holds no JSON object.
    """
    return fields_of(read_small_file(sidecar))


def fields_of(text: str) -> dict[str, Any]:
    """The fields of a sidecar's text.

    Raises:
        ValueError, RecursionError: it holds no JSON object.
    """
    fields = json.loads(text)
    if not isinstance(fields, dict):
        raise ValueError("it holds no JSON object")
    return fields


def sidecars(folder: Path) -> Iterator[os.DirEntry[str]]:
    """The sidecars of a folder, in any order; none where the folder cannot be read."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(SIDECAR) and not entry.name.startswith("."):
                yield entry


def newest_sidecars(folder: Path) -> list[tuple[int, str]]:
    """When each sidecar of a folder was written, in nanoseconds since 1970, and its name.

    The newest is the first.
    """
    dated = []
    for entry in sidecars(folder):
        # A clip that is removed meanwhile.
        with suppress(OSError):
            dated.append((entry.stat().st_mtime_ns, entry.name))
    dated.sort(reverse=True)
    return dated


def is_kept(sidecar: Path) -> bool:
    """Whether a sidecar says that its clip is kept; False where it cannot be read."""
    try:
        return read_fields(sidecar).get(KEPT) is True
    except (OSError, ValueError, RecursionError):
        return False


def read_known(sidecar: Path) -> KnownClip | None:
    """Read a sidecar; None if its clip is gone, or if another program wrote it."""
    try:
        return known_clip(sidecar, read_fields(sidecar))
    # A file of another program must not keep the daemon from starting, whatever it contains.
    except UNREADABLE:
        return None


def known_clip(sidecar: Path, fields: Mapping[str, Any]) -> KnownClip | None:
    """The clip of a sidecar with these fields; None if the clip is gone.

    Raises:
        UNREADABLE: another program wrote the sidecar.
    """
    path = sidecar.with_suffix(".wav")
    if not path.is_file():
        return None
    raw = fields["melody_similarity"]
    similarity = None if raw is None else float(raw)
    return KnownClip(
        path=path,
        request=str(fields.get("request", "")),
        index=int(fields.get("index", 0)),
        bars=0 if fields["bars"] == 0 else read_value("bars", fields["bars"]),
        tempo_bpm=read_tempo(fields["tempo_bpm"]),
        meter=Meter.parse(fields["meter"]),
        seed=read_value("seed", fields["seed"]),
        sample_rate=read_value("sample_rate", fields["sample_rate"]),
        # JSON of other programs may hold NaN.
        melody_similarity=None if similarity is None or math.isnan(similarity) else similarity,
        is_kept=fields.get(KEPT) is True,
    )


def read_tempo(fields: object) -> Fraction:
    """Read a tempo: sidecars have decimals as numbers, and other fractions as text."""
    if isinstance(fields, str) and "/" in fields:
        numerator, _, denominator = fields.partition("/")
        return parse_tempo(Fraction(int(numerator), int(denominator)))
    return parse_tempo(fields if isinstance(fields, str) else float(str(fields)))
