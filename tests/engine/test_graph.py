"""Captured steps, with a tape in place of CUDA graphs: a step takes no value from the host."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from bridge.engine import Engine, Request
from bridge.engine.batch import SPAN_BLOCK
from bridge.engine.graph import capture_for
from bridge.engine.piece import Piece
from bridge.engine.pipeline import Pipeline
from tests.engine.tape import Tape

SAMPLED = Request(prompt="warm drums", seconds=1.2, seed=5)


def made(engine: Engine, pipeline: Pipeline, request: Request) -> NDArray[np.int64]:
    """The request's codes, made by that pipeline."""
    piece = Piece(pipeline, engine._rows(request), round(request.seconds * 50))
    chunks = []
    while not piece.done:
        chunks.append(piece.next_chunk(lambda share: None).codes)
    piece.close()
    return np.concatenate(chunks, axis=2)


@pytest.fixture(params=["mono", "stereo"])
def engine(request: pytest.FixtureRequest) -> Engine:
    made: Engine = request.getfixturevalue(request.param)
    return made


def test_captured_steps_give_the_same_codes(engine: Engine, melody: NDArray[np.float32]) -> None:
    tape = Tape()
    captured = Pipeline(engine._checkpoint, tape)
    eager = Pipeline(engine._checkpoint, step="torch")
    for request in (
        SAMPLED,
        replace(SAMPLED, melody=melody, seed=6, temperature=0.7, top_k=5),
        replace(SAMPLED, top_p=0.6, guidance_scale=6.5),
        replace(SAMPLED, do_sample=False),
        replace(SAMPLED, prompt="slow", variations=2),
        replace(SAMPLED, guidance_scale=1.0),
    ):
        assert np.array_equal(made(engine, captured, request), made(engine, eager, request))
    assert tape.replayed == 6 * (60 + 3)


def test_other_settings_lengths_and_seeds_need_no_new_capture(engine: Engine) -> None:
    tape = Tape()
    pipeline = Pipeline(engine._checkpoint, tape)
    pipeline.warm_up()
    captured = tape.captured
    assert captured == -(-(235 + 3 + 1 + 1500 + 3) // SPAN_BLOCK)
    for request in (SAMPLED, replace(SAMPLED, prompt=None, temperature=2.0, seconds=0.3)):
        made(engine, pipeline, request)
    made(engine, pipeline, replace(SAMPLED, do_sample=False, top_k=0, top_p=0.5))
    assert tape.captured == captured


def test_the_cpu_captures_nothing(engine: Engine) -> None:
    import torch

    assert capture_for(torch.device("cpu")) is None
