"""MIDI files that real software writes (tests/cases/README.md), and their right answers."""

from __future__ import annotations

import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from bridge.chroma import STEP_SECONDS
from bridge.errors import BadArgument, UnreadableFile
from bridge.melody import align_to_bars, cut, read_melody
from bridge.timing import Meter, Note, Take

CASES = Path(__file__).parents[1] / "cases"
C, D, E, F, G, A, B = 0, 2, 4, 5, 7, 9, 11
REST = -1
EIGHT = [C, E, G, C, B, G, D, C]


def classes(take: Take, bars: int) -> list[int]:
    """The pitch class in the middle of each beat of a 4/4 clip at the take's tempo; −1: a rest."""
    assert take.tempo_bpm is not None
    aligned = align_to_bars(take, bars=bars, tempo_bpm=take.tempo_bpm, meter=Meter(4, 4))
    beat_steps = 60 / float(take.tempo_bpm) / STEP_SECONDS
    return [int(aligned.classes[round((beat + 0.5) * beat_steps)]) for beat in range(4 * bars)]


def notes_of(take: Take) -> tuple[Note, ...]:
    assert isinstance(take.source, tuple)
    return take.source


@pytest.mark.parametrize(
    ("name", "tempo_bpm", "meter"),
    [
        ("badkey.mid", 120, "4/4"),
        ("badkey-mode255.mid", 120, "4/4"),
        ("ts0.mid", 120, "4/4"),
        ("ts2.mid", 120, "4/4"),
        ("smpte.mid", 120, "4/4"),
        ("alien.mid", 120, "4/4"),
        ("alien-after.mid", 120, "4/4"),
        ("toolong.mid", 120, "4/4"),
        ("tooshort.mid", 120, "4/4"),
        ("rmid.mid", 120, "4/4"),
        ("song.kar", 120, "4/4"),
        ("two-at-zero.mid", 90, "4/4"),
        ("two-meters.mid", 120, "3/4"),
        ("late.mid", 120, "4/4"),
    ],
)
def test_a_file_with_oddities_gives_its_eight_notes_tempo_and_meter(
    name: str, tempo_bpm: int, meter: str
) -> None:
    take = read_melody(CASES / name)
    assert [note.pitch % 12 for note in notes_of(take)] == EIGHT
    assert [note.start_beat for note in notes_of(take)] == list(range(8))
    assert take.tempo_bpm == tempo_bpm
    assert str(take.meter) == meter
    assert classes(take, 2) == EIGHT
    assert take.remarks == ()


def test_rmi_is_a_suffix_of_midi(tmp_path: Path) -> None:
    file = tmp_path / "song.RMI"
    file.write_bytes((CASES / "rmid.mid").read_bytes())
    assert classes(read_melody(file), 2) == EIGHT


def test_an_empty_last_bar_is_a_rest_and_nothing_is_repeated() -> None:
    take = read_melody(CASES / "last-bar-rest.mid")
    assert take.length_beats == 8
    assert classes(take, 2) == [C, E, G, C, REST, REST, REST, REST]
    aligned = align_to_bars(take, bars=2, tempo_bpm=Fraction(120), meter=Meter(4, 4))
    assert aligned.remarks == ()


def test_a_wrapped_loop_keeps_the_rest_at_its_end() -> None:
    take = read_melody(CASES / "wrap.mid")
    part = cut(take, start_seconds=0.5, length_seconds=None, wrap=True)
    assert classes(part, 1) == [D, E, REST, C]
    assert part.length_beats == 4


def test_the_beats_after_a_late_tempo_are_played_at_it() -> None:
    take = read_melody(CASES / "late.mid")
    assert take.times.seconds_at(Fraction(16)) == 8
    assert float(take.times.seconds_at(Fraction(19))) == pytest.approx(10, abs=1e-5)


def test_seconds_follow_the_tempo_changes() -> None:
    take = read_melody(CASES / "map.mid")
    assert take.times.seconds_at(take.end_beats) == 14
    with pytest.raises(BadArgument, match=r"14\.00 seconds long"):
        cut(take, start_seconds=14.0, length_seconds=None)
    part = cut(take, start_seconds=6.0, length_seconds=4.0)
    assert notes_of(part) == (Note(Fraction(0), Fraction(4), 64, 90),)
    assert part.length_beats == 4
    assert part.tempo_bpm == 60
    across = cut(take, start_seconds=1.0, length_seconds=3.0)
    assert [note.pitch for note in notes_of(across)] == [60, 62]
    assert [note.length_beats for note in notes_of(across)] == [2, 2]
    assert across.tempo_bpm == 120
    assert across.times.seconds_at(Fraction(4)) == 3


