"""Stems: the official extractor's arithmetic, Demucs's own code with random weights, its files."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import save_file
from transformers.models.musicgen_melody.feature_extraction_musicgen_melody import (
    MusicgenMelodyFeatureExtractor,
)

from bridge.audio import Waveform
from bridge.chroma import pitch_classes
from bridge.config import merge
from bridge.engine import stems
from bridge.engine.stems import SEPARATING, WEIGHTS, kept_stems, load_separator, weights_file
from bridge.errors import BridgeError, Cancelled, CheckpointUnusable, Unsupported
from bridge.melody import TranscribedNote
from bridge.rendering.plan import RenderPlan, prepare
from bridge.rendering.stems import StemsCache, with_stems
from tests.engine.random_demucs import SEGMENT_SECONDS, write_weights
from tests.melody.test_mixture import hum_and_mix

RATE = 32_000


def test_kept_stems_are_the_official_extractors() -> None:
    """At 32 kHz, where the extractor does not resample (that needs torchaudio)."""
    torch.manual_seed(0)
    times = torch.arange(64_000) / RATE
    tones = torch.tensor([110.0, 147.0, 392.0, 587.0])[:, None, None]
    sound = torch.sin(2 * torch.pi * tones * times) * torch.rand(4, 2, 1)
    # The class cannot be made without torchaudio, and this method of it needs no more than these.
    extractor = SimpleNamespace(stem_indices=[3, 2], sampling_rate=RATE)
    extract: Any = MusicgenMelodyFeatureExtractor._extract_stem_indices
    official = extract(extractor, sound[None], sampling_rate=RATE)[0]
    ours = kept_stems(sound, RATE)
    np.testing.assert_allclose(ours.samples[:, 0], official.numpy(), atol=1e-6)
    # 392 and 587 Hz, G and D, and neither A nor D of the stems that are left out.
    assert set(pitch_classes(ours)) <= {7, 2} and ours.channels == 1


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hugging Face's cache, with the weights of a small `HTDemucs` copied into it."""
    return write_weights(tmp_path_factory.mktemp("hub")).parent


