"""`pocket` follows hums that it was never trained on, and holds the floors of the evaluation."""

from __future__ import annotations

import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from bridge import cli
from bridge.melody.notes import take_from_midi
from bridge.pocket.music import Part, melody_alone
from bridge.timing import Meter, bars_to_frames


@pytest.fixture(scope="module")
def figures() -> dict[str, dict[str, Any]]:
    """The table of `melody-bridge eval --short --json`, by row."""
    result = subprocess.run(
        [sys.executable, "-m", "bridge", "eval", "--short", "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    rows = json.loads(result.stdout)["figures"]
    return {row["name"]: row for row in rows}


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "melody similarity",
        "similarity to other melodies",
        "tempo within 3 % before fitting",
        "bar lines within 30 ms after fitting",
        "drums distinguished from no drums",
        "codec alone: pitch class kept",
        "24 s without gap or fade",
        "side/mid within -30 and -3 dB",
    ],
)
def test_pocket_holds_its_floors(figures: dict[str, dict[str, Any]], name: str) -> None:
    assert figures[name]["holds"], figures[name]


@pytest.mark.slow
def test_pocket_reaches_a_fifth_of_its_speed_floor(
    figures: dict[str, dict[str, Any]],
) -> None:
    (speed,) = (row for name, row in figures.items() if "real time" in name)
    assert speed["value"] >= speed["floor"] / 5


def test_a_stereo_hum_in_three_four_at_an_odd_tempo_is_followed_to_the_frame(
    melodies: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tune, meter = take_from_midi(melodies / "scarborough-90bpm.mid"), Meter(3, 4)
    assert tune.meter == meter
    assert isinstance(tune.source, tuple)
    rows = [(float(n.start_beat), float(n.length_beats), n.pitch, 1.0) for n in tune.source]
    tempo_bpm = Fraction("93.7")
    hum = melody_alone(
        Part.of("hum", rows),
        np.random.default_rng(3),
        tempo_bpm=float(tempo_bpm),
        frames=bars_to_frames(8, meter, tempo_bpm, 32_000),
    )
    path = tmp_path / "hum.wav"
    soundfile.write(path, hum.resampled(48_000).stereo().samples, 48_000, subtype="PCM_24")
    command = f"""render {path} --prompt flute,pad,93.7bpm --bars 4 --seed 1 --tempo 93.7
        --meter 3/4 --melody-tempo 93.7 --sample-rate 48000 --out {tmp_path / "clip.wav"} --json"""
    status = cli.main(command.split())
    printed = capsys.readouterr()
    assert status == 0, printed.err
    (clip,) = json.loads(printed.out)["clips"]
    exact = bars_to_frames(4, meter, tempo_bpm, 48_000)
    assert clip["frames"] == exact == soundfile.info(clip["path"]).frames
    assert clip["melody_similarity"] >= 0.7
