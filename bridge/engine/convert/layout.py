"""What audiocraft calls each weight and setting, and what transformers calls it.

Names and settings: audiocraft/models/lm.py, modules/transformer.py, modules/seanet.py and
config/ for audiocraft; modeling_musicgen_melody.py and modeling_encodec.py for transformers.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping

import torch
from transformers import EncodecConfig
from transformers.models.musicgen_melody import MusicgenMelodyDecoderConfig

from bridge.engine.convert.original import Package, Settings
from bridge.errors import CheckpointUnusable

_FOLLOWED = ["self_wav", "description"]
"""The melody's chroma, then the text, before the decoder's own sequence."""

_LANGUAGE_MODEL_SETTINGS: Mapping[str, object] = {
    "lm_model": "transformer_lm",
    "conditioners.self_wav.model": "chroma_stem",
    "conditioners.self_wav.chroma_stem.n_chroma": 12,
    "conditioners.self_wav.chroma_stem.radix2_exp": 14,
    "conditioners.self_wav.chroma_stem.argmax": True,
    "conditioners.self_wav.chroma_stem.sample_rate": 32_000,
    "conditioners.description.model": "t5",
    "conditioners.description.t5.normalize_text": False,
    "fuser.prepend": _FOLLOWED,
    "fuser.sum": [],
    "fuser.cross": [],
    "fuser.input_interpolate": [],
    "codebooks_pattern.delay.flatten_first": 0,
    "codebooks_pattern.delay.empty_initial": 0,
    "transformer_lm.activation": "gelu",
    "transformer_lm.norm": "layer_norm",
    "transformer_lm.norm_first": True,
    "transformer_lm.bias_ff": False,
    "transformer_lm.bias_attn": False,
    "transformer_lm.bias_proj": False,
    "transformer_lm.causal": True,
    "transformer_lm.past_context": None,
    "transformer_lm.positional_embedding": "sin",
    "transformer_lm.layer_scale": None,
    "transformer_lm.qk_layer_norm": False,
    "transformer_lm.kv_repeat": 1,
}
"""What transformers' MusicGen Melody has built in; another value is another model."""

_CODEC_SETTINGS: Mapping[str, object] = {
    "compression_model": "encodec",
    "encodec.autoencoder": "seanet",
    "encodec.quantizer": "rvq",
    "encodec.renormalize": False,
    "seanet.activation": "ELU",
    "seanet.activation_params": {"alpha": 1.0},
    "seanet.norm": "weight_norm",
    "seanet.disable_norm_outer_blocks": 0,
    "seanet.decoder.final_activation": None,
    "seanet.encoder": {},
}

_LANGUAGE_MODEL_NAMES = (
    (r"emb\.(\d+)\.weight", r"decoder.model.decoder.embed_tokens.\1.weight"),
    (
        r"transformer\.layers\.(\d+)\.self_attn\.(?:mha\.)?out_proj\.weight",
        r"decoder.model.decoder.layers.\1.self_attn.out_proj.weight",
    ),
    (
        r"transformer\.layers\.(\d+)\.linear([12])\.weight",
        r"decoder.model.decoder.layers.\1.fc\2.weight",
    ),
    (
        r"transformer\.layers\.(\d+)\.norm1\.(weight|bias)",
        r"decoder.model.decoder.layers.\1.self_attn_layer_norm.\2",
    ),
    (
        r"transformer\.layers\.(\d+)\.norm2\.(weight|bias)",
        r"decoder.model.decoder.layers.\1.final_layer_norm.\2",
    ),
    (r"out_norm\.(weight|bias)", r"decoder.model.decoder.layer_norm.\1"),
    (r"linears\.(\d+)\.weight", r"decoder.lm_heads.\1.weight"),
    (
        r"condition_provider\.conditioners\.description\.output_proj\.(weight|bias)",
        r"enc_to_dec_proj.\1",
    ),
    (
        r"condition_provider\.conditioners\.self_wav\.output_proj\.(weight|bias)",
        r"audio_enc_to_dec_proj.\1",
    ),
)
_FUSED = re.compile(r"transformer\.layers\.(\d+)\.self_attn\.(?:mha\.)?in_proj_weight")
_COMPUTED = re.compile(r"condition_provider\.conditioners\.self_wav\.chroma\..*")
"""The window and filters of the chroma, which are computed and not learned."""

_CODEC_NAMES = (
    (
        r"(encoder|decoder)\.model\.(\d+)\.(block\.\d+\.|shortcut\.|)(?:conv\.conv|convtr\.convtr)"
        r"\.bias",
        r"audio_encoder.\1.layers.\2.\3conv.bias",
    ),
    (
        r"(encoder|decoder)\.model\.(\d+)\.(block\.\d+\.|shortcut\.|)(?:conv\.conv|convtr\.convtr)"
        r"\.weight_g",
        r"audio_encoder.\1.layers.\2.\3conv.parametrizations.weight.original0",
    ),
    (
        r"(encoder|decoder)\.model\.(\d+)\.(block\.\d+\.|shortcut\.|)(?:conv\.conv|convtr\.convtr)"
        r"\.weight_v",
        r"audio_encoder.\1.layers.\2.\3conv.parametrizations.weight.original1",
    ),
    (r"(encoder|decoder)\.model\.(\d+)\.lstm\.(\w+)", r"audio_encoder.\1.layers.\2.lstm.\3"),
    (
        r"quantizer\.vq\.layers\.(\d+)\._codebook\.(\w+)",
        r"audio_encoder.quantizer.layers.\1.codebook.\2",
    ),
)


