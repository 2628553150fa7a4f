"""A mix is separated before anything is heard in it: its melody's stem gives notes, key and tempo.

The stem is the melody that the mix was made of; `tests/engine/test_stems.py` has Demucs's own code.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from bridge.audio import Waveform
from bridge.config import merge
from bridge.errors import SilentMelody, Unsupported
from bridge.rendering.plan import RenderPlan, prepare
from bridge.rendering.stems import with_melody, without_stems
from tests.hummed import RATE, SCALE, hummed

HUM = hummed([*SCALE, *SCALE], tempo_bpm=100)
PITCHES = [pitch for pitch, _ in SCALE]
OPTIONS = {"prompt": "keys, in {key}", "bars": 2, "tempo_bpm": "100", "key": "auto"}


@pytest.fixture(scope="module")
def mixed() -> Waveform:
    """The hum under a bass on another key's notes, and a snare on every eighth."""
    seconds = np.arange(HUM.frames) / RATE
    eighth_seconds = 0.3
    bass_hertz = np.where(seconds % 2.4 < 1.2, 46.25, 69.3)
    bass = np.sin(2 * np.pi * np.cumsum(bass_hertz) / RATE)
    noise = np.random.default_rng(3).normal(0, 1, HUM.frames)
    snare = noise * np.exp(-(seconds % eighth_seconds) / 0.05)
    sound = HUM.samples[:, 0] + 0.6 * bass + 0.5 * snare
    return Waveform((0.3 * sound).astype(np.float32)[:, None], RATE)


def plan_of(folder: Path, waveform: Waveform, **options: Any) -> RenderPlan:
    file = folder / "song.wav"
    soundfile.write(file, waveform.samples, waveform.sample_rate, subtype="FLOAT")
    return prepare(merge({"melody": file, "out": str(folder), "seed": 1, **OPTIONS, **options}))


def separated(plan: RenderPlan) -> RenderPlan:
    """The plan with the hum in place of the mix."""
    assert plan.mix is not None
    first, frames = plan.mix.first_frame, plan.mix.waveform.frames
    return with_melody(plan, plan.mix, Waveform(HUM.samples[first : first + frames], RATE))


@pytest.mark.parametrize("melody_from", ["notes", "auto"])
@pytest.mark.parametrize("stems", ["auto", "on"])
def test_the_notes_of_a_mix_are_those_of_its_melody(
    tmp_path: Path, mixed: Waveform, melody_from: str, stems: str
) -> None:
    plan = plan_of(tmp_path, mixed, melody_from=melody_from, stems=stems)
    assert plan.notes is None and plan.aligned is None, "nothing is heard before it is separated"
    heard = separated(plan)
    assert heard.is_separated and heard.mix is None and heard.seed == plan.seed
    assert heard.notes is not None
    assert [note.pitch for note in heard.notes][: len(PITCHES)] == PITCHES
    assert heard.prompt == "keys, in C major, 100 bpm"
    alone = plan_of(tmp_path, HUM, melody_from=melody_from)
    assert alone.aligned is not None and heard.aligned is not None
    assert np.array_equal(heard.aligned.classes, alone.aligned.classes)


def test_notes_are_looked_for_in_a_mixs_melody_even_where_the_mix_has_none(
    tmp_path: Path,
) -> None:
    rng = np.random.default_rng(1)
    drums = np.sin(2 * np.pi * 50 * np.arange(HUM.frames) / RATE) + rng.normal(0, 1, HUM.frames)
    sound = Waveform((0.2 * drums + 0.02 * HUM.samples[:, 0])[:, None].astype(np.float32), RATE)
    with pytest.raises(SilentMelody, match="melody_from notes"):
        plan_of(tmp_path, sound, melody_from="notes", stems="off", key="C major")
    heard = separated(plan_of(tmp_path, sound, melody_from="notes", stems="on", key="C major"))
    assert heard.notes is not None and heard.notes[0].pitch == PITCHES[0]


def test_the_tempo_of_a_mix_is_heard_in_its_melody(tmp_path: Path, mixed: Waveform) -> None:
    plan = plan_of(tmp_path, mixed, tempo_bpm="auto", stems="on")
    heard = separated(plan)
    assert abs(float(heard.tempo_bpm) - 100) < 3
    assert any("bpm, as it was heard" in remark for remark in heard.remarks)
    assert not any("is assumed" in remark for remark in (*plan.remarks, *heard.remarks))


def test_where_stems_are_missing_the_mix_itself_is_heard(tmp_path: Path, mixed: Waveform) -> None:
    plan = plan_of(tmp_path, mixed, key="C major")
    assert plan.mix is not None
    heard = without_stems(plan, plan.mix, Unsupported("stems need Demucs"))
    assert heard.mix is None and not heard.is_separated
    off = plan_of(tmp_path, mixed, key="C major", stems="off")
    assert heard.aligned is not None and off.aligned is not None
    assert np.array_equal(heard.aligned.chroma, off.aligned.chroma)
    assert "because stems need Demucs" in " ".join(heard.remarks)
