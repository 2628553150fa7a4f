"""One fine-tuning, from its start or from a saved state: its steps, and its evaluations."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from torch import nn

from bridge.chroma import one_hot, pitch_classes, similarity
from bridge.commands import Stems
from bridge.engine import Request
from bridge.engine.checkpoint import Location
from bridge.errors import BadArgument
from bridge.training.batches import Batch, cross_entropy, make_batch
from bridge.training.examples import Example
from bridge.training.loop import RunningMean, autocast, cosine, save_state
from bridge.training.trainee import Trainee

log = logging.getLogger(__name__)

MOST_EVALUATED = 6
"""Held-out pieces that are generated at each evaluation."""
MOST_LOSS_PIECES = 16
"""Held-out pieces whose loss is measured at each."""
SAMPLE_SECONDS = 6.0
PRIOR_SHARE = 0.4
"""Share of the rows of a batch that the base itself made, with the prompts of the presets. Without
them every prompt soon has the new sound (prior preservation: Ruiz et al. 2023, DreamBooth)."""
LOST_SIMILARITY = 0.05
"""Weights whose clips follow held-out melodies this much worse than the base's are not kept."""
PATIENCE = 4
"""The training stops when this many evaluations in a row are no better than the best."""
_WARM_UP_SHARE = 0.05

OnProgress = Callable[[str, float | None], None]


@dataclass(frozen=True)
class FineTuning:
    """Options of a fine-tuning.

    Attributes:
        steps: optimizer steps at most.
        batch_size: pieces of up to 10 s a step.
        rate: peak of the learning rate; None: 1e-4, with a LoRA 1e-3.
        lora_rank: train a LoRA of this rank instead of the whole decoder.
        word: a word that is put in front of every caption; where the tokenizer does not know it, it
            gets an embedding of its own.
        stems: whether the melody of the audio is found without its drums and bass; `auto`: where it
            is a mix and Demucs is installed.
        prior: clips that the base makes before the training, which keep what it can; 0: none.
        evaluations: how often to evaluate and save, over the steps.
        seed: of the draws.
        device: `auto` (None), `cpu`, `cuda`.
    """

    steps: int = 400
    batch_size: int = 4
    rate: float | None = None
    lora_rank: int | None = None
    word: str | None = None
    stems: Stems = "auto"
    prior: int = 24
    evaluations: int = 8
    seed: int = 0
    device: str | None = None


@dataclass(frozen=True)
class Evaluation:
    """How the model does on held-out files.

    Attributes:
        step: after this many steps.
        loss: cross-entropy of held-out codes, in nats a code.
        similarity: melody similarity of generated clips to held-out melodies, 0…1.
    """

    step: int
    loss: float
    similarity: float


