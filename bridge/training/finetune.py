"""Fine-tunes a checkpoint on a folder of audio, with the melody that the audio itself has."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from bridge.config.presets import list_presets
from bridge.engine.checkpoint import Location, check_transformers, find
from bridge.engine.compose import copy_small_files
from bridge.engine.device import oom_as_error, resolve_device
from bridge.engine.engine import Engine
from bridge.engine.folder import check_new, complete_or_absent
from bridge.engine.weights import Checkpoint, model_bytes, quiet, read_checkpoint
from bridge.errors import BadArgument
from bridge.training.chroma_stems import ChromaStems
from bridge.training.examples import (
    Example,
    Skipped,
    encode_sources,
    held_out,
    made_by_base,
    prompt_without_key,
)
from bridge.training.sources import list_sources
from bridge.training.trainee import LORA_TARGETS, Trainee
from bridge.training.tuning_run import Evaluation, FineTuning, OnProgress, TuningRun
from bridge.training.words import with_word

HELD_OUT_SHARE = 0.15
PRIOR_SECONDS = 8.0


@dataclass(frozen=True)
class FineTuned:
    """The result.

    Attributes:
        folder: the new checkpoint.
        best: the evaluation of the weights in it.
        evaluations: all, the first before any step.
        pieces, held_out: numbers of pieces that were trained and evaluated on.
        remarks: what a person should know, a sentence each.
        skipped: files that could not be used.
        stopped: why the training ended.
    """

    folder: Path
    best: Evaluation
    evaluations: tuple[Evaluation, ...]
    pieces: int
    held_out: int
    remarks: tuple[str, ...]
    skipped: tuple[Skipped, ...]
    stopped: str


def finetune(
    sources: Path,
    base: str | os.PathLike[str],
    out: Path,
    options: FineTuning,
    progress: OnProgress = lambda doing, share: None,
) -> FineTuned:
    """Train on a folder of audio, and write a checkpoint of its own.

    Beside `out`, the folder `OUT.training` keeps the encoded audio, the state after each
    evaluation, samples, and a log. A run that was interrupted goes on from there.

    Raises:
        BadArgument: the folder has no usable audio, `out` exists, or the state in `OUT.training`
            is of another training.
        CheckpointUnusable: the base cannot be used.
        DiskFull, NotWritable, OutOfMemory: the machine is too small.
        Unsupported: a LoRA is asked for and peft is not installed.
    """
    check_new(out)
    check_transformers()
    listed = list_sources(sources, options.word)
    location = find(base)
    device = resolve_device(options.device)
    work = out.with_name(f"{out.name}.training")
    work.mkdir(parents=True, exist_ok=True)
    progress("loading", None)
    checkpoint = read_checkpoint(location, None, device, torch.float32)
    with quiet():
        checkpoint, new_word = with_word(checkpoint, options.word)
    stems = ChromaStems(options.stems, options.device, progress)
    examples, skipped = encode_sources(
        listed, checkpoint, work / "codes", stems, lambda share: progress("encoding", share)
    )
    training, evaluated = _split(examples)
    prior = _prior(location, checkpoint, options, training, work, progress)
    with oom_as_error("the training does not fit the memory; take a smaller batch, or a LoRA"):
        run = TuningRun(
            location, checkpoint, options, work, new_word, (training, prior), evaluated, progress
        )
        stopped = run.train()
    run.trainee.restore(run.best_weights)
    if run.trainee.has_lora:
        _save_adapter(run.trainee, work / "adapter", options)
    model = run.trainee.merged()
    progress("writing", None)
    with complete_or_absent(out, model_bytes(model)) as unfinished, quiet():
        model.save_pretrained(unfinished)
        copy_small_files(location.folder, unfinished)
        if new_word is not None:
            checkpoint.tokenizer.save_pretrained(unfinished)
        _write_card(unfinished / "finetuning.json", location, options, run, len(listed))
    return FineTuned(
        folder=out,
        best=run.best,
        evaluations=tuple(run.evaluations),
        pieces=len(training),
        held_out=len(evaluated),
        remarks=stems.remarks(len(examples)),
        skipped=tuple(skipped),
        stopped=stopped,
    )


def _split(examples: Sequence[Example]) -> tuple[list[Example], list[Example]]:
    """Pieces to train on and pieces to evaluate on, of different files."""
    names = {example.source for example in examples}
    if len(names) < 2:
        raise BadArgument(
            f"{len(names)} audio files can be used, and at least 2 are needed: one is held out"
        )
    held = held_out(names, HELD_OUT_SHARE)
    training = [example for example in examples if example.source not in held]
    return training, [example for example in examples if example.source in held]


def _prior(
    location: Location,
    checkpoint: Checkpoint,
    options: FineTuning,
    training: Sequence[Example],
    work: Path,
    progress: OnProgress,
) -> list[Example]:
    """What the base makes of the presets' prompts and the training's melodies, or made before."""
    if not options.prior:
        return []
    prompts = [preset.prompt for preset in list_presets()[0] if preset.prompt]
    rng = np.random.default_rng(options.seed)
    drawn = [
        (prompt_without_key(prompts[n % len(prompts)], int(rng.integers(80, 141))), melody)
        for n, melody in enumerate(rng.integers(len(training), size=options.prior))
    ]
    return made_by_base(
        Engine(location, checkpoint),
        [(prompt, training[int(melody)].chroma) for prompt, melody in drawn],
        PRIOR_SECONDS,
        options.seed,
        work / f"prior {options.prior} {options.seed}.npz",
        lambda share: progress("making clips with the base", share),
    )


def _save_adapter(trainee: Trainee, folder: Path, options: FineTuning) -> None:
    """Write the LoRA as peft does, for `melody-bridge compose --adapter`."""
    from peft import LoraConfig
    from safetensors.torch import save_file

    rank = options.lora_rank or 0
    folder.mkdir(exist_ok=True)
    LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=list(LORA_TARGETS)).save_pretrained(
        str(folder)
    )
    save_file(
        {name: value.contiguous().cpu() for name, value in trainee.adapter().items()},
        folder / "adapter_model.safetensors",
    )


def _write_card(
    file: Path, location: Location, options: FineTuning, run: TuningRun, files: int
) -> None:
    card = {
        "base": location.name,
        "revision": location.revision,
        "options": vars(options),
        "files": files,
        "evaluations": [vars(each) for each in run.evaluations],
        "best_step": run.best.step,
    }
    file.write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
