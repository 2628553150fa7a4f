"""The order of a request's clips: by score and weights, with a remark on the last."""

from __future__ import annotations

from pathlib import Path

from bridge.audio import Waveform
from bridge.config import merge
from bridge.rendering.plan import prepare
from bridge.rendering.render import RankedClip, finish_clips
from tests.clip.material import RATE, drums, plucks, stereo

TUNE = (60, 62, 64, 67, 65, 64, 62, 60)


def finished(out: Path, **weights: str) -> list[RankedClip]:
    """A clip that is silent for a bar, and one that is not, of one request without a melody."""
    sound = stereo(drums(120, 12), plucks(120, 12, TUNE, step_beats=1.0))
    samples = sound.samples.copy()
    samples[4 * RATE : 6 * RATE + RATE // 4] = 0
    options = {"prompt": "keys", "bars": "4", "tempo_bpm": "120", "seed": "7", "variations": "2"}
    plan = prepare(merge({**options, **weights, "out": out}))
    return finish_clips(plan, [Waveform(samples, RATE), sound])


def test_a_clip_with_a_fault_comes_last_and_its_remark_names_the_fault(tmp_path: Path) -> None:
    best, last = finished(tmp_path)
    assert (best.seed, last.seed) == (8, 7)
    last_silence, best_silence = (each.finished.score.silence for each in (last, best))
    assert last_silence is not None and best_silence is not None
    assert last_silence < 0.5 < best_silence
    assert "ranked last of 2: a long silence" in last.finished.remarks
    assert not any("ranked" in remark for remark in best.finished.remarks)


def test_a_weight_of_0_lets_the_fault_pass(tmp_path: Path) -> None:
    first, second = finished(tmp_path, rank_silence="0")
    assert first.seed == 7
    assert not any("ranked" in remark for remark in second.finished.remarks)
