"""The decoder's batches: transformers' delay pattern and nulls, noise, alternating drums."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import MusicgenMelodyForConditionalGeneration, PreTrainedTokenizerFast

from bridge.pocket.batches import (
    BATCH_LONG,
    BATCH_SHORT,
    BOS,
    IGNORED,
    SWAPPED_STEPS,
    Batch,
    make_batch,
)
from bridge.pocket.dataset import BEAT_PHASES, REST, Example
from bridge.pocket.decoder import Answers, Follower, losses, model_config
from bridge.pocket.text import FILLER, PROMPT_WORDS, build_tokenizer

PROMPT = "warm piano, bass, lo-fi drums, 92 bpm, A minor"
OTHER_PROMPT = "warm piano, bass, no drums, 92 bpm, A minor"
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
        codes=rng.integers(512, size=(2, 8, steps)).astype(np.uint16),
        chroma=rng.integers(1, 12, size=(2, 235)).astype(np.uint8),
        classes=classes,
        beats=rng.integers(BEAT_PHASES, size=steps).astype(np.uint8),
        prompts=(PROMPT, OTHER_PROMPT),
    )


def batches(pool: list[Example], count: int, *, is_long: bool = False) -> list[Batch]:
    tokenizer, rng = build_tokenizer(), np.random.default_rng(5)
    return [make_batch(pool, is_long, tokenizer, rng) for _ in range(count)]


def test_codes_are_delayed_as_transformers_delays_them(
    model: MusicgenMelodyForConditionalGeneration,
) -> None:
    piece = example(20)
    begun = np.full((8, 21), BOS)
    decoder: Any = model.decoder  # transformers asks for a LongTensor, which torch no longer makes
    expected = []
    for codes in piece.codes.astype(np.int64):
        begun[:, 1:] = codes
        _, delayed = decoder.build_delay_pattern_mask(
            torch.from_numpy(begun), pad_token_id=BOS, max_length=24
        )
        # Column 0 is the first step's input; the others are the targets of each step.
        expected.append(torch.where(delayed == BOS, IGNORED, delayed)[:, 1:])
    tokenizer = build_tokenizer()
    seen = set()
    for batch in batches([piece], 4):
        for row, text in zip(batch.targets, batch.text, strict=True):
            (version,) = (index for index, each in enumerate(expected) if torch.equal(row, each))
            seen.add(version)
            words = str(tokenizer.decode(text)).split()
            assert not {"lo-fi", "no"} & set(words) or ("no" in words) == (version == 1)
    assert seen == {0, 1}


def drumless(piece: Example) -> Example:
    """The piece with prompts that mention no drums, so that its versions do not alternate."""
    return replace(piece, prompts=("warm piano", "piano"))


def test_inputs_are_the_targets_of_the_step_before_except_for_noise() -> None:
    shares = []
    for batch in batches([drumless(example(300))], 24):
        assert bool((batch.inputs[:, :, 0] == BOS).all())
        inputs, answered = batch.inputs[:, :, 1:], batch.targets[:, :, :-1]
        asked = answered != IGNORED
        assert bool((inputs[~asked] == BOS).all())
        for row in range(len(inputs)):
            # Noise replaces a step in all codebooks; one code in 512 stays the same by chance.
            changed = ((inputs[row] != answered[row]) & asked[row]).sum(0)
            noisy = changed > 0
            assert bool((changed[noisy] >= asked[row].sum(0)[noisy] - 2).all())
            shares.append(float(noisy.float().mean()))
    clean = np.mean([share == 0 for share in shares])
    assert 0.6 < clean < 0.9
    assert 0.12 < max(shares) < 0.3


def test_drums_alternate_in_the_inputs_if_the_prompt_mentions_them() -> None:
    piece = example(300)
    swapped, turns = [], []
    for batch in batches([piece], 60):
        for row in range(len(batch.inputs)):
            answered = batch.targets[row, 0, :300].numpy()
            version = int(np.array_equal(answered, piece.codes[1, 0]))
            inputs = batch.inputs[row, 0, 1:301].numpy()
            other = inputs == piece.codes[1 - version, 0]
            if batch.keep_text[row] == 0:
                assert other.mean() < 0.05
            swapped.append(other.mean() > 0.1)
            if swapped[-1]:
                own = inputs == piece.codes[version, 0]
                # A step of noise is neither.
                known = (own | other) & (own != other)
                turns.append(int(np.abs(np.diff(other[known].astype(int))).sum()))
    assert 0.12 < np.mean(swapped) < 0.35
    assert max(turns) <= 300 // SWAPPED_STEPS[0] and np.median(turns) >= 1


def test_text_melody_and_both_are_each_dropped_from_a_tenth_of_the_rows() -> None:
    text, melody = [], []
    for batch in batches([example(20)], 600):
        text += batch.keep_text.bool().tolist()
        figures = batch.classes != IGNORED
        melody += figures.any(1).tolist()
        dropped = ~figures.any(1)
        # transformers' null: class 0 at every step. The examples do not contain class 0.
        assert bool((batch.chroma[dropped].argmax(-1) == 0).all())
        assert bool((batch.chroma[~dropped].argmax(-1) != 0).all())
        assert bool((batch.chroma.sum(-1) == 1).all())
        # No text is a text of its own; rows that drop the text beside others drop the melody too.
        assert (
            not bool((~batch.keep_text.bool() & figures.any(1)).any()) or batch.text.shape[1] == 1
        )
        assert batch.text.shape[1] in (1, PROMPT_WORDS + 1)
    kinds = np.array([text, melody]).T
    for kind, share in (([1, 1], 0.7), ([0, 1], 0.1), ([1, 0], 0.1), ([0, 0], 0.1)):
        assert (kinds == kind).all(axis=1).mean() == pytest.approx(share, abs=0.035)


def test_both_renderings_of_a_melody_are_used() -> None:
    piece = example(20)
    used = {
        bytes(row.argmax(-1).to(torch.uint8).numpy())
        for batch in batches([piece], 10)
        for row in batch.chroma
    }
    assert used == {piece.chroma[0].tobytes(), piece.chroma[1].tobytes(), bytes(235)}


def test_rests_and_dropped_melodies_have_no_pitch_class_target() -> None:
    piece = example(20)
    expected = np.where(piece.classes == REST, IGNORED, piece.classes.astype(np.int64))
    assert IGNORED in expected
    for batch in batches([piece], 4):
        for row in batch.classes.numpy():
            assert (row[20:] == IGNORED).all()
            assert (row == IGNORED).all() or np.array_equal(row[:20], expected)


def test_beat_phases_are_targets_until_the_piece_ends() -> None:
    piece = example(20)
    for batch in batches([piece], 4):
        assert batch.beats.shape == batch.classes.shape
        for row in batch.beats.numpy():
            assert np.array_equal(row[:20], piece.beats)
            assert (row[20:] == IGNORED).all()


def test_pieces_of_other_lengths_share_a_batch() -> None:
    short, long = example(12), example(30)
    for is_long, size in ((False, BATCH_SHORT), (True, BATCH_LONG)):
        for batch in batches([short, long], 3, is_long=is_long):
            assert len(batch.inputs) == size
            steps = (batch.targets[:, 0] != IGNORED).sum(1)
            assert set(steps.tolist()) <= {12, 30}
            assert batch.inputs.shape == batch.targets.shape == (size, 8, int(steps.max()) + 3)


def test_some_prompts_are_shortened(tokenizer: PreTrainedTokenizerFast) -> None:
    counts = []
    for batch in batches([example(12)], 60):
        assert bool(batch.text_mask.all())
        if batch.text.shape[1] == 1:
            continue
        for row in batch.text:
            words = str(tokenizer.decode(row, skip_special_tokens=True)).replace(FILLER, "").split()
            assert set(words) <= set(f"{PROMPT} no".lower().replace(",", "").split())
            counts.append(len(words))
    full_length = len(PROMPT.split())
    assert max(counts) == full_length
    assert 0.1 < np.mean(np.array(counts) < full_length) < 0.3
    assert min(counts) >= 1 and len(set(counts)) >= 5


@pytest.mark.parametrize("kind", KINDS)
def test_training_gives_the_logits_of_transformers(
    kind: str, model: MusicgenMelodyForConditionalGeneration, tokenizer: PreTrainedTokenizerFast
) -> None:
    """Dropped conditions equal its null, and the codes have the same order."""
    text_kept, melody_kept = KINDS[kind]
    batch = batches([example(20), example(16)], 1)[0]
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
        answers = Follower(model)(batch)
        expected = model(
            input_ids=text["input_ids"],
            attention_mask=text["attention_mask"] * text_kept,
            input_features=chroma if melody_kept else None,
            decoder_input_ids=batch.inputs.flatten(0, 1),
        ).logits[:, -length:]
    assert answers.pitch.shape == (2, length, 12)
    assert answers.beat.shape == (2, length, BEAT_PHASES)
    torch.testing.assert_close(answers.codes, expected.unflatten(0, (2, 8)), atol=2e-5, rtol=1e-4)


def test_conditions_reach_the_logits(
    model: MusicgenMelodyForConditionalGeneration, tokenizer: PreTrainedTokenizerFast
) -> None:
    """Without this the test above would pass with a model that ignores its inputs."""
    batch = batches([example(20)], 1)[0]
    follower = Follower(model)

    def answer(**changed: Tensor) -> Tensor:
        answers: Answers = follower(replace(batch, **changed))
        return answers.codes

    with torch.inference_mode():
        kept = answer(keep_text=torch.ones(BATCH_SHORT))
        assert not torch.allclose(kept, answer(keep_text=torch.zeros(BATCH_SHORT)), atol=1e-3)
        assert not torch.allclose(answer(), answer(chroma=batch.chroma.roll(1, dims=-1)), atol=1e-3)


def answers_to(batch: Batch) -> Answers:
    """Random logits, like those of an untrained model."""
    rows, books, length = batch.targets.shape
    return Answers(
        codes=torch.randn(rows, books, length, 512),
        pitch=torch.randn(rows, length, 12),
        beat=torch.randn(rows, length, BEAT_PHASES),
    )


def test_steps_without_a_target_do_not_change_the_loss() -> None:
    torch.manual_seed(0)
    batch = batches([example(20), example(12)], 1)[0]
    answers = answers_to(batch)
    loss, figures = losses(answers, batch)
    answers.codes[batch.targets == IGNORED] = torch.linspace(-9, 9, 512)
    answers.pitch[batch.classes == IGNORED] = torch.linspace(-9, 9, 12)
    answers.beat[batch.beats == IGNORED] = torch.linspace(-9, 9, BEAT_PHASES)
    loss_after, figures_after = losses(answers, batch)
    assert float(loss) == float(loss_after) and figures == figures_after


def test_right_answers_have_no_loss_and_count_as_found() -> None:
    batch = batches([example(20)], 1)[0]

    def sure(targets: Tensor, classes: int) -> Tensor:
        return 50 * torch.nn.functional.one_hot(targets.clamp(min=0), classes).float()

    answers = Answers(
        codes=sure(batch.targets, 512),
        pitch=sure(batch.classes, 12),
        beat=sure(batch.beats, BEAT_PHASES),
    )
    loss, figures = losses(answers, batch)
    assert float(loss) == pytest.approx(0, abs=1e-6)
    assert (figures["pitch"], figures["beat"]) == (1, 1)
    # One class off still counts as found, also across the beat's end; two do not.
    for offset, found in ((1, 1), (-1, 1), (2, 0), (-2, 0)):
        shifted = replace(answers, beat=answers.beat.roll(offset, dims=-1))
        loss, figures = losses(shifted, batch)
        assert figures["beat"] == found and float(loss) > 1


def test_without_a_melody_the_share_of_found_pitch_classes_is_nan() -> None:
    batch = batches([example(20)], 1)[0]
    batch = replace(batch, classes=torch.full_like(batch.classes, IGNORED))
    loss, figures = losses(answers_to(batch), batch)
    assert np.isfinite(float(loss))
    assert np.isnan(figures["pitch"]) and 0 <= figures["beat"] <= 1
