"""Clips that go on from another one: their length, their own bars, and the seam."""

from __future__ import annotations

import json
import shutil
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from bridge.audio import Waveform
from bridge.chroma import STEP_SECONDS, pitch_classes, similarity
from bridge.config import merge
from bridge.engine import Engine, load
from bridge.errors import BridgeError
from bridge.rendering.continuation import HEARD_SECONDS, OVERLAP_SECONDS, OVERLAP_STEPS
from bridge.rendering.plan import DEMO_MELODY, prepare
from bridge.rendering.render import Rendered, finish_clips, render, request_for
from tests.rendering.seams import ORDINARY, flux, loudness_steps, share_below

RATE = 44_100
MELODIES = Path(__file__).parents[1] / "melodies"


def write_loop(path: Path, seconds: float, *, rate: int = RATE, channels: int = 2) -> Path:
    """A chord that swells on each beat at 120 bpm."""
    times = np.arange(round(seconds * rate)) / rate
    beat = np.exp(-6 * (times % 0.5))
    sound = sum(0.1 * np.sin(2 * np.pi * hz * times) for hz in (220, 277, 330)) * beat
    soundfile.write(path, np.repeat(np.asarray(sound)[:, None], channels, axis=1), rate)
    return path


def made(folder: Path, model: str | Path, **options: Any) -> Rendered:
    return render(prepare(merge({"out": str(folder), "model": str(model), **options})))


def samples(path: Path) -> NDArray[np.float64]:
    read, _ = soundfile.read(path, always_2d=True)
    return np.asarray(read)


