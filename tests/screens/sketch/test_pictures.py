"""The picture of a clip's melody: a recording with the notes that were meant by it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from bridge.audio import Waveform
from bridge.chroma import pitch_classes
from bridge.screens.sketch.pictures import Picture, Pictures
from tests.hummed import RATE, hummed

NOTES = [{"start_beat": 0, "length_beats": 4, "pitch": 61, "velocity": 100}]


def melody_of(folder: Path, **fields: Any) -> Picture:
    """The picture of the melody of a clip with these fields in its sidecar."""
    hum = folder / "hum.wav"
    soundfile.write(hum, hummed(cents=-45).samples, RATE)
    clip = folder / "clip.wav"
    soundfile.write(clip, hummed().samples, RATE)
    clip.with_suffix(".json").write_text(
        json.dumps({"melody": str(hum), "tempo_bpm": 120, **fields})
    )

    async def read() -> Picture:
        drawn = asyncio.Event()
        pictures = Pictures(drawn.set)
        pictures.of_clip(str(clip))
        async with asyncio.timeout(60):
            await drawn.wait()
        melody = pictures.of_clip(str(clip))[1]
        await pictures.close()
        return melody

    return asyncio.run(read())


def test_the_notes_that_were_meant_are_drawn_over_the_recording(tmp_path: Path) -> None:
    picture = melody_of(tmp_path, notes=NOTES)
    assert set(picture.classes[:14].tolist()) == {1}
    assert set(picture.classes[18:].tolist()) == {-1}
    assert picture.peaks.max() > 0.1


@pytest.mark.parametrize(
    "fields",
    [
        {"notes": None},
        {"notes": [{"pitch": "high"}]},
        # These notes count from the part's start, and the picture is that of the whole file.
        {"notes": NOTES, "melody_start_seconds": 1.0},
    ],
)
def test_else_the_recordings_own_pitch_classes(tmp_path: Path, fields: dict[str, Any]) -> None:
    picture = melody_of(tmp_path, **fields)
    samples, _ = soundfile.read(tmp_path / "hum.wav", dtype="float32", always_2d=True)
    assert np.array_equal(picture.classes, pitch_classes(Waveform(samples, RATE)))