def check_language_model(package: Package) -> Settings:
    """The settings of a language model, after checking that it is MusicGen Melody.

    Raises:
        CheckpointUnusable: it is another model, or one that transformers has no place for.
    """
    if package.settings is None:
        raise CheckpointUnusable(
            f"{str(package.file)!r} only names {package.pretrained!r}; give the file that holds "
            "the language model"
        )
    conditions = package.settings.get("conditioners")
    names = sorted(set(conditions) - {"args"}) if isinstance(conditions, dict) else []
    if names != sorted(_FOLLOWED):
        raise CheckpointUnusable(
            f"{str(package.file)!r} is a model that follows {', '.join(names) or 'nothing'}; only "
            f"MusicGen Melody, which follows {' and '.join(_FOLLOWED)}, can be converted"
        )
    _check(package.settings, _LANGUAGE_MODEL_SETTINGS)
    return package.settings


def decoder_config(package: Package, codebooks_per_channel: int) -> MusicgenMelodyDecoderConfig:
    """The decoder's configuration: sizes from the weights, the heads from the settings.

    Args:
        package: a language model that `check_language_model` accepts.
        codebooks_per_channel: of the codec.

    Raises:
        CheckpointUnusable: weights are missing, sizes contradict each other, or the codebooks are
            neither mono nor stereo.
    """
    settings = check_language_model(package)
    num_codebooks = _count(package, "emb.{}.weight")
    rows, hidden_size = _shape(package, "emb.0.weight")
    num_layers = _count(package, "transformer.layers.{}.linear1.weight")
    ffn_dim, _ = _shape(package, "transformer.layers.0.linear1.weight")
    num_heads = settings.integer("transformer_lm.num_heads")
    found = {
        "transformer_lm.dim": hidden_size,
        "transformer_lm.num_layers": num_layers,
        "transformer_lm.n_q": num_codebooks,
        # One more row is the special token.
        "transformer_lm.card": rows - 1,
    }
    for path, size in found.items():
        if settings.get(path, size) != size:
            raise CheckpointUnusable(
                f"{str(package.file)!r}: setting {path} is {settings.get(path)!r}, but the weights "
                f"have {size}; the file does not belong together"
            )
    if hidden_size % num_heads:
        raise CheckpointUnusable(
            f"{str(package.file)!r}: setting transformer_lm.num_heads is {num_heads}, which does "
            f"not divide the width of the weights, {hidden_size}"
        )
    channels = num_codebooks // codebooks_per_channel
    if channels * codebooks_per_channel != num_codebooks or channels not in (1, 2):
        raise CheckpointUnusable(
            f"{str(package.file)!r} makes {num_codebooks} codebooks, but the codec has "
            f"{codebooks_per_channel} a channel; give the codec that it was trained with"
        )
    _check_delays(settings, num_codebooks, channels)
    return MusicgenMelodyDecoderConfig(
        vocab_size=rows - 1,
        hidden_size=hidden_size,
        ffn_dim=ffn_dim,
        num_hidden_layers=num_layers,
        num_attention_heads=num_heads,
        num_codebooks=num_codebooks,
        audio_channels=channels,
        pad_token_id=rows - 1,
        bos_token_id=rows - 1,
        tie_word_embeddings=False,
    )


def codec_config(package: Package) -> EncodecConfig:
    """The codec's configuration.

    Raises:
        CheckpointUnusable: it is no EnCodec that transformers has a place for.
    """
    settings = package.settings
    if settings is None:
        raise CheckpointUnusable(f"{str(package.file)!r} holds no codec, only its name")
    _check(settings, _CODEC_SETTINGS)
    ratios = settings.get("seanet.ratios")
    if not isinstance(ratios, list) or not all(type(r) is int and r > 0 for r in ratios):
        raise CheckpointUnusable(
            f"{str(package.file)!r}: setting seanet.ratios is {ratios!r}, not a list of whole "
            "numbers above 0"
        )
    codebooks = _count(package, "quantizer.vq.layers.{}._codebook.embed")
    codebook_size, width = _shape(package, "quantizer.vq.layers.0._codebook.embed")
    sample_rate = settings.integer("sample_rate")
    frame_rate = math.ceil(sample_rate / math.prod(ratios))
    kilobits = codebooks * math.log2(codebook_size) * frame_rate / 1000
    return EncodecConfig(
        target_bandwidths=[kilobits],
        sampling_rate=sample_rate,
        audio_channels=settings.integer("channels"),
        normalize=False,
        chunk_length_s=None,
        overlap=None,
        hidden_size=settings.integer("seanet.dimension"),
        num_filters=settings.integer("seanet.n_filters"),
        num_residual_layers=settings.integer("seanet.n_residual_layers"),
        upsampling_ratios=ratios,
        norm_type="weight_norm",
        kernel_size=settings.integer("seanet.kernel_size"),
        last_kernel_size=settings.integer("seanet.last_kernel_size"),
        residual_kernel_size=settings.integer("seanet.residual_kernel_size"),
        dilation_growth_rate=settings.integer("seanet.dilation_base"),
        use_causal_conv=bool(settings.get("encodec.causal", False)),
        pad_mode=str(settings.get("seanet.pad_mode", "reflect")),
        compress=settings.integer("seanet.compress"),
        num_lstm_layers=settings.integer("seanet.lstm"),
        trim_right_ratio=float(settings.get("seanet.decoder.trim_right_ratio", 1.0)),
        codebook_size=codebook_size,
        codebook_dim=width,
        use_conv_shortcut=not settings.get("seanet.true_skip", True),
    )