@pytest.mark.parametrize(("bars", "own_bars"), [(3, 2), (10, 8)])
def test_the_result_has_the_clips_own_bars_and_new_ones_up_to_bars(
    tmp_path: Path, model: Path, bars: int, own_bars: int
) -> None:
    loop = write_loop(tmp_path / "loop.wav", own_bars * 2)
    rendered = made(
        tmp_path, model, continue_from=str(loop), bars=bars, tempo_bpm="120", prompt="warm"
    )
    (clip,) = rendered.clips
    assert clip.bars == bars and clip.frames == bars * 2 * RATE
    whole, own = samples(clip.path), samples(loop)
    # The beginning has the fade that closes the new loop, the end the fade into what was made.
    kept = slice(RATE // 4, len(own) - round(OVERLAP_SECONDS * RATE) - 100)
    assert np.corrcoef(whole[kept, 0], own[kept, 0])[0, 1] > 0.99  # limited
    assert np.abs(whole[len(own) :]).max() > 0
    sidecar = json.loads(clip.path.with_suffix(".json").read_text())
    assert sidecar["continue_from"] == str(loop) and sidecar["bars"] == bars


def test_the_model_hears_the_clips_end_and_the_melody_from_there(
    tmp_path: Path, model: Path
) -> None:
    loop = write_loop(tmp_path / "loop.wav", 20)
    hum = MELODIES / "twinkle-hum-100bpm.wav"
    plan = prepare(
        merge(
            {
                "out": str(tmp_path),
                "continue_from": str(loop),
                "bars": 12,
                "tempo_bpm": "120",
                "melody": str(hum),
                "melody_tempo_bpm": "100",
            }
        )
    )
    request = request_for(plan)
    heard = request.continue_from
    assert isinstance(heard, Waveform) and plan.continued is not None and plan.aligned is not None
    assert HEARD_SECONDS - STEP_SECONDS < heard.seconds <= HEARD_SECONDS
    assert request.melody is not None
    first = plan.continued.first_chroma_step
    assert 20 - first * STEP_SECONDS == pytest.approx(heard.seconds, abs=1e-4)
    np.testing.assert_array_equal(request.melody, plan.aligned.chroma[first:])
    # The melody covers a window from the clip's end on.
    assert len(request.melody) * STEP_SECONDS >= heard.seconds + 30
    assert request.overlap_steps == OVERLAP_STEPS
    assert 4 < request.seconds < 5


def test_tempo_meter_and_prompt_are_those_of_the_clips_sidecar(tmp_path: Path, model: Path) -> None:
    first = made(tmp_path, model, prompt="warm, {tempo} bpm", tempo_bpm="93.7", meter="7/8", bars=2)
    path = first.clips[0].path
    more = made(tmp_path, model, continue_from=str(path), bars=3)
    (clip,) = more.clips
    assert (clip.tempo_bpm, clip.meter, clip.prompt) == (93.7, "7/8", "warm, 94 bpm")
    assert clip.frames == round(Fraction(3 * 7 * 30 * RATE * 10, 937))
    # And again: a loop grows.
    (clip,) = made(tmp_path, model, continue_from=str(clip.path), bars=5).clips
    assert clip.frames == round(Fraction(5 * 7 * 30 * RATE * 10, 937))
    free = made(tmp_path, model, continue_from=str(path), bars=3, unconditional=True)
    assert free.clips[0].prompt is None


def test_a_clip_of_another_tempo_is_stretched(tmp_path: Path, model: Path) -> None:
    (first,) = made(tmp_path, model, prompt="warm", tempo_bpm="100", bars=1).clips
    plan = prepare(
        merge(
            {
                "out": str(tmp_path),
                "continue_from": str(first.path),
                "tempo_bpm": "120",
                "bars": 2,
                "model": str(model),
            }
        )
    )
    assert any("at 100 bpm, stretched to 120" in remark for remark in plan.remarks)
    assert plan.continued is not None and plan.continued.waveform.frames == 2 * RATE
    (clip,) = render(plan).clips
    assert clip.frames == 4 * RATE


def test_what_cannot_be_continued_is_refused_before_the_model_is_loaded(tmp_path: Path) -> None:
    loop = write_loop(tmp_path / "loop.wav", 4)
    text = tmp_path / "text.wav"
    text.write_text("no audio")
    cases: list[tuple[dict[str, Any], str]] = [
        ({"continue_from": loop, "bars": 2}, "has 2, .* such as 4"),
        ({"continue_from": loop, "tempo_bpm": None}, "--tempo"),
        ({"continue_from": loop, "tempo_bpm": "100"}, "no whole bars of 4/4 at 100 bpm"),
        ({"continue_from": tmp_path / "none.wav"}, "no such file"),
        ({"continue_from": tmp_path}, "no such file"),
        ({"continue_from": text}, "cannot be read"),
        ({"continue_from": write_loop(tmp_path / "many.wav", 2, channels=9)}, "9 channels"),
        ({"continue_from": write_loop(tmp_path / "long.wav", 601, rate=8000)}, "at most 600 s"),
        ({"continue_from": loop, "bars": 400}, "a clip has 600 s at most"),
    ]
    for options, message in cases:
        with pytest.raises(BridgeError, match=message):
            prepare(merge({"out": str(tmp_path), "bars": 8, "tempo_bpm": "120", **options}))
    other = Path(shutil.copy(loop, tmp_path / "other.wav"))
    other.with_suffix(".json").write_text('{"tempo_bpm": 120, "meter": "4/4"}')
    with pytest.raises(BridgeError, match="in 4/4, and 3/4 was asked for"):
        prepare(
            merge({"out": str(tmp_path), "bars": 8, "continue_from": str(other), "meter": "3/4"})
        )


@pytest.fixture(scope="module")
def pocket() -> Engine:
    return load("pocket", device="cpu")


@pytest.mark.slow
def test_the_seam_sounds_as_the_rest_and_the_melody_goes_on(tmp_path: Path, pocket: Engine) -> None:
    """Four pads of four bars that grow to eight, measured as the windows of a long piece are.

    Long notes, because drums hide a break.
    """
    shares, broken, loudness, stepped, followed, steps_db = [], [], [], [], [], []
    for seed in range(4):
        options = {
            "out": str(tmp_path),
            "melody": str(DEMO_MELODY),
            "melody_tempo_bpm": "100",
            "tempo_bpm": "100",
            "prompt": "strings, pad, no drums",
            "seed": seed,
        }
        first = render(prepare(merge(options)))
        plan = prepare(merge({**options, "continue_from": str(first.clips[0].path), "bars": 8}))
        (finished,) = finish_clips(plan, pocket.generate(request_for(plan)))
        whole = finished.finished.waveform
        assert plan.aligned is not None
        half = round(9.6 / STEP_SECONDS)
        followed.append(similarity(pitch_classes(whole)[half:], plan.aligned.classes[half:]))
        clip = whole.samples.astype(np.float64)
        seam = round(9.6 * RATE)
        shares.append(share_below(flux(clip, RATE), 9.6))
        loudness.append(share_below(loudness_steps(clip, RATE), 9.6))
        jump = clip.copy()
        jump[seam - 882 : seam + 882] = 0
        broken.append(share_below(flux(jump, RATE), 9.6))
        louder = clip.copy()
        louder[seam:] *= 2.5
        stepped.append(share_below(loudness_steps(louder, RATE), 9.6))
        power = [float((part**2).mean()) for part in (clip[:seam], clip[seam:])]
        steps_db.append(10 * np.log10(power[1] / power[0]))
    print(
        f"seams {np.mean(shares):.2f}, broken {np.mean(broken):.2f}, "
        f"loudness {np.mean(loudness):.2f}, stepped {np.mean(stepped):.2f}, "
        f"level {np.round(steps_db, 1)}, melody similarity {np.round(followed, 2)}"
    )
    assert abs(np.mean(steps_db)) < 2
    assert np.mean(shares) < ORDINARY < np.mean(broken)
    assert np.mean(loudness) < ORDINARY < np.mean(stepped)
    assert min(followed) > 0.6
