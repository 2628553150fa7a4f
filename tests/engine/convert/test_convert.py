"""Checkpoints in audiocraft's layout become the same model in transformers'."""

from __future__ import annotations

import json
import os
import pickle
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import EncodecModel, MusicgenMelodyForConditionalGeneration

from bridge.cli import main
from bridge.engine import Request, load
from bridge.engine.convert import convert
from bridge.errors import BadArgument, BridgeError, CheckpointUnusable
from tests.checkpoints import word_tokenizer, write_checkpoint
from tests.engine.convert import audiocraft

Change = Callable[[dict[str, Any]], None]


class Original:
    """A model of transformers, and the same in audiocraft's layout."""

    def __init__(self, folder: Path, channels: int) -> None:
        self.folder = folder / "audiocraft"
        self.folder.mkdir()
        self.text_encoder = folder / "t5"
        self.transformers = write_checkpoint(folder / "transformers", channels=channels)
        self.model: Any = MusicgenMelodyForConditionalGeneration.from_pretrained(self.transformers)
        self.model.text_encoder.save_pretrained(self.text_encoder)
        word_tokenizer().save_pretrained(self.text_encoder)
        self.state = audiocraft.language_model_state(self.model)
        self.settings = audiocraft.language_model_settings(self.model, str(self.text_encoder))
        self.codec_state = audiocraft.codec_state(self.model.audio_encoder)
        self.codec_settings = audiocraft.codec_settings(self.model.config.audio_encoder)
        self.write()

    def write(self) -> None:
        """Write both files anew."""
        audiocraft.write_package(self.folder / "state_dict.bin", self.state, self.settings)
        audiocraft.write_package(
            self.folder / "compression_state_dict.bin", self.codec_state, self.codec_settings
        )


@pytest.fixture(params=[1, 2], ids=["mono", "stereo"])
def original(tmp_path: Path, request: pytest.FixtureRequest) -> Original:
    """Of either number of channels."""
    return Original(tmp_path, request.param)


@pytest.fixture
def mono(tmp_path: Path) -> Original:
    """With one channel."""
    return Original(tmp_path, 1)


def melody() -> np.ndarray[Any, np.dtype[np.float32]]:
    steps = np.arange(235) // 8 % 12
    return np.eye(12, dtype=np.float32)[steps]


def test_the_converted_model_has_the_weights_and_makes_the_audio_of_the_original(
    original: Original, tmp_path: Path
) -> None:
    done = convert(original.folder, tmp_path / "converted")
    assert done.weights == len(original.state) + len(original.codec_state)
    converted: Any = MusicgenMelodyForConditionalGeneration.from_pretrained(done.folder)
    theirs, ours = original.model.state_dict(), converted.state_dict()
    assert ours.keys() == theirs.keys()
    for name, weight in theirs.items():
        assert torch.equal(ours[name], weight), name
    request = Request(
        prompt="warm rhodes", melody=melody(), seconds=1.0, seed=3, guidance_scale=3.0
    )
    (mine,) = load(done.folder).generate(request)
    (its,) = load(original.transformers).generate(request)
    np.testing.assert_array_equal(mine.samples, its.samples)


def test_the_logits_are_those_of_the_original(original: Original, tmp_path: Path) -> None:
    done = convert(original.folder, tmp_path / "converted")
    converted: Any = MusicgenMelodyForConditionalGeneration.from_pretrained(done.folder)
    inputs = {
        "input_ids": torch.tensor([[3, 4, 1]]),
        "attention_mask": torch.ones(1, 3, dtype=torch.int64),
        "input_features": torch.from_numpy(melody())[None],
        "decoder_input_ids": torch.arange(original.model.config.decoder.num_codebooks)[:, None],
    }
    with torch.no_grad():
        assert torch.equal(converted(**inputs).logits, original.model(**inputs).logits)


def test_settings_for_generation_come_from_the_file(mono: Original, tmp_path: Path) -> None:
    done = convert(mono.folder, tmp_path / "converted")
    converted: Any = MusicgenMelodyForConditionalGeneration.from_pretrained(done.folder)
    own = converted.generation_config
    assert (own.guidance_scale, own.top_k, own.do_sample) == (2.5, 200, True)
    assert own.max_length == 1500
    assert converted.config.chroma_length == 235


