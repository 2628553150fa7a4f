"""The codec: decoding as a stream and reconstructing audio both give what transformers gives."""

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
    """A codec of facebook/encodec_32khz's shape, except for the options, with random weights."""
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
    # The codebooks start at zero.
    for layer in codec.quantizer.layers:
        torch.nn.init.normal_(layer.codebook.embed)
    return codec.eval()


def random_codes(codec: Any, steps: int, *, channels: int = 2, variations: int = 1) -> torch.Tensor:
    """int64 `[variations, 4 * channels, steps]`."""
    generator = torch.Generator().manual_seed(steps)
    shape = (variations, 4 * channels, steps)
    return torch.randint(0, codec.config.codebook_size, shape, generator=generator)


def decoded_at_once(codec: Any, codes: torch.Tensor, *, channels: int = 2) -> torch.Tensor:
    """transformers' audio of the codes, `[variations, channels, frames]`."""
    with torch.inference_mode():
        sides = [
            codec.decode(codes[None, :, side::channels], [None]).audio_values[:, 0]
            for side in range(channels)
        ]
    return torch.stack(sides, dim=1)


def streamed(stream: CodecStream, codes: torch.Tensor, sizes: list[int]) -> torch.Tensor:
    """The audio from chunks of those sizes; the list of sizes repeats."""
    parts, start, index = [], 0, 0
    while start < codes.shape[2]:
        end = start + sizes[index % len(sizes)]
        parts.append(stream.decode(codes[:, :, start:end], last=end >= codes.shape[2]))
        start, index = end, index + 1
    return torch.cat(parts, dim=2)


def assert_same_audio(actual: torch.Tensor, expected: torch.Tensor) -> None:
    assert expected.std() > 0.005, "too quiet for this tolerance"
    np.testing.assert_allclose(actual.numpy(), expected.numpy(), rtol=0, atol=ROUNDING)


RANDOM_SIZES = np.random.default_rng(7).integers(0, 20, size=16).tolist()
SIZES = [[1], [5], [10], [25], [1000], RANDOM_SIZES]


@pytest.mark.parametrize("sizes", SIZES, ids=["1", "5", "10", "25", "all", "random"])
def test_chunks_of_any_size_give_the_same_audio(pocket: Any, sizes: list[int]) -> None:
    codes = random_codes(pocket, 120)
    assert_same_audio(
        streamed(CodecDecoder(pocket, 2).stream(1), codes, sizes), decoded_at_once(pocket, codes)
    )


def test_chunks_give_the_same_audio_at_full_size(full_size: Any) -> None:
    codes = random_codes(full_size, 51, channels=1)
    decoder = CodecDecoder(full_size, 1)
    expected = decoded_at_once(full_size, codes, channels=1)
    for sizes in ([1], [5], [10], [25], [1000], RANDOM_SIZES):
        assert_same_audio(streamed(decoder.stream(1), codes, sizes), expected)


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize("pad_mode", ["reflect", "constant", "replicate"])
def test_a_piece_may_be_shorter_than_the_padding(pad_mode: str, steps: int) -> None:
    codec = random_codec(**SMALL, pad_mode=pad_mode)
    codes = random_codes(codec, steps)
    decoder = CodecDecoder(codec, 2)
    expected = decoded_at_once(codec, codes)
    for size in range(1, steps + 1):
        assert_same_audio(streamed(decoder.stream(1), codes, [size]), expected)


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
def test_codecs_of_other_shapes_can_stream(pad_mode: str, options: dict[str, Any]) -> None:
    codec = random_codec(**SMALL | options, pad_mode=pad_mode)
    codes = random_codes(codec, 30)
    decoder = CodecDecoder(codec, 2)
    assert decoder.hop == codec.config.hop_length
    for sizes in ([1], [1000], RANDOM_SIZES):
        assert_same_audio(streamed(decoder.stream(1), codes, sizes), decoded_at_once(codec, codes))


def test_a_stream_holds_back_only_what_later_codes_can_change(pocket: Any) -> None:
    decoder = CodecDecoder(pocket, 2)
    assert (decoder.hop, decoder.lag_frames) == (640, 2402)
    stream = decoder.stream(1)
    codes = random_codes(pocket, 20)
    other = codes.clone()
    other[:, :, 12:] = (other[:, :, 12:] + 1) % pocket.config.codebook_size
    frames = 0
    for step in range(12):
        frames += stream.decode(codes[:, :, step : step + 1]).shape[2]
        assert frames == max(0, 640 * (step + 1) - 2402)
    differs = (decoded_at_once(pocket, codes) - decoded_at_once(pocket, other)).abs().amax(
        dim=(0, 1)
    ) > ROUNDING
    assert frames <= differs.nonzero().min() < frames + 640


def test_the_lag_of_a_full_size_codec_is_75_ms(full_size: Any) -> None:
    assert CodecDecoder(full_size, 1).lag_frames == 2402


