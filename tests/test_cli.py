"""The command line: refusals, clips, and what goes to stdout and stderr."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from bridge import cli
from bridge.config import Options, merge
from bridge.rendering.plan import prepare
from bridge.rendering.render import request_for
from bridge.timing import Meter

# Exit status 99: the refusal came after torch or sounddevice was imported.
REFUSAL = """
import sys
from bridge.__main__ import main
status = main()
sys.exit(99 if "torch" in sys.modules or "sounddevice" in sys.modules else status)
"""
HUM = Path(__file__).parent / "melodies" / "scarborough-hum-90bpm.wav"
MIDI = Path(__file__).parent / "melodies" / "scarborough-90bpm.mid"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, with an empty home elsewhere."""
    home = tmp_path / "home"
    folder = tmp_path / "folder"
    home.mkdir()
    folder.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    monkeypatch.chdir(folder)
    return folder


def files(folder: Path) -> list[str]:
    """The paths of all that is in a folder, relative to it."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def render(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> dict[str, Any]:
    """Run `render --json` in this process, and return what it printed."""
    capsys.readouterr()
    status = cli.main(["render", *map(str, arguments), "--json"])
    printed = capsys.readouterr()
    assert status == 0, printed.err
    (line,) = printed.out.splitlines()
    result: dict[str, Any] = json.loads(line)
    return result


def make_broken_melodies(folder: Path) -> None:
    """Write files that no melody can be read from."""
    silence = np.zeros(44_100, dtype=np.float32)
    soundfile.write(folder / "silent.wav", silence, 44_100)
    soundfile.write(folder / "no-frames.wav", silence[:0], 44_100)
    soundfile.write(folder / "nan.wav", silence * np.nan, 44_100, subtype="FLOAT")
    (folder / "no-bytes.wav").touch()
    (folder / "text.wav").write_text("not a sound\n" * 100)
    (folder / "text.mid").write_text("not a note\n" * 100)
    (folder / "folder.wav").mkdir()
    (folder / "cut.wav").write_bytes(HUM.read_bytes()[:30])


@pytest.mark.parametrize(
    "arguments",
    [
        ["silent.wav"],
        ["no-frames.wav"],
        ["nan.wav"],
        ["no-bytes.wav"],
        ["text.wav"],
        ["text.mid"],
        ["folder.wav"],
        ["cut.wav"],
        ["nowhere.wav"],
        [],
        ["--prompt", ""],
        ["--prompt", "{mood} keys"],
        ["--prompt", "keys", "--unconditional"],
        ["--prompt", "keys", "--preset", "no-such-preset"],
        ["--prompt", "keys", "--bars", "0"],
        ["--prompt", "keys", "--tempo", "19"],
        ["--prompt", "keys", "--tempo", "fast"],
        ["--prompt", "keys", "--meter", "4/5"],
        ["--prompt", "keys", "--melody-tempo", "1000"],
        ["--prompt", "keys", "--key", "H"],
        ["--prompt", "keys", "--model", "nowhere/at/all"],
        ["--prompt", "keys", "--model", "folder.wav"],
        ["--prompt", "keys", "--seed", "16777216"],
        ["--prompt", "keys", "--variations", "17"],
        ["--prompt", "keys", "--guidance-scale", "0.5"],
        ["--prompt", "keys", "--temperature", "0"],
        ["--prompt", "keys", "--top-k", "-1"],
        ["--prompt", "keys", "--sample-rate", "44.1"],
        ["--prompt", "keys", "--device", "gpu"],
        ["--prompt", "keys", "--out", "clip.mp3"],
        ["--prompt", "keys", "--out", "text.wav/clip.wav"],
        ["--prompt", "keys", "--out", "x" * 300],
        ["--prompt", "keys", "--plot", "picture.jpg"],
        ["--prompt", "keys", "--plot", "text.wav/picture.png"],
        ["--prompt", "keys", "--bars", "301", "--tempo", "120"],
        ["--prompt", "keys", "--bar", "4"],
        ["--prompt"],
        ["one.wav", "two.wav"],
    ],
    ids=lambda arguments: " ".join(arguments)[:60] or "nothing",
)
def test_a_mistake_is_one_line_on_stderr_before_torch_and_nothing_is_written(
    folder: Path, arguments: list[str]
) -> None:
    make_broken_melodies(folder)
    before = files(folder.parent)
    result = subprocess.run(
        [sys.executable, "-c", REFUSAL, "render", *arguments], capture_output=True, text=True
    )
    assert result.returncode == 2, result.stderr
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("melody-bridge")
    assert "Traceback" not in result.stderr
    assert files(folder.parent) == before


def test_a_clip_that_is_too_long_is_refused_with_the_longest_one_possible(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["render", "--prompt", "keys", "--bars", "276", "--tempo", "110"]) == 2
    errors = capsys.readouterr().err
    assert "276 bars of 4/4 at 110 bpm are 602.2 s" in errors
    assert "600 s at most: ask for 275 bars or fewer" in errors


@pytest.mark.parametrize(
    ("bars", "seconds"), [(4, 8 / 0.92 + 2.25), (16, 32 / 0.92 + 2.25), (275, 600), (300, 600)]
)
def test_a_piece_is_the_clip_and_its_surplus_up_to_the_longest_piece(
    folder: Path, bars: int, seconds: float
) -> None:
    tempo_bpm = 110 if bars == 275 else 120
    plan = prepare(merge({"melody": MIDI, "bars": bars, "tempo_bpm": tempo_bpm, "meter": "4/4"}))
    assert plan.piece_seconds == pytest.approx(seconds)
    assert plan.aligned is not None
    assert len(plan.aligned.chroma) == max(ceil(seconds / 0.128), 235)
    assert request_for(plan).seconds == plan.piece_seconds


def test_a_hum_in_another_rate_meter_and_tempo_becomes_a_clip_of_the_exact_length(
    folder: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    samples, rate = soundfile.read(HUM)
    assert rate == 44_100
    # The same hum, labelled as 48 kHz: higher and faster by the same 8.8 %, in stereo.
    soundfile.write(folder / "hum.wav", np.stack([samples, samples], axis=1), 48_000)
    result = render(
        capsys,
        *("hum.wav", "--bars", "4", "--meter", "3/4", "--tempo", "93.7", "--melody-tempo", "97.96"),
        *("--prompt", "warm bass", "--model", model, "--seed", "7", "--sample-rate", "48000"),
        *("--out", "clips"),
    )
    assert set(result) == {"clips", "seconds", "realtime_factor", "device"}
    (clip,) = result["clips"]
    frames = round(4 * 3 * 60 / 93.7 * 48_000)
    assert soundfile.info(clip["path"]).frames == frames
    path, similarity, offset, parts = (
        clip.pop(name) for name in ("path", "melody_similarity", "beat_offset_ms", "score_parts")
    )
    assert clip == {
        "frames": frames,
        "sample_rate": 48_000,
        "channels": 2,
        "bars": 4,
        "tempo_bpm": 93.7,
        "meter": "3/4",
        "seed": 7,
        "prompt": "warm bass, 94 bpm",
        "model": str(model),
    }
    assert Path(path).parent == folder / "clips"
    sidecar = json.loads(Path(path).with_suffix(".json").read_text())
    assert sidecar.items() >= clip.items()
    assert sidecar["melody"] == str(folder / "hum.wav")
    assert (sidecar["melody_tempo_bpm"], sidecar["guidance_scale"]) == (97.96, 3.0)
    assert 0 <= similarity <= 1
    assert sidecar["score_parts"] == parts and parts["melody"] == similarity
    assert parts.keys() == Options(prompt="keys").rank_weights().keys()
    assert all(0 <= part <= 1 for part in parts.values())
    assert offset is None or offset >= 0
    assert result["device"] == "cpu"
    assert result["realtime_factor"] == pytest.approx(12 * 60 / 93.7 / result["seconds"], rel=0.01)


def test_the_sidecar_names_a_model_folder_by_its_absolute_path(
    folder: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    relative = os.path.relpath(model)
    arguments = ("--prompt", "keys", "--bars", "1", "--model", relative, "--out", "a.wav")
    (clip,) = render(capsys, *arguments)["clips"]
    sidecar = json.loads(Path(clip["path"]).with_suffix(".json").read_text())
    assert Path(sidecar["model"]).is_absolute() and Path(sidecar["model"]).samefile(model)


def test_the_melody_tempo_of_a_midi_file_does_not_change_the_clips_tempo(folder: Path) -> None:
    plan = prepare(Options(melody=MIDI, melody_tempo_bpm=Fraction(100), prompt="keys", out=folder))
    assert plan.tempo_bpm == 90
    assert plan.meter == Meter(3, 4)


def test_a_midi_file_sets_tempo_and_meter_unless_flags_do(
    folder: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = (MIDI, "--bars", "1", "--model", model, "--seed", "7", "--out", "clips")
    (own,) = render(capsys, *common)["clips"]
    assert (own["tempo_bpm"], own["meter"]) == (90.0, "3/4")
    assert own["frames"] == 2 * 44_100
    assert own["prompt"] is None
    (given,) = render(capsys, *common, "--tempo", "120", "--meter", "4/4")["clips"]
    assert (given["tempo_bpm"], given["meter"]) == (120.0, "4/4")
    assert given["frames"] == 2 * 44_100


def test_the_same_seed_gives_the_same_samples_and_another_seed_gives_others(
    folder: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def samples(seed: int, out: str) -> Any:
        (clip,) = render(
            capsys,
            *(HUM, "--bars", "1", "--prompt", "warm bass", "--model", model),
            *("--seed", str(seed), "--out", out),
        )["clips"]
        return soundfile.read(clip["path"])[0]

    first = samples(7, "first.wav")
    assert np.array_equal(first, samples(7, "again.wav"))
    assert not np.array_equal(first, samples(8, "other.wav"))


def test_variations_have_consecutive_seeds_and_are_sorted_by_their_score(
    folder: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = (HUM, "--bars", "1", "--meter", "3/4", "--tempo", "180", "--model", model)
    three = render(capsys, *common, "--seed", "7", "--variations", "3", "--out", "three")["clips"]
    assert {clip["seed"] for clip in three} == {7, 8, 9}
    assert len({clip["path"] for clip in three}) == 3
    weights = Options(prompt="keys").rank_weights()
    scores = [
        sum(weights[part] * value for part, value in clip["score_parts"].items()) for clip in three
    ]
    assert scores == sorted(scores, reverse=True)
    off = [f"--rank-{part}=0" for part in weights if part != "melody"]
    seeds = ("--seed", "7", "--variations", "3")
    by_melody = render(capsys, *common, *seeds, "--out", "by_melody", *off)["clips"]
    similarities = [clip["melody_similarity"] for clip in by_melody]
    assert similarities == sorted(similarities, reverse=True)
    (alone,) = render(capsys, *common, "--seed", "8", "--out", "alone.wav")["clips"]
    (among,) = (clip for clip in three if clip["seed"] == 8)
    assert np.array_equal(soundfile.read(alone["path"])[0], soundfile.read(among["path"])[0])


@pytest.mark.parametrize("arguments", [["--prompt", "warm bass"], ["--unconditional"]])
def test_a_clip_is_made_from_text_alone_or_unconditionally(
    folder: Path, model: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    common = ("--bars", "1", "--model", model, "--out", "clip.wav")
    (clip,) = render(capsys, *arguments, *common)["clips"]
    assert clip["melody_similarity"] is None
    # The seed that was drawn reproduces the clip.
    assert 0 <= clip["seed"] <= 16_777_215
    (again,) = render(capsys, *arguments, *common, "--seed", str(clip["seed"]))["clips"]
    assert again["path"] != clip["path"]
    assert np.array_equal(soundfile.read(clip["path"])[0], soundfile.read(again["path"])[0])


def test_a_clip_longer_than_one_window_is_made(
    folder: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (clip,) = render(
        capsys,
        *("--unconditional", "--greedy", "--guidance-scale", "1", "--model", model),
        *("--bars", "16", "--tempo", "120", "--out", "clip.wav"),
    )["clips"]
    assert clip["frames"] == 32 * 44_100


def test_a_preset_and_the_users_defaults_apply_under_the_flags(
    folder: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from bridge.config.files import user_folder

    (user_folder() / "presets").mkdir(parents=True)
    (user_folder() / "config.toml").write_text(f"sample_rate = 48000\nmodel = '{model}'\nbars = 4")
    (user_folder() / "presets" / "mine.toml").write_text(
        'name = "mine"\nprompt = "warm bass, {tempo} bpm, {key}"\nbars = 2\n'
    )
    (clip,) = render(capsys, "--preset", "mine", "--tempo", "240", "--key", "Am", "--out", ".")[
        "clips"
    ]
    assert clip["prompt"] == "warm bass, 240 bpm, A minor"
    assert (clip["bars"], clip["sample_rate"], clip["frames"]) == (2, 48_000, 2 * 48_000)
    assert "mine" in Path(clip["path"]).name


def test_a_picture_is_drawn_for_audio_notes_and_text(
    folder: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, melody in (("audio", [HUM]), ("notes", [MIDI]), ("text", ["--prompt", "warm"])):
        common = ("--bars", "1", "--model", model, "--out", f"{name}.wav", "--plot")
        render(capsys, *melody, *common, f"{name}.png")
        assert (folder / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert (folder / f"{name}.wav").exists()


def test_without_json_the_path_comes_first_and_then_the_figures(
    folder: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--bars", "5", "--meter", "3/4", "--tempo", "300", "--seed", "7"]
    assert cli.main(["render", str(HUM), *arguments, "--model", str(model), "--out", "c.wav"]) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines()[0] == str(folder / "c.wav")
    assert "5 bars of 3/4 at 300 bpm, seed 7, melody similarity" in printed.out
    # The hum fills over two of these bars; stderr says how the other bars are filled.
    assert "The melody" in printed.err
    assert "Traceback" not in printed.err


def test_clips_go_to_the_music_folder_without_out(
    folder: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (clip,) = render(capsys, "--prompt", "warm", "--bars", "1", "--model", model)["clips"]
    clips = Path(clip["path"]).parent
    assert clips.name == "Melody Bridge"
    assert clips.is_relative_to(Path(os.environ["HOME"]))
    assert files(folder) == []


def test_the_presets_are_listed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["presets"]) == 0
    printed = capsys.readouterr().out
    assert "lofi-keys" in printed
    assert "{tempo} bpm" in printed


def test_the_program_without_a_command_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 0
    assert "render" in capsys.readouterr().out


def test_the_help_has_every_command_once_in_four_groups_with_examples(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["--help"]) == 0
    groups: dict[str, list[str]] = {}
    for line in capsys.readouterr().out.splitlines():
        if line in ("make:", "play:", "manage:", "measure:"):
            assert line not in groups
            groups[line] = []
        elif groups and line.startswith("  "):
            groups[list(groups)[-1]].append(line)
    assert list(groups) == ["make:", "play:", "manage:", "measure:"]
    lines = [line for group in groups.values() for line in group]
    listed = [line.split()[0] for line in lines if line[2] != " " and "for example" not in line]
    assert listed == [command.name for command in cli.COMMANDS]
    for group in groups.values():
        assert sum(line.startswith("    melody-bridge ") for line in group) == 2