def test_the_codec_converts_with_every_shape_of_encodec(mono: Original, tmp_path: Path) -> None:
    """Two residual layers, convolutions as shortcuts, two LSTM layers, causal."""
    config = mono.model.config.audio_encoder
    config.use_conv_shortcut = True
    config.use_causal_conv = True
    config.num_lstm_layers = 2
    config.pad_mode = "constant"
    codec: Any = EncodecModel(config)
    mono.codec_state = audiocraft.codec_state(codec)
    mono.codec_settings = audiocraft.codec_settings(config)
    mono.write()
    done = convert(mono.folder, tmp_path / "converted")
    converted: Any = MusicgenMelodyForConditionalGeneration.from_pretrained(done.folder)
    for name, weight in codec.state_dict().items():
        assert torch.equal(converted.audio_encoder.state_dict()[name], weight), name
    audio = torch.randn(1, 1, 6400, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = codec.encode(audio).audio_codes
        assert torch.equal(converted.audio_encoder.encode(audio).audio_codes, expected)


def test_a_codec_that_is_only_named_is_read_from_where_it_is(
    mono: Original, tmp_path: Path
) -> None:
    mono.model.audio_encoder.save_pretrained(tmp_path / "codec")
    torch.save(
        {"pretrained": str(tmp_path / "codec"), "exported": True, "version": "1.3.0"},
        mono.folder / "compression_state_dict.bin",
    )
    done = convert(mono.folder, tmp_path / "converted")
    assert done.codec == str(tmp_path / "codec")
    converted: Any = MusicgenMelodyForConditionalGeneration.from_pretrained(done.folder)
    for name, weight in mono.model.state_dict().items():
        assert torch.equal(converted.state_dict()[name], weight), name


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_stays_or_becomes_what_is_asked_for(
    mono: Original, tmp_path: Path, dtype: torch.dtype
) -> None:
    mono.state = {name: tensor.to(dtype) for name, tensor in mono.state.items()}
    mono.write()
    kept = convert(mono.folder, tmp_path / "kept").folder
    widened = convert(mono.folder, tmp_path / "widened", dtype="float32").folder
    name = "decoder.lm_heads.0.weight"
    for folder, expected in ((kept, dtype), (widened, torch.float32)):
        from safetensors import safe_open

        with safe_open(folder / "model.safetensors", "pt") as opened:
            assert opened.get_tensor(name).dtype == expected
            # The codec keeps its own.
            assert opened.get_tensor("audio_encoder.decoder.layers.0.conv.bias").dtype == (
                torch.float32
            )


def swapped(path: str, value: object) -> Change:
    """Set a dotted path of the settings."""

    def change(settings: dict[str, Any]) -> None:
        *parents, last = path.split(".")
        for parent in parents:
            settings = settings.setdefault(parent, {})
        settings[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s["conditioners"].pop("self_wav"), "follows description; only MusicGen Melody"),
        (swapped("conditioners.self_wav.model", "style"), "'style'"),
        (swapped("fuser.prepend", ["description", "self_wav"]), "fuser.prepend"),
        (swapped("transformer_lm.norm_first", False), "norm_first is False"),
        (swapped("transformer_lm.dim", 48), "dim is 48, but the weights have 32"),
        (swapped("transformer_lm.num_heads", 5), "num_heads is 5"),
        (swapped("transformer_lm.num_heads", "many"), "num_heads is 'many'"),
        (swapped("codebooks_pattern.delay.delays", [0, 0, 0, 0]), r"\[0, 0, 0, 0\]"),
        (swapped("codebooks_pattern.modeling", "parallel"), "'parallel'"),
        (swapped("transformer_lm.num_heads", "${a}"), "num_heads is None"),
        (swapped("dataset.segment_duration", 1e9), "segment_duration is 1000000000.0"),
    ],
)
def test_another_model_is_refused_by_what_makes_it_another(
    mono: Original, tmp_path: Path, change: Change, message: str
) -> None:
    change(mono.settings)
    mono.settings["a"] = "${b}"
    mono.settings["b"] = "${a}"
    mono.write()
    refused(mono, tmp_path, message)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("out_norm.bias"), "out_norm|decoder.layer_norm.bias"),
        (lambda s: s.pop("emb.0.weight"), "lacks weight emb.0.weight"),
        (lambda s: s.update({"emb.1.weight": torch.zeros(3, 3)}), "embed_tokens.1.weight"),
        (lambda s: s.update({"transformer.layers.7.norm1.bias": torch.zeros(32)}), "layers.7"),
        (
            lambda s: s.update({"transformer.layers.0.self_attn.in_proj_bias": torch.zeros(96)}),
            "no place",
        ),
        (lambda s: s["linears.0.weight"].fill_(float("nan")), "linears.0.weight has values"),
        (lambda s: s.update({"note": "text"}), "'note' in 'best_state'"),
    ],
)
def test_weights_that_do_not_fit_are_refused_by_name(
    mono: Original, tmp_path: Path, change: Change, message: str
) -> None:
    change(mono.state)
    mono.write()
    refused(mono, tmp_path, message)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (swapped("sample_rate", 24_000), "24000 Hz, but the language model makes 64 at 32000"),
        (swapped("seanet.norm", "time_group_norm"), "seanet.norm is 'time_group_norm'"),
        (swapped("seanet.ratios", "all"), "'all'"),
        (swapped("seanet.n_filters", 8), "where transformers' model has"),
        (swapped("compression_model", "dac"), "'dac'"),
    ],
)
def test_a_codec_that_does_not_fit_is_refused(
    mono: Original, tmp_path: Path, change: Change, message: str
) -> None:
    change(mono.codec_settings)
    mono.write()
    refused(mono, tmp_path, message)