def test_the_last_call_may_have_no_codes(pocket: Any) -> None:
    codes = random_codes(pocket, 9)
    stream = CodecDecoder(pocket, 2).stream(1)
    parts = [stream.decode(codes), stream.decode(codes[:, :, :0])]
    assert parts[1].shape == (1, 2, 0)
    parts.append(stream.decode(codes[:, :, :0], last=True))
    assert_same_audio(torch.cat(parts, dim=2), decoded_at_once(pocket, codes))


def test_decoding_after_the_last_codes_raises(pocket: Any) -> None:
    codes = random_codes(pocket, 2)
    stream = CodecDecoder(pocket, 2).stream(1)
    stream.decode(codes, last=True)
    with pytest.raises(RuntimeError, match="ended"):
        stream.decode(codes)


@pytest.mark.parametrize("size", [1, 7, 60])
def test_a_variation_is_bit_for_bit_the_same_alone_and_with_others(pocket: Any, size: int) -> None:
    codes = random_codes(pocket, 60, variations=3)
    decoder = CodecDecoder(pocket, 2)
    among = streamed(decoder.stream(3), codes, [size])
    assert_same_audio(among, decoded_at_once(pocket, codes))
    for index in range(3):
        alone = streamed(decoder.stream(1), codes[index : index + 1], [size])
        assert np.array_equal(alone[0].numpy(), among[index].numpy())


def test_pieces_that_stream_in_turn_do_not_change_each_other(pocket: Any) -> None:
    codes = random_codes(pocket, 20, variations=2)
    decoder = CodecDecoder(pocket, 2)
    streams = [decoder.stream(1), decoder.stream(1)]
    parts: list[list[torch.Tensor]] = [[], []]
    for start in range(0, 20, 5):
        for index, stream in enumerate(streams):
            chunk = codes[index : index + 1, :, start : start + 5]
            parts[index].append(stream.decode(chunk, last=start == 15))
    audio = torch.cat([torch.cat(part, dim=2) for part in parts])
    assert_same_audio(audio, decoded_at_once(pocket, codes))


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
def test_the_refusal_of_a_codec_names_the_option(option: str, value: Any) -> None:
    codec = random_codec(**SMALL | {option: value})
    with pytest.raises(CheckpointUnusable, match=f"codec's {option} is {value!r}"):
        CodecDecoder(codec, 2)


def noise(frames: int, channels: int, sample_rate: int = 32_000) -> Waveform:
    """Noise so loud that the untrained codec finds more than one code."""
    samples = np.random.default_rng(3).standard_normal((frames, channels)) * 100
    return Waveform(samples.astype(np.float32), sample_rate)


@pytest.mark.parametrize("frames", [1, 639, 640, 641, 12_345])
@pytest.mark.parametrize("kind", ["mono", "stereo"])
def test_reconstruction_keeps_the_number_of_frames(
    kind: str, frames: int, request: pytest.FixtureRequest
) -> None:
    engine: Engine = request.getfixturevalue(kind)
    reconstructed = engine.reconstruct(noise(frames, 2))
    assert (reconstructed.frames, reconstructed.channels, reconstructed.sample_rate) == (
        frames,
        engine.audio_channels,
        32_000,
    )
    assert reconstructed.samples.dtype == np.float32


@pytest.mark.parametrize("sample_rate", [8_000, 44_100, 48_000])
def test_reconstruction_resamples_to_the_models_rate(stereo: Engine, sample_rate: int) -> None:
    given = noise(sample_rate // 3, 1, sample_rate)
    reconstructed = stereo.reconstruct(given)
    same = stereo.reconstruct(given.resampled(32_000))
    assert reconstructed.sample_rate == 32_000
    assert abs(reconstructed.frames - given.seconds * 32_000) <= 1
    assert np.array_equal(reconstructed.samples, same.samples)


def test_reconstruction_gives_transformers_audio_of_each_channel(
    stereo: Engine, stereo_folder: Path
) -> None:
    given = noise(6_400, 2)
    codec = MusicgenMelodyForConditionalGeneration.from_pretrained(stereo_folder).audio_encoder
    with torch.inference_mode():
        expected = [
            codec(torch.from_numpy(given.samples[:, channel].copy())[None, None]).audio_values
            for channel in (0, 1)
        ]
    reconstructed = stereo.reconstruct(given)
    for channel in (0, 1):
        np.testing.assert_allclose(
            reconstructed.samples[:, channel], expected[channel][0, 0].numpy(), atol=1e-6
        )
    assert np.abs(reconstructed.samples[:, 0] - reconstructed.samples[:, 1]).max() > 1e-3


def test_a_mono_checkpoint_reconstructs_the_mean_of_the_channels(mono: Engine) -> None:
    given = noise(3_200, 2)
    assert np.array_equal(mono.reconstruct(given).samples, mono.reconstruct(given.mono()).samples)


def test_reconstructing_no_frames_is_refused(stereo: Engine) -> None:
    with pytest.raises(BadArgument, match="at least one frame"):
        stereo.reconstruct(Waveform(np.zeros((0, 2), dtype=np.float32), 32_000))
