"""MusicGen Melody checkpoints of the published sizes with random weights, made on the device.

They measure the time and memory of a size without a download. Their output is noise.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    EncodecConfig,
    MusicgenMelodyConfig,
    MusicgenMelodyForConditionalGeneration,
    PreTrainedTokenizerFast,
    T5Config,
)
from transformers.models.musicgen_melody import MusicgenMelodyDecoderConfig

from bridge.commands import Precision
from bridge.engine.checkpoint import COMPOSITE, Location
from bridge.engine.device import oom_as_error, resolve_device, resolve_dtype
from bridge.engine.engine import Engine
from bridge.engine.precision import check_place, check_precision
from bridge.engine.weights import Checkpoint, Defaults, quiet
from bridge.errors import BadArgument

SIZES: dict[str, dict[str, int]] = {
    "full": {"hidden_size": 1536, "num_attention_heads": 24, "ffn_dim": 6144, "channels": 2},
    "mono": {"hidden_size": 1536, "num_attention_heads": 24, "ffn_dim": 6144, "channels": 1},
    "large": {"hidden_size": 2048, "num_attention_heads": 32, "ffn_dim": 8192, "channels": 2},
}
"""Decoders of 48 layers: the 1.5 B of facebook/musicgen-stereo-melody and of musicgen-melody, and
the "3.3 B" of musicgen-stereo-melody-large, 2.5 B in this architecture."""
CODEBOOK_SIZE = 2048
WEIGHT_STD = 0.02
"""Standard deviation of the weights: these models are initialized with it."""


def random_engine(
    size: str,
    *,
    device: str | None = None,
    dtype: str | torch.dtype | None = None,
    precision: Precision = "exact",
) -> Engine:
    """An engine with random weights of a published size.

    Args:
        size: one of `SIZES`.
        device, dtype, precision: as for `bridge.engine.load`.

    Raises:
        BadArgument: no such size, device, number type or precision.
        Unsupported: not this precision, here or with this device and number type.
        OutOfMemory: the model does not fit the device.
    """
    if size not in SIZES:
        raise BadArgument(f"size {size!r}: give {', '.join(SIZES)}")
    check_precision(precision)
    torch_device = resolve_device(device)
    torch_dtype = resolve_dtype(dtype, torch_device)
    check_place(precision, torch_device.type, str(torch_dtype))
    with (
        quiet(),
        oom_as_error(f"size {size!r} does not fit {torch_device}; choose a smaller type or device"),
    ):
        checkpoint = random_checkpoint(full_config(**SIZES[size]), torch_device, torch_dtype)
        location = Location(f"random {size}", Path(), None, COMPOSITE)
        return Engine(location, checkpoint, precision=precision)


def full_config(*, channels: int, layers: int = 48, **decoder: Any) -> Any:
    """The configuration of a published model, with T5 base and the 32 kHz codec."""
    return MusicgenMelodyConfig(
        text_encoder=T5Config(
            vocab_size=32128, d_model=768, d_ff=3072, num_layers=12, num_heads=12
        ),
        audio_encoder=EncodecConfig(
            target_bandwidths=[2.2],  # kbit/s: 4 codebooks of 11 bits, 50 times a second
            sampling_rate=32_000,
            audio_channels=1,
            num_filters=64,
            hidden_size=128,
            codebook_dim=128,
            codebook_size=CODEBOOK_SIZE,
            upsampling_ratios=[8, 5, 4, 4],
            num_lstm_layers=2,
            use_causal_conv=False,
            use_conv_shortcut=False,
        ),
        decoder=MusicgenMelodyDecoderConfig(
            vocab_size=CODEBOOK_SIZE,
            num_hidden_layers=layers,
            num_codebooks=4 * channels,
            audio_channels=channels,
            pad_token_id=CODEBOOK_SIZE,
            bos_token_id=CODEBOOK_SIZE,
            **decoder,
        ),
    )


def random_checkpoint(config: Any, device: torch.device, dtype: torch.dtype) -> Checkpoint:
    """Random weights of any configuration, drawn on the device; the codec's are float32."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device), torch.random.fork_rng([device] if device.type == "cuda" else []):
            torch.manual_seed(0)
            model: Any = MusicgenMelodyForConditionalGeneration(config)
            with torch.no_grad():
                _draw(model)
    finally:
        torch.set_default_dtype(before)
    model.audio_encoder.float()
    start = config.decoder.pad_token_id
    own = model.generation_config
    model.generation_config = type(own)(
        bos_token_id=start, pad_token_id=start, decoder_start_token_id=start
    )
    return Checkpoint(model.eval(), _tokenizer(), Defaults(True, 3.0, 1.0, 1.0))


def _draw(model: Any) -> None:
    """Draw the matrices, and the codec's codebooks, which transformers leaves at zero."""
    for name, parameter in model.named_parameters():
        if parameter.dim() > 1 and not name.startswith("audio_encoder."):
            parameter.normal_(std=WEIGHT_STD)
    for name, buffer in model.named_buffers():
        if name.endswith("codebook.embed"):
            buffer.normal_(std=0.5)


def _tokenizer() -> Any:
    """One token a word, all unknown: a prompt has about its usual number of tokens."""
    words = {"<pad>": 0, "</s>": 1, "<unk>": 2}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 1)]
    )
    fast: Any = PreTrainedTokenizerFast
    return fast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>")
