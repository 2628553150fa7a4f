"""Writes checkpoints in audiocraft's layout, from a model of transformers.

The names are those that audiocraft's modules give (LMModel, StreamingTransformerLayer,
SEANetEncoder, ResidualVectorQuantizer), written out here once more so that a mistake in the
converter's table does not cancel out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import yaml


def language_model_state(model: Any) -> dict[str, torch.Tensor]:
    """The weights of decoder and projections under audiocraft's names."""
    decoder = model.decoder.model.decoder
    state: dict[str, torch.Tensor] = {}
    for index, embedding in enumerate(decoder.embed_tokens):
        state[f"emb.{index}.weight"] = embedding.weight
    for index, layer in enumerate(decoder.layers):
        prefix = f"transformer.layers.{index}"
        attention = layer.self_attn
        state[f"{prefix}.self_attn.in_proj_weight"] = torch.cat(
            [attention.q_proj.weight, attention.k_proj.weight, attention.v_proj.weight]
        )
        state[f"{prefix}.self_attn.out_proj.weight"] = attention.out_proj.weight
        state[f"{prefix}.linear1.weight"] = layer.fc1.weight
        state[f"{prefix}.linear2.weight"] = layer.fc2.weight
        for number, norm in ((1, layer.self_attn_layer_norm), (2, layer.final_layer_norm)):
            state[f"{prefix}.norm{number}.weight"] = norm.weight
            state[f"{prefix}.norm{number}.bias"] = norm.bias
    state["out_norm.weight"] = decoder.layer_norm.weight
    state["out_norm.bias"] = decoder.layer_norm.bias
    for index, head in enumerate(model.decoder.lm_heads):
        state[f"linears.{index}.weight"] = head.weight
    conditioners = "condition_provider.conditioners"
    state[f"{conditioners}.description.output_proj.weight"] = model.enc_to_dec_proj.weight
    state[f"{conditioners}.description.output_proj.bias"] = model.enc_to_dec_proj.bias
    state[f"{conditioners}.self_wav.output_proj.weight"] = model.audio_enc_to_dec_proj.weight
    state[f"{conditioners}.self_wav.output_proj.bias"] = model.audio_enc_to_dec_proj.bias
    state[f"{conditioners}.self_wav.chroma.spec.window"] = torch.hann_window(16_384)
    return {name: tensor.detach().clone() for name, tensor in state.items()}


def codec_state(codec: Any) -> dict[str, torch.Tensor]:
    """The weights of an EnCodec under audiocraft's names."""
    state: dict[str, torch.Tensor] = {}
    for name, tensor in codec.state_dict().items():
        part, _, rest = name.partition(".")
        if part == "quantizer":
            # layers.N.codebook.X
            _, number, _, what = rest.split(".")
            state[f"quantizer.vq.layers.{number}._codebook.{what}"] = tensor
            continue
        number, what = rest.removeprefix("layers.").split(".", 1)
        what = what.replace("parametrizations.weight.original0", "weight_g")
        what = what.replace("parametrizations.weight.original1", "weight_v")
        # Each convolution is in a wrapper for its norm, and that in one for its padding; those of
        # a decoder that lengthen are transposed.
        transposed = part == "decoder" and what.startswith("conv.") and number not in ("0", "15")
        if not what.startswith("lstm."):
            wrapped = "convtr.convtr." if transposed else "conv.conv."
            what = what.replace("conv.", wrapped, 1)
        state[f"{part}.model.{number}.{what}"] = tensor
    return {name: tensor.detach().clone() for name, tensor in state.items()}


def language_model_settings(model: Any, text_encoder: str) -> dict[str, Any]:
    """The settings that audiocraft's solver for MusicGen Melody exports, those that matter."""
    config = model.config.decoder
    channels = config.audio_channels
    return {
        "lm_model": "transformer_lm",
        "sample_rate": 32_000,
        "channels": 1,
        "codebooks_pattern": {
            "modeling": "delay",
            "delay": {
                "delays": [index // channels for index in range(config.num_codebooks)],
                "flatten_first": 0,
                "empty_initial": 0,
            },
        },
        "transformer_lm": {
            "dim": config.hidden_size,
            "num_heads": config.num_attention_heads,
            "num_layers": config.num_hidden_layers,
            "hidden_scale": config.ffn_dim // config.hidden_size,
            "n_q": config.num_codebooks,
            "card": config.vocab_size,
            "activation": "gelu",
            "norm_first": True,
            "bias_ff": False,
            "bias_attn": False,
            "bias_proj": False,
            "positional_embedding": "sin",
            "layer_scale": None,
        },
        "classifier_free_guidance": {"training_dropout": 0.2, "inference_coef": 2.5},
        "fuser": {"sum": [], "prepend": ["self_wav", "description"], "cross": []},
        "conditioners": {
            "self_wav": {
                "model": "chroma_stem",
                "chroma_stem": {
                    "sample_rate": "${sample_rate}",
                    "n_chroma": 12,
                    "radix2_exp": 14,
                    "argmax": True,
                },
            },
            "description": {
                "model": "t5",
                "t5": {"name": text_encoder, "finetune": False, "normalize_text": False},
            },
        },
        "dataset": {"segment_duration": 30},
        "generate": {"lm": {"use_sampling": True, "top_k": 200, "top_p": 0.0}},
    }


def codec_settings(config: Any) -> dict[str, Any]:
    """The settings that audiocraft's compression solver exports, those that matter."""
    return {
        "compression_model": "encodec",
        "sample_rate": config.sampling_rate,
        "channels": config.audio_channels,
        "encodec": {
            "autoencoder": "seanet",
            "quantizer": "rvq",
            "sample_rate": "${sample_rate}",
            "channels": "${channels}",
            "causal": config.use_causal_conv,
            "renormalize": False,
        },
        "seanet": {
            "dimension": config.hidden_size,
            "channels": "${channels}",
            "causal": "${encodec.causal}",
            "n_filters": config.num_filters,
            "n_residual_layers": config.num_residual_layers,
            "ratios": list(config.upsampling_ratios),
            "activation": "ELU",
            "activation_params": {"alpha": 1.0},
            "norm": "weight_norm",
            "kernel_size": config.kernel_size,
            "residual_kernel_size": config.residual_kernel_size,
            "last_kernel_size": config.last_kernel_size,
            "dilation_base": config.dilation_growth_rate,
            "pad_mode": config.pad_mode,
            "true_skip": not config.use_conv_shortcut,
            "compress": config.compress,
            "lstm": config.num_lstm_layers,
            "disable_norm_outer_blocks": 0,
            "decoder": {"trim_right_ratio": 1.0, "final_activation": None},
            "encoder": {},
        },
        "rvq": {"n_q": config.num_quantizers, "bins": config.codebook_size},
    }


def write_package(file: Path, state: dict[str, torch.Tensor], settings: dict[str, Any]) -> None:
    """Write a file as audiocraft's `export` does."""
    content = {
        "best_state": state,
        "xp.cfg": yaml.safe_dump(settings),
        "version": "1.3.0",
        "exported": True,
    }
    torch.save(content, file)