class TuningRun:
    """One training.

    Attributes:
        trainee: the model that is trained.
        evaluations: so far, the first before any step.
        best_weights: what the trainee had learned at the best of them.
    """

    def __init__(
        self,
        location: Location,
        checkpoint: Any,
        options: FineTuning,
        work: Path,
        new_word: int | None,
        pools: tuple[list[Example], list[Example]],
        held_out: list[Example],
        progress: OnProgress,
    ) -> None:
        self.trainee = Trainee(location, checkpoint, lora_rank=options.lora_rank, new_word=new_word)
        self.evaluations: list[Evaluation] = []
        self.best_weights = self.trainee.learned()
        self._checkpoint, self._options, self._work = checkpoint, options, work
        self._pools, self._held_out, self._progress = pools, held_out, progress
        rate = options.rate or (1e-4 if options.lora_rank is None else 1e-3)
        self._optimizer = torch.optim.AdamW(self.trainee.groups(rate), betas=(0.9, 0.98))
        self._step = 0
        self._key = {
            "base": f"{location.name}@{location.revision}",
            "lora_rank": options.lora_rank,
            "word": options.word,
        }
        self._load()

    @property
    def best(self) -> Evaluation:
        """The evaluation with the lowest loss among those whose clips still follow."""
        follows = self.evaluations[0].similarity - LOST_SIMILARITY
        able = [each for each in self.evaluations if each.similarity >= follows]
        return min(able, key=lambda each: each.loss)

    def train(self) -> str:
        """Train until the steps are done or the held-out files say stop; return why it ended."""
        options = self._options
        every = max(1, options.steps // options.evaluations)
        if not self.evaluations:
            self._evaluate()
        mean = RunningMean()
        begun, first = time.monotonic(), self._step
        while self._step < options.steps:
            stop = self._reason_to_stop()
            if stop is not None:
                return stop
            mean.add(self._train_step())
            self._step += 1
            self._progress(f"training, loss {mean.value:.3f}", self._step / options.steps)
            if self._step % every == 0 or self._step == options.steps:
                pace = (time.monotonic() - begun) / (self._step - first)
                log.info("step %d loss %.4f %.2f s/step", self._step, mean.value, pace)
                self._evaluate()
        return f"all {options.steps} steps done"

    def _train_step(self) -> float:
        # The draw depends on the step alone, so that a run that was interrupted goes on the same.
        rng = np.random.default_rng((self._options.seed, self._step))
        torch.manual_seed(int(rng.integers(2**62)))  # of the dropout
        training, prior = self._pools
        rows = []
        for _ in range(self._options.batch_size):
            pool = prior if prior and rng.random() < PRIOR_SHARE else training
            rows.append(pool[int(rng.integers(len(pool)))])
        batch = self._batch(rows, rng)
        rate = self._share()
        for group in self._optimizer.param_groups:
            group["lr"] = group["peak"] * rate
        self.trainee.train()
        loss = self._loss(batch)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.trainee.parameters(), 1.0)
        self._optimizer.step()
        return float(loss.detach())

    def _share(self) -> float:
        steps = self._options.steps
        return cosine(self._step, steps, 1.0, warm_up=max(1, round(steps * _WARM_UP_SHARE)))

    def _batch(self, rows: list[Example], rng: np.random.Generator | None) -> Batch:
        checkpoint = self._checkpoint
        batch = make_batch(
            rows, checkpoint.tokenizer, checkpoint.delays, checkpoint.codebook_size, rng
        )
        return batch.to(checkpoint.model.device)

    def _loss(self, batch: Batch) -> torch.Tensor:
        with autocast(self._checkpoint.model.device):
            logits = self.trainee(batch)
        return cross_entropy(logits, batch.targets)

    def _evaluate(self) -> None:
        """Measure held-out loss and similarity, keep the best weights, save the state."""
        self._progress("evaluating", None)
        self.trainee.eval()
        losses = []
        with torch.no_grad():
            for example in self._held_out[:MOST_LOSS_PIECES]:
                losses.append(float(self._loss(self._batch([example], None))))
        evaluation = Evaluation(self._step, float(np.mean(losses)), self._similarity())
        self.evaluations.append(evaluation)
        log.info(
            "evaluation step %d held-out loss %.4f similarity %.3f",
            *(evaluation.step, evaluation.loss, evaluation.similarity),
        )
        if self.best == evaluation:
            self.best_weights = self.trainee.learned()
        self._save()

    def _similarity(self) -> float:
        """Generate clips of held-out melodies, keep them as samples, and measure them."""
        figures = []
        with self.trainee.as_engine() as engine:
            for number, example in enumerate(self._held_out[:MOST_EVALUATED]):
                seconds = min(SAMPLE_SECONDS, example.codes.shape[1] / engine.frame_rate)
                (clip,) = engine.generate(
                    Request(
                        prompt=example.caption,
                        melody=one_hot(example.chroma.astype(np.int64)),
                        seconds=seconds,
                        seed=self._options.seed + number,
                    )
                )
                classes = pitch_classes(clip)
                figures.append(similarity(classes, example.chroma[: len(classes)].astype(np.int64)))
                samples = self._work / "samples"
                samples.mkdir(exist_ok=True)
                name = f"step {self._step:05} {number + 1}.wav"
                soundfile.write(samples / name, clip.samples, clip.sample_rate)
        return float(np.mean(figures))

    def _reason_to_stop(self) -> str | None:
        since_best = len(self.evaluations) - 1 - self.evaluations.index(self.best)
        if since_best >= PATIENCE:
            return f"{PATIENCE} evaluations were no better than that of step {self.best.step}"
        return None

    def _save(self) -> None:
        state = {
            "key": json.dumps(self._key),
            "step": self._step,
            "weights": self.trainee.learned(),
            "best": self.best_weights,
            "optimizer": self._optimizer.state_dict(),
            "evaluations": [(each.step, each.loss, each.similarity) for each in self.evaluations],
        }
        save_state(self._work / "state.pt", state)

    def _load(self) -> None:
        file = self._work / "state.pt"
        if not file.exists():
            return
        state = torch.load(file, map_location=self._checkpoint.model.device, weights_only=True)
        if state["key"] != json.dumps(self._key):
            raise BadArgument(
                f"{str(self._work)!r} holds another training ({state['key']}): remove the folder, "
                "or give another OUT"
            )
        self.trainee.restore(state["weights"])
        self.best_weights = state["best"]
        self._optimizer.load_state_dict(state["optimizer"])
        self.evaluations = [Evaluation(*values) for values in state["evaluations"]]
        self._step = int(state["step"])
        log.info("going on from step %d", self._step)
