"""Raw clips: what the model makes, to the sample, in seconds or tokens."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from bridge import cli
from bridge.audio import MODEL_SAMPLE_RATE, TOKENS_A_SECOND
from bridge.chroma import MOST_TOKENS, STEP_SECONDS, audio_chroma, note_pitch_classes
from bridge.clip import finish_raw
from bridge.commands import ClipSettings, Generate
from bridge.config import Options, RunOptions, merge
from bridge.control.addresses import read_command
from bridge.daemon.defaults import SessionDefaults
from bridge.delivery.clip_book import ClipBook
from bridge.delivery.playable import read_clip
from bridge.delivery.riff import BITS
from bridge.engine import load
from bridge.errors import BadArgument, SilentMelody
from bridge.melody import raw_melody, read_melody
from bridge.melody.audio_file import read_audio
from bridge.rendering.again import plan_again
from bridge.rendering.plan import prepare
from bridge.rendering.render import RenderedClip, render, request_for
from bridge.timing import Note, Take
from tests.checkpoints import write_checkpoint
from tests.clip.material import pad, stereo
from tests.delivery.test_riff import chunks

MELODIES = Path(__file__).parents[1] / "melodies"
HUM = MELODIES / "twinkle-hum-100bpm.wav"
STEP = 2.0 ** (1 - BITS)
"""Between two values of a file's samples."""


@pytest.fixture(scope="module", params=[1, 2], ids=["mono", "stereo"])
def checkpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(f"raw-{request.param}")
    return write_checkpoint(folder, channels=request.param, seed=4)


def raw(folder: Path, model: Path, **options: Any) -> tuple[RenderedClip, ...]:
    given = {"out": str(folder), "model": str(model), "prompt": "warm, drums", "seed": 5}
    return render(prepare(merge({**given, **options}))).clips


def samples(clip: RenderedClip) -> NDArray[np.float64]:
    read, rate = soundfile.read(clip.path, always_2d=True)
    assert rate == clip.sample_rate == MODEL_SAMPLE_RATE
    return np.asarray(read)


@pytest.mark.parametrize(
    ("length", "steps", "frames"),
    [
        ({"seconds": "0.5"}, 25, 16_000),
        ({"seconds": "1.011"}, 51, 32_352),
        ({"max_new_tokens": "31"}, 28, 28 * 640),
    ],
    ids=["seconds", "within a step", "tokens"],
)
def test_a_raw_clip_has_the_samples_of_the_library(
    tmp_path: Path, checkpoint: Path, length: dict[str, str], steps: int, frames: int
) -> None:
    clips = raw(tmp_path, checkpoint, **length, melody=str(HUM), variations="2")
    engine = load(checkpoint, device="cpu").as_reference()
    for clip in sorted(clips, key=lambda clip: clip.seed):
        plan = prepare(
            merge({"prompt": "warm, drums", "melody": str(HUM), "seed": clip.seed, **length})
        )
        (expected,) = engine.generate(request_for(plan))
        assert expected.frames == steps * 640
        written = samples(clip)
        assert written.shape == (frames, engine.audio_channels)
        np.testing.assert_allclose(
            written, expected.samples[:frames].clip(-1, 1 - STEP), atol=STEP + 1e-6
        )
        assert clip.path.name.endswith(
            f"twinkle-hum-100bpm raw {clip.seconds:.5g}s seed{clip.seed}.wav"
        )
        found = chunks(clip.path.read_bytes())
        assert b"smpl" not in found and b"acid" not in found
        sidecar = json.loads(clip.path.with_suffix(".json").read_text())
        assert sidecar["bars"] == 0 and sidecar["prompt"] == "warm, drums"
        given = {name: sidecar[name] for name in ("seconds", "max_new_tokens")}
        assert given == {
            "seconds": float(length["seconds"]) if "seconds" in length else None,
            "max_new_tokens": int(length["max_new_tokens"]) if "seconds" not in length else None,
        }
        assert sidecar["score_parts"]["tempo"] is None


def test_the_melody_is_what_transformers_extractor_makes_of_the_file(tmp_path: Path) -> None:
    given = {"melody": str(HUM), "tempo_bpm": "77", "seconds": "4", "stems": "off"}
    plan = prepare(merge({**given, "out": str(tmp_path)}))
    request = request_for(plan)
    assert request.melody is not None and request.seconds == 4
    np.testing.assert_array_equal(request.melody, audio_chroma(read_audio(HUM), strict=True))
    assert plan.remarks == ()


def test_stems_are_those_of_all_that_the_model_sees(tmp_path: Path) -> None:
    options = {"melody": str(HUM), "seconds": "2", "stems": "on", "out": str(tmp_path)}
    mix = prepare(merge(options)).mix
    assert mix is not None and mix.first_frame == 0
    assert mix.waveform.frames == read_audio(HUM).frames


def test_a_melody_of_notes_keeps_its_own_tempo() -> None:
    take = read_melody(MELODIES / "twinkle-100bpm.mid")
    assert isinstance(take.source, tuple)
    followed = raw_melody(take, seconds=40.0, tempo_bpm=Fraction(100))
    steps = len(followed.chroma)
    assert steps == np.ceil(float(take.end_beats) * 0.6 / STEP_SECONDS)
    own = note_pitch_classes(take.source, Fraction(100), steps)
    # It repeats in whole steps, as the engine repeats its chroma.
    np.testing.assert_array_equal(followed.classes[: 2 * steps], np.tile(own, 2)[:313])


