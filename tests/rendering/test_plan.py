"""What a plan assumes, and the part of the melody that it follows."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from bridge import cli
from bridge.audio import Waveform
from bridge.chroma import STEP_SECONDS
from bridge.config import merge
from bridge.delivery import write_take
from bridge.errors import BadArgument
from bridge.melody.audio_file import read_audio
from bridge.rendering.plan import RenderPlan, prepare
from bridge.timing import Note, Take

MELODIES = Path(__file__).parents[1] / "melodies"
CASES = Path(__file__).parents[1] / "cases"
HUM = MELODIES / "twinkle-hum-100bpm.wav"
STREAM = CASES / "stream.flac"
C, D, E, F, G, B = 0, 2, 4, 5, 7, 11


def plan_of(folder: Path, **options: Any) -> RenderPlan:
    return prepare(merge({"out": str(folder), "prompt": "keys", "stems": "off", **options}))


def beats(plan: RenderPlan) -> list[int]:
    """The pitch class in the middle of each beat; −1: a rest."""
    assert plan.aligned is not None
    classes = plan.aligned.classes
    beat_steps = 60 / float(plan.tempo_bpm) / STEP_SECONDS
    count = int(len(classes) / beat_steps + 0.1)
    return [int(classes[round((beat + 0.5) * beat_steps)]) for beat in range(count)]


def test_a_tempo_that_nobody_gave_is_named_with_the_flag_that_gives_it(tmp_path: Path) -> None:
    assumed = plan_of(tmp_path, melody=HUM)
    assert f"The tempo of {HUM.name} is not known, so 120 bpm is assumed" in assumed.remarks[0]
    assert "--tempo" in assumed.remarks[0]
    for given in ({"tempo_bpm": "100"}, {"melody_tempo_bpm": "100"}):
        assert not any(
            "not known" in each for each in plan_of(tmp_path, melody=HUM, **given).remarks
        )
    assert not any("not known" in each for each in plan_of(tmp_path).remarks)
    assert plan_of(tmp_path, melody=MELODIES / "twinkle-100bpm.mid").remarks == ()


@pytest.mark.parametrize(
    ("prompt", "named"),
    [
        ("lo-fi drums, 90 bpm", "90"),
        ("90bpm house", "90"),
        ("jazz at 87.5 BPM, piano", "87.5"),
        ("jazz at 120 bpm", None),
        ("jazz at {tempo} bpm", None),
        ("jazz, 120.4 bpm", None),
        ("an 808", None),
    ],
)
def test_a_prompt_that_names_another_tempo_gets_a_remark(
    tmp_path: Path, prompt: str, named: str | None
) -> None:
    remarks = plan_of(tmp_path, prompt=prompt).remarks
    if named is None:
        assert remarks == ()
    else:
        assert len(remarks) == 1
        assert remarks[0].startswith(f"The prompt names {named} bpm and the clip has 120: ")
        assert f"--tempo {named}" in remarks[0]


@pytest.mark.parametrize(
    ("start", "length"), [("2", "2"), ("2s", "1bars"), ("1bar", "1 bar"), ("1bars", None)]
)
@pytest.mark.parametrize("melody", [STREAM, CASES / "alien.mid"])
def test_start_and_length_are_seconds_or_bars(
    tmp_path: Path, melody: Path, start: str, length: str | None
) -> None:
    plan = plan_of(
        tmp_path,
        melody=melody,
        bars=1,
        tempo_bpm="120",
        melody_start=start,
        melody_length=length,
    )
    assert beats(plan) == [B, G, D, C]
    assert plan.options.sidecar_values()["melody_start"] in ("2", "1bars")


def test_bars_of_a_midi_file_follow_its_own_tempo_and_first_bar_line(tmp_path: Path) -> None:
    changing = plan_of(
        tmp_path, melody=CASES / "map.mid", bars=1, melody_start="2bars", melody_length="4"
    )
    assert beats(changing) == [E, E, E, E]
    assert changing.tempo_bpm == 60
    pickup = plan_of(tmp_path, melody=CASES / "pickup.mid", bars=1, melody_start="1bars")
    assert beats(pickup) == [B, G, D, C]


def test_the_lead_of_a_midi_files_chords_is_an_option(tmp_path: Path) -> None:
    chord = (Note(Fraction(0), Fraction(4), 60, 127), Note(Fraction(0), Fraction(4), 67, 60))
    path = write_take(tmp_path, Take(chord), title="chord", tempo_bpm=Fraction(60))
    for lead, pitch_class in (("highest", 7), ("loudest", 0)):
        plan = plan_of(tmp_path, melody=path, bars=1, lead=lead)
        assert set(beats(plan)) == {pitch_class}
        assert plan.options.sidecar_values()["lead"] == lead


def test_silence_in_front_of_a_recording_is_offered_to_be_cut(tmp_path: Path) -> None:
    whole = read_audio(STREAM)
    samples, rate = whole.samples[:, 0], whole.sample_rate
    hum = tmp_path / "late.wav"
    soundfile.write(hum, np.concatenate([np.zeros(round(1.3 * rate)), samples]), rate)
    common = {"melody": hum, "tempo_bpm": "120", "bars": 2}
    kept = plan_of(tmp_path, **common)
    assert "late.wav begins with 1.30 s of silence, which count as a rest: --trim cuts them." in (
        kept.remarks
    )
    cut = plan_of(tmp_path, **common, trim=True, melody_length="2bars")
    assert beats(cut) == [C, E, G, C, B, G, D, C]
    assert cut.remarks == ()
    assert cut.take is not None
    assert isinstance(cut.take.source, Waveform)
    assert cut.take.source.seconds == pytest.approx(4)


def test_trim_begins_with_the_first_note_after_the_start(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, melody=CASES / "wrap.mid", bars=1, melody_start="0.75", trim=True)
    assert plan.take is not None
    assert isinstance(plan.take.source, tuple)
    assert [note.pitch for note in plan.take.source] == [64]
    assert plan.take.length_beats == 2


@pytest.mark.parametrize("value", ["-1", "4 beats", "bars", "1e3", "", "nan", "1000000"])
@pytest.mark.parametrize("name", ["melody_start", "melody_length"])
def test_a_time_that_cannot_be_read_is_refused(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(BadArgument, match=f"{name} .*seconds such as 1.5, or bars such as 4bars"):
        plan_of(tmp_path, melody=HUM, **{name: value})


def test_parts_without_a_melody_or_past_its_end_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["render", "--prompt", "keys", "--start", "2", "--trim"]) == 2
    assert "--start and --trim choose a part of a melody file" in capsys.readouterr().err
    with pytest.raises(BadArgument, match="melody_length '0'"):
        plan_of(tmp_path, melody=HUM, melody_length="0")
    with pytest.raises(BadArgument, match=r"4\.00 seconds long"):
        plan_of(tmp_path, melody=STREAM, melody_start="4")


def test_the_exact_tempo_of_a_recording_scales_its_bars(tmp_path: Path) -> None:
    plan = plan_of(
        tmp_path,
        melody=STREAM,
        bars=1,
        melody_tempo_bpm="60",
        tempo_bpm="120",
        melody_length="1bar",
    )
    assert plan.take is not None
    assert plan.take.tempo_bpm == Fraction(60)
    assert isinstance(plan.take.source, Waveform)
    assert plan.take.source.seconds == 4
