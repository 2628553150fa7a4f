"""Captures of played notes, by a real beat clock, while a simulated DAW and a musician play."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import pytest

from bridge.capture.begin import Capture, last, start
from bridge.capture.note_source import NoteSource
from bridge.capture.played import (
    KEPT_SECONDS,
    LONGEST_NOTE_SECONDS,
    MOST_NOTES,
    PlayedNote,
    PlayedNotes,
)
from bridge.chroma import note_pitch_classes
from bridge.clock.osc_clock import OscClock
from bridge.errors import NotEnoughBars, SilentMelody
from bridge.midi import MidiMessage
from bridge.timing import Lead, Meter, Note, Take
from tests.clock.daw import Daw

POLL_SECONDS = 0.02
BEFORE_SECONDS = 3.0
SEVEN_EIGHT = Meter(7, 8)


def message(seconds: float, *data: int, port: str = "keys") -> MidiMessage:
    return MidiMessage(seconds, port, bytes(data))


def note_on(seconds: float, pitch: int, velocity: int = 90, **where: str) -> MidiMessage:
    return message(seconds, 0x90, pitch, velocity, **where)


def note_off(seconds: float, pitch: int, **where: str) -> MidiMessage:
    return message(seconds, 0x80, pitch, 64, **where)


def sounding(played: PlayedNotes) -> list[tuple[float, float, int]]:
    """Start, end and pitch of every note that is kept."""
    return [note[:3] for note in played.between(-np.inf, np.inf)]


class Keyboard:
    """A DAW and a musician at a keyboard; `run` lets time pass and polls the captures.

    Attributes:
        now: the present instant.
    """

    def __init__(self, daw: Daw) -> None:
        self.daw = daw
        self.now = daw.legs[0].seconds - BEFORE_SECONDS
        self.clock, self.played = OscClock(), PlayedNotes()
        self._packets = list(daw.packets(jitter=(0.0, 0.0)))
        self._messages: list[MidiMessage] = []

    def play(
        self, start_seconds: float, end_seconds: float, pitch: int, velocity: int = 90
    ) -> None:
        self._messages += [note_on(start_seconds, pitch, velocity), note_off(end_seconds, pitch)]
        self._messages.sort()

    def play_beats(self, *notes: tuple[float, float, int], velocity: int = 90) -> None:
        """Play notes of a start beat of the song, a length in beats, and a pitch."""
        beat_seconds = 60 / float(self.daw.tempo_bpm)
        for start_beat, length_beats, pitch in notes:
            (begin,) = self.daw.seconds_of(start_beat)
            self.play(begin, begin + length_beats * beat_seconds, pitch, velocity)

    def run(self, until: float, *captures: Capture) -> None:
        """Let time pass, and poll the captures."""
        while self.now < until:
            self.now = min(until, self.now + POLL_SECONDS)
            while self._packets and self._packets[0].received_seconds <= self.now:
                self.clock.update(self._packets.pop(0))
            while self._messages and self._messages[0].seconds <= self.now:
                self.played.received([self._messages.pop(0)])
            for capture in captures:
                capture.poll(self.now)
                if capture.settled and capture.take is None:
                    capture.cut()

    def source(self, tempo_bpm: Fraction | None = Fraction(120)) -> NoteSource:
        return NoteSource(self.played, self.clock, tempo_bpm, Meter(), "me-1")

    def start(self, bars: int | None = None, tempo_bpm: Fraction | None = Fraction(120)) -> Capture:
        return start(self.source(tempo_bpm), bars, self.now)

    def last(self, bars: int, tempo_bpm: Fraction | None = Fraction(120)) -> Capture:
        return last(self.source(tempo_bpm), bars, self.now)


def playing(beats: float, **script: object) -> Keyboard:
    daw = Daw(**script)  # type: ignore[arg-type]
    daw.stop(1.0)
    daw.play(beats)
    return Keyboard(daw)


def stopped(seconds: float) -> Keyboard:
    daw = Daw()
    daw.stop(seconds)
    return Keyboard(daw)


class Beats(NamedTuple):
    start: float
    length: float
    pitch: int


def notes_of(take: Take | None) -> Sequence[Note]:
    assert take is not None
    assert isinstance(take.source, tuple)
    return take.source


def beats_of(take: Take | None) -> list[Beats]:
    return [
        Beats(float(note.start_beat), float(note.length_beats), note.pitch)
        for note in notes_of(take)
    ]


def pitches_of(take: Take | None) -> list[int]:
    return [note.pitch for note in notes_of(take)]


class TestPlayedNotes:
    """What is kept of the messages."""

    def test_a_note_on_of_velocity_zero_is_a_note_off(self) -> None:
        played = PlayedNotes()
        played.received([note_on(1.0, 60), note_on(1.5, 60, 0)])
        assert played.between(0, 2) == [PlayedNote(1.0, 1.5, 60, 90)]

    def test_notes_of_one_key_on_two_ports_and_channels_end_apart(self) -> None:
        played = PlayedNotes()
        played.received(
            [
                note_on(1.0, 60),
                note_on(1.1, 60, port="pads"),
                message(1.2, 0x93, 60, 90),
                note_off(2.0, 60, port="pads"),
                message(2.1, 0x83, 60, 0),
                note_off(2.2, 60),
            ]
        )
        assert sounding(played) == [(1.0, 2.2, 60), (1.1, 2.0, 60), (1.2, 2.1, 60)]

    def test_the_first_note_off_ends_the_first_of_two_overlapping_notes_of_one_key(self) -> None:
        played = PlayedNotes()
        played.received([note_on(1.0, 60), note_on(1.5, 60), note_off(1.6, 60), note_off(2.0, 60)])
        assert sounding(played) == [(1.0, 1.6, 60), (1.5, 2.0, 60)]

    def test_the_sustain_pedal_lengthens_no_note(self) -> None:
        played = PlayedNotes()
        pedal = message(0.9, 0xB0, 64, 127)
        played.received([pedal, note_on(1.0, 60), note_off(1.5, 60), message(3.0, 0xB0, 64, 0)])
        assert sounding(played) == [(1.0, 1.5, 60)]

    @pytest.mark.parametrize(
        "end", [message(3.0, 0xB0, 123, 0), message(3.0, 0xB0, 120, 0), message(3.0, 0xFF)]
    )
    def test_all_notes_off_and_a_reset_end_what_sounds(self, end: MidiMessage) -> None:
        played = PlayedNotes()
        played.received([note_on(1.0, 60), note_on(1.0, 64), note_on(1.0, 67, port="other"), end])
        assert sounding(played) == [(1.0, 3.0, 60), (1.0, 3.0, 64), (1.0, 31.0, 67)]

    def test_a_lost_port_ends_its_notes(self) -> None:
        played = PlayedNotes()
        played.ports_changed(["keys", "other"], 0.0)
        played.received([note_on(1.0, 60), note_on(1.0, 67, port="other")])
        played.ports_changed(["other"], 2.5)
        assert sounding(played) == [(1.0, 2.5, 60), (1.0, 31.0, 67)]
        played.received([note_off(3.0, 60), note_off(3.0, 67, port="other")])
        assert sounding(played) == [(1.0, 2.5, 60), (1.0, 3.0, 67)]

    def test_a_stuck_note_ends_after_half_a_minute(self) -> None:
        played = PlayedNotes()
        played.received([note_on(1.0, 60)])
        played.received([note_on(50.0, 62), note_off(51.0, 60), note_off(51.0, 62)])
        assert sounding(played) == [(1.0, 1.0 + LONGEST_NOTE_SECONDS, 60), (50.0, 51.0, 62)]

    def test_channel_ten_is_no_melody(self) -> None:
        played = PlayedNotes()
        played.received([message(1.0, 0x99, 36, 90), message(1.5, 0x89, 36, 0)])
        assert sounding(played) == []
        assert not played.is_open

    def test_a_note_that_the_map_makes_a_command_is_no_melody(self) -> None:
        played = PlayedNotes(lambda message: message.data[1] == 36)
        played.received([note_on(1.0, 36), note_on(1.0, 60), note_off(2.0, 36), note_off(2.0, 60)])
        assert sounding(played) == [(1.0, 2.0, 60)]

    def test_a_flood_drops_the_oldest_notes_and_says_from_when_all_are_kept(self) -> None:
        played = PlayedNotes()
        for number in range(2 * MOST_NOTES):
            seconds = number / 200
            played.received(
                [note_on(seconds, number % 128), note_off(seconds + 0.004, number % 128)]
            )
        notes = played.between(-np.inf, np.inf)
        assert len(notes) == MOST_NOTES
        assert notes[-1].start_seconds == (2 * MOST_NOTES - 1) / 200
        assert played.complete_from_seconds == (MOST_NOTES - 1) / 200

    def test_keys_without_note_off_fill_no_memory(self) -> None:
        played = PlayedNotes()
        for number in range(50_000):
            played.received([note_on(number / 5000, 60)])
        assert len(played.between(-np.inf, np.inf)) == MOST_NOTES
        assert sum(map(len, played._held.values())) < 20

    def test_notes_of_two_minutes_are_kept(self) -> None:
        played = PlayedNotes()
        played.received([note_on(0.0, 60), note_off(0.5, 60)])
        played.received([note_on(KEPT_SECONDS - 1, 62)])
        assert len(played.between(-np.inf, np.inf)) == 2
        played.received([note_on(KEPT_SECONDS + 1, 64)])
        assert [note.pitch for note in played.between(-np.inf, np.inf)] == [62, 64]

    def test_any_bytes_are_survived(self) -> None:
        played, random = PlayedNotes(), np.random.default_rng(3)
        lengths = {0xC0: 1, 0xD0: 1}
        for number in range(20_000):
            status = int(random.integers(0x80, 0x100))
            length = 2 if status >= 0xF0 else lengths.get(status & 0xF0, 2)
            data = random.integers(0, 128, length if status < 0xF8 else 0).tolist()
            played.received([message(number / 1000, status, *data)])
        for note in played.between(-np.inf, np.inf):
            assert note.end_seconds >= note.start_seconds


def test_notes_on_a_grid_are_on_their_beats_to_a_millisecond() -> None:
    keys = playing(40, tempo_bpm=Fraction(937, 10), meter=SEVEN_EIGHT)
    grid = [(7 + step / 4, 0.2, 48 + step) for step in range(28)]
    keys.play_beats(*grid)
    keys.run(keys.daw.seconds_of(6)[0])
    capture = keys.start(2)
    keys.run(keys.daw.seconds_of(16)[0], capture)
    assert capture.take is not None
    assert capture.take.tempo_bpm == Fraction(937, 10)
    assert capture.take.meter == SEVEN_EIGHT
    assert capture.take.length_beats == 7
    for beats, (start_beat, length, pitch) in zip(beats_of(capture.take), grid, strict=True):
        millisecond_beats = 0.001 * 93.7 / 60
        assert beats.start == pytest.approx(start_beat - 7, abs=millisecond_beats)
        assert beats.length == pytest.approx(length, abs=2 * millisecond_beats)
        assert beats.pitch == pitch


def test_a_started_capture_waits_for_the_bar_line_records_and_is_done() -> None:
    keys = playing(40)
    keys.play_beats((10, 1, 50), (12, 1, 60), (14, 2, 62))
    keys.run(keys.daw.seconds_of(9)[0])
    capture = keys.start(1)
    states = [capture.state]
    keys.run(keys.daw.seconds_of(14)[0], capture)
    states.append(capture.state)
    assert capture.seconds == pytest.approx(1.0, abs=0.05)
    assert capture.peak_db == pytest.approx(-2.99, abs=0.01)
    keys.run(keys.daw.seconds_of(17)[0], capture)
    assert [*states, capture.state] == ["waiting", "recording", "done"]
    assert capture.remarks == ()
    assert beats_of(capture.take) == [(0, 1, 60), (2, 2, 62)]


def test_an_open_capture_ends_at_the_bar_line_after_stop() -> None:
    keys = playing(40)
    keys.play_beats((12, 1, 60), (18, 1, 62), (20.5, 1, 64))
    keys.run(keys.daw.seconds_of(9)[0])
    capture = keys.start()
    keys.run(keys.daw.seconds_of(17)[0], capture)
    capture.stop(keys.now)
    keys.run(keys.daw.seconds_of(21)[0], capture)
    assert beats_of(capture.take) == [(0, 1, 60), (6, 1, 62)]
    assert capture.take is not None and capture.take.length_beats == 8


def test_while_the_daw_is_stopped_a_capture_begins_at_the_first_note() -> None:
    keys = stopped(30.0)
    begin = keys.now + 4.0
    keys.play(begin, begin + 0.5, 60)
    keys.play(begin + 0.6, begin + 1.2, 64)
    keys.play(begin + 5.0, begin + 6.0, 67)
    keys.run(begin - 1.0)
    capture = keys.start(2, Fraction(100))
    keys.run(begin + 6.0, capture)
    assert beats_of(capture.take) == [
        (0, pytest.approx(0.833, abs=0.001), 60),
        (1, 1, 64),
    ]
    assert capture.take is not None
    assert capture.take.tempo_bpm == 100
    assert capture.take.length_beats == 8


def test_an_open_capture_of_unknown_tempo_ends_at_once_and_says_what_it_assumes() -> None:
    keys = stopped(30.0)
    begin = keys.now + 4.0
    keys.play(begin, begin + 0.5, 60)
    keys.run(begin - 1.0)
    capture = keys.start(None, None)
    keys.run(begin + 1.5, capture)
    capture.stop(keys.now)
    keys.run(keys.now + 0.2, capture)
    assert beats_of(capture.take) == [(0, 1, 60)]
    assert capture.take is not None and capture.take.length_beats == 3
    (remark,) = capture.remarks
    assert "counted at 120 bpm" in remark


def test_a_capture_stopped_before_a_note_speaks_of_notes() -> None:
    keys = stopped(10.0)
    keys.run(keys.now + 1.0)
    capture = keys.start(2)
    capture.stop(keys.now + 1.0)
    with pytest.raises(SilentMelody, match=r"no note was played.*before the first note"):
        keys.run(keys.now + 2.0, capture)


@pytest.mark.parametrize(("pressed", "end"), [(13.0, 12), (14.9, 12), (15.1, 16), (15.9, 16)])
def test_last_takes_the_bars_that_end_at_the_last_bar_line(pressed: float, end: int) -> None:
    keys = playing(24)
    keys.play_beats(*((beat, 0.5, 40 + beat) for beat in range(20)))
    keys.run(keys.daw.seconds_of(pressed)[0])
    capture = keys.last(2)
    keys.run(keys.daw.seconds_of(end)[0], capture)
    keys.run(keys.now + 0.3, capture)
    assert pitches_of(capture.take) == [40 + beat for beat in range(end - 8, end)]


def test_a_note_just_before_the_bar_line_belongs_to_the_bar() -> None:
    """60 ms at 120 bpm are under half a sixteenth; a sixteenth early is a pickup, not a bar."""
    keys = playing(24)
    first, second = keys.daw.seconds_of(4)[0], keys.daw.seconds_of(8)[0]
    keys.play(first - 0.125, first - 0.06, 50)
    keys.play(first - 0.06, first + 0.5, 60)
    keys.play(second - 0.06, second + 0.5, 62)
    keys.run(keys.daw.seconds_of(9)[0])
    capture = keys.last(1)
    keys.run(keys.now + 0.3, capture)
    assert beats_of(capture.take) == [(0, 1, 60)]
    keys.run(keys.daw.seconds_of(13)[0])
    capture = keys.last(1)
    keys.run(keys.now + 0.3, capture)
    assert beats_of(capture.take) == [(0, 1, 62)]


def test_a_note_held_over_the_bar_line_sounds_in_both_bars() -> None:
    keys = playing(24)
    keys.play_beats((7, 2, 60), (6.5, 1.6, 55))
    keys.run(keys.daw.seconds_of(13)[0])
    both = keys.last(2)
    keys.run(keys.now + 0.3, both)
    assert beats_of(both.take) == [
        (2.5, pytest.approx(1.6, abs=0.001), 55),
        (3, 2, 60),
    ]
    keys.run(keys.daw.seconds_of(13)[0])
    second = keys.last(1)
    keys.run(keys.now + 0.3, second)
    assert beats_of(second.take) == [(0, 1, 60)], "a tail under a sixteenth is no note"


def test_a_note_that_still_sounds_ends_with_the_take() -> None:
    keys = playing(24)
    keys.play_beats((6, 14, 60))
    keys.run(keys.daw.seconds_of(9)[0])
    capture = keys.last(1)
    keys.run(keys.now + 0.3, capture)
    assert beats_of(capture.take) == [(2, 2, 60)]


def test_last_without_a_note_speaks_of_notes() -> None:
    keys = playing(24)
    keys.run(keys.daw.seconds_of(13)[0])
    with pytest.raises(SilentMelody, match="no note was played"):
        keys.run(keys.now + 1, keys.last(2))
    with pytest.raises(NotEnoughBars, match="3 of 4 bars"):
        keys.run(keys.now + 1, keys.last(4))


def test_while_the_daw_is_stopped_last_takes_the_last_phrase() -> None:
    keys = stopped(60.0)
    begin = keys.now + 10.0
    for pitch in range(4):
        keys.play(keys.now + 1 + pitch, keys.now + 1.5 + pitch, 40 + pitch)
        keys.play(begin + pitch / 2, begin + pitch / 2 + 0.4, 60 + pitch)
    keys.run(begin + 20.0)
    capture = keys.last(2)
    keys.run(keys.now + 0.3, capture)
    assert [(beats.start, beats.pitch) for beats in beats_of(capture.take)] == [
        (0, 60),
        (1, 61),
        (2, 62),
        (3, 63),
    ]
    assert capture.take is not None and capture.take.length_beats == 8
    assert capture.remarks == ()


def test_of_a_phrase_longer_than_the_bars_last_takes_the_end_and_says_so() -> None:
    keys = stopped(60.0)
    begin = keys.now + 10.0
    for number in range(12):
        keys.play(begin + number / 2, begin + number / 2 + 0.4, 60 + number)
    keys.run(begin + 7.0)
    capture = keys.last(2)
    keys.run(keys.now + 0.3, capture)
    assert pitches_of(capture.take) == list(range(64, 72))
    (remark,) = capture.remarks
    assert "longer than 2 bars at 120 bpm: its first 4 notes are left out" in remark


@pytest.mark.parametrize(("lead", "pitch_class"), [("highest", 7), ("last", 4), ("loudest", 0)])
def test_of_a_chord_the_option_lead_chooses_the_melody(lead: Lead, pitch_class: int) -> None:
    keys = playing(24)
    keys.play_beats((4, 4, 60), velocity=120)
    keys.play_beats((4.01, 4, 67), velocity=80)
    keys.play_beats((4.02, 4, 64), velocity=100)
    keys.run(keys.daw.seconds_of(9)[0])
    capture = keys.last(1)
    keys.run(keys.now + 0.3, capture)
    classes = note_pitch_classes(notes_of(capture.take), Fraction(120), 15, lead)
    assert set(classes[1:]) == {pitch_class}


def test_notes_dropped_from_a_flooded_take_are_remarked() -> None:
    keys = playing(100, tempo_bpm=60)
    (begin,) = keys.daw.seconds_of(4)
    keys.run(begin)
    for number in range(2 * MOST_NOTES):
        seconds = begin + number / 250
        keys.played.received([note_on(seconds, 60), note_off(seconds + 0.003, 60)])
    keys.run(keys.daw.seconds_of(85)[0])
    capture = keys.last(20)
    keys.run(keys.now + 0.3, capture)
    assert len(notes_of(capture.take)) == MOST_NOTES - 25, "25 in the last 0.1 s are the next bar's"
    (remark,) = capture.remarks
    assert remark.startswith("notes of its first 40.0 s are missing: 10000 notes are kept")


def test_two_devices_play_one_melody() -> None:
    keys = playing(24)
    beats = keys.daw.seconds_of
    keys.run(beats(9)[0])
    keys.played.received([note_on(beats(4)[0], 60), note_off(beats(5)[0], 60)])
    keys.played.received(
        [
            note_on(beats(5)[0], 62, port="pads"),
            note_off(beats(6)[0], 62, port="pads"),
        ]
    )
    capture = keys.last(1)
    keys.run(keys.now + 0.3, capture)
    assert beats_of(capture.take) == [(0, 1, 60), (1, 1, 62)]