def test_a_melody_that_is_silent_in_the_clip_is_refused() -> None:
    late = Take((Note(Fraction(16), Fraction(1), 60),), Fraction(120))
    assert raw_melody(late, seconds=9.0, tempo_bpm=Fraction(120)).classes.max() == 0
    with pytest.raises(SilentMelody, match="in the clip's 2 s"):
        raw_melody(late, seconds=2.0, tempo_bpm=Fraction(120))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--seconds", "3", "--bars", "2"], "bars 2 is for a clip of bars: leave one of the two"),
        (["--max-new-tokens", "90", "--bars", "2"], "bars 2 is for a clip of bars"),
        (
            ["--seconds", "3", "--max-new-tokens", "90"],
            "seconds 3 and max_new_tokens 90 are both the length",
        ),
        (["--seconds", "3", "--sample-rate", "48000"], "at 32000 Hz, and sample_rate 48000"),
        (["--seconds", "0"], "seconds 0: the range is 0.02 to 600"),
        (["--seconds", "601"], "the range is 0.02 to 600"),
        (["--max-new-tokens", "5"], f"the range is 6 to {MOST_TOKENS}"),
        (["--max-new-tokens", "1e9"], "a whole number"),
        (["--seconds", "3", "--continue", str(HUM)], "its length in bars"),
    ],
)
def test_a_length_that_contradicts_another_option_is_refused_before_torch(
    given: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["render", "--prompt", "x", "--out", str(tmp_path), *given]) == 2
    printed = capsys.readouterr().err
    assert words in printed and printed.count("\n") == 1


def test_the_nearest_length_decides() -> None:
    assert merge({"seconds": "3"}, {"prompt": "x", "bars": 8}).raw_seconds == 3
    near = merge({"bars": "2"}, {"prompt": "x", "max_new_tokens": 53}, {"bars": 8})
    assert (near.bars, near.max_new_tokens) == (2, None)
    tokens = merge(
        {"max_new_tokens": "53"}, {"prompt": "x"}, {"seconds": "9"}, {"sample_rate": 8000}
    )
    assert tokens.raw_seconds == 50 / TOKENS_A_SECOND and tokens.seconds is None


def test_osc_takes_a_raw_length_in_a_request_alone() -> None:
    command = read_command("/bridge/generate", ["me-1", "prompt", "warm", "seconds", 2.5], 0.0)
    assert isinstance(command, Generate)
    defaults = SessionDefaults(RunOptions(defaults={"bars": 8}))
    options = defaults.options_for(command.settings, ClipSettings(bars=2), {})
    assert options.seconds == 2.5 and options.sample_rate == Options.sample_rate
    with pytest.raises(BadArgument, match="unknown option"):
        read_command("/bridge/set", ["seconds", 2.5], 0.0)
    with pytest.raises(BadArgument, match="unknown option"):
        read_command("/bridge/loop/start", ["me-1", "max_new_tokens", 100], 0.0)
    both = read_command("/bridge/generate", ["me-1", "bars", 2, "max_new_tokens", 90], 0.0)
    assert isinstance(both, Generate)
    with pytest.raises(BadArgument, match="bars 2 is for a clip of bars"):
        defaults.options_for(both.settings, ClipSettings(prompt="warm"), {})


def test_a_raw_clip_is_listed_made_again_and_not_played_as_a_loop(
    tmp_path: Path, model: Path
) -> None:
    (first,) = raw(tmp_path, model, seconds="0.3")
    clip = ClipBook(tmp_path).find("last")
    assert clip.known.bars == 0 and clip.known.sample_rate == MODEL_SAMPLE_RATE
    plan = plan_again(clip, {"seed": "5"}, {"bars": 8})
    assert plan.options.seconds == 0.3 and plan.prompt == "warm, drums"
    (again,) = render(plan).clips
    assert again.path != first.path
    np.testing.assert_array_equal(samples(again), samples(first))
    fitted = plan_again(clip, {"bars": "1"}, {})
    assert fitted.bars == 1 and fitted.options.seconds is None
    with pytest.raises(BadArgument, match=r"a raw clip, without bars.*render it with bars"):
        read_clip(clip.known)


def test_samples_over_full_scale_get_a_remark() -> None:
    loud = stereo(pad(1), level=1.0)
    loud.samples[100:103] = 1.5
    made = finish_raw(loud)
    assert made.remarks == ("6 samples are over full scale, where the file cuts them",)
    np.testing.assert_array_equal(made.waveform.samples, loud.samples)
    assert finish_raw(stereo(pad(1), level=0.5)).remarks == ()


def test_a_batch_has_rows_of_all_lengths(tmp_path: Path, model: Path) -> None:
    jobs = tmp_path / "jobs.csv"
    jobs.write_text(
        "prompt,bars,seconds,max_new_tokens\nwarm,1,,\nwarm,,0.5,\nwarm,,,31\nwarm,1,2,\n"
    )
    out = tmp_path / "clips"
    arguments = ["--model", str(model), "--bars", "3", "--tempo", "240", "--out", str(out)]
    assert cli.main(["render", "--batch", str(jobs), *arguments]) == 1
    lines = (tmp_path / "jobs.results.jsonl").read_text().splitlines()
    results = {result["row"]: result for result in map(json.loads, lines)}
    frames = {row: soundfile.info(results[row]["path"]).frames for row in (1, 2, 3)}
    assert frames == {1: 44_100, 2: 16_000, 3: 17_920}
    assert "bars 1 is for a clip of bars" in results[4]["error"]
