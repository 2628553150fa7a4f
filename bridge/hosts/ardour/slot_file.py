"""The file that a cue slot gets: the clip itself, or where Ardour would misread it, a copy."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from bridge.audio import Waveform
from bridge.delivery import KnownClip, write_clip
from bridge.delivery.playable import read_clip
from bridge.delivery.sidecar import UNREADABLE, read_fields, sidecars
from bridge.delivery.wav import SIDECAR
from bridge.errors import BadArgument
from bridge.hosts.ardour.reading import is_read, readable_name, tiles

FOLDER = "For Ardour"
"""The folder of the copies, in that of the clips."""
TILES = "tiles"
"""The field of a copy's sidecar that says how often it repeats the clip."""
TILED_FROM = "tiled_from"
"""The field of a copy's sidecar that names the clip."""
LONGEST_SECONDS = 300
"""No copy is longer: two channels of it take 300 MB while it is written."""


def slot_file(clip: KnownClip) -> Path:
    """The file for a cue slot in which Ardour reads the clip's tempo and length right.

    A copy repeats the clip until its length is one that Ardour keeps, and its name has the tempo
    where Ardour looks for it. Its sidecar is the clip's, with the fields `tiles` and `tiled_from`.

    Raises:
        BadArgument: the clip is raw, or the copy would be too long.
        UnreadableFile: the clip is gone, or is no audio.
        DiskFull, NotWritable: the copy cannot be written.
    """
    if not clip.bars:
        raise BadArgument(
            f"{clip.path.name} is a raw clip, and a cue slot needs whole bars: ask for bars in "
            "place of seconds, or put it on the timeline (--ardour-place region)"
        )
    number = tiles(clip.bars, clip.meter)
    if number == 1 and is_read(clip.path.stem, clip.tempo_bpm):
        return clip.path
    folder = clip.path.parent / FOLDER
    name = readable_name(clip.path.stem, clip.tempo_bpm)
    copy = folder / f"{name}.wav"
    fields = _fields(clip.path)
    if _is_copy_of(clip, copy, number):
        return copy
    playable = read_clip(clip)
    seconds = playable.waveform.seconds * number
    if seconds > LONGEST_SECONDS:
        raise BadArgument(
            f"{clip.path.name}: Ardour reads its length right from {number} repetitions on, which "
            f"take {seconds:.0f} s, and {LONGEST_SECONDS} s is the most: put it on the timeline "
            "(--ardour-place region)"
        )
    tiled = replace(playable.waveform, samples=np.tile(playable.waveform.samples, (number, 1)))
    return _write(clip, folder, tiled, number, {**fields}, name)


def remove_orphans(folder: Path) -> None:
    """Remove the copies of clips that are no longer in their folder.

    Args:
        folder: of the clips.
    """
    for entry in sidecars(folder / FOLDER):
        sidecar = Path(entry.path)
        with suppress(*UNREADABLE):
            fields = read_fields(sidecar)
            if TILES in fields and not (folder / str(fields[TILED_FROM])).exists():
                sidecar.with_suffix(".wav").unlink(missing_ok=True)
                sidecar.unlink()


def _write(
    clip: KnownClip,
    folder: Path,
    tiled: Waveform,
    number: int,
    fields: dict[str, object],
    name: str,
) -> Path:
    return write_clip(
        folder,
        tiled,
        {**fields, "bars": clip.bars * number, TILES: number, TILED_FROM: clip.path.name},
        name=name,
        bars=clip.bars * number,
        tempo_bpm=clip.tempo_bpm,
        meter=clip.meter,
    )


def _is_copy_of(clip: KnownClip, copy: Path, number: int) -> bool:
    """Whether this copy of the clip was written before."""
    fields = _fields(copy)
    return copy.is_file() and (fields.get(TILES), fields.get(TILED_FROM)) == (
        number,
        clip.path.name,
    )


def _fields(clip: Path) -> dict[str, object]:
    """The fields of a clip's sidecar; none where it cannot be read."""
    try:
        return read_fields(clip.with_suffix(SIDECAR))
    except UNREADABLE:
        return {}
