"""Steps in ONNX Runtime: torch's tokens with every setting, and torch where it cannot."""

from __future__ import annotations

import gc
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from bridge.engine import Engine, Request, load, onnx_step, precision
from bridge.engine.onnx_step import TRIAL_STEPS, OnnxDecoder, OnnxSteps, Pace
from bridge.engine.pipeline import Pipeline
from bridge.engine.sampler import Sampler
from bridge.errors import Cancelled
from tests.checkpoints import write_checkpoint
from tests.engine.chunks import codes, needs_fast
from tests.peers.wait import until

pytestmark = [pytest.mark.usefixtures("two_threads"), needs_fast]
TIE = 1e-4
"""Logits closer than this are the same: float32 rounding depends on the order of sums."""
FEWEST_STEPS_TO_A_TIE = 160
"""A tie comes about once in ten thousand draws: none in these pieces but the longest ones."""
SHAPES: dict[str, dict[str, int]] = {
    "mono": {"channels": 1},
    "stereo": {"channels": 2},
    "odd": {"channels": 2, "hidden_size": 48, "num_attention_heads": 3, "num_hidden_layers": 3},
    "deep": {"channels": 1, "num_hidden_layers": 5, "num_attention_heads": 2, "ffn_dim": 96},
}


@pytest.fixture(scope="module", params=["pocket", *SHAPES])
def pair(
    request: pytest.FixtureRequest, two_threads: None, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Engine, Engine]:
    """Two engines of one checkpoint: steps in ONNX Runtime, and in torch."""
    model: str | Path = "pocket"
    if request.param != "pocket":
        folder = tmp_path_factory.mktemp(f"graph-{request.param}")
        model = write_checkpoint(folder, seed=4, **SHAPES[request.param])
    graph, plain = load(model, device="cpu"), load(model, device="cpu")
    plain._pipeline = Pipeline(plain._checkpoint, step="torch")
    assert isinstance(graph.pipeline.decoder, OnnxDecoder)
    assert not isinstance(plain.pipeline.decoder, OnnxDecoder)
    assert graph.remarks == ()
    return graph, plain


def assert_same_tokens(pair: tuple[Engine, Engine], request: Request) -> None:
    """Assert that both engines compute the same logits, and draw the same tokens of them.

    Where a draw differs at a tie (of two scores, or at the last one that top-k keeps), all later
    tokens may differ.
    """
    steps: list[list[tuple[torch.Tensor, torch.Tensor]]] = []
    made = []
    with pytest.MonkeyPatch.context() as patched:
        run, draw = OnnxSteps.__call__, Sampler.draw

        def of_graph(graph: OnnxSteps, *arguments: Any) -> NDArray[np.int64]:
            drawn = run(graph, *arguments)
            steps[0].append((graph.logits.clone(), torch.from_numpy(drawn.copy())))
            return drawn

        def of_torch(sampler: Sampler, logits: torch.Tensor, *more: Any, **flags: Any) -> Any:
            drawn = draw(sampler, logits, *more, **flags)
            if len(steps) == 2:
                steps[1].append((logits.clone(), drawn))
            return drawn

        patched.setattr(OnnxSteps, "__call__", of_graph)
        patched.setattr(Sampler, "draw", of_torch)
        for engine in pair:
            steps.append([])
            made.append(codes(engine, request))
    assert len(steps[0]) == len(steps[1]) > 0
    for number, ((graphs, drawn), (plain, expected)) in enumerate(zip(*steps, strict=True)):
        assert float((graphs - plain).abs().max()) < TIE
        if not torch.equal(drawn, expected):
            assert number > FEWEST_STEPS_TO_A_TIE
            return
    assert np.array_equal(made[0], made[1])


SETTINGS: dict[str, dict[str, Any]] = {
    "text and melody": {},
    "greedy": {"do_sample": False},
    "no guidance": {"guidance_scale": 1.0},
    "greedy, no guidance": {"guidance_scale": 1.0, "do_sample": False},
    "no text": {"prompt": None},
    "no melody": {"melody": None},
    "neither": {"prompt": None, "melody": None},
    "top-p": {"top_p": 0.7, "top_k": 0, "temperature": 0.8},
    "variations": {"variations": 3},
    "variations, no guidance": {"variations": 3, "guidance_scale": 1.0},
}


@pytest.mark.parametrize("name", SETTINGS)
def test_the_tokens_are_torchs(
    pair: tuple[Engine, Engine], melody: NDArray[np.float32], name: str
) -> None:
    usual = Request("warm drums", melody, 3.0, seed=11, guidance_scale=3.0)
    assert_same_tokens(pair, replace(usual, **SETTINGS[name]))


def test_a_continuation_has_torchs_tokens(
    pair: tuple[Engine, Engine], melody: NDArray[np.float32]
) -> None:
    before = codes(pair[1], Request("bass", melody, 1.0, seed=3))[0]
    assert_same_tokens(pair, Request("bass", melody, 2.0, seed=4, continue_from=before))


@pytest.mark.slow
def test_a_piece_of_two_windows_has_torchs_tokens(
    pair: tuple[Engine, Engine], melody: NDArray[np.float32]
) -> None:
    assert_same_tokens(pair, Request("warm drums", melody, 33.0, seed=5))


