"""The melody of training audio is found without drums and bass, where Demucs is there."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from bridge.audio import Waveform
from bridge.commands import Stems
from bridge.engine import stems as demucs_stems
from bridge.engine.checkpoint import find
from bridge.engine.weights import Checkpoint, read_checkpoint
from bridge.errors import Unsupported
from bridge.training.chroma_stems import ChromaStems
from bridge.training.examples import Example, encode_sources
from bridge.training.sources import Source
from tests.engine.random_demucs import write_weights
from tests.melody.test_mixture import hum_and_mix


@pytest.fixture(scope="module")
def sounds() -> tuple[Waveform, Waveform]:
    """A hum, and the same under drums and bass."""
    return next(each for number in range(60) if (each := hum_and_mix(number, 0.0)) is not None)


@pytest.fixture
def sources(tmp_path: Path, sounds: tuple[Waveform, Waveform]) -> list[Source]:
    found = []
    for name, sound in zip(("hum", "mix"), sounds, strict=True):
        soundfile.write(tmp_path / f"{name}.wav", sound.samples, sound.sample_rate)
        found.append(Source(tmp_path / f"{name}.wav", name))
    return found


@pytest.fixture
def checkpoint(model: Path) -> Checkpoint:
    return read_checkpoint(find(model), None, torch.device("cpu"), torch.float32)


@pytest.fixture
def in_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(write_weights(tmp_path / "hub").parent))
    demucs_stems._loaded.cache_clear()


def chroma_stems(when: Stems) -> ChromaStems:
    return ChromaStems(when, "cpu", lambda doing, share: None)


def test_only_mixes_are_separated_and_what_was_encoded_is_kept_apart(
    in_hub: None, checkpoint: Checkpoint, sources: list[Source], tmp_path: Path
) -> None:
    def encoded(when: Stems) -> tuple[list[Example], ChromaStems]:
        stems = chroma_stems(when)
        examples, skipped = encode_sources(sources, checkpoint, tmp_path / "codes", stems)
        assert skipped == [] and len(examples) == 2
        return examples, stems

    off, stems = encoded("off")
    assert (stems.separated, stems.remarks(2)) == (0, ())
    auto, stems = encoded("auto")
    assert stems.remarks(2) == ("The melody of 1 of 2 pieces is found without drums and bass.",)
    assert len(list((tmp_path / "codes").iterdir())) == 4
    hum, mix = (
        np.array_equal(one.chroma, other.chroma) for one, other in zip(off, auto, strict=True)
    )
    assert hum and not mix
    for one, other in zip(off, auto, strict=True):
        assert np.array_equal(one.codes, other.codes), "the model learns the whole sound"
    # From the cache it says the same.
    again, stems = encoded("auto")
    assert stems.separated == 1
    assert np.array_equal(again[1].chroma, auto[1].chroma)
    assert encoded("on")[1].separated == 2


def test_without_demucs_auto_does_without_and_on_is_an_error(
    checkpoint: Checkpoint,
    sources: list[Source],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "demucs.htdemucs", None)
    stems = chroma_stems("auto")
    encode_sources(sources, checkpoint, tmp_path / "codes", stems)
    (remark,) = stems.remarks(2)
    assert "with drums and bass, because stems need Demucs" in remark
    with pytest.raises(Unsupported, match=r"melody-bridge\[stems\]"):
        encode_sources(sources, checkpoint, tmp_path / "codes", chroma_stems("on"))
