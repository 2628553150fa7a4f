"""What a recording means, from made voices and real cases."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bridge.audio import Waveform
from bridge.melody import Key, read_melody, transcribe
from bridge.melody.transcribe import LONGEST_SECONDS
from bridge.tools.hums.cases import Hum, sung
from bridge.tools.hums.tunes import SONGS

CASES = Path(__file__).parents[1] / "cases"
RATE = 32_000


def tones(*pitches: float, seconds: float = 0.4) -> Waveform:
    """A voice of five harmonics on these MIDI note numbers, with a pause after each."""
    time = np.arange(round(seconds * RATE)) / RATE
    fade = np.minimum(1.0, np.minimum(time, seconds - time) / 0.02)
    sound = []
    for pitch in pitches:
        phase = 2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * time
        sound += [sum(np.sin(k * phase) / k for k in range(1, 6)) * fade, np.zeros(RATE // 20)]
    return Waveform(0.2 * np.concatenate(sound)[:, None].astype(np.float32), RATE)


def a_hum(condition: str, **changes: object) -> Hum:
    """Frère Jacques in G."""
    given = {"voice": "sung o", "tonic": 7, "tempo_bpm": 96, "seed": (5, 1)} | changes
    return sung(SONGS[1], condition, **given)  # type: ignore[arg-type]


def test_a_hum_that_is_half_a_semitone_sharp_is_shifted_as_a_whole() -> None:
    source = read_melody(CASES / "offset48.flac").source
    assert isinstance(source, Waveform)
    heard = transcribe(source)
    assert [note.pitch for note in heard.notes] == [60, 64, 67, 72, 71, 67, 62, 60]
    assert heard.tuning_cents == pytest.approx(48, abs=3)
    assert str(heard.key) == "C major"
    assert heard.is_melody and heard.moved == 0
    assert heard.remarks == (f"Tuning +{heard.tuning_cents:.0f} cents, C major.",)


def test_a_voice_that_sinks_keeps_the_notes_that_it_means() -> None:
    hum = a_hum("drift", seed=(5, 2))
    heard = transcribe(hum.waveform)
    assert [note.pitch for note in heard.notes] == [pitch for *_, pitch in hum.notes]
    assert "drift" in heard.remarks[0].lower()


def test_slides_belong_to_the_notes_that_they_arrive_at() -> None:
    hum = a_hum("slides")
    heard = transcribe(hum.waveform)
    assert [note.pitch for note in heard.notes] == [pitch for *_, pitch in hum.notes]


def test_a_note_that_leaps_an_octave_and_back_is_put_into_the_line() -> None:
    hum = a_hum("slips", seed=(5, 3))
    heard = transcribe(hum.waveform)
    assert [note.pitch for note in heard.notes] == [pitch for *_, pitch in hum.notes]
    assert "octave" in heard.remarks[0]


def test_an_instrument_that_is_in_tune_keeps_its_leaps_and_its_chromatic_notes() -> None:
    played = [60, 72, 60, 61, 66, 64, 65, 63, 62, 74, 62]
    heard = transcribe(tones(*played), key=Key(0, "major"))
    assert [note.pitch for note in heard.notes] == played
    assert heard.moved == 0
    assert heard.remarks == ()


def test_a_doubtful_note_is_moved_into_the_key_and_a_clear_one_never() -> None:
    # Each of a voice's notes is off by up to 30 cents; the fifth is between F and F sharp.
    line = [60.25, 61.75, 64.2, 66.8, 65.56, 64.3, 61.7, 59.75, 66.0, 67.2, 64.8, 60.05]
    free, in_c, in_g = (
        transcribe(tones(*line), key=key) for key in (None, Key(0, "major"), Key(7, "major"))
    )
    assert [free.notes[4].pitch, in_c.notes[4].pitch, in_g.notes[4].pitch] == [66, 65, 66]
    assert (free.moved, in_c.moved, in_g.moved) == (0, 1, 0)
    assert in_c.notes[8].pitch == 66, "a clear F sharp stays in C"
    assert in_c.remarks[0].startswith("1 note moved")
    assert in_c.notes[4].confidence < in_c.notes[8].confidence


def test_tempo_and_key_are_found() -> None:
    heard = transcribe(a_hum("clean").waveform)
    assert heard.key == Key(7, "major") and heard.key_confidence > 0
    assert heard.tempo_bpm is not None
    ratio = float(heard.tempo_bpm) / 96
    assert min(abs(ratio / octave - 1) for octave in (0.5, 1, 2)) < 0.03
    assert heard.tempo_confidence > 0.5


def test_louder_notes_have_a_higher_velocity() -> None:
    soft, loud = tones(60, 62).samples * np.float32(0.25), tones(64, 65).samples
    heard = transcribe(Waveform(np.concatenate([soft, loud]), RATE))
    velocities = [note.velocity for note in heard.notes]
    assert len(velocities) == 4
    assert max(velocities[:2]) < min(velocities[2:]) <= 127


@pytest.mark.parametrize("channels", [1, 2])
def test_a_click_is_no_note(channels: int) -> None:
    samples = tones(60, 64, 67).samples
    samples[14_100:14_130] += np.float32(0.9)
    heard = transcribe(Waveform(np.repeat(samples, channels, axis=1), RATE))
    assert [note.pitch for note in heard.notes] == [60, 64, 67]


def test_a_sung_note_begins_with_its_vowel_not_with_the_consonant_before_it() -> None:
    samples = tones(60, 64, 67, seconds=0.5).samples
    consonant = round(0.08 * RATE)
    for note in range(3):
        first = note * (round(0.5 * RATE) + RATE // 20)
        samples[first : first + consonant] *= np.float32(0.2)
    heard = transcribe(Waveform(samples, RATE))
    late = [note.start_seconds - index * 0.55 for index, note in enumerate(heard.notes)]
    assert late == pytest.approx([0.08] * 3, abs=0.03)


def test_a_short_faint_sound_that_is_not_sure_of_its_pitch_is_no_note() -> None:
    rng = np.random.default_rng(5)
    # Breath through the shape of a vowel: noise in a narrow band.
    time = np.arange(round(0.12 * RATE)) / RATE
    breath = 0.01 * np.sin(
        2 * np.pi * 330 * time + np.cumsum(0.25 * rng.standard_normal(len(time)))
    )
    quiet = np.zeros((RATE // 5, 1), dtype=np.float32)
    samples = [tones(60, 64).samples, quiet, breath[:, None].astype(np.float32), quiet]
    heard = transcribe(Waveform(np.concatenate([*samples, tones(67).samples]), RATE))
    assert [note.pitch for note in heard.notes] == [60, 64, 67]


@pytest.mark.parametrize("octaves", [0, 1, 2])
def test_a_whistle_is_followed_up_to_four_kilohertz(octaves: int) -> None:
    rng = np.random.default_rng(7)
    line = [84 + 12 * octaves - step for step in (12, 10, 8, 7, 5, 1, 0)]
    time = np.arange(round(0.35 * RATE)) / RATE
    fade = np.minimum(1.0, np.minimum(time, 0.35 - time) / 0.02)
    hertz = [440 * 2 ** ((pitch - 69) / 12) for pitch in line]
    sound = np.concatenate([fade * np.sin(2 * np.pi * each * time) for each in hertz])
    sound = 0.2 * (sound + 0.03 * rng.standard_normal(len(sound)))
    heard = transcribe(Waveform(sound[:, None].astype(np.float32), RATE))
    assert heard.is_melody
    assert [note.pitch for note in heard.notes] == line


def test_a_voice_with_long_consonants_is_a_voice() -> None:
    rng = np.random.default_rng(6)
    hiss = 0.12 * rng.standard_normal((round(0.2 * RATE), 1)).astype(np.float32)
    samples = [part for pitch in (60, 64, 67, 65, 62) for part in (hiss, tones(pitch).samples)]
    heard = transcribe(Waveform(np.concatenate(samples), RATE))
    assert heard.is_melody
    assert [note.pitch for note in heard.notes] == [60, 64, 67, 65, 62]


def test_chords_and_noise_are_no_single_voice() -> None:
    chords = sum(tones(*line).samples for line in ((60, 65, 67), (64, 69, 71), (67, 72, 74)))
    noise = np.random.default_rng(3).standard_normal((3 * RATE, 1)).astype(np.float32)
    for samples in (np.asarray(chords), 0.1 * noise):
        heard = transcribe(Waveform(np.asarray(samples, dtype=np.float32), RATE))
        assert not heard.is_melody
        assert len(heard.remarks) == 1 and "chroma leads" in heard.remarks[0]


@pytest.mark.parametrize("seconds", [0.0, 0.001, 0.1, 3.0])
def test_silence_has_no_notes(seconds: float) -> None:
    heard = transcribe(Waveform(np.zeros((round(seconds * RATE), 1), dtype=np.float32), RATE))
    assert heard.notes == () and not heard.is_melody
    assert heard.remarks == ("The melody is silent.",)


def test_a_sound_of_a_few_frames_is_no_error() -> None:
    for frames in (1, 30, 500, 2000):
        transcribe(Waveform(np.full((frames, 1), 0.5, dtype=np.float32), 44_100))


def test_what_is_too_long_is_refused_before_any_work() -> None:
    frames = round((LONGEST_SECONDS + 1) * 1000)
    heard = transcribe(Waveform(np.ones((frames, 1), dtype=np.float32), 1000))
    assert not heard.is_melody
    assert "601 s" in heard.remarks[0]
