"""Recordings whose sides cancel are melodies, not silence."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from bridge.audio import Waveform
from bridge.melody import audio_file, read_melody
from bridge.melody.align import align_to_bars
from bridge.timing import Meter

CASES = Path(__file__).parents[1] / "cases"
C, D, E, G, B = 0, 2, 4, 7, 11


@pytest.mark.parametrize("name", ["antiphase.flac", "antiphase-noise.flac"])
def test_the_notes_of_a_hum_whose_sides_cancel_are_found(name: str) -> None:
    take = read_melody(CASES / name)
    melody = align_to_bars(take, bars=2, tempo_bpm=Fraction(120), meter=Meter())
    classes = melody.classes.tolist()
    heard = [note for note, last in zip(classes, [-1, *classes], strict=False) if note != last]
    assert heard == [C, E, G, C, B, G, D, C]


def test_a_file_that_is_mixed_while_it_is_read_is_mixed_alike(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = read_melody(CASES / "antiphase-noise.flac").source
    monkeypatch.setattr(audio_file, "KEPT_SAMPLES", 1000)
    mixed = read_melody(CASES / "antiphase-noise.flac").source
    assert isinstance(whole, Waveform) and isinstance(mixed, Waveform)
    expected = whole.mono().resampled(mixed.sample_rate).samples
    assert np.allclose(mixed.samples, expected[: mixed.frames], atol=1e-3)
