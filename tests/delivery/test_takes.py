"""Takes on disk: audio bit for bit, and notes that read back unchanged."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import soundfile

from bridge.audio import Waveform
from bridge.delivery import write_notes, write_take
from bridge.melody import read_melody
from bridge.timing import Meter, Note, Take

TEMPO = Fraction(120)


def test_audio_is_kept_bit_for_bit_even_past_full_scale(tmp_path: Path) -> None:
    samples = np.random.default_rng(1).normal(0, 0.6, (5000, 2)).astype(np.float32)
    take = Take(Waveform(samples, 48_000), tempo_bpm=Fraction("93.7"))
    path = write_take(tmp_path, take, title="live1-7", tempo_bpm=TEMPO)
    assert path.parent == tmp_path / "Takes"
    assert "live1-7 93.7bpm" in path.name
    read, rate = soundfile.read(path, dtype="float32")
    assert rate == 48_000 and np.array_equal(read, samples)


def test_two_takes_with_one_name_are_two_files(tmp_path: Path) -> None:
    take = Take(Waveform(np.ones((10, 1), np.float32), 8000))
    first = write_take(tmp_path, take, title="me-1", tempo_bpm=TEMPO)
    second = write_take(tmp_path, take, title="me-1", tempo_bpm=TEMPO)
    assert first != second and first.exists() and second.exists()
    assert len(list((tmp_path / "Takes").iterdir())) == 2


def test_notes_read_back_unchanged(tmp_path: Path) -> None:
    notes = (
        Note(Fraction(0), Fraction(1), 60),
        Note(Fraction(1), Fraction(1, 2), 60),
        Note(Fraction(1), Fraction(2), 64, 127),
        Note(Fraction(3, 2), Fraction(1, 3), 60),
    )
    take = Take(notes, meter=Meter(3, 4), length_beats=Fraction(6))
    path = write_take(tmp_path, take, title="me-1", tempo_bpm=Fraction("93.7"))
    read = read_melody(path)
    assert (read.source, read.tempo_bpm, read.meter) == (notes, Fraction("93.7"), Meter(3, 4))


def test_a_note_shorter_than_a_tick_still_sounds_and_ends(tmp_path: Path) -> None:
    notes = (Note(Fraction(1), Fraction(1, 100_000), 60), Note(Fraction(2), Fraction(1), 62))
    path = write_take(tmp_path, Take(notes), title="me-1", tempo_bpm=TEMPO)
    read = read_melody(path).source
    assert isinstance(read, tuple)
    assert [(int(note.start_beat), note.pitch) for note in read] == [(1, 60), (2, 62)]
    assert read[0].length_beats < Fraction(1, 100)


def test_the_notes_of_a_recording_are_a_file_of_whole_bars(tmp_path: Path) -> None:
    notes = (Note(Fraction(0), Fraction(1), 60, 90), Note(Fraction(3), Fraction(1, 2), 62, 33))
    path = write_notes(tmp_path / "hum.wav", notes, tempo_bpm=TEMPO, meter=Meter(3, 4))
    assert path == tmp_path / "hum.notes.mid"
    read = read_melody(path)
    assert (read.source, read.tempo_bpm, read.meter) == (notes, TEMPO, Meter(3, 4))
    assert read.end_beats == 6
