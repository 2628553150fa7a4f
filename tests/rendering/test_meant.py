"""The notes that were meant lead a clip, in the key and at the tempo that were meant."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from bridge.audio import Waveform
from bridge.chroma import audio_chroma
from bridge.config import merge
from bridge.errors import BadArgument, SilentMelody
from bridge.melody import TranscribedNote, read_melody
from bridge.rendering.beside_clip import notes_midi
from bridge.rendering.meant import (
    note_fields,
    notes_in_beats,
    notes_in_seconds,
    read_note_fields,
)
from bridge.rendering.plan import RenderPlan, prepare
from bridge.timing import DEFAULT_VELOCITY, Meter, Note, Take
from tests.hummed import RATE, SCALE, hummed

PITCHES = [pitch for pitch, _ in SCALE]


def plan_of(folder: Path, waveform: Waveform, **options: Any) -> RenderPlan:
    file = folder / "hum.wav"
    soundfile.write(file, waveform.samples, waveform.sample_rate)
    given = {"out": str(folder), "prompt": "keys, {key}", "bars": 2, "tempo_bpm": "120", "seed": 1}
    return prepare(merge({"melody": file, **given, **options}))


def pitches(plan: RenderPlan) -> list[int]:
    assert plan.notes is not None
    return [note.pitch for note in plan.notes]


def chord_of(*tones: int) -> Waveform:
    return Waveform(sum(hummed([(tone, 8.0)]).samples for tone in tones), RATE)  # type: ignore[arg-type]


@pytest.mark.parametrize("cents", [0.0, -35.0, 35.0])
def test_a_hum_off_concert_pitch_leads_to_the_tune_that_was_meant(
    tmp_path: Path, cents: float
) -> None:
    plan = plan_of(tmp_path, hummed(cents=cents))
    assert pitches(plan) == PITCHES
    assert plan.aligned is not None
    meant = plan_of(tmp_path, hummed()).aligned
    assert meant is not None
    assert (plan.aligned.classes == meant.classes).mean() > 0.9


def test_raw_leads_by_the_strongest_pitch_class_as_before(tmp_path: Path) -> None:
    waveform = hummed(cents=-45)
    plan = plan_of(tmp_path, waveform, melody_from="raw")
    assert plan.notes is None
    assert plan.aligned is not None
    raw = audio_chroma(waveform)[:30]
    assert (plan.aligned.chroma[:30] == raw).all()


def test_auto_lets_chords_lead_by_their_own_chroma_and_says_so(tmp_path: Path) -> None:
    chord = chord_of(60, 64, 67)
    raw = plan_of(tmp_path, chord, melody_from="raw")
    auto = plan_of(tmp_path, chord)
    assert auto.notes is None
    assert auto.aligned is not None and raw.aligned is not None
    assert (auto.aligned.chroma == raw.aligned.chroma).all()
    assert set(auto.remarks) > set(raw.remarks)
    assert any("its chroma leads" in remark for remark in auto.remarks)


def test_notes_lead_where_they_are_asked_for_and_a_remark_says_what_they_are_of(
    tmp_path: Path,
) -> None:
    both = Waveform(hummed().samples + hummed([(48, 8.0)]).samples, RATE)
    assert plan_of(tmp_path, both).notes is None
    asked = plan_of(tmp_path, both, melody_from="notes")
    assert asked.notes is not None
    assert any("its notes lead" in remark for remark in asked.remarks)
    assert not any("its chroma leads" in remark for remark in asked.remarks)


def test_notes_that_are_not_there_cannot_lead(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, (4 * RATE, 1)).astype(np.float32)
    with pytest.raises(SilentMelody, match="melody_from raw"):
        plan_of(tmp_path, Waveform(noise, RATE), melody_from="notes")
    assert plan_of(tmp_path, Waveform(noise, RATE)).notes is None


def test_the_key_of_the_melody_is_written_into_the_prompt(tmp_path: Path) -> None:
    assert plan_of(tmp_path, hummed(), key="auto").prompt == "keys, C major, 120 bpm"
    assert plan_of(tmp_path, hummed(), key="auto", melody_from="raw").prompt == (
        "keys, C major, 120 bpm"
    )
    assert plan_of(tmp_path, hummed()).prompt == "keys, 120 bpm"
    notes = tuple(Note(Fraction(beat), Fraction(1), pitch) for beat, pitch in enumerate(PITCHES))
    options = merge({"out": str(tmp_path), "melody": "riff.mid", "prompt": "keys", "key": "auto"})
    assert prepare(options, Take(notes)).prompt == "keys, 120 bpm, C major"


def test_the_tempo_of_the_melody_becomes_the_clips(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, hummed([*SCALE, *SCALE], tempo_bpm=100), tempo_bpm="auto", bars=4)
    assert abs(float(plan.tempo_bpm) - 100) < 3
    assert plan.take is not None and plan.take.tempo_bpm == plan.tempo_bpm
    assert any("bpm, as it was heard" in remark for remark in plan.remarks)


def test_a_melody_without_a_clear_tempo_counts_at_120(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, hummed([(60, 8.0)]), tempo_bpm="auto")
    assert plan.tempo_bpm == 120
    assert any("--tempo" in remark for remark in plan.remarks)


def test_a_take_that_knows_its_tempo_keeps_it(tmp_path: Path) -> None:
    take = Take(hummed(tempo_bpm=100), Fraction(93), name="hum")
    options = merge({"out": str(tmp_path), "melody": "hum.wav", "tempo_bpm": "auto", "bars": 2})
    assert prepare(options, take).tempo_bpm == 93


def test_quantize_pulls_late_onsets_onto_the_grid(tmp_path: Path) -> None:
    late = hummed(late_seconds=0.04)

    def off_grid(quantize: str) -> float:
        notes = plan_of(tmp_path, late, quantize=quantize).notes
        assert notes is not None
        sixteenths = [float(note.start_beat) * 4 for note in notes]
        return max(abs(each - round(each)) for each in sixteenths) / 4

    assert off_grid("1") < 0.01 < off_grid("0")


def test_corrected_notes_lead_in_place_of_the_heard_ones(tmp_path: Path) -> None:
    take = Take(hummed(), Fraction(120), name="hum")
    notes = (Note(Fraction(0), Fraction(3), 61), Note(Fraction(4), Fraction(1), 66))
    options = merge({"out": str(tmp_path), "melody": "hum.wav", "prompt": "keys", "bars": 2})
    plan = prepare(options, take, notes_in_seconds(notes, Fraction(0), Fraction(120)))
    assert plan.notes == notes
    assert plan.meant is not None and plan.meant.is_corrected
    assert plan.aligned is not None
    assert set(plan.aligned.classes.tolist()) == {-1, 1, 6}


def test_beats_count_from_the_first_bar_line() -> None:
    take = Take(hummed(), first_beat_seconds=Fraction(1, 2))
    heard = [
        TranscribedNote(start, 0.25, pitch, 0.0, 100, 1.0)
        for start, pitch in ((0.0, 60), (0.4, 62), (1.0, 64))
    ]
    notes = notes_in_beats(heard, take, Fraction(120))
    # The first ends before the bar line; of the second only what comes after it is left.
    assert [(note.pitch, float(note.start_beat)) for note in notes] == [(62, 0.0), (64, 1.0)]
    assert float(notes[0].length_beats) == pytest.approx(0.3, abs=0.001)


def test_a_sidecars_notes_are_read_back_and_others_are_refused() -> None:
    notes = (Note(Fraction(1, 4), Fraction(3, 2), 60, 90), Note(Fraction(2), Fraction(1), 64))
    fields = note_fields(notes)
    assert read_note_fields(fields) == notes
    assert note_fields(None) is None
    for broken in (
        None,
        [{"pitch": 60}],
        [{"start_beat": -1, "length_beats": 1, "pitch": 60, "velocity": 1}],
        [{"start_beat": 0, "length_beats": 1, "pitch": 200, "velocity": 1}],
        [{"start_beat": "x", "length_beats": 1, "pitch": 60, "velocity": 1}],
    ):
        with pytest.raises((ValueError, TypeError, KeyError)):
            read_note_fields(broken)


@pytest.mark.parametrize(
    ("name", "value"),
    [("melody_from", "chroma"), ("quantize", "1.5"), ("tempo_bpm", "fast"), ("key", "H major")],
)
def test_a_wrong_value_is_named_with_the_ones_there_are(
    tmp_path: Path, name: str, value: str
) -> None:
    with pytest.raises(BadArgument, match=f"{name} .*{value}"):
        merge({"out": str(tmp_path), "prompt": "keys", name: value})


def test_the_midi_file_of_a_clip_has_its_tempo_meter_and_bars(tmp_path: Path) -> None:
    """Two bars of a hum at 120 bpm, on a clip of three at 90."""
    options = {"melody_tempo_bpm": "120", "tempo_bpm": "90", "bars": 3, "key": "C major"}
    plan = plan_of(tmp_path, hummed(), **options)
    content = notes_midi(plan)
    assert content is not None
    file = tmp_path / "clip.notes.mid"
    file.write_bytes(content)
    read = read_melody(file)
    assert (read.tempo_bpm, read.meter) == (Fraction(90), Meter(4, 4))
    assert read.end_beats == 12 and isinstance(read.source, tuple)
    first_bar = [pitch for pitch, _ in SCALE[:4]]
    assert [note.pitch for note in read.source] == [*PITCHES, *first_bar]
    assert plan.notes is not None
    velocities = {note.velocity for note in plan.notes}
    assert {note.velocity for note in read.source} == velocities != {DEFAULT_VELOCITY}
    assert notes_midi(plan_of(tmp_path, hummed(), melody_from="raw")) is None
    assert notes_midi(plan_of(tmp_path, hummed(), seconds="4", bars=None, tempo_bpm=None)) is None