def test_a_variation_is_bit_for_bit_the_same_when_made_alone(
    pair: tuple[Engine, Engine], melody: NDArray[np.float32]
) -> None:
    request = Request("warm drums", melody, 1.0, seed=20, variations=3)
    together = pair[0].generate(request)
    for index, waveform in enumerate(together):
        alone = pair[0].generate(replace(request, seed=20 + index, variations=1))[0]
        assert np.array_equal(alone.samples, waveform.samples)


def test_requests_whose_top_k_differ_are_the_same_together_as_alone(
    pair: tuple[Engine, Engine],
) -> None:
    requests = [
        Request("warm drums", None, 1.0, seed=1, top_k=5),
        Request("warm drums", None, 1.0, seed=2, top_k=40, top_p=0.7, temperature=0.8),
    ]
    together = pair[0].generate(requests)
    for request, (made,) in zip(requests, together, strict=True):
        assert np.array_equal(made.samples, pair[0].generate(request)[0].samples)


def test_a_batch_that_is_used_again_keeps_nothing_of_the_last_request(
    pair: tuple[Engine, Engine], melody: NDArray[np.float32]
) -> None:
    request = Request("warm drums", melody, 1.0, seed=8)
    first = codes(pair[0], request)
    codes(pair[0], Request("slow bass", None, 2.0, seed=9))
    assert np.array_equal(codes(pair[0], request), first)


def test_a_cancel_takes_effect_within_a_step(pair: tuple[Engine, Engine]) -> None:
    shares = []

    def progress(share: float) -> None:
        shares.append(share)
        if len(shares) == 30:
            stream.cancel()

    request = Request(seconds=10.0)
    with pair[0].stream(request, progress=progress) as stream, pytest.raises(Cancelled):
        list(stream)
    assert len(shares) == 30


@pytest.mark.skipif(sys.platform != "linux", reason="counts threads in /proc")
def test_no_thread_of_a_dropped_engine_is_left(tmp_path: Path) -> None:
    def count() -> int:
        return len(os.listdir("/proc/self/task"))

    folder = write_checkpoint(tmp_path, channels=1)
    load(folder, device="cpu").generate(Request(seconds=0.2))  # torch's own threads stay
    gc.collect()
    before = count()
    engine = load(folder, device="cpu")
    engine.generate(Request(seconds=0.2))
    assert count() > before
    del engine
    gc.collect()
    until(lambda: count() == before, "its threads have ended")


def test_without_the_extra_the_steps_are_torchs_and_nothing_is_remarked(
    mono_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "PACKAGES", ("no_such_package",))
    engine = load(mono_folder, device="cpu")
    assert not isinstance(engine.pipeline.decoder, OnnxDecoder)
    assert engine.remarks == ()
    assert engine.generate(Request(seconds=0.2))[0].frames


@pytest.mark.parametrize(
    ("sizes", "reason"),
    [
        ({"hidden_size": 36, "num_attention_heads": 3}, "heads of 12"),
        ({"num_attention_heads": 8}, "heads of 4"),
    ],
)
def test_a_model_that_the_graph_cannot_hold_runs_in_torch_with_a_remark(
    tmp_path: Path, sizes: dict[str, int], reason: str
) -> None:
    engine = load(write_checkpoint(tmp_path, channels=1, **sizes), device="cpu")
    assert not isinstance(engine.pipeline.decoder, OnnxDecoder)
    assert len(engine.remarks) == 1
    assert engine.remarks[0].startswith("the steps run in torch, not in ONNX Runtime: ")
    assert reason in engine.remarks[0]
    assert engine.generate(Request(seconds=0.2))[0].frames


@pytest.mark.parametrize(
    ("fault", "reason"),
    [("MOST_WEIGHT_BYTES", "more than 0"), ("LARGEST_DIFFERENCE", "from torch's")],
)
def test_too_large_or_wrong_graphs_are_not_used(
    mono_folder: Path, monkeypatch: pytest.MonkeyPatch, fault: str, reason: str
) -> None:
    monkeypatch.setattr(onnx_step, fault, 0)
    engine = load(mono_folder, device="cpu")
    assert reason in engine.remarks[0]


def test_smaller_number_types_run_in_torch_without_a_remark(mono_folder: Path) -> None:
    engine = load(mono_folder, device="cpu", dtype="bfloat16")
    assert not isinstance(engine.pipeline.decoder, OnnxDecoder)
    assert engine.remarks == ()


def test_another_program_on_a_core_turns_the_steps_to_one_thread() -> None:
    pace = Pace(2)
    ways = []

    def steps(count: int, several: float) -> None:
        for _ in range(count):
            ways.append(pace.way)
            pace.took(several if pace.way else 1.0)

    steps(TRIAL_STEPS, 0.6)
    assert set(ways) == {0}
    ways.clear()
    steps(500, 0.6)
    assert set(ways) == {1}
    ways.clear()
    steps(4000, 8.0)
    # Each trial ends after three steps, and they become rare.
    assert 3 <= sum(ways) <= 30
    ways.clear()
    steps(2000, 0.6)
    assert set(ways[-500:]) == {1}


def test_one_thread_stays_one() -> None:
    pace = Pace(1)
    for _ in range(100):
        assert pace.way == 0
        pace.took(1.0)