def test_a_codec_with_other_codebooks_is_refused_with_both_figures(
    mono: Original, tmp_path: Path
) -> None:
    for name, tensor in mono.codec_state.items():
        if name.endswith(("embed", "embed_avg", "cluster_size")):
            mono.codec_state[name] = tensor[:32].clone()
    mono.codec_settings["rvq"]["bins"] = 32
    mono.write()
    refused(mono, tmp_path, "has 32 codes at 32000 Hz, but the language model makes 64")


class Harmful:
    """Makes a file when it is unpickled by a reader that runs code."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch {self.trace}",)


def test_a_pickle_that_runs_code_is_refused_and_runs_none(mono: Original, tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    content = {"best_state": mono.state, "xp.cfg": Harmful(trace), "exported": True}
    torch.save(content, mono.folder / "state_dict.bin")
    refused(mono, tmp_path, "could run code")
    (mono.folder / "state_dict.bin").write_bytes(pickle.dumps(Harmful(trace)))
    refused(mono, tmp_path, "could run code|cannot be read")
    assert not trace.exists()


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_file_that_was_cut_is_refused(mono: Original, tmp_path: Path, share: float) -> None:
    file = mono.folder / "state_dict.bin"
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * share)])
    refused(mono, tmp_path, "copy or fetch it again|damaged")


def test_a_pipe_a_missing_file_and_a_foreign_file_are_refused(
    mono: Original, tmp_path: Path
) -> None:
    file = mono.folder / "state_dict.bin"
    file.unlink()
    refused(mono, tmp_path, "No such file")
    if sys.platform != "win32":
        os.mkfifo(file)
        refused(mono, tmp_path, "not a regular file")
        file.unlink()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("notes.txt", "hello")
    refused(mono, tmp_path, "cannot be read")
    torch.save([1, 2], file)
    refused(mono, tmp_path, "holds a list")
    torch.save({"model": {}}, file)
    refused(mono, tmp_path, "'best_state'")


def test_settings_that_are_no_yaml_or_too_long_are_refused(mono: Original, tmp_path: Path) -> None:
    for text, message in (("{a: [", "no valid YAML"), ("#" * (1 << 21), "characters"), (7, "text")):
        torch.save(
            {"best_state": mono.state, "xp.cfg": text, "exported": True},
            mono.folder / "state_dict.bin",
        )
        refused(mono, tmp_path, message)


def test_a_text_encoder_that_does_not_fit_is_refused(mono: Original, tmp_path: Path) -> None:
    name = "condition_provider.conditioners.description.output_proj.weight"
    mono.state[name] = torch.zeros(32, 40)
    mono.write()
    refused(mono, tmp_path, "40 wide, but the text encoder is 24")
    mono.settings["conditioners"]["description"]["t5"]["name"] = str(tmp_path / "nowhere")
    mono.write()
    refused(mono, tmp_path, "nowhere' cannot be read.*--text-encoder")


def test_an_existing_folder_is_never_overwritten(mono: Original, tmp_path: Path) -> None:
    out = tmp_path / "converted"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    with pytest.raises(BadArgument, match="exists; give a new folder"):
        convert(mono.folder, out)
    assert [file.name for file in out.iterdir()] == ["mine.txt"]


def refused(original: Original, tmp_path: Path, message: str) -> None:
    """Assert that the conversion fails with this message, and leaves nothing."""
    before = sorted(tmp_path.iterdir())
    with pytest.raises(CheckpointUnusable, match=message) as caught:
        convert(original.folder, tmp_path / "converted")
    assert isinstance(caught.value, BridgeError)
    assert sorted(tmp_path.iterdir()) == before


def test_the_command_converts_and_says_what_it_did(
    mono: Original, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "converted"
    assert main(["convert", str(mono.folder), str(out), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["folder"] == str(out)
    assert said["audio_channels"] == 1
    assert said["text_encoder"] == str(mono.text_encoder)
    assert main(["convert", str(mono.folder), str(tmp_path / "again")]) == 0
    assert "mono" in capsys.readouterr().out


def test_the_command_reports_a_mistake_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["convert", str(tmp_path / "nowhere"), str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert "nowhere' is no folder" in error
    assert "Traceback" not in error
