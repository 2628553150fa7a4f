"""The codec: a stream of codes sounds as transformers' whole decode does, however it is cut; and
audio through the codec alone: shape, rate and channels, and that it is transformers' own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import EncodecConfig, EncodecModel, MusicgenMelodyForConditionalGeneration

from bridge.audio import Waveform
from bridge.engine import Engine
from bridge.engine.codec import CodecDecoder, CodecStream
from bridge.errors import BadArgument, CheckpointUnusable
from bridge.pocket import checkpoint_folder

ROUNDING = 1e-6
FULL_SIZE = {"num_filters": 64, "hidden_size": 128, "codebook_size": 2048, "num_lstm_layers": 2}
SMALL = {"num_filters": 4, "hidden_size": 16, "codebook_size": 64, "num_lstm_layers": 1}


@pytest.fixture(scope="module")
def pocket() -> Any:
    model = MusicgenMelodyForConditionalGeneration.from_pretrained(
        checkpoint_folder(), dtype=torch.float32
    )
    return model.audio_encoder.eval()


@pytest.fixture(scope="module", params=["reflect", "constant"])
def full_size(request: pytest.FixtureRequest) -> Any:
    return random_codec(**FULL_SIZE, pad_mode=request.param)


def random_codec(**options: Any) -> Any:
    """Of facebook/encodec_32khz's shape, but for the options, with weights drawn at random."""
    torch.manual_seed(1)
    shape: dict[str, Any] = {
        "target_bandwidths": [2.2],
        "sampling_rate": 32_000,
        "audio_channels": 1,
        "upsampling_ratios": [8, 5, 4, 4],
        "norm_type": "weight_norm",
        "use_causal_conv": False,
        "use_conv_shortcut": False,
        "codebook_dim": options["hidden_size"],
    }
    codec: Any = EncodecModel(EncodecConfig(**shape | options))
    # They start at zero.
    for layer in codec.quantizer.layers:
        torch.nn.init.normal_(layer.codebook.embed)
    return codec.eval()


def random_codes(codec: Any, steps: int, *, channels: int = 2, variations: int = 1) -> torch.Tensor:
    """int64 `[variations, 4 * channels, steps]`."""
    generator = torch.Generator().manual_seed(steps)
    shape = (variations, 4 * channels, steps)
    return torch.randint(0, codec.config.codebook_size, shape, generator=generator)


def whole(codec: Any, codes: torch.Tensor, *, channels: int = 2) -> torch.Tensor:
    """What transformers makes of them, `[variations, channels, frames]`."""
    with torch.inference_mode():
        sides = [
            codec.decode(codes[None, :, side::channels], [None]).audio_values[:, 0]
            for side in range(channels)
        ]
    return torch.stack(sides, dim=1)


def streamed(stream: CodecStream, codes: torch.Tensor, sizes: list[int]) -> torch.Tensor:
    """The same from chunks of those sizes, the first ones again when they are used up."""
    parts, start, index = [], 0, 0
    while start < codes.shape[2]:
        end = start + sizes[index % len(sizes)]
        parts.append(stream.decode(codes[:, :, start:end], last=end >= codes.shape[2]))
        start, index = end, index + 1
    return torch.cat(parts, dim=2)


def assert_same_sound(heard: torch.Tensor, wanted: torch.Tensor) -> None:
    assert wanted.std() > 0.005, "too quiet for the tolerance to tell anything"
    np.testing.assert_allclose(heard.numpy(), wanted.numpy(), rtol=0, atol=ROUNDING)


RANDOM_SIZES = np.random.default_rng(7).integers(0, 20, size=16).tolist()
SIZES = [[1], [5], [10], [25], [1000], RANDOM_SIZES]


@pytest.mark.parametrize("sizes", SIZES, ids=["1", "5", "10", "25", "whole", "random"])
def test_chunks_of_any_size_sound_as_the_whole(pocket: Any, sizes: list[int]) -> None:
    codes = random_codes(pocket, 120)
    assert_same_sound(
        streamed(CodecDecoder(pocket, 2).stream(1), codes, sizes), whole(pocket, codes)
    )


