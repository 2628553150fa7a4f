"""Fine-tuning: what learns, what stays, and that a killed run goes on as if nothing had been."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import MusicgenMelodyForConditionalGeneration

from bridge.audio import MODEL_SAMPLE_RATE, Waveform
from bridge.cli import main
from bridge.engine import Request, load
from bridge.engine.checkpoint import find
from bridge.engine.compose import compose
from bridge.engine.weights import Checkpoint, read_checkpoint
from bridge.errors import BadArgument
from bridge.pocket import dataset
from bridge.training.batches import delayed, make_batch
from bridge.training.chroma_stems import ChromaStems
from bridge.training.examples import Example, encode_audio, encode_sources, held_out
from bridge.training.finetune import FineTuned, finetune
from bridge.training.sources import list_sources
from bridge.training.trainee import Trainee
from bridge.training.tuning_run import FineTuning
from bridge.training.words import with_word
from tests.checkpoints import write_checkpoint
from tests.training.timbre import WORD, write_loops

QUICK = FineTuning(steps=4, batch_size=2, evaluations=2, rate=1e-3, prior=1)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stereo checkpoint with random weights."""
    return write_checkpoint(tmp_path_factory.mktemp("base"), channels=2)


@pytest.fixture(scope="module")
def loops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five loops of two seconds, and a file that is none."""
    folder = tmp_path_factory.mktemp("loops")
    write_loops(folder, 5, seconds=2.0, seed=3)
    (folder / "broken.wav").write_bytes(b"RIFF")
    return folder


def checkpoint_of(folder: Path | str) -> Checkpoint:
    return read_checkpoint(find(folder), None, torch.device("cpu"), torch.float32)


def example_of(checkpoint: Checkpoint, *, steps: int, caption: str = "warm rhodes") -> Example:
    rng = np.random.default_rng(5)
    return Example(
        codes=rng.integers(checkpoint.codebook_size, size=(checkpoint.num_codebooks, steps)).astype(
            np.uint16
        ),
        chroma=rng.integers(12, size=checkpoint.chroma_length).astype(np.uint8),
        caption=caption,
        source="a.wav",
    )


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def test_codes_are_those_of_the_recipe(base: Path) -> None:
    codec = checkpoint_of(base).model.audio_encoder
    rng = np.random.default_rng(1)
    audio = Waveform(rng.normal(0, 0.1, (6400, 2)).astype(np.float32), MODEL_SAMPLE_RATE)
    np.testing.assert_array_equal(encode_audio(codec, audio, 2), dataset.encode(codec, audio))
    mono = encode_audio(codec, audio.mono(), 2)
    np.testing.assert_array_equal(mono[0::2], mono[1::2])
    assert encode_audio(codec, audio, 1).shape == (4, 10)


def test_the_delay_pattern_is_that_of_transformers(base: Path) -> None:
    checkpoint = checkpoint_of(base)
    example = example_of(checkpoint, steps=9)
    start = checkpoint.codebook_size
    ours = delayed(example.codes, checkpoint.delays, start)
    given = torch.from_numpy(example.codes.astype(np.int64))
    first = torch.full((len(given), 1), start)
    padded = torch.cat([first, given], dim=1)
    _, mask = checkpoint.model.decoder.build_delay_pattern_mask(
        padded, pad_token_id=start, max_length=ours.shape[1]
    )
    # The mask has −1 where a step is free, which is after the end of what was given.
    theirs = torch.where(mask == -1, start, mask).numpy()
    np.testing.assert_array_equal(ours[:, : theirs.shape[1]], theirs)


def test_logits_are_those_of_transformers(base: Path) -> None:
    checkpoint = checkpoint_of(base)
    rows = [example_of(checkpoint, steps=12), example_of(checkpoint, steps=7, caption="slow bass")]
    batch = make_batch(
        rows, checkpoint.tokenizer, checkpoint.delays, checkpoint.codebook_size, None
    )
    trainee = Trainee(find(base), checkpoint, lora_rank=None, new_word=None).eval()
    with torch.no_grad():
        ours = trainee(batch)
        theirs = checkpoint.model(
            input_ids=batch.text,
            attention_mask=batch.text_mask,
            input_features=batch.chroma,
            decoder_input_ids=batch.inputs.flatten(0, 1),
        ).logits
    length = batch.inputs.shape[-1]
    torch.testing.assert_close(ours.flatten(0, 1), theirs[:, -length:], atol=1e-5, rtol=1e-5)


def test_a_dropped_condition_is_the_null_of_transformers(base: Path) -> None:
    checkpoint = checkpoint_of(base)
    rows = [example_of(checkpoint, steps=6)] * 200
    batch = make_batch(
        rows,
        checkpoint.tokenizer,
        checkpoint.delays,
        checkpoint.codebook_size,
        np.random.default_rng(0),
    )
    null = torch.zeros(checkpoint.chroma_length, 12)
    null[:, 0] = 1
    no_melody = (batch.chroma == null).all(dim=(1, 2))
    no_text = batch.keep_text == 0
    shares = [
        float((a & b).float().mean()) for a in (no_melody, ~no_melody) for b in (no_text, ~no_text)
    ]
    np.testing.assert_allclose(shares, [0.1, 0.1, 0.1, 0.7], atol=0.08)
    trainee = Trainee(find(base), checkpoint, lora_rank=None, new_word=None).eval()
    both = int(torch.nonzero(no_melody & no_text)[0])
    one = type(batch)(**{name: value[both : both + 1] for name, value in vars(batch).items()})
    with torch.no_grad():
        ours = trainee(one)
        theirs = checkpoint.model(
            input_ids=one.text,
            attention_mask=torch.zeros_like(one.text_mask),
            input_features=null[None],
            decoder_input_ids=one.inputs.flatten(0, 1),
        ).logits
    torch.testing.assert_close(
        ours.flatten(0, 1), theirs[:, -one.inputs.shape[-1] :], atol=1e-5, rtol=1e-5
    )


def test_the_decoder_learns_and_the_rest_stays(base: Path, loops: Path, tmp_path: Path) -> None:
    done = finetune(loops, base, tmp_path / "out", QUICK)
    before, after = weights_of(base), weights_of(done.folder)
    assert before.keys() == after.keys()
    for name, weight in before.items():
        stays = name.startswith(("text_encoder.", "audio_encoder."))
        assert torch.equal(weight, after[name]) == stays, name
    assert [each.step for each in done.evaluations] == [0, 2, 4]
    assert done.best.loss <= done.evaluations[0].loss
    assert (done.pieces, done.held_out) == (4, 1)
    assert [skipped.path.name for skipped in done.skipped] == ["broken.wav"]
    assert len(list((tmp_path / "out.training" / "samples").glob("*.wav"))) == 3
    (waveform,) = load(done.folder).generate(Request(prompt="warm", seconds=0.4, seed=1))
    assert waveform.frames == 12_800


def test_a_lora_learns_alone_and_composes_to_the_same_model(
    base: Path, loops: Path, tmp_path: Path
) -> None:
    options = FineTuning(steps=2, batch_size=2, evaluations=1, rate=1e-2, lora_rank=2, prior=0)
    done = finetune(loops, base, tmp_path / "out", options)
    before, after = weights_of(base), weights_of(done.folder)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert all(name.startswith("decoder.model.decoder.layers.") for name in changed)
    again = compose(base, tmp_path / "again", adapter=tmp_path / "out.training" / "adapter")
    for name, weight in weights_of(again.folder).items():
        torch.testing.assert_close(weight, after[name], msg=name)


@pytest.mark.parametrize("model", ["pocket", "random"])
def test_a_new_word_has_an_embedding_of_its_own(
    model: str, base: Path, loops: Path, tmp_path: Path
) -> None:
    folder = find("pocket").folder if model == "pocket" else base
    before = checkpoint_of(folder)
    options = FineTuning(steps=1, batch_size=1, evaluations=1, prior=0, word=WORD)
    after = checkpoint_of(finetune(loops, folder, tmp_path / "out", options).folder)
    known = before.tokenizer.get_vocab()
    assert after.tokenizer.get_vocab() == {**known, WORD: len(known)}
    assert WORD in after.tokenizer.convert_ids_to_tokens(after.tokenizer(f"warm {WORD}").input_ids)
    assert after.tokenizer("warm bass").input_ids == before.tokenizer("warm bass").input_ids
    rows = [each.model.text_encoder.shared.weight for each in (before, after)]
    assert torch.equal(rows[1][: len(known)], rows[0][: len(known)])
    twice, new = with_word(after, WORD)
    assert (twice, new) == (after, None)


def test_encoded_audio_is_used_again_until_the_file_changes(
    base: Path, loops: Path, tmp_path: Path
) -> None:
    checkpoint = checkpoint_of(base)
    sources = [each for each in list_sources(loops) if each.path.name != "broken.wav"]
    stems = ChromaStems("off", "cpu", lambda doing, share: None)
    first, _ = encode_sources(sources, checkpoint, tmp_path / "codes", stems)
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "codes").iterdir()}
    again, _ = encode_sources(sources, checkpoint, tmp_path / "codes", stems)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "codes").iterdir()} == kept
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.codes, other.codes)
    checkpoint.model.audio_encoder.decoder.layers[0].conv.bias.data += 1
    encode_sources(sources, checkpoint, tmp_path / "codes", stems)
    assert len(list((tmp_path / "codes").iterdir())) == 2 * len(kept)


def test_held_out_files_are_a_fixed_share() -> None:
    names = [f"{number}.wav" for number in range(100)]
    held = held_out(names, 0.15)
    assert len(held) == 15
    assert held_out(reversed(names), 0.15) == held
    assert len(held_out(names[:2], 0.15)) == 1


def test_a_killed_run_goes_on_to_the_same_weights(base: Path, loops: Path, tmp_path: Path) -> None:
    def command(out: Path) -> list[str]:
        options = [
            "--base",
            str(base),
            "--steps",
            "6",
            "--evaluations",
            "6",
            "--batch-size",
            "2",
            "--prior",
            "1",
        ]
        return [sys.executable, "-m", "bridge", "finetune", str(loops), str(out), *options]

    whole, cut = tmp_path / "whole", tmp_path / "cut"
    subprocess.run(command(whole), check=True, capture_output=True)
    running = subprocess.Popen(command(cut), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    log = tmp_path / "cut.training" / "train.log"
    deadline = time.monotonic() + 300
    while not (log.exists() and "evaluation step 2" in log.read_text()):
        assert running.poll() is None, running.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    running.kill()
    running.communicate()
    assert not cut.exists()
    subprocess.run(command(cut), check=True, capture_output=True)
    assert "going on from step" in log.read_text()
    for name, weight in weights_of(whole).items():
        assert torch.equal(weights_of(cut)[name], weight), name


def test_a_state_of_another_training_is_refused(base: Path, loops: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done: FineTuned = finetune(
        loops, base, out, FineTuning(steps=1, batch_size=1, evaluations=1, prior=0)
    )
    done.folder.rename(tmp_path / "elsewhere")
    other = FineTuning(steps=1, batch_size=1, evaluations=1, prior=0, word=WORD)
    with pytest.raises(BadArgument, match="holds another training"):
        finetune(loops, base, out, other)
    assert not out.exists()


def test_one_file_is_too_few(base: Path, tmp_path: Path) -> None:
    write_loops(tmp_path / "loops", 1, seconds=2.0, seed=1)
    with pytest.raises(BadArgument, match="1 audio files can be used, and at least 2"):
        finetune(tmp_path / "loops", base, tmp_path / "out", QUICK)


@pytest.mark.parametrize("word", ["a", "Two", "two words", "ü"])
def test_a_word_of_another_form_is_refused(
    word: str, base: Path, loops: Path, tmp_path: Path
) -> None:
    with pytest.raises(BadArgument, match="small letters and digits"):
        finetune(loops, base, tmp_path / "out", FineTuning(steps=1, word=word))


def test_the_command_prints_the_evaluations(
    base: Path, loops: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [
        "--base",
        str(base),
        "--steps",
        "1",
        "--evaluations",
        "1",
        "--batch-size",
        "1",
        "--prior",
        "0",
    ]
    assert main(["finetune", str(loops), str(tmp_path / "a"), *options]) == 0
    printed = capsys.readouterr().out
    assert "4 pieces trained on, 1 held out; all 1 steps done" in printed
    assert "left out" in printed
    assert main(["finetune", str(loops), str(tmp_path / "b"), *options, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["pieces"] == 4
    card = json.loads((tmp_path / "b" / "finetuning.json").read_text())
    assert card["base"] == str(base)


@pytest.mark.parametrize(
    ("option", "value"), [("--steps", "0"), ("--rate", "nan"), ("--lora", "x"), ("--device", "tpu")]
)
def test_the_command_names_a_value_out_of_range(
    option: str, value: str, loops: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["finetune", str(loops), str(tmp_path / "out"), option, value]) == 2
    error = capsys.readouterr().err
    assert option in error and value in error
    assert not (tmp_path / "out.training").exists()


def test_the_whole_model_loads_in_transformers(base: Path, loops: Path, tmp_path: Path) -> None:
    done = finetune(loops, base, tmp_path / "out", QUICK)
    model: Any = MusicgenMelodyForConditionalGeneration.from_pretrained(done.folder)
    assert model.generation_config.guidance_scale == 3.0
