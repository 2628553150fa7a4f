"""Whether the parts of a checkpoint fit together, by its configuration and its tensors' shapes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bridge.engine.tensor_files import StoredTensor
from bridge.errors import CheckpointUnusable

SAMPLE_RATE = 32_000
"""Hz. MusicGen's codec has this rate alone; chroma and steps count on it."""
_DECODER = "decoder.model.decoder"
_QUANTIZERS = "audio_encoder.quantizer.layers."


def check_parts(name: str, config: Mapping[str, Any], tensors: Mapping[str, StoredTensor]) -> None:
    """Refuse a complete checkpoint whose parts contradict each other.

    A part that the configuration leaves to transformers' defaults is not checked here, but when it
    is loaded.

    Raises:
        CheckpointUnusable: the codec is not MusicGen's, or a tensor has another shape than the
            configuration says.
    """
    codec = config.get("audio_encoder")
    decoder = config.get("decoder")
    if not isinstance(codec, dict) or not isinstance(decoder, dict):
        return
    rate = codec.get("sampling_rate", SAMPLE_RATE)
    if rate != SAMPLE_RATE:
        raise CheckpointUnusable(
            f"model {name!r} has a codec of {rate} Hz, and MusicGen Melody needs {SAMPLE_RATE} Hz; "
            "give a checkpoint with EnCodec for 32 kHz"
        )
    codec_channels = codec.get("audio_channels", 1)
    if codec_channels != 1:
        raise CheckpointUnusable(
            f"model {name!r} has a codec of {codec_channels} channels, and MusicGen Melody encodes "
            "each channel with a codec of 1; give a checkpoint with such a codec"
        )
    vocab_size, codebook_size = decoder.get("vocab_size"), codec.get("codebook_size")
    if vocab_size is not None and codebook_size is not None and vocab_size != codebook_size:
        raise CheckpointUnusable(
            f"model {name!r} has a decoder of {vocab_size} codes and a codec of {codebook_size}; "
            "give the codec that the decoder was trained with"
        )
    made, held = _codebooks(decoder), _quantizers(tensors)
    if made is not None and held and made > held:
        raise CheckpointUnusable(
            f"model {name!r} has a decoder of {made} codebooks a channel and a codec of {held}; "
            "give the codec that the decoder was trained with"
        )
    for tensor, shape in _expected_shapes(config, decoder).items():
        stored = tensors.get(tensor)
        if stored is not None and None not in shape and stored.shape != shape:
            raise CheckpointUnusable(
                f"model {name!r}: weight {tensor} has the shape {list(stored.shape)}, but by "
                f"config.json it is {list(shape)}; copy or fetch it again"
            )


def _codebooks(decoder: Mapping[str, Any]) -> int | None:
    """Codebooks of a channel; None: the configuration does not say."""
    total, channels = decoder.get("num_codebooks"), decoder.get("audio_channels", 1)
    if not isinstance(total, int) or channels not in (1, 2):
        return None
    return total // int(channels)


def _quantizers(tensors: Mapping[str, StoredTensor]) -> int:
    """How many codebooks the codec has; 0: its weights are stored elsewhere."""
    return len({name.split(".")[3] for name in tensors if name.startswith(_QUANTIZERS)})


def _expected_shapes(
    config: Mapping[str, Any], decoder: Mapping[str, Any]
) -> dict[str, tuple[int | None, ...]]:
    """One tensor of each kind that the sizes of the decoder decide; None: a size is not stated."""
    hidden, ffn = decoder.get("hidden_size"), decoder.get("ffn_dim")
    vocab_size = decoder.get("vocab_size")
    text = config.get("text_encoder")
    text_width = text.get("d_model") if isinstance(text, dict) else None
    rows = None if vocab_size is None else vocab_size + 1
    return {
        f"{_DECODER}.embed_tokens.0.weight": (rows, hidden),
        f"{_DECODER}.layers.0.self_attn.q_proj.weight": (hidden, hidden),
        f"{_DECODER}.layers.0.fc1.weight": (ffn, hidden),
        "decoder.lm_heads.0.weight": (vocab_size, hidden),
        "enc_to_dec_proj.weight": (hidden, text_width),
        "audio_enc_to_dec_proj.weight": (hidden, config.get("num_chroma")),
    }
