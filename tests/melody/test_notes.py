"""MIDI files: notes, tempo and meter, and bytes that are not MIDI."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import mido
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.errors import SilentMelody, UnreadableFile
from bridge.melody.notes import take_from_midi
from bridge.timing import Meter, Note, Take

MELODIES = Path(__file__).parents[1] / "melodies"


def on(pitch: int, time: int = 0, channel: int = 0, velocity: int = 90) -> mido.Message:
    return mido.Message("note_on", note=pitch, time=time, channel=channel, velocity=velocity)


def off(pitch: int, time: int = 0, channel: int = 0) -> mido.Message:
    return mido.Message("note_off", note=pitch, time=time, channel=channel)


def tempo(microseconds: int, time: int = 0) -> mido.MetaMessage:
    return mido.MetaMessage("set_tempo", tempo=microseconds, time=time)


def meter(numerator: int, denominator: int, time: int = 0) -> mido.MetaMessage:
    return mido.MetaMessage(
        "time_signature", numerator=numerator, denominator=denominator, time=time
    )


def saved(folder: Path, *tracks: list[mido.Message], kind: int = 1, ticks: int = 480) -> Path:
    file = mido.MidiFile(type=kind, ticks_per_beat=ticks)
    file.tracks.extend(mido.MidiTrack(messages) for messages in tracks)
    path = folder / "melody.mid"
    file.save(path)
    return path


def notes_of(take: Take) -> tuple[Note, ...]:
    assert isinstance(take.source, tuple)
    return take.source


def beats(start: str, length: str, pitch: int, velocity: int = 90) -> Note:
    return Note(Fraction(start), Fraction(length), pitch, velocity)


@pytest.mark.parametrize(
    ("name", "tempo_bpm", "time", "count"),
    [
        ("frere-112bpm.mid", 112, Meter(4, 4), 14),
        ("saints-120bpm.mid", 120, Meter(4, 4), 8),
        ("scarborough-90bpm.mid", 90, Meter(3, 4), 8),
        ("twinkle-100bpm.mid", 100, Meter(4, 4), 14),
    ],
)
def test_the_tunes_have_the_tempo_in_their_names(
    name: str, tempo_bpm: int, time: Meter, count: int
) -> None:
    take = take_from_midi(MELODIES / name)
    assert take.tempo_bpm == tempo_bpm
    assert (take.meter, len(notes_of(take))) == (time, count)


def test_a_rest_at_the_start_is_kept(tmp_path: Path) -> None:
    notes = notes_of(take_from_midi(MELODIES / "saints-120bpm.mid"))
    assert notes[0] == beats("1", "1", 60)
    assert notes[3] == beats("4", "4", 67)


@pytest.mark.parametrize("kind", [0, 1])
def test_both_formats_are_read_and_beats_do_not_depend_on_ticks(tmp_path: Path, kind: int) -> None:
    track = [on(60), off(60, 96), on(62, 0), off(62, 32)]
    notes = notes_of(take_from_midi(saved(tmp_path, track, kind=kind, ticks=96)))
    assert notes == (beats("0", "1", 60), beats("1", "1/3", 62))


def test_all_tracks_and_channels_are_one_melody_without_drums(tmp_path: Path) -> None:
    low = [on(48, 0, channel=1), off(48, 960, channel=1)]
    high = [on(72, 480, channel=2), off(72, 480, channel=2)]
    drums = [on(36, 0, channel=9), off(36, 480, channel=9)]
    notes = notes_of(take_from_midi(saved(tmp_path, low, high, drums)))
    assert notes == (beats("0", "2", 48), beats("1", "1", 72))


def test_every_kind_of_note_end_is_read(tmp_path: Path) -> None:
    track = [
        on(60),
        on(60, 480, velocity=0),  # a note-on of velocity 0
        on(62),
        on(62, 480),  # struck again while it sounds
        off(62, 480),
        on(64),
        off(64, 0),  # of no length
        on(65),  # never ended: the track ends it
        mido.MetaMessage("end_of_track", time=480),
    ]
    notes = notes_of(take_from_midi(saved(tmp_path, track)))
    assert notes == (
        beats("0", "1", 60),
        beats("1", "1", 62),
        beats("2", "1", 62),
        beats("3", "1", 65),
    )


def test_without_tempo_and_meter_it_is_120_in_four_four(tmp_path: Path) -> None:
    take = take_from_midi(saved(tmp_path, [on(60), off(60, 480)]))
    assert take.tempo_bpm == 120
    assert take.meter == Meter(4, 4)


def test_the_first_tempo_and_meter_count_and_beats_stay_beats(tmp_path: Path) -> None:
    notes_track = [on(60), off(60, 480), on(62, 480), off(62, 480)]
    late = [tempo(250_000, 480), meter(5, 4, 0)]
    early = [meter(7, 8), tempo(750_000, 0)]
    take = take_from_midi(saved(tmp_path, notes_track, late, early))
    assert take.tempo_bpm == 80
    assert take.meter == Meter(7, 8)
    assert take.source == (beats("0", "1", 60), beats("2", "1", 62))


def test_velocities_are_read(tmp_path: Path) -> None:
    path = saved(tmp_path, [on(60, velocity=1), on(64, velocity=127), off(60, 480), off(64)])
    notes = notes_of(take_from_midi(path))
    assert notes == (beats("0", "1", 60, 1), beats("0", "1", 64, 127))


@pytest.mark.parametrize("rounded", [True, False])
@pytest.mark.parametrize("meant", ["120", "93.7", "112", "90", "128.25", "174", "60.5", "99.99"])
def test_a_tempo_in_whole_microseconds_is_read_as_the_decimal_that_was_meant(
    tmp_path: Path, meant: str, rounded: bool
) -> None:
    exact = 60_000_000 / Fraction(meant)
    track = [tempo(round(exact) if rounded else int(exact)), on(60), off(60, 480)]
    assert take_from_midi(saved(tmp_path, track)).tempo_bpm == Fraction(meant)


@pytest.mark.parametrize(("microseconds", "tempo_bpm"), [(0, 999), (1, 999), (16_000_000, 20)])
def test_a_tempo_out_of_lives_range_becomes_the_nearest_in_range(
    tmp_path: Path, microseconds: int, tempo_bpm: int
) -> None:
    path = saved(tmp_path, [tempo(microseconds), on(60), off(60, 480)])
    assert take_from_midi(path).tempo_bpm == tempo_bpm


def test_a_meter_that_live_does_not_have_becomes_four_four(tmp_path: Path) -> None:
    path = saved(tmp_path, [meter(4, 32), on(60), off(60, 480)])
    assert take_from_midi(path).meter == Meter(4, 4)


@pytest.mark.parametrize(
    "track", [[], [tempo(500_000)], [on(36, 0, channel=9), off(36, 480, channel=9)]]
)
def test_a_file_without_pitched_notes_is_silent(tmp_path: Path, track: list[mido.Message]) -> None:
    path = saved(tmp_path, track)
    with pytest.raises(SilentMelody, match="no notes") as caught:
        take_from_midi(path)
    assert str(path) in str(caught.value)


def test_a_file_without_common_beats_is_refused(tmp_path: Path) -> None:
    track = [on(60), off(60, 480)]
    with pytest.raises(UnreadableFile, match="format 0 or 1"):
        take_from_midi(saved(tmp_path, track, kind=2))
    with pytest.raises(UnreadableFile, match="format 0 or 1"):
        take_from_midi(saved(tmp_path, track, ticks=-7640))


def test_an_absurd_length_is_refused_as_damage(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="damaged"):
        take_from_midi(saved(tmp_path, [on(60), off(60, 2**27)], ticks=24))


def test_a_huge_file_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    path = tmp_path / "melody.mid"
    path.write_bytes((MELODIES / "twinkle-100bpm.mid").read_bytes() + bytes(5_000_000))
    with pytest.raises(UnreadableFile, match="4 MiB"):
        take_from_midi(path)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 2**32 - 1))
def test_damaged_bytes_give_notes_or_a_named_error(tmp_path: Path, seed: int) -> None:
    random = np.random.default_rng(seed)
    data = bytearray((MELODIES / "frere-112bpm.mid").read_bytes())
    for position in random.integers(0, len(data), random.integers(1, 9)):
        data[position] = random.integers(256)
    path = tmp_path / "melody.mid"
    path.write_bytes(data[: random.integers(1, len(data) + 1)])
    try:
        take = take_from_midi(path)
    except (UnreadableFile, SilentMelody) as error:
        assert str(path) in str(error)
        assert "\n" not in str(error)
    else:
        assert all(
            note.start_beat >= 0 and note.length_beats > 0 and 0 <= note.pitch < 128
            for note in notes_of(take)
        )
        assert take.tempo_bpm is not None
        assert 20 <= take.tempo_bpm <= 999
