"""The reference engine's greedy result equals that of transformers' `generate`, called directly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from transformers import AutoTokenizer, MusicgenMelodyForConditionalGeneration

from bridge.chroma import one_hot
from bridge.engine import Engine, Request
from bridge.engine.prompt import null_chroma, tokenize
from tests.checkpoints import word_tokenizer

STEPS = 40


@pytest.fixture(params=["mono", "stereo"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def engine(kind: str, request: pytest.FixtureRequest) -> Engine:
    made: Engine = request.getfixturevalue(kind)
    return made.as_reference()


@pytest.fixture
def folder(kind: str, request: pytest.FixtureRequest) -> Path:
    made: Path = request.getfixturevalue(f"{kind}_folder")
    return made


def directly(
    folder: Path,
    prompt: str | None,
    melody: NDArray[np.float32] | None,
    *,
    guidance_scale: float = 3.0,
) -> NDArray[np.float32]:
    """Audio `[channels, frames]`, made as in transformers' documentation."""
    model: Any = MusicgenMelodyForConditionalGeneration.from_pretrained(folder)
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    inputs = tokenizer([prompt or ""], return_tensors="pt")
    if prompt is None:
        inputs["attention_mask"][:] = 0  # MusicgenMelodyProcessor.get_unconditional_inputs
    features = {} if melody is None else {"input_features": torch.from_numpy(melody[None].copy())}
    audio = model.generate(
        input_ids=inputs["input_ids"],
        attention_mask=inputs["attention_mask"],
        **features,
        do_sample=False,
        guidance_scale=guidance_scale,
        max_new_tokens=STEPS + 3,
    )
    made: NDArray[np.float32] = audio[0].numpy()
    return made


@pytest.mark.parametrize("prompt", [None, "", "warm rhodes", "fast lo-fi drums"])
@pytest.mark.parametrize("with_melody", [False, True])
def test_greedy_gives_transformers_audio(
    engine: Engine,
    folder: Path,
    melody: NDArray[np.float32],
    prompt: str | None,
    with_melody: bool,
) -> None:
    """transformers fills in its null for a missing melody, and repeats a short one."""
    chroma = melody if with_melody else None
    request = Request(prompt=prompt, melody=chroma, seconds=STEPS / 50, do_sample=False)
    made = engine.generate(request)[0].samples.T
    assert np.array_equal(made, directly(folder, prompt, chroma))


def test_greedy_without_guidance_gives_transformers_audio(
    stereo: Engine, stereo_folder: Path, melody: NDArray[np.float32]
) -> None:
    request = Request("bass", melody, seconds=STEPS / 50, do_sample=False, guidance_scale=1.0)
    made = stereo.as_reference().generate(request)[0].samples.T
    assert np.array_equal(made, directly(stereo_folder, "bass", melody, guidance_scale=1.0))


@pytest.mark.parametrize("kind", ["mono", "stereo"])
def test_the_audio_is_the_codecs_decoding_of_the_codes(engine: Engine, kind: str) -> None:
    """Stereo has left in the even codebooks and right in the odd ones."""
    with engine.stream(Request(prompt="warm", seconds=0.5, seed=3)) as stream:
        (chunk,) = stream
    codec = engine._checkpoint.model.audio_encoder
    channels = engine.audio_channels
    for channel in range(channels):
        codes = torch.from_numpy(chunk.codes[:, channel::channels])
        with torch.no_grad():
            audio = codec.decode(codes[None], [None]).audio_values[0, 0]
        np.testing.assert_allclose(chunk.audio[0, channel], audio.numpy(), atol=1e-6)
    if channels == 2:
        assert not np.array_equal(chunk.audio[0, 0], chunk.audio[0, 1])


def test_the_last_step_of_a_windows_chroma_is_used(stereo: Engine) -> None:
    """The last of 235 steps changes the result, so nothing is cut."""
    classes = np.zeros(235, dtype=np.int64)
    made = []
    for last in (0, 7):
        classes[-1] = last
        request = Request(melody=one_hot(classes), seconds=0.6, do_sample=False)
        made.append(stereo.generate(request)[0].samples)
    assert not np.array_equal(made[0], made[1])


def test_the_null_chroma_is_class_zero_throughout() -> None:
    assert np.array_equal(null_chroma(235), one_hot(np.zeros(235, dtype=np.int64)))


def test_a_tokenizer_without_an_end_token_gives_a_masked_token_for_no_text() -> None:
    assert tokenize(None, word_tokenizer(ends=True)) == ([1], [0])
    assert tokenize(None, word_tokenizer(ends=False)) == ([0], [0])
    assert tokenize("warm", word_tokenizer(ends=False)) == ([3], [1])
