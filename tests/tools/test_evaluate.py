"""The evaluation: figures of players whose skill is known, the table, a real checkpoint."""

from __future__ import annotations

import functools
import io
import json
import math
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from rich.console import Console

from bridge import cli
from bridge.audio import Waveform
from bridge.config.presets import bundled_folder
from bridge.engine import Engine, Request
from bridge.pocket import corpus
from bridge.pocket.music.score import KEY_NAMES
from bridge.tools import evaluate
from bridge.tools.evaluate_cases import Case, melodies
from bridge.tools.figures import Figure, as_table, figures_as_json

NAMES = [
    "melody similarity",
    "similarity to other melodies",
    "tempo within 3 % before fitting",
    "bar lines within 30 ms after fitting",
    "side/mid within -30 and -3 dB",
    "loudness as made, LUFS",
    "drums distinguished from no drums",
    "presets without clicks as made",
    "presets without clicks",
    "24 s without gap or fade",
    "codec alone: pitch class kept",
]


PARTS = ["melody", "tempo", "downbeat", "loudness", "clipping", "silence", "seam", "clicks"]


class Follower:
    """Plays the requested melody in stereo, with a drum on every beat of the prompt's tempo."""

    device = "nowhere"

    def generate(self, request: Request) -> list[Waveform]:
        assert request.prompt is not None and request.melody is not None
        frames = math.ceil(request.seconds * 50) * 640
        step = np.minimum(np.arange(frames) // 4096, 234)
        pitch = 60 + request.melody.argmax(axis=1)[step]
        phase = np.cumsum(440 * 2 ** ((pitch - 69) / 12) / 32_000)
        mid = 0.2 * np.sin(2 * np.pi * phase)
        tempo = re.search(r"([\d.]+) bpm", request.prompt)
        assert tempo is not None
        if "no drums" not in request.prompt and "drums" in request.prompt:
            rng = np.random.default_rng(request.seed)
            fall = np.exp(-np.arange(1600) / 250)
            for first in np.arange(0, frames - 1600, 60 / float(tempo[1]) * 32_000):
                mid[round(first) : round(first) + 1600] += 0.5 * fall * rng.standard_normal(1600)
        side = 0.03 * np.sin(2 * np.pi * 1.5 * phase)
        samples = np.clip(np.stack([mid + side, mid - side], axis=1), -1, 1)
        return [Waveform(samples.astype(np.float32), 32_000)]

    def reconstruct(self, waveform: Waveform) -> Waveform:
        return waveform


class Deaf:
    """Plays the same fading tone for every request, and reconstructs silence."""

    device = "nowhere"

    def generate(self, request: Request) -> list[Waveform]:
        time = np.arange(math.ceil(request.seconds * 50) * 640) / 32_000
        tone = 0.5 * np.sin(2 * np.pi * 466.16 * time) * np.exp(-time / 3)
        return [Waveform(tone.astype(np.float32)[:, None], 32_000)]

    def reconstruct(self, waveform: Waveform) -> Waveform:
        return Waveform(np.zeros_like(waveform.samples), waveform.sample_rate)


class Second(Follower):
    """Follows in the second variation only; the others play a semitone higher."""

    def generate(self, request: Request) -> list[Waveform]:
        assert request.melody is not None
        higher = replace(request, melody=np.roll(request.melody, 1, axis=1))
        return [
            super(Second, self).generate(request if index == 1 else higher)[0]
            for index in range(request.variations)
        ]


def figures_of(player: object, clips: int) -> dict[str, Figure]:
    figures = evaluate.evaluate(cast(Engine, player), clips=clips)
    assert [figure.name for figure in figures[:-1]] == NAMES
    assert figures[-1].name == "times real time, 8 s clip on nowhere"
    return {figure.name: figure for figure in figures}


def test_a_player_that_follows_in_time_and_in_stereo_holds_every_floor() -> None:
    figures = figures_of(Follower(), clips=4)
    assert [figure.name for figure in figures.values() if not figure.holds] == []
    assert figures["melody similarity"].value > 0.9
    assert figures["codec alone: pitch class kept"].value == 1.0
    assert figures["melody similarity"].clips == 4


def test_a_player_that_ignores_the_request_misses_the_floors() -> None:
    figures = figures_of(Deaf(), clips=4)
    missed = {name for name, figure in figures.items() if not figure.holds}
    assert missed >= {
        "melody similarity",
        "bar lines within 30 ms after fitting",
        "side/mid within -30 and -3 dB",
        "drums distinguished from no drums",
        "24 s without gap or fade",
        "codec alone: pitch class kept",
    }
    assert figures["codec alone: pitch class kept"].value == 0.0


@pytest.mark.usefixtures("short_clips")
def test_the_best_of_the_variations_is_compared_with_their_mean() -> None:
    figures = {
        figure.name.removeprefix("score of variations: "): figure
        for figure in evaluate.evaluate(cast(Engine, Second()), clips=4, variations=3)
    }
    melody = figures["melody"]
    assert melody.clips == 4 * 3
    assert melody.best is not None and melody.best > 0.6
    assert melody.value < melody.best - 0.3
    assert all(figures[part].best is not None for part in PARTS)
    # The other figures are those of the first variations.
    assert figures["melody similarity"].clips == 4
    assert figures["melody similarity"].value < 0.3
    assert figures["melody similarity"].best is None


@pytest.fixture(scope="module", autouse=True)
def music_is_rendered_once() -> Iterator[None]:
    """Several tests measure with the same seeded music."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluate, "render", functools.cache(corpus.render))
        yield


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return list(melodies(16))


def test_the_melodies_are_the_same_every_time(cases: list[Case]) -> None:
    for case, again in zip(cases[:4], melodies(4), strict=True):
        assert (case.sound, case.tempo_bpm, case.seed) == (again.sound, again.tempo_bpm, again.seed)
        assert np.array_equal(case.aligned.chroma, again.aligned.chroma)


def test_melodies_are_complete_and_of_many_keys_tempos_and_meters(cases: list[Case]) -> None:
    assert [case.seed for case in cases] == list(range(16))
    assert len({case.aligned.chroma.tobytes() for case in cases}) == 16
    assert {str(case.meter) for case in cases} == {"3/4", "4/4"}
    assert len({case.tempo_bpm for case in cases}) >= 8
    for case in cases:
        assert case.aligned.chroma.shape == (235, 12)
        assert len(case.aligned.classes) == math.ceil(case.seconds * 32_000 / 4096)
        assert (case.aligned.classes >= 0).mean() > 0.5


def test_prompts_name_the_tempo_and_the_key_of_their_melody(cases: list[Case]) -> None:
    keys = 0
    for case in cases:
        assert f"{float(case.tempo_bpm):g} bpm" in case.sound
        assert case.has_drums == bool(re.search(r"(?<!no )drums", case.sound))
        for tonic, quality in re.findall(r"([A-G][b#]?) (major|minor)", case.sound):
            keys += 1
            counts = np.bincount(case.aligned.classes[case.aligned.classes >= 0], minlength=12)
            steps = (0, 2, 4, 5, 7, 9, 11) if quality == "major" else (0, 2, 3, 5, 7, 9, 10)
            inside = [(KEY_NAMES.index(tonic) + step) % 12 for step in steps]
            # Wandering melodies leave their key.
            assert counts[inside].sum() / counts.sum() > 0.5
    assert keys >= 5
    assert not any("{" in case.sound for case in cases)


@pytest.mark.parametrize(
    ("value", "floor", "at_most", "holds"),
    [
        (0.7, 0.7, False, True),
        (0.69, 0.7, False, False),
        (0.2, 0.2, True, True),
        (0.21, 0.2, True, False),
        (0.0, None, False, True),
        (math.nan, 0.7, False, False),
        (math.nan, 0.2, True, False),
    ],
)
def test_a_figure_holds_on_the_right_side_of_its_floor(
    value: float, floor: float | None, at_most: bool, holds: bool
) -> None:
    assert Figure("figure", value, floor, at_most, 1).holds is holds


FIGURES = [
    Figure("good", 0.8125, 0.7, False, 32),
    Figure("too much", 0.3, 0.2, True, 32),
    Figure("unknown", math.nan, 0.8, False, 0),
]


def test_json_is_one_object_without_nan() -> None:
    report = json.loads(figures_as_json({"model": "pocket"}, FIGURES), parse_constant=pytest.fail)
    assert report["model"] == "pocket"
    assert report["figures"][0] == {
        "name": "good", "value": 0.8125, "floor": 0.7, "at_most": False, "clips": 32, "holds": True,
        "best": None,
    }  # fmt: skip
    assert [row["holds"] for row in report["figures"]] == [True, False, False]
    assert report["figures"][2]["value"] is None


def test_the_table_marks_missed_floors() -> None:
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(as_table("pocket, stream", 1, FIGURES))
    rows = {
        line.split("│")[1].strip(): [cell.strip() for cell in line.split("│")[2:5]]
        for line in console.export_text().splitlines()
        if line.count("│") == 5
    }
    assert rows == {
        "good": ["0.81", "≥ 0.7", "32"],
        "too much": ["0.30  missed", "≤ 0.2", "32"],
        "unknown": ["-  missed", "≥ 0.8", "0"],
    }


def test_the_best_is_a_column_and_a_field_where_there_are_variations() -> None:
    figures = [FIGURES[0], Figure("melody", 0.9, None, False, 32, best=0.97123)]
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(as_table("pocket, stream", 4, figures))
    text = console.export_text()
    assert "best of 4" in text
    (row,) = (line for line in text.splitlines() if "melody" in line)
    assert [cell.strip() for cell in row.split("│")[2:4]] == ["0.90", "0.97"]
    report = json.loads(figures_as_json({"variations": 4}, figures))
    assert report["variations"] == 4
    assert [row["best"] for row in report["figures"]] == [None, 0.9712]


@pytest.fixture
def short_clips(tmp_path: Path) -> Iterator[None]:
    """Clips of a bar, and two presets."""
    for preset in sorted(bundled_folder().glob("*.toml"))[:2]:
        shutil.copy(preset, tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluate, "bundled_folder", lambda: tmp_path)
        patch.setattr(evaluate, "BARS", 1)
        patch.setattr(evaluate, "CLICK_BARS", 1)
        patch.setattr(evaluate, "LONG_SECONDS", 1.0)
        patch.setattr(evaluate, "SPEED_SECONDS", 1.0)
        yield


@pytest.mark.usefixtures("short_clips")
@pytest.mark.parametrize(("engine", "variations"), [("stream", "2"), ("reference", None)])
def test_any_checkpoint_is_measured_with_either_engine(
    model: Path, engine: str, variations: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["eval", "--model", str(model), "--engine", engine, "--short", "--json"]
    more = [] if variations is None else ["--variations", variations]
    assert cli.main([*arguments, *more]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["model"], report["engine"]) == (str(model), engine)
    assert report["variations"] == int(variations or 1)
    parts = [f"score of variations: {part}" for part in PARTS] if variations else []
    names = [row["name"] for row in report["figures"]][:-1]
    assert names == [*NAMES[:6], *parts, *NAMES[6:]]
    assert report["figures"][-1]["name"] == "times real time, 8 s clip on cpu"
    assert report["figures"][-1]["value"] > 0


@pytest.mark.parametrize("variations", ["0", "17", "many"])
def test_a_number_of_variations_out_of_range_is_refused(
    variations: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["eval", "--variations", variations]) != 0
    printed = capsys.readouterr().err
    assert "variations" in printed and variations in printed
