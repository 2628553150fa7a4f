"""A clip made again from its sidecar: the same clip where nothing changes, else what was asked."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from bridge.config import Options
from bridge.delivery.clip_book import BookClip, ClipBook
from bridge.errors import BadArgument, UnreadableFile
from bridge.melody import cut, read_melody
from bridge.rendering.again import plan_again
from bridge.rendering.meant import notes_in_seconds
from bridge.rendering.plan import RenderPlan, prepare
from bridge.rendering.render import render, request_for
from bridge.timing import Meter, Note, Take
from tests.delivery.book import store
from tests.hummed import RATE, hummed

MELODIES = Path(__file__).parent.parent / "melodies"


def made(clips: Path, model: Path, **options: Any) -> tuple[RenderPlan, BookClip]:
    """Render a clip as `melody-bridge render` does, and look it up."""
    plan = prepare(Options(out=clips, model=str(model), **options))
    render(plan)
    return plan, ClipBook(clips).find("last")


def again(clip: BookClip, configured: dict[str, Any] | None = None, **changes: Any) -> RenderPlan:
    return plan_again(clip, changes, configured or {})


def same_chroma(one: RenderPlan, other: RenderPlan) -> bool:
    assert one.aligned is not None and other.aligned is not None
    return np.array_equal(one.aligned.chroma, other.aligned.chroma)


def test_with_its_own_seed_the_same_clip_is_made_again(tmp_path: Path, model: Path) -> None:
    plan, clip = made(
        tmp_path,
        model,
        melody=MELODIES / "scarborough-hum-90bpm.wav",
        melody_tempo_bpm=Fraction(90),
        melody_start="1bars",
        melody_length="2bars",
        tempo_bpm=Fraction(1000, 11),
        prompt="warm keys, {tempo} bpm, {key}",
        key="A minor",
        bars=2,
        temperature=0.8,
        top_p=0.9,
        seed=9,
        sample_rate=48_000,
    )
    second = again(clip, seed=9)
    assert request_for(second).prompt == request_for(plan).prompt
    assert vars(second.options) == {**vars(plan.options), "meter": Meter()}
    (twin,) = render(second, recipe={"again_of": clip.known.path.name}).clips
    first, _ = soundfile.read(clip.known.path, dtype="float32")
    samples, _ = soundfile.read(twin.path, dtype="float32")
    assert np.array_equal(samples, first)
    fields = json.loads(twin.path.with_suffix(".json").read_text())
    assert fields["again_of"] == clip.known.path.name
    # After midnight its name is another one.
    if clip.known.path.stem.startswith(date.today().isoformat()):
        assert twin.path.stem == f"{clip.known.path.stem} 2"


def test_corrected_notes_lead_again(tmp_path: Path, model: Path) -> None:
    take = Take(hummed(), name="hum")
    soundfile.write(tmp_path / "hum.wav", hummed().samples, RATE)
    notes = (Note(Fraction(1), Fraction(2), 61), Note(Fraction(4), Fraction(1), 66))
    options = Options(
        out=tmp_path,
        model=str(model),
        melody=tmp_path / "hum.wav",
        tempo_bpm=Fraction(120),
        bars=2,
        seed=1,
    )
    plan = prepare(options, take, notes_in_seconds(notes, Fraction(0), Fraction(120)))
    render(plan)
    clip = ClipBook(tmp_path).find("last")
    assert again(clip, seed=2).notes == notes
    # Another part of the recording has other notes.
    assert again(clip, melody_start="1bars").notes != notes
    sidecar = clip.known.path.with_suffix(".json")
    fields = {**json.loads(sidecar.read_text()), "notes": [{"pitch": "high"}]}
    sidecar.write_text(json.dumps(fields))
    with pytest.raises(BadArgument, match="cannot be used"):
        again(ClipBook(tmp_path).find("last"))


def test_changes_win_and_the_rest_stays(tmp_path: Path, model: Path) -> None:
    plan, clip = made(
        tmp_path,
        model,
        melody=MELODIES / "scarborough-90bpm.mid",
        preset="lofi-keys",
        prompt="warm electric piano",
        bars=1,
        seed=5,
        guidance_scale=2.0,
    )
    longer = again(clip, bars="3", configured={"bars": 7, "rank_seam": 0.0, "guidance_scale": 9.0})
    assert (longer.options.bars, longer.seed, longer.options.guidance_scale) == (3, 5, 2.0)
    assert longer.options.rank_seam == 0.0
    assert longer.prompt == plan.prompt and longer.options.preset == "lofi-keys"
    # A prompt and a preset are one setting.
    other = again(clip, preset="cinematic-strings")
    assert other.prompt is not None and "strings" in other.prompt and "piano" not in other.prompt
    assert again(clip, prompt="bells").options.preset is None
    faster = again(clip, tempo_bpm="120")
    assert faster.prompt is not None and "120 bpm" in faster.prompt
    assert again(clip, out=str(tmp_path / "other")).out == tmp_path / "other"


def test_a_continuation_goes_on_from_the_same_clip_again(tmp_path: Path, model: Path) -> None:
    first = made(tmp_path, model, prompt="bells", bars=1, tempo_bpm=Fraction(120), seed=5)[1]
    path = first.known.path
    plan, clip = made(tmp_path, model, continue_from=path, bars=2, seed=6)
    second = again(clip, seed=6)
    assert second.continued is not None and second.continued.path == path
    assert second.prompt == plan.prompt and second.continued.bars == 1
    (twin,) = render(second).clips
    samples = [soundfile.read(each, dtype="float32")[0] for each in (clip.known.path, twin.path)]
    assert np.array_equal(*samples)
    # Its clip is discarded meanwhile; and then it is gone.
    discarded = tmp_path / "Discarded" / path.name
    discarded.parent.mkdir()
    for suffix in (".wav", ".json"):
        path.with_suffix(suffix).rename(discarded.with_suffix(suffix))
    moved = again(clip, seed=6).continued
    assert moved is not None and moved.path == discarded
    discarded.unlink()
    with pytest.raises(UnreadableFile, match=re.escape(repr(str(path)))):
        again(clip, seed=6)


def test_stems_stay_as_they_were_asked_for(tmp_path: Path) -> None:
    hum = MELODIES / "scarborough-hum-90bpm.wav"
    path = store(tmp_path, "clip", melody=str(hum), melody_tempo_bpm=90, model="pocket", stems="on")
    clip = ClipBook(tmp_path).find(path.stem)
    assert again(clip, seed="1").options.stems == "on"
    assert again(clip, stems="off").options.stems == "off"


def test_without_changes_it_gets_another_seed(tmp_path: Path, model: Path) -> None:
    _, clip = made(tmp_path, model, prompt="bells", bars=1, seed=5)
    assert {again(clip).seed for _ in range(3)} != {5}


def test_a_recording_of_unknown_tempo_keeps_its_bars_at_another_tempo(
    tmp_path: Path, model: Path
) -> None:
    hum = MELODIES / "scarborough-hum-90bpm.wav"
    plan, clip = made(tmp_path, model, melody=hum, tempo_bpm=Fraction(90), bars=2, seed=1)
    faster = again(clip, tempo_bpm="99")
    assert faster.take is not None and faster.take.tempo_bpm == 90
    assert faster.aligned is not None and plan.aligned is not None
    assert again(clip, seed="2").aligned is not None and same_chroma(again(clip, seed="2"), plan)


def test_a_part_that_a_message_asked_for_is_cut_again(tmp_path: Path) -> None:
    hum = MELODIES / "scarborough-hum-90bpm.wav"
    part: dict[str, Any] = {
        "melody_start_seconds": 2.0,
        "melody_length_seconds": 4.0,
        "melody_wrap": False,
    }
    path = store(tmp_path, "clip", melody=str(hum), melody_tempo_bpm=90, model="pocket", **part)
    take = again(ClipBook(tmp_path).find(path.stem), seed="1").take
    assert take is not None and take.source.seconds == pytest.approx(4.0)  # type: ignore[union-attr]
    # What is asked for now replaces it.
    take = again(ClipBook(tmp_path).find(path.stem), melody_length="6").take
    assert take is not None and take.source.seconds == pytest.approx(6.0)  # type: ignore[union-attr]


@pytest.mark.parametrize("asked", [None, 50])
def test_a_part_of_notes_is_counted_at_the_tempo_that_its_message_gave(
    asked: int | None, tmp_path: Path
) -> None:
    tune = MELODIES / "twinkle-100bpm.mid"
    part: dict[str, Any] = {"melody_start_seconds": 4.8, "melody_length_seconds": 2.4}
    part |= {"melody_wrap": False, "melody_part_tempo_bpm": asked}
    path = store(tmp_path, "clip", melody=str(tune), model="pocket", **part)
    found = again(ClipBook(tmp_path).find(path.stem), seed="1").take
    whole = read_melody(tune, tempo_bpm=None if asked is None else Fraction(asked))
    expected = cut(whole, start_seconds=4.8, length_seconds=2.4)
    assert found is not None and found.source == expected.source


def test_a_take_is_found_where_the_folder_is_now_and_its_use_is_recorded(tmp_path: Path) -> None:
    clips = tmp_path / "Moved"
    (clips / "Takes").mkdir(parents=True)
    take = Path(shutil.copy(MELODIES / "scarborough-hum-90bpm.wav", clips / "Takes" / "hum.wav"))
    os.utime(take, (0, 0))
    store(
        clips, "2026-11-29 lofi keys 120bpm 1bar seed7", melody="/old/hum.wav", take="Takes/hum.wav"
    )
    clip = ClipBook(clips).find("last")
    plan = again(clip, bars="2")
    assert plan.options.melody == take and take.stat().st_mtime > time.time() - 60
    assert plan.take is not None and plan.take.name == "lofi keys", "the title, not the take's name"


def test_what_cannot_be_made_again_is_an_error_that_names_the_clip(tmp_path: Path) -> None:
    store(tmp_path, "gone", melody=str(tmp_path / "hum.wav"))
    with pytest.raises(UnreadableFile, match=r"gone follows .*hum\.wav"):
        again(ClipBook(tmp_path).find("gone"))
    for number, (name, value) in enumerate(
        [
            ("melody_tempo_bpm", "1/0"),
            ("guidance_scale", "strong"),
            ("model", ["pocket"]),
            ("prompt", 7),
            ("key", {"a": 1}),
            ("top_k", -1),
            ("melody_start_seconds", "x"),
        ]
    ):
        hum = str(MELODIES / "scarborough-hum-90bpm.wav")
        fields: dict[str, Any] = {"melody": hum, name: value}
        store(tmp_path, f"bad {number}", **fields)
        with pytest.raises(BadArgument) as refused:
            again(ClipBook(tmp_path).find(f"bad {number}"), bars="2")
        assert f"bad {number}.json" in str(refused.value), name
