"""The decoder's batches: transformers' delay pattern and its nulls, noise and mirrored pieces."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import MusicgenMelodyForConditionalGeneration, PreTrainedTokenizerFast

from bridge.pocket.batches import BATCH_LONG, BATCH_SHORT, BOS, IGNORED, Batch, make_batch
from bridge.pocket.dataset import REST, Example
from bridge.pocket.decoder import PitchFollower, losses, model_config
from bridge.pocket.text import build_tokenizer

PROMPT = "warm piano, bass, lo-fi drums, 92 bpm, A minor"
KINDS = {"text": (1, 0), "melody": (0, 1), "both": (1, 1), "none": (0, 0)}
"""Which conditions are kept: text, melody."""


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return build_tokenizer()


@pytest.fixture(scope="module")
def model(tokenizer: PreTrainedTokenizerFast) -> MusicgenMelodyForConditionalGeneration:
    torch.manual_seed(0)
    model = MusicgenMelodyForConditionalGeneration(model_config(len(tokenizer)))
    model.train(False)
    return model


def example(steps: int, seed: int = 0) -> Example:
    rng = np.random.default_rng((steps, seed))
    classes = rng.integers(REST + 1, size=steps).astype(np.uint8)
    return Example(
        codes=rng.integers(512, size=(8, steps)),
        chroma=rng.integers(1, 12, size=(2, 235)).astype(np.uint8),
        classes=classes,
        prompt=PROMPT,
    )


def batches(pool: list[Example], count: int, *, is_long: bool = False) -> list[Batch]:
    tokenizer, rng = build_tokenizer(), np.random.default_rng(5)
    return [make_batch(pool, is_long, tokenizer, rng) for _ in range(count)]


def test_codes_are_delayed_as_transformers_delays_them(
    model: MusicgenMelodyForConditionalGeneration,
) -> None:
    piece = example(20)
    mirrored = piece.codes.reshape(4, 2, 20)[:, ::-1].reshape(8, 20)
    begun = np.concatenate([np.full((8, 1), BOS), piece.codes], axis=1)
    decoder: Any = model.decoder  # transformers asks for a LongTensor, which torch no longer makes
    wanted = []
    for codes in (piece.codes, mirrored):
        begun[:, 1:] = codes
        _, delayed = decoder.build_delay_pattern_mask(
            torch.from_numpy(begun), pad_token_id=BOS, max_length=24
        )
        # Column 0 is what the first step hears; from there on it is what each step answers.
        wanted.append(torch.where(delayed == BOS, IGNORED, delayed)[:, 1:])
    seen = set()
    for batch in batches([piece], 4):
        for row in batch.targets:
            matches = [torch.equal(row, each) for each in wanted]
            assert sum(matches) == 1
            seen.add(matches.index(True))
    assert seen == {0, 1}


def test_each_step_hears_what_the_one_before_answered_but_for_noise() -> None:
    shares = []
    for batch in batches([example(300)], 12):
        assert bool((batch.inputs[:, :, 0] == BOS).all())
        heard, answered = batch.inputs[:, :, 1:], batch.targets[:, :, :-1]
        asked = answered != IGNORED
        assert bool((heard[~asked] == BOS).all())
        for row in range(len(heard)):
            # A step that is struck is struck in all codebooks; one code in 512 stays by chance.
            wrong = ((heard[row] != answered[row]) & asked[row]).sum(0)
            struck = wrong > 0
            assert bool((wrong[struck] >= asked[row].sum(0)[struck] - 2).all())
            shares.append(float(struck.float().mean()))
    clean = np.mean([share == 0 for share in shares])
    assert 0.3 < clean < 0.7
    assert 0.15 < max(shares) < 0.35


def test_about_a_tenth_each_goes_without_text_without_melody_without_both() -> None:
    text, melody = [], []
    for batch in batches([example(20)], 300):
        text += batch.keep_text.bool().tolist()
        told = batch.classes != IGNORED
        melody += told.any(1).tolist()
        dropped = ~told.any(1)
        # transformers' null: class 0 at every step. The examples have none of it.
        assert bool((batch.chroma[dropped].argmax(-1) == 0).all())
        assert bool((batch.chroma[~dropped].argmax(-1) != 0).all())
        assert bool((batch.chroma.sum(-1) == 1).all())
    kinds = np.array([text, melody]).T
    for kind, share in (([1, 1], 0.7), ([0, 1], 0.1), ([1, 0], 0.1), ([0, 0], 0.1)):
        assert (kinds == kind).all(axis=1).mean() == pytest.approx(share, abs=0.03)


def test_both_renderings_of_a_melody_are_met() -> None:
    piece = example(20)
    met = {
        bytes(row.argmax(-1).to(torch.uint8).numpy())
        for batch in batches([piece], 10)
        for row in batch.chroma
    }
    assert met == {piece.chroma[0].tobytes(), piece.chroma[1].tobytes(), bytes(235)}


def test_rests_and_dropped_melodies_ask_for_no_pitch_class() -> None:
    piece = example(20)
    wanted = np.where(piece.classes == REST, IGNORED, piece.classes.astype(np.int64))
    assert IGNORED in wanted
    for batch in batches([piece], 4):
        for row in batch.classes.numpy():
            assert (row[20:] == IGNORED).all()
            assert (row == IGNORED).all() or np.array_equal(row[:20], wanted)


def test_pieces_of_other_lengths_share_a_batch() -> None:
    short, long = example(12), example(30)
    for is_long, size in ((False, BATCH_SHORT), (True, BATCH_LONG)):
        for batch in batches([short, long], 3, is_long=is_long):
            assert len(batch.inputs) == size
            steps = (batch.targets[:, 0] != IGNORED).sum(1)
            assert set(steps.tolist()) <= {12, 30}
            assert batch.inputs.shape == batch.targets.shape == (size, 8, int(steps.max()) + 3)


def test_the_length_of_the_text_varies(tokenizer: PreTrainedTokenizerFast) -> None:
    lengths = set()
    for batch in batches([example(12)], 60):
        lengths |= set(batch.text_mask.sum(1).tolist())
        for row in batch.text:
            words = str(tokenizer.decode(row, skip_special_tokens=True))
            assert set(words.split()) <= set(PROMPT.lower().replace(",", "").split())
            assert words
    assert max(lengths) == len(tokenizer(PROMPT)["input_ids"])
    assert min(lengths) <= 4 and len(lengths) >= 5


@pytest.mark.parametrize("kind", KINDS)
def test_training_sees_what_transformers_will_show(
    kind: str, model: MusicgenMelodyForConditionalGeneration, tokenizer: PreTrainedTokenizerFast
) -> None:
    """Dropped conditions are exactly its null, and codes are read in the same order."""
    text_kept, melody_kept = KINDS[kind]
    batch = batches([example(20), example(16)], 1)[0]
    # One prompt shorter than the other, so that padding is looked at too.
    text = tokenizer([PROMPT, "piano"], padding=True, return_tensors="pt")
    chroma = batch.chroma[:2].clone()
    chroma[:] = torch.nn.functional.one_hot(torch.from_numpy(example(7).chroma).long(), 12)
    if not melody_kept:
        chroma[:] = torch.nn.functional.one_hot(torch.tensor(0), 12)
    batch = replace(
        batch,
        inputs=batch.inputs[:2],
        chroma=chroma,
        text=text["input_ids"],
        text_mask=text["attention_mask"],
        keep_text=torch.full((2,), float(text_kept)),
    )
    length = batch.inputs.shape[-1]
    with torch.inference_mode():
        logits, pitch = PitchFollower(model)(batch)
        wanted = model(
            input_ids=text["input_ids"],
            attention_mask=text["attention_mask"] * text_kept,
            input_features=chroma if melody_kept else None,
            decoder_input_ids=batch.inputs.flatten(0, 1),
        ).logits[:, -length:]
    assert pitch.shape == (2, length, 12)
    torch.testing.assert_close(logits, wanted.unflatten(0, (2, 8)), atol=2e-5, rtol=1e-4)


def test_conditions_reach_the_logits(
    model: MusicgenMelodyForConditionalGeneration, tokenizer: PreTrainedTokenizerFast
) -> None:
    """Else the test above would hold of a model that looks at nothing."""
    batch = batches([example(20)], 1)[0]
    follower = PitchFollower(model)

    def answer(**changed: Tensor) -> Tensor:
        logits: Tensor = follower(replace(batch, **changed))[0]
        return logits

    with torch.inference_mode():
        kept = answer(keep_text=torch.ones(BATCH_SHORT))
        assert not torch.allclose(kept, answer(keep_text=torch.zeros(BATCH_SHORT)), atol=1e-3)
        assert not torch.allclose(answer(), answer(chroma=batch.chroma.roll(1, dims=-1)), atol=1e-3)


def test_what_is_not_asked_for_costs_nothing() -> None:
    torch.manual_seed(0)
    batch = batches([example(20), example(12)], 1)[0]
    logits = torch.randn(BATCH_SHORT, 8, batch.inputs.shape[-1], 512)
    pitch = torch.randn(BATCH_SHORT, batch.inputs.shape[-1], 12)
    before = losses(logits, pitch, batch)
    logits.transpose(2, 3)[(batch.targets == IGNORED)[:, :, None].expand(-1, -1, 512, -1)] = 9.0
    pitch[batch.classes == IGNORED] = 9.0
    after = losses(logits, pitch, batch)
    assert [float(value) for value in before] == [float(value) for value in after]


def test_a_batch_without_melody_has_no_share_of_pitch_classes() -> None:
    batch = batches([example(20)], 1)[0]
    batch = replace(batch, classes=torch.full_like(batch.classes, IGNORED))
    logits = torch.zeros(BATCH_SHORT, 8, batch.inputs.shape[-1], 512)
    _, _, pitch_loss, hit = losses(logits, torch.zeros(BATCH_SHORT, 23, 12), batch)
    assert float(pitch_loss) == 0.0
    assert np.isnan(hit)
