"""Export of trained weights as an ordinary MusicGen Melody checkpoint of fp16 safetensors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import EncodecModel, GenerationConfig, MusicgenMelodyForConditionalGeneration

from bridge.pocket.codec import CODEBOOK_SIZE, codec_config
from bridge.pocket.decoder import Follower, model_config
from bridge.pocket.quantizer import QuantizerTrainer
from bridge.pocket.text import build_tokenizer

GUIDANCE_SCALE = 3.0
TEMPERATURE = 1.0
TOP_K = 250
TOP_P = 0.9
"""Without it the least likely codes are drawn too: a drum hit's code in one channel of a piece
without drums is a click. With it 32 clips of four presets had 7 clicks instead of 22 (measured)."""


def export(state_file: Path, codec_folder: Path, folder: Path, *, weights: str = "average") -> None:
    """Write config, weights, generation config and tokenizer to `folder`.

    Args:
        state_file: the state that `train_decoder` saved.
        codec_folder: the trained codec, as `EncodecModel.save_pretrained` wrote it.
        folder: created if it does not exist; `from_pretrained` loads it.
        weights: "average", or "model" for the last step's own.
    """
    tokenizer = build_tokenizer()
    model = MusicgenMelodyForConditionalGeneration(model_config(len(tokenizer)))
    codec = EncodecModel.from_pretrained(codec_folder, dtype=torch.float32)
    model.audio_encoder.load_state_dict(codec.state_dict())
    follower = Follower(model)
    state = torch.load(state_file, map_location="cpu", weights_only=True)
    follower.load_state_dict(state[weights])
    model.generation_config = GenerationConfig(  # type: ignore[no-untyped-call]
        do_sample=True,
        guidance_scale=GUIDANCE_SCALE,
        temperature=TEMPERATURE,
        top_k=TOP_K,
        top_p=TOP_P,
        max_length=1500,
        bos_token_id=CODEBOOK_SIZE,
        pad_token_id=CODEBOOK_SIZE,
        decoder_start_token_id=CODEBOOK_SIZE,
    )
    folder.mkdir(parents=True, exist_ok=True)
    model.half().save_pretrained(folder)  # type: ignore[no-untyped-call]
    tokenizer.save_pretrained(folder)


def extract_codec(checkpoint: Path, folder: Path) -> None:
    """Write a checkpoint's codec by itself, to encode the corpus with it again."""
    model: Any = MusicgenMelodyForConditionalGeneration.from_pretrained(
        checkpoint, dtype=torch.float32
    )
    model.audio_encoder.save_pretrained(folder)


def export_codec(state_file: Path, folder: Path) -> None:
    """Write the trained codec by itself, without the statistics that only its training needs."""
    model = EncodecModel(codec_config())
    model.load_state_dict(torch.load(state_file, map_location="cpu", weights_only=True)["model"])
    for codebook in QuantizerTrainer(model).codebooks:
        codebook.embed_avg.copy_(codebook.embed)
        codebook.cluster_size.fill_(1.0)
    model.save_pretrained(folder)
