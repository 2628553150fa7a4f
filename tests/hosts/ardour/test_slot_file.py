"""The file that a cue slot gets, with real clips."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bridge.audio import Waveform
from bridge.delivery import KnownClip, clip_name, write_clip
from bridge.errors import BadArgument, UnreadableFile
from bridge.hosts.ardour.slot_file import FOLDER, remove_orphans, slot_file
from bridge.timing import FALLBACK_METER, Meter, bars_to_frames

RATE = 8000


def clip(
    folder: Path,
    *,
    bars: int,
    meter: Meter = FALLBACK_METER,
    tempo_bpm: int = 120,
    title: str = "keys",
) -> KnownClip:
    """A written clip of noise."""
    frames = bars_to_frames(bars, meter, Fraction(tempo_bpm), RATE)
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, (frames, 2)).astype(np.float32)
    path = write_clip(
        folder,
        Waveform(noise, RATE),
        {"bars": bars, "prompt": "warm keys"},
        name=clip_name(title, tempo_bpm=Fraction(tempo_bpm), bars=bars, seed=7),
        bars=bars,
        tempo_bpm=Fraction(tempo_bpm),
        meter=meter,
    )
    return KnownClip(path, "me-1", 0, bars, Fraction(tempo_bpm), meter, 7, RATE, None)


def test_a_clip_that_ardour_reads_right_is_given_as_it_is(tmp_path: Path) -> None:
    known = clip(tmp_path, bars=4)
    assert slot_file(known) == known.path
    assert not (tmp_path / FOLDER).exists()


@pytest.mark.parametrize(("bars", "meter", "number"), [(3, Meter(4, 4), 6), (4, Meter(7, 8), 6)])
def test_a_copy_repeats_a_length_that_ardour_misreads_and_its_sidecar_says_so(
    tmp_path: Path, bars: int, meter: Meter, number: int
) -> None:
    known = clip(tmp_path, bars=bars, meter=meter)
    copy = slot_file(known)
    once, _ = soundfile.read(known.path, dtype="int32")
    repeated, rate = soundfile.read(copy, dtype="int32")
    assert rate == RATE
    assert np.array_equal(repeated, np.tile(once, (number, 1)))
    sidecar = json.loads(copy.with_suffix(".json").read_text())
    assert sidecar == {
        "bars": bars * number,
        "prompt": "warm keys",
        "tiles": number,
        "tiled_from": known.path.name,
    }


def test_a_clip_whose_title_has_another_tempo_gets_a_copy_of_another_name(tmp_path: Path) -> None:
    known = clip(tmp_path, bars=4, title="hum-112bpm")
    copy = slot_file(known)
    assert copy.stem.endswith(" 120bpm") and "112" not in copy.stem
    assert np.array_equal(soundfile.read(copy)[0], soundfile.read(known.path)[0])


def test_a_copy_is_made_once_and_goes_when_its_clip_has_gone(tmp_path: Path) -> None:
    known, other = clip(tmp_path, bars=3), clip(tmp_path, bars=5)
    copies = [slot_file(known), slot_file(other)]
    assert slot_file(known) == copies[0]
    known.path.unlink()
    (tmp_path / FOLDER / "notes.json").write_text("{}")
    remove_orphans(tmp_path)
    left = {path.name for path in (tmp_path / FOLDER).iterdir()}
    assert left == {copies[1].name, copies[1].with_suffix(".json").name, "notes.json"}


def test_a_raw_clip_is_refused_at_once(tmp_path: Path) -> None:
    raw = replace(clip(tmp_path, bars=4), bars=0)
    with pytest.raises(BadArgument, match="ask for bars"):
        slot_file(raw)


def test_a_clip_that_is_gone_or_would_become_too_long_is_refused(tmp_path: Path) -> None:
    known = clip(tmp_path, bars=1, meter=Meter(99, 16), tempo_bpm=20)
    with pytest.raises(BadArgument, match="--ardour-place region"):
        slot_file(known)
    known.path.unlink()
    with pytest.raises(UnreadableFile):
        slot_file(known)