@pytest.fixture
def in_hub(hub: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(hub))
    stems._loaded.cache_clear()
    yield hub
    stems._loaded.cache_clear()


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `hum.wav`, and `mix.wav`: the same under drums and bass as loud as it."""
    folder = tmp_path_factory.mktemp("recordings")
    made = next(each for number in range(60) if (each := hum_and_mix(number, 0.0)) is not None)
    for name, sound in zip(("hum", "mix"), made, strict=True):
        soundfile.write(folder / f"{name}.wav", sound.samples, sound.sample_rate)
    return folder


def plan_of(recordings: Path, name: str, when: str = "auto", bars: int = 1) -> RenderPlan:
    options = {"melody": str(recordings / f"{name}.wav"), "stems": when, "out": str(recordings)}
    return prepare(merge(options, {"tempo_bpm": "120", "bars": bars, "seed": 1}))


def test_what_is_left_of_a_mix_has_its_rate_and_length(in_hub: Path) -> None:
    rng = np.random.default_rng(0)
    mix = Waveform(rng.uniform(-0.3, 0.3, (RATE * 3 + 1, 1)).astype(np.float32), RATE)
    separator = load_separator("cpu")
    all_stems = separator.separate(mix)
    assert all_stems.shape[:2] == (4, 2) and torch.isfinite(all_stems).all()
    kept = Waveform((all_stems[3] + all_stems[2]).mean(0).numpy()[:, None], 44_100)
    melody = separator.melody_of(mix)
    assert (melody.frames, melody.channels, melody.sample_rate) == (mix.frames, 1, RATE)
    expected = kept.resampled(RATE).samples[: mix.frames]
    np.testing.assert_allclose(melody.samples[: len(expected)], expected, atol=1e-6)
    assert load_separator("cpu") is separator


def test_separating_reports_each_segment_and_ends_where_that_raises(in_hub: Path) -> None:
    mix = Waveform(np.full((RATE * SEGMENT_SECONDS * 5, 1), 0.1, np.float32), RATE)
    separator, shares = load_separator("cpu"), list[float | None]()

    def report(doing: str, share: float | None) -> None:
        assert doing == SEPARATING
        shares.append(share)

    separator.melody_of(mix, report)
    # Overlapping by a quarter: before and after each of seven segments.
    assert shares == pytest.approx([done / 7 for done in range(7) for done in (done, done + 1)])

    def cancel(doing: str, share: float | None) -> None:
        shares.append(share)
        if share:
            raise Cancelled("enough")

    shares.clear()
    with pytest.raises(Cancelled):
        separator.melody_of(mix, cancel)
    assert len(shares) == 2


def test_weights_that_make_no_numbers_are_refused(
    in_hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    separator = load_separator("cpu")
    broken = torch.full((4, 2, 100), torch.nan)
    monkeypatch.setattr(separator, "separate", lambda mix, progress: broken)
    with pytest.raises(CheckpointUnusable, match="not finite"):
        separator.melody_of(Waveform(np.zeros((100, 1), np.float32), 44_100))


def test_auto_separates_a_mix_and_leaves_a_hum_alone(in_hub: Path, recordings: Path) -> None:
    def separated(name: str, when: str) -> tuple[bool, str]:
        plan = with_stems(plan_of(recordings, name, when))
        assert plan.seed == 1
        return plan.is_separated, " ".join(plan.remarks)

    alone, said = separated("hum", "auto")
    assert not alone and "hum.wav sounds alone" in said and "followed as it is" in said
    for name, when in (("mix", "auto"), ("mix", "on"), ("hum", "on")):
        is_separated, said = separated(name, when)
        assert is_separated and "followed without its drums and bass" in said
    assert separated("mix", "off") == (False, " ".join(plan_of(recordings, "mix", "off").remarks))


def test_only_the_bars_that_the_clip_follows_are_separated(in_hub: Path, recordings: Path) -> None:
    plan = plan_of(recordings, "mix")
    mix = plan.mix
    assert mix is not None and plan.take is not None and isinstance(plan.take.source, Waveform)
    # A bar of 2 s, and a second of what follows.
    assert mix.waveform.seconds == 3.0 < plan.take.source.seconds
    separated = with_stems(plan)
    assert separated.take is not None and isinstance(separated.take.source, Waveform)
    before, after = plan.take.source.mono().samples, separated.take.source.samples
    assert len(before) == len(after)
    assert np.array_equal(before[mix.waveform.frames :], after[mix.waveform.frames :])
    assert not np.allclose(before[: 2 * RATE], after[: 2 * RATE])


def test_all_that_the_model_sees_of_a_raw_clip_is_separated(in_hub: Path, recordings: Path) -> None:
    options = {"melody": str(recordings / "mix.wav"), "out": str(recordings), "seed": 1}
    plan = prepare(merge(options, {"seconds": 2}))
    mix = plan.mix
    assert mix is not None and plan.take is not None and isinstance(plan.take.source, Waveform)
    assert (mix.first_frame, mix.waveform.frames) == (0, plan.take.source.frames)
    assert with_stems(plan).is_separated


def test_notes_that_a_person_has_corrected_lead_instead_of_stems(
    in_hub: Path, recordings: Path
) -> None:
    notes = (TranscribedNote(0.1, 0.5, 60, 0.0, 100, 1.0),)

    def corrected(melody_from: str) -> RenderPlan:
        options = {"melody": str(recordings / "mix.wav"), "out": str(recordings), "bars": 1}
        return prepare(merge(options, {"seed": 1, "melody_from": melody_from}), None, notes)

    assert corrected("auto").mix is None
    separated = with_stems(corrected("raw"))
    assert separated.is_separated and separated.meant is not None, separated.remarks
    assert separated.meant.notes == notes and separated.meant.is_corrected


def test_a_take_is_separated_once(
    in_hub: Path, recordings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, asked = StemsCache(), list[str]()

    def progress(doing: str, share: float | None) -> None:
        asked.append(doing)

    first = with_stems(plan_of(recordings, "mix"), progress, cache)
    assert SEPARATING in asked
    asked.clear()
    second = with_stems(plan_of(recordings, "mix"), progress, cache)
    assert asked == [] and second.remarks == first.remarks and second.is_separated
    assert first.aligned is not None and second.aligned is not None
    assert np.array_equal(first.aligned.chroma, second.aligned.chroma)
    with_stems(plan_of(recordings, "mix", bars=2), progress, cache)
    assert SEPARATING in asked, "two bars are another mix than one"
    # The second entry displaces the first.
    monkeypatch.setattr("bridge.rendering.stems.MOST_CACHED_BYTES", 4 * 5 * RATE)
    with_stems(plan_of(recordings, "mix", bars=2, when="on"), progress, small := StemsCache())
    with_stems(plan_of(recordings, "hum", when="on"), progress, small)
    asked.clear()
    with_stems(plan_of(recordings, "hum", when="on"), progress, small)
    assert asked == []
    with_stems(plan_of(recordings, "mix", bars=2, when="on"), progress, small)
    assert SEPARATING in asked


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"klass": "os.system", "args": "[]", "kwargs": "{}"}, "os.system"),
        ({"klass": "demucs.htdemucs.HTDemucs", "args": "[", "kwargs": "{}"}, "cannot be read"),
        (None, "without a class"),
    ],
)
def test_weights_of_another_class_are_refused(
    in_hub: Path, tmp_path: Path, metadata: dict[str, str] | None, message: str
) -> None:
    from demucs.htdemucs import HTDemucs

    file = tmp_path / "weights.safetensors"
    save_file({"a": torch.zeros(1)}, file, metadata)
    with pytest.raises(CheckpointUnusable, match=message):
        stems._read(file, HTDemucs)


def test_without_demucs_on_is_an_error_and_auto_a_remark(
    recordings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "demucs.htdemucs", None)
    with pytest.raises(Unsupported, match=r"melody-bridge\[stems\]"):
        with_stems(plan_of(recordings, "mix", "on"))
    plan = with_stems(plan_of(recordings, "mix"))
    assert any("followed as it is" in each for each in plan.remarks) and not plan.is_separated
    with pytest.raises(BridgeError, match="no recording to separate"):
        prepare(merge({"prompt": "warm", "stems": "on", "out": str(recordings)}))


@pytest.mark.parametrize(
    "environment",
    [{"HF_HUB_OFFLINE": "1"}, {"HF_ENDPOINT": "http://127.0.0.1:9"}],
    ids=["offline", "unreachable"],
)
def test_without_weights_and_network_the_error_says_where_to_put_them(
    tmp_path: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    pytest.importorskip("demucs.htdemucs", reason="the extra stems is not installed")
    code = (
        "from bridge.engine.stems import weights_file\n"
        "from bridge.errors import CheckpointUnusable\n"
        "try: print(weights_file())\n"
        "except CheckpointUnusable as error: print(error)"
    )

    def run() -> str:
        environ = {**os.environ, "HF_HUB_CACHE": str(tmp_path), **environment}
        return subprocess.run(
            [sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True
        ).stdout.strip()

    with pytest.raises(CheckpointUnusable, match=r"--stems on .* fetches them"):
        weights_file(fetch=False)
    message = run()
    assert WEIGHTS in message and str(tmp_path) in message and "\n" not in message
    # There it is found.
    (tmp_path / WEIGHTS).write_bytes(b"weights")
    assert run() == str(tmp_path / WEIGHTS)