def language_model_weights(package: Package) -> dict[str, torch.Tensor]:
    """The weights of decoder and projections, by the name that transformers has for them.

    audiocraft keeps query, key and value of a layer in one matrix `[3 * hidden, hidden]`.

    Raises:
        CheckpointUnusable: a weight has no place in MusicGen Melody.
    """

    def split(name: str, tensor: torch.Tensor) -> Iterator[tuple[str, torch.Tensor]]:
        fused = _FUSED.fullmatch(name)
        if fused is None:
            return
        prefix = f"decoder.model.decoder.layers.{fused[1]}.self_attn"
        for part, matrix in zip("qkv", tensor.chunk(3), strict=True):
            yield f"{prefix}.{part}_proj.weight", matrix

    return _renamed(package, _LANGUAGE_MODEL_NAMES, split)


def codec_weights(package: Package) -> dict[str, torch.Tensor]:
    """The codec's weights, by the name that transformers has for them.

    Raises:
        CheckpointUnusable: a weight has no place in EnCodec.
    """
    return _renamed(package, _CODEC_NAMES, lambda name, tensor: iter(()))


def _renamed(
    package: Package,
    names: Iterable[tuple[str, str]],
    split: Callable[[str, torch.Tensor], Iterator[tuple[str, torch.Tensor]]],
) -> dict[str, torch.Tensor]:
    renamed: dict[str, torch.Tensor] = {}
    unknown: list[str] = []
    for name, tensor in package.state.items():
        if _COMPUTED.fullmatch(name):
            continue
        parts = dict(split(name, tensor))
        if not parts:
            for pattern, template in names:
                match = re.fullmatch(pattern, name)
                if match is not None:
                    parts = {match.expand(template): tensor}
                    break
            else:
                unknown.append(name)
        renamed |= parts
    if unknown:
        raise CheckpointUnusable(
            f"{str(package.file)!r} has {len(unknown)} weights that transformers' model has no "
            f"place for, such as {unknown[0]}: it is another kind of model"
        )
    return renamed


def _check(settings: Settings, expected: Mapping[str, object]) -> None:
    for path, value in expected.items():
        # Older versions of audiocraft lack some settings; they had these values built in.
        found = settings.get(path, value)
        if found != value:
            raise CheckpointUnusable(
                f"{str(settings.file)!r}: setting {path} is {found!r}; transformers' model has "
                f"{value!r} built in, so this checkpoint cannot be converted"
            )


def _check_delays(settings: Settings, num_codebooks: int, channels: int) -> None:
    # Older versions of audiocraft have the pattern in `q_modeling`.
    pattern = settings.get("codebooks_pattern.modeling") or settings.get(
        "transformer_lm.q_modeling"
    )
    delays = settings.get("codebooks_pattern.delay.delays", list(range(num_codebooks)))
    expected = [codebook // channels for codebook in range(num_codebooks)]
    if pattern != "delay" or delays != expected:
        raise CheckpointUnusable(
            f"{str(settings.file)!r}: the codebooks have the pattern {pattern!r} with delays "
            f"{delays!r}; transformers' model has 'delay' with {expected} built in, so this "
            "checkpoint cannot be converted"
        )


def _count(package: Package, name: str) -> int:
    """How many weights there are of a name with a number in it, from 0 on.

    A gap in the numbers ends the count; what comes after it has no place in the model.
    """
    count = 0
    while name.format(count) in package.state:
        count += 1
    if not count:
        raise CheckpointUnusable(
            f"{str(package.file)!r} lacks weight {name.format(0)}: it is incomplete, or another "
            "kind of model"
        )
    return count


def _shape(package: Package, name: str) -> tuple[int, int]:
    shape = tuple(package.state[name].shape) if name in package.state else ()
    if len(shape) != 2:
        raise CheckpointUnusable(
            f"{str(package.file)!r}: weight {name} has the shape {list(shape)}, not two dimensions"
        )
    return shape[0], shape[1]
