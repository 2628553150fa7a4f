"""Early ends: the same clip in a render, a batch and the daemon, whatever comes in which chunks."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from bridge.audio import MODEL_SAMPLE_RATE, Waveform
from bridge.config import Options
from bridge.engine import Engine, load
from bridge.rendering.early_ends import (
    beginnings,
    early_ends,
    frames_to_come,
    generated,
    look,
    share_of_needed,
)
from bridge.rendering.plan import RenderPlan, prepare
from bridge.rendering.render import render, request_for
from tests.peers.daemon import Client, running

HUM = Path(__file__).parents[1] / "melodies" / "saints-hum-120bpm.wav"
SEED = 3
BARS = 2


@pytest.fixture(scope="module")
def pocket() -> Engine:
    return load("pocket", device="cpu")


def plan_of(out: Path, **options: Any) -> RenderPlan:
    given: dict[str, Any] = {
        "melody": HUM,
        "melody_tempo_bpm": Fraction(120),
        "tempo_bpm": Fraction(120),
        "prompt": "electric piano, bass, drums, 120 bpm",
        "bars": BARS,
        "seed": SEED,
        "out": out,
    }
    return prepare(Options(**{**given, **options}))


def made(engine: Engine, *plans: RenderPlan) -> list[list[Waveform]]:
    ends = [early_ends(plan) for plan in plans]
    return generated(engine, [request_for(plan) for plan in plans], ends, lambda share: None)


def same(ones: Sequence[Waveform], others: Sequence[Waveform]) -> bool:
    return [one.samples.shape for one in ones] == [other.samples.shape for other in others] and all(
        np.allclose(one.samples, other.samples, atol=2e-6)
        for one, other in zip(ones, others, strict=True)
    )


def test_what_is_made_is_the_beginning_of_the_whole_piece(tmp_path: Path, pocket: Engine) -> None:
    plan = plan_of(tmp_path, variations=2)
    shares: list[float] = []
    ends = early_ends(plan)
    (early,) = generated(pocket, [request_for(plan)], [ends], shares.append)
    whole = pocket.generate(request_for(plan))
    clip_seconds = float(plan.clip_seconds)
    for one, piece in zip(early, whole, strict=True):
        assert clip_seconds < one.seconds <= piece.seconds
        assert np.allclose(one.samples, piece.samples[: one.frames], atol=2e-6)
    assert any(one.frames < piece.frames for one, piece in zip(early, whole, strict=True))
    assert shares == sorted(shares) and shares[-1] <= 1


def test_the_rest_of_a_piece_is_not_made(
    tmp_path: Path, pocket: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, frames = plan_of(tmp_path), 0
    generate = pocket.generate

    def counted(*requests: Any, **more: Any) -> Any:
        nonlocal frames
        pieces = generate(*requests, **more)
        frames = pieces[0][0].frames
        return pieces

    monkeypatch.setattr(pocket, "generate", counted)
    made(pocket, plan)
    assert frames < plan.piece_seconds * MODEL_SAMPLE_RATE - 0.3 * MODEL_SAMPLE_RATE


@pytest.mark.parametrize("chunk_steps", [(3,), (50,)])
def test_other_chunks_end_at_the_same_frame(
    tmp_path: Path, pocket: Engine, monkeypatch: pytest.MonkeyPatch, chunk_steps: tuple[int, ...]
) -> None:
    plan = plan_of(tmp_path)
    (usual,) = made(pocket, plan)
    monkeypatch.setattr("bridge.engine.piece.CHUNK_STEPS", chunk_steps)
    (other,) = made(pocket, plan)
    assert same(usual, other)


def test_rows_that_are_made_together_end_as_they_do_alone(tmp_path: Path, pocket: Engine) -> None:
    plans = [plan_of(tmp_path, bars=1, variations=2)]
    plans.append(plan_of(tmp_path, bars=1, seed=8, prompt="flute, strings, no drums, slow"))
    together = made(pocket, *plans)
    for plan, waveforms in zip(plans, together, strict=True):
        (alone,) = made(pocket, plan)
        assert same(alone, waveforms)


def test_the_daemon_makes_the_clip_that_render_makes(tmp_path: Path) -> None:
    hum = Path(shutil.copy(HUM, tmp_path / "hum.wav"))
    plan = plan_of(tmp_path / "rendered", melody=hum)
    assert plan.prompt is not None
    (rendered,) = render(plan).clips
    with running(tmp_path, "--model", "pocket") as daemon, Client(daemon.port) as client:
        client.send("/bridge/capture/file", "me-1", str(hum), "tempo_bpm", 120)
        settings = ("bars", BARS, "seed", SEED, "tempo_bpm", 120, "prompt", plan.prompt)
        client.send("/bridge/generate", "me-2", *settings, "melody", "me-1")
        (clip,) = client.done("me-2")
        shares = [
            float(str(event.arguments[1]))
            for event in client.of("me-2")
            if event.address == "/bridge/progress"
        ]
    assert shares == sorted(shares) and shares[-1] == pytest.approx(0.95)
    path = Path(str(clip.arguments[3]))
    of_daemon, of_render = (soundfile.read(each)[0] for each in (path, rendered.path))
    assert of_daemon.shape == of_render.shape
    assert np.abs(of_daemon - of_render).max() < 1e-5
    fields = [json.loads(each.with_suffix(".json").read_text()) for each in (path, rendered.path)]
    for name in ("fitted", "stretch_ratio", "source_offset_seconds", "frames"):
        assert fields[0][name] == fields[1][name]


def test_looks_come_in_order_and_a_piece_that_needs_all_of_it_has_no_end(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, variations=2)
    silent, end = early_ends(plan)
    frames = frames_to_come([silent, end])
    assert frames == silent.look_frames == end.look_frames
    end.frames, end.look_frames = 200_000, None
    assert frames_to_come([silent, end]) == silent.look_frames
    silent.look_frames = None
    assert frames_to_come([silent, end]) is None
    assert share_of_needed([silent, end], 0.4) == 0.4
    silent.frames = 100_000
    assert frames_to_come([silent, end]) == 200_000
    whole_frames = plan.piece_seconds * MODEL_SAMPLE_RATE
    assert share_of_needed([silent, end], 0.4) == pytest.approx(0.4 * whole_frames / 200_000)
    pieces = [Waveform(np.zeros((200_000, 2), np.float32), MODEL_SAMPLE_RATE)] * 2
    look(pieces, [silent, end])
    assert [each.frames for each in beginnings(pieces, [silent, end])] == [100_000, 200_000]