def test_chunks_sound_as_the_whole_at_full_size(full_size: Any) -> None:
    codes = random_codes(full_size, 51, channels=1)
    decoder = CodecDecoder(full_size, 1)
    wanted = whole(full_size, codes, channels=1)
    for sizes in ([1], [5], [10], [25], [1000], RANDOM_SIZES):
        assert_same_sound(streamed(decoder.stream(1), codes, sizes), wanted)


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize("pad_mode", ["reflect", "constant", "replicate"])
def test_a_piece_may_be_shorter_than_the_padding(pad_mode: str, steps: int) -> None:
    codec = random_codec(**SMALL, pad_mode=pad_mode)
    codes = random_codes(codec, steps)
    decoder = CodecDecoder(codec, 2)
    wanted = whole(codec, codes)
    for size in range(1, steps + 1):
        assert_same_sound(streamed(decoder.stream(1), codes, [size]), wanted)


@pytest.mark.parametrize(
    "options",
    [
        {"use_conv_shortcut": True},
        {"num_residual_layers": 3, "dilation_growth_rate": 3, "residual_kernel_size": 5},
        {"num_residual_layers": 0},
        {"num_lstm_layers": 3},
        {"kernel_size": 4, "residual_kernel_size": 2, "last_kernel_size": 6},
        {"kernel_size": 1, "residual_kernel_size": 1, "last_kernel_size": 1},
        {"upsampling_ratios": [3, 1, 2], "target_bandwidths": [200.0]},
    ],
    ids=lambda options: "-".join(options),
)
@pytest.mark.parametrize("pad_mode", ["reflect", "constant"])
def test_codecs_of_other_shapes_stream_as_well(pad_mode: str, options: dict[str, Any]) -> None:
    codec = random_codec(**SMALL | options, pad_mode=pad_mode)
    codes = random_codes(codec, 30)
    decoder = CodecDecoder(codec, 2)
    assert decoder.hop == codec.config.hop_length
    for sizes in ([1], [1000], RANDOM_SIZES):
        assert_same_sound(streamed(decoder.stream(1), codes, sizes), whole(codec, codes))


def test_all_is_heard_but_what_the_codes_to_come_can_change(pocket: Any) -> None:
    decoder = CodecDecoder(pocket, 2)
    assert (decoder.hop, decoder.lag_frames) == (640, 2402)
    stream = decoder.stream(1)
    codes = random_codes(pocket, 20)
    other = codes.clone()
    other[:, :, 12:] = (other[:, :, 12:] + 1) % pocket.config.codebook_size
    heard = 0
    for step in range(12):
        heard += stream.decode(codes[:, :, step : step + 1]).shape[2]
        assert heard == max(0, 640 * (step + 1) - 2402)
    differs = (whole(pocket, codes) - whole(pocket, other)).abs().amax(dim=(0, 1)) > ROUNDING
    assert heard <= differs.nonzero().min() < heard + 640


def test_the_lag_of_a_full_size_codec_is_75_ms(full_size: Any) -> None:
    assert CodecDecoder(full_size, 1).lag_frames == 2402


def test_the_end_may_come_without_codes(pocket: Any) -> None:
    codes = random_codes(pocket, 9)
    stream = CodecDecoder(pocket, 2).stream(1)
    parts = [stream.decode(codes), stream.decode(codes[:, :, :0])]
    assert parts[1].shape == (1, 2, 0)
    parts.append(stream.decode(codes[:, :, :0], last=True))
    assert_same_sound(torch.cat(parts, dim=2), whole(pocket, codes))


def test_nothing_comes_after_the_end(pocket: Any) -> None:
    codes = random_codes(pocket, 2)
    stream = CodecDecoder(pocket, 2).stream(1)
    stream.decode(codes, last=True)
    with pytest.raises(RuntimeError, match="ended"):
        stream.decode(codes)


@pytest.mark.parametrize("size", [1, 7, 60])
def test_a_variation_is_the_same_to_the_bit_alone_and_among_others(pocket: Any, size: int) -> None:
    codes = random_codes(pocket, 60, variations=3)
    decoder = CodecDecoder(pocket, 2)
    among = streamed(decoder.stream(3), codes, [size])
    assert_same_sound(among, whole(pocket, codes))
    for index in range(3):
        alone = streamed(decoder.stream(1), codes[index : index + 1], [size])
        assert np.array_equal(alone[0].numpy(), among[index].numpy())


