"""A checkpoint in training: what is frozen, what learns, and what it answers to a batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from bridge.engine.checkpoint import Location
from bridge.engine.engine import Engine
from bridge.engine.weights import Checkpoint, quiet
from bridge.errors import Unsupported
from bridge.training.batches import Batch

LORA_TARGETS = ("q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2")


class Trainee(nn.Module):
    """The decoder and the projections learn; codec and text encoder stay as they are.

    With a LoRA they stay too, and only the LoRA learns, so that it holds all that was learned. The
    embedding of a new word learns in either case, and of the text encoder it alone.
    """

    def __init__(
        self,
        location: Location,
        checkpoint: Checkpoint,
        *,
        lora_rank: int | None,
        new_word: int | None,
    ) -> None:
        """Freeze what does not learn.

        Args:
            lora_rank: of the LoRA; None: the whole decoder learns.
            new_word: the token whose embedding learns; None: none does.

        Raises:
            Unsupported: a LoRA is asked for and peft is not installed.
        """
        super().__init__()
        self.model = checkpoint.model
        self._location, self._checkpoint = location, checkpoint
        self.has_lora = lora_rank is not None
        for parameter in self.model.parameters():
            parameter.requires_grad_(False)
        if lora_rank is None:
            for part in ("decoder", "enc_to_dec_proj", "audio_enc_to_dec_proj"):
                getattr(self.model, part).requires_grad_(True)
        else:
            _add_lora(self.model.decoder, lora_rank)
        if new_word is not None:
            embedding = self.model.text_encoder.shared.weight.requires_grad_(True)
            is_new = torch.arange(len(embedding)) == new_word
            embedding.register_hook(lambda gradient: gradient * is_new[:, None].to(gradient))

    def forward(self, batch: Batch) -> Tensor:
        """The logits of the next codes, `[B, K, L, V]`."""
        states = self.model.text_encoder(
            batch.text, attention_mask=batch.text_mask
        ).last_hidden_state
        text = self.model.enc_to_dec_proj(states)
        text = text * batch.text_mask[..., None] * batch.keep_text[:, None, None]
        chroma = self.model.audio_enc_to_dec_proj(batch.chroma)
        prefix = torch.cat([chroma, text], dim=1)  # [B, chroma_length + T, H]
        hidden = self.model.decoder.model(
            batch.inputs.flatten(0, 1), encoder_hidden_states=prefix
        ).last_hidden_state[:, prefix.shape[1] :]
        return torch.stack([head(hidden) for head in self.model.decoder.lm_heads], dim=1)

    def train(self, mode: bool = True) -> Trainee:
        """Switch dropout on or off, except in the parts that do not learn."""
        super().train(mode)
        self.model.text_encoder.eval()
        self.model.audio_encoder.eval()
        return self

    def groups(self, rate: float) -> list[dict[str, Any]]:
        """Parameter groups for an optimizer, each with its `peak` rate.

        Decay would move the embeddings of words that do not learn, and norms and biases have none.
        """
        matrices: list[nn.Parameter] = []
        others: list[nn.Parameter] = []
        for name, parameter in self.named_parameters():
            if parameter.requires_grad:
                is_matrix = parameter.ndim > 1 and "shared" not in name and "embed" not in name
                (matrices if is_matrix else others).append(parameter)
        return [
            {"params": matrices, "peak": rate, "lr": rate, "weight_decay": 0.01},
            {"params": others, "peak": rate, "lr": rate, "weight_decay": 0.0},
        ]

    def learned(self) -> dict[str, Tensor]:
        """A copy of every weight that learns, by name."""
        return {
            name: parameter.detach().clone()
            for name, parameter in self.named_parameters()
            if parameter.requires_grad
        }

    def restore(self, learned: Mapping[str, Tensor]) -> None:
        """Put weights back that `learned` gave."""
        own = dict(self.named_parameters())
        with torch.no_grad():
            for name, value in learned.items():
                own[name].copy_(value)

    @contextmanager
    def as_engine(self) -> Iterator[Engine]:
        """An engine that generates with the weights as they are now."""
        training = self.model.training
        self.model.eval()
        layers = [module for module in self.model.modules() if hasattr(module, "merged_adapters")]
        for layer in layers:
            layer.merge()
        try:
            yield Engine(self._location, self._checkpoint)
        finally:
            for layer in layers:
                layer.unmerge()
            self.model.train(training)

    def merged(self) -> Any:
        """The model without a LoRA in it: its matrices are added to the weights. Use it last."""
        if self.has_lora:
            from peft.tuners.lora import LoraLayer

            for name, module in list(self.model.named_modules()):
                if isinstance(module, LoraLayer):
                    parent, _, child = name.rpartition(".")
                    module.merge(safe_merge=True)
                    setattr(self.model.get_submodule(parent), child, module.get_base_layer())
        return self.model

    def adapter(self) -> dict[str, Tensor]:
        """The LoRA's matrices, by the names that peft gives them in a file."""
        from peft import get_peft_model_state_dict

        state = get_peft_model_state_dict(self.model.decoder)
        return {f"base_model.model.{name}": value.detach() for name, value in state.items()}


def _add_lora(decoder: Any, rank: int) -> None:
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise Unsupported("a LoRA needs peft: pip install 'melody-bridge[train]'") from error
    config = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=list(LORA_TARGETS))
    with quiet():
        inject_adapter_in_model(config, decoder)
