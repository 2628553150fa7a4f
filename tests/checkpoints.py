"""Small MusicGen Melody checkpoints with random weights, written as folders.

The weights have a standard deviation of 0.2: with the usual 0.02 the conditions barely change the
logits, and every greedy result is the same.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    EncodecConfig,
    MusicgenMelodyConfig,
    MusicgenMelodyForCausalLM,
    MusicgenMelodyForConditionalGeneration,
    PreTrainedTokenizerFast,
    T5Config,
)
from transformers.models.musicgen_melody import MusicgenMelodyDecoderConfig

VOCABULARY = ("<pad>", "</s>", "<unk>", "warm", "rhodes", "lo-fi", "drums", "bass", "slow", "fast")
CODEBOOK_SIZE = 64
CODEBOOKS_PER_CHANNEL = 4


def write_checkpoint(
    folder: Path,
    *,
    channels: int,
    seed: int = 0,
    **sizes: int,
) -> Path:
    """Write a complete checkpoint with its tokenizer, mono or stereo, about 100,000 parameters.

    Args:
        sizes: options of `decoder_config` in place of the usual ones.
    """
    text_encoder = T5Config(
        vocab_size=len(VOCABULARY), d_model=24, d_kv=8, d_ff=48, num_layers=2, num_heads=3
    )
    return write_parts(folder, text_encoder, channels=channels, seed=seed, **sizes)


def write_parts(
    folder: Path, text_encoder: T5Config, *, channels: int, seed: int = 0, **sizes: int
) -> Path:
    """Write a complete checkpoint with another text encoder; else as `write_checkpoint`."""
    torch.manual_seed(seed)
    codec = EncodecConfig(
        target_bandwidths=[1.2],  # kbit/s: 4 codebooks x 6 bits x 50 steps a second
        sampling_rate=32_000,
        audio_channels=1,
        num_filters=4,
        hidden_size=16,
        codebook_dim=16,
        codebook_size=CODEBOOK_SIZE,
        upsampling_ratios=[8, 5, 4, 4],
        num_lstm_layers=1,
        use_causal_conv=False,
        use_conv_shortcut=False,
    )
    config = MusicgenMelodyConfig(
        text_encoder=text_encoder, audio_encoder=codec, decoder=decoder_config(channels, **sizes)
    )
    model = MusicgenMelodyForConditionalGeneration(config)
    spread_weights(model)
    tokens = model.generation_config
    tokens.bos_token_id = tokens.pad_token_id = tokens.decoder_start_token_id = CODEBOOK_SIZE
    tokens.guidance_scale = 3.0
    tokens.do_sample = True
    tokens.max_length = 1500
    model.save_pretrained(folder)
    word_tokenizer().save_pretrained(folder)
    return folder


def write_decoder(folder: Path, *, channels: int, seed: int, **sizes: int) -> Path:
    """Write a decoder alone. With the usual sizes it fits `write_checkpoint`'s checkpoint."""
    torch.manual_seed(seed)
    decoder = MusicgenMelodyForCausalLM(decoder_config(channels, **sizes))
    spread_weights(decoder)
    decoder.save_pretrained(folder)
    return folder


def decoder_config(channels: int, **sizes: int) -> MusicgenMelodyDecoderConfig:
    """The configuration of a decoder with two layers and one set of codebooks a channel."""
    vocab_size = sizes.pop("vocab_size", CODEBOOK_SIZE)
    usual: dict[str, Any] = {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "ffn_dim": 64,
    }
    return MusicgenMelodyDecoderConfig(
        vocab_size=vocab_size,
        num_codebooks=CODEBOOKS_PER_CHANNEL * channels,
        audio_channels=channels,
        pad_token_id=vocab_size,
        bos_token_id=vocab_size,
        **{**usual, **sizes},
    )


def spread_weights(model: torch.nn.Module) -> None:
    """Redraw every matrix, and the codec's codebooks, which start at zero."""
    for name, parameter in model.named_parameters():
        if parameter.dim() > 1 and not name.startswith("audio_encoder."):
            torch.nn.init.normal_(parameter, std=0.2)
    for name, buffer in model.named_buffers():
        if name.endswith("codebook.embed"):
            torch.nn.init.normal_(buffer, std=0.5)


def word_tokenizer(*, ends: bool = True) -> Any:
    """A tokenizer with one token a word; if `ends`, T5's `</s>` comes last."""
    tokenizer = Tokenizer(
        models.WordLevel({word: index for index, word in enumerate(VOCABULARY)}, unk_token="<unk>")
    )
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    if ends:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="$A </s>", special_tokens=[("</s>", 1)]
        )
    tokenizer_class: Any = PreTrainedTokenizerFast
    return tokenizer_class(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    )