@pytest.mark.parametrize("start_seconds", range(14))
def test_a_wrapped_part_is_as_long_as_the_file_from_any_start(start_seconds: int) -> None:
    take = read_melody(CASES / "map.mid")
    part = cut(take, start_seconds=start_seconds, length_seconds=None, wrap=True)
    assert part.length_beats == 16
    assert part.times.seconds_at(Fraction(16)) == 14
    assert sum(note.length_beats for note in notes_of(part)) == 16


def test_a_pickup_is_no_meter_and_beat_one_is_the_first_bar_line() -> None:
    take = read_melody(CASES / "pickup.mid")
    assert take.meter == Meter(4, 4)
    assert take.pickup_beats == 1
    assert take.remarks == ("The pickup of 1 beat before the first bar line is left out.",)
    assert classes(take, 2) == EIGHT
    part = cut(take, start_seconds=0.0, length_seconds=4.0)
    assert classes(part, 2) == EIGHT


def test_overlapping_repeats_end_first_in_first_out() -> None:
    first, second, *_ = notes_of(read_melody(CASES / "overlap.mid"))
    assert first.length_beats == Fraction(500, 480)
    assert second.length_beats == 1


def test_the_upper_line_leads_throughout_over_a_bass() -> None:
    take = read_melody(CASES / "with-bass.mid")
    aligned = align_to_bars(take, bars=1, tempo_bpm=Fraction(120), meter=Meter(4, 4))
    assert set(aligned.classes) == {C, D, E}
    assert classes(take, 1) == [C, C, D, E]
    (remark,) = take.remarks
    assert "100% of the time that of track 1 'channel 1'" in remark
    assert classes(read_melody(CASES / "with-bass.mid", track="2"), 1) == [A, A, A, A]


@pytest.mark.parametrize("track", ["Melody", "melody", "1", "mel"])
def test_the_lead_is_named_and_a_track_can_be_chosen(track: str) -> None:
    file = CASES / "lead-under-strings.mid"
    take = read_melody(file)
    assert classes(take, 1) == [A, A, A, A]
    (remark,) = take.remarks
    assert "that of track 2 'Strings'" in remark
    assert "--track (OSC: track): 1 'Melody', 2 'Strings'" in remark
    chosen = read_melody(file, track=track)
    assert classes(chosen, 1) == [C, E, G, C]
    assert chosen.remarks == ()


@pytest.mark.parametrize("track", ["Bass", "3", "0"])
def test_a_track_that_is_not_there_is_refused_with_those_that_are(track: str) -> None:
    with pytest.raises(BadArgument, match=f"'{track}'.*choose 1 'Melody', 2 'Strings'"):
        read_melody(CASES / "lead-under-strings.mid", track=track)
    with pytest.raises(BadArgument, match="fits several tracks"):
        read_melody(CASES / "lead-under-strings.mid", track="")
    with pytest.raises(BadArgument, match="audio"):
        read_melody(CASES / "stream.flac", track=track)


@pytest.mark.exclusive
@pytest.mark.parametrize("notes", [95_000, 520_000])
def test_a_file_of_very_many_notes_is_read_or_refused_at_once(tmp_path: Path, notes: int) -> None:
    """The limit is 2 s; this test allows five times that."""

    events = b"".join(
        bytes([0, 0x90, pitch, 90, 1, 0x80, pitch, 0])
        for pitch in np.random.default_rng(1).integers(30, 100, notes).tolist()
    )
    track = events + b"\0\xff\x2f\0"
    file = tmp_path / "dense.mid"
    header = b"MThd\0\0\0\6\0\0\0\1\1\xe0MTrk"
    file.write_bytes(header + len(track).to_bytes(4, "big") + track)
    start = time.process_time()
    try:
        read_melody(file)
    except UnreadableFile as error:
        assert notes == 520_000
        assert "200000 events" in str(error) or "4 MiB" in str(error)
    assert time.process_time() - start < 10