def test_pieces_that_stream_in_turn_do_not_hear_each_other(pocket: Any) -> None:
    codes = random_codes(pocket, 20, variations=2)
    decoder = CodecDecoder(pocket, 2)
    streams = [decoder.stream(1), decoder.stream(1)]
    parts: list[list[torch.Tensor]] = [[], []]
    for start in range(0, 20, 5):
        for index, stream in enumerate(streams):
            chunk = codes[index : index + 1, :, start : start + 5]
            parts[index].append(stream.decode(chunk, last=start == 15))
    heard = torch.cat([torch.cat(part, dim=2) for part in parts])
    assert_same_sound(heard, whole(pocket, codes))


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("use_causal_conv", True),
        ("norm_type", "time_group_norm"),
        ("pad_mode", "circular"),
        ("normalize", True),
        ("chunk_length_s", 1.0),
        ("audio_channels", 2),
    ],
)
def test_a_codec_that_cannot_stream_is_refused_by_name(option: str, value: Any) -> None:
    codec = random_codec(**SMALL | {option: value})
    with pytest.raises(CheckpointUnusable, match=f"codec's {option} is {value!r}"):
        CodecDecoder(codec, 2)


def noise(frames: int, channels: int, sample_rate: int = 32_000) -> Waveform:
    """So loud that the random codec, which has not learned to hear, finds more than one code."""
    samples = np.random.default_rng(3).standard_normal((frames, channels)) * 100
    return Waveform(samples.astype(np.float32), sample_rate)


@pytest.mark.parametrize("frames", [1, 639, 640, 641, 12_345])
@pytest.mark.parametrize("kind", ["mono", "stereo"])
def test_as_many_frames_come_out_as_went_in(
    kind: str, frames: int, request: pytest.FixtureRequest
) -> None:
    engine: Engine = request.getfixturevalue(kind)
    heard = engine.reconstruct(noise(frames, 2))
    assert (heard.frames, heard.channels, heard.sample_rate) == (
        frames,
        engine.audio_channels,
        32_000,
    )
    assert heard.samples.dtype == np.float32


@pytest.mark.parametrize("sample_rate", [8_000, 44_100, 48_000])
def test_any_rate_comes_out_at_the_models(stereo: Engine, sample_rate: int) -> None:
    given = noise(sample_rate // 3, 1, sample_rate)
    heard = stereo.reconstruct(given)
    same = stereo.reconstruct(given.resampled(32_000))
    assert heard.sample_rate == 32_000
    assert abs(heard.frames - given.seconds * 32_000) <= 1
    assert np.array_equal(heard.samples, same.samples)


def test_it_is_what_transformers_makes_of_each_channel(stereo: Engine, stereo_folder: Path) -> None:
    given = noise(6_400, 2)
    codec = MusicgenMelodyForConditionalGeneration.from_pretrained(stereo_folder).audio_encoder
    with torch.inference_mode():
        wanted = [
            codec(torch.from_numpy(given.samples[:, channel].copy())[None, None]).audio_values
            for channel in (0, 1)
        ]
    heard = stereo.reconstruct(given)
    for channel in (0, 1):
        np.testing.assert_allclose(
            heard.samples[:, channel], wanted[channel][0, 0].numpy(), atol=1e-6
        )
    assert np.abs(heard.samples[:, 0] - heard.samples[:, 1]).max() > 1e-3


def test_a_mono_checkpoint_hears_the_mean_of_the_channels(mono: Engine) -> None:
    given = noise(3_200, 2)
    assert np.array_equal(mono.reconstruct(given).samples, mono.reconstruct(given.mono()).samples)


def test_a_sound_without_frames_is_refused(stereo: Engine) -> None:
    with pytest.raises(BadArgument, match="at least one frame"):
        stereo.reconstruct(Waveform(np.zeros((0, 2), dtype=np.float32), 32_000))
