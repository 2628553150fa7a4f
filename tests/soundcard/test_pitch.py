"""The pitch of tones, voices and noise."""

from __future__ import annotations

from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from bridge.events import Pitch
from bridge.soundcard.pitch import WINDOW_SECONDS, pitch, pitch_of
from bridge.soundcard.ring import Ring

SAMPLE_RATE = 44_100


def tone(exact_note: float, sample_rate: int, harmonics: int) -> NDArray[np.float32]:
    """A tone of a fractional MIDI note, each harmonic as loud as the first over its number."""
    hertz = 440 * 2 ** ((exact_note - 69) / 12)
    seconds = np.arange(round(WINDOW_SECONDS * sample_rate)) / sample_rate
    numbers = np.arange(1, harmonics + 1)[:, np.newaxis]
    waves = np.sin(2 * np.pi * hertz * numbers * seconds + numbers) / numbers
    samples: NDArray[np.float32] = (0.2 * waves.sum(axis=0)).astype(np.float32)
    return samples


@pytest.mark.parametrize("sample_rate", [44_100, 48_000, 96_000])
@pytest.mark.parametrize("harmonics", [1, 4])
def test_a_tone_has_its_note_and_cents_from_bass_to_whistle(
    sample_rate: int, harmonics: int
) -> None:
    for note in range(33, 99):
        found = pitch_of(tone(note + 0.3, sample_rate, harmonics), sample_rate)
        assert found is not None, note
        assert found.note == note and found.cents == pytest.approx(30, abs=5)
        assert found.confidence > 0.9


@pytest.mark.parametrize(
    "tune", ["twinkle-100bpm", "frere-112bpm", "saints-120bpm", "scarborough-90bpm"]
)
def test_a_hum_has_the_notes_of_its_tune(melodies: Path, tune: str) -> None:
    name, tempo = tune.split("-")
    samples, rate = soundfile.read(melodies / f"{name}-hum-{tempo}.wav", dtype="float32")
    frames = round(WINDOW_SECONDS * rate)
    expected, found = [], []
    for start, end, note in notes(melodies / f"{tune}.mid"):
        # Past the attack, in which the voice glides.
        for seconds in np.arange(start + 0.1, end - 0.05, 0.05):
            stop = round(seconds * rate)
            heard = pitch_of(samples[stop - frames : stop], rate)
            expected.append(note)
            found.append(None if heard is None else heard.note)
    right = np.mean(np.array(expected) == np.array(found, object))
    print(f"{tune}: {right:.1%} of {len(expected)} pieces")
    assert right > 0.98


def notes(path: Path) -> list[tuple[float, float, int]]:
    """Start and end in seconds, and the number, of each note of a MIDI file."""
    seconds, begun, found = 0.0, dict[int, float](), []
    for message in mido.MidiFile(path):
        seconds += message.time
        if message.type == "note_on" and message.velocity:
            begun[message.note] = seconds
        elif message.type in ("note_off", "note_on") and message.note in begun:
            found.append((begun.pop(message.note), seconds, message.note))
    return found


@pytest.mark.parametrize("time_constant", [1, 10, 100])
def test_noise_has_no_pitch(time_constant: int) -> None:
    random = np.random.default_rng(5)
    frames = round(WINDOW_SECONDS * SAMPLE_RATE)
    smoothing = np.exp(-np.arange(5 * time_constant) / time_constant)
    noise = np.convolve(random.normal(0, 0.1, 100 * frames), smoothing / smoothing.sum(), "same")
    for piece in noise.astype(np.float32).reshape(100, frames):
        assert pitch_of(3 * piece, SAMPLE_RATE) is None


def test_silence_a_constant_soft_sounds_and_short_ones_have_no_pitch() -> None:
    frames = round(WINDOW_SECONDS * SAMPLE_RATE)
    assert pitch_of(np.zeros(frames, np.float32), SAMPLE_RATE) is None
    assert pitch_of(np.full(frames, 0.5, np.float32), SAMPLE_RATE) is None
    assert pitch_of(0.005 * tone(60, SAMPLE_RATE, 2), SAMPLE_RATE) is None
    assert pitch_of(tone(60, SAMPLE_RATE, 2)[:1000], SAMPLE_RATE) is None


def test_the_loudest_channel_of_the_newest_sound_counts() -> None:
    ring = Ring.create(SAMPLE_RATE, 2)
    try:
        assert pitch(ring) is None
        soft, loud = 0.1 * tone(50, SAMPLE_RATE, 2), tone(62, SAMPLE_RATE, 2)
        ring.write(np.stack([tone(40, SAMPLE_RATE, 2)] * 2, axis=1), 1.0)
        ring.write(np.stack([soft, loud], axis=1), 1.0 + WINDOW_SECONDS)
        found = pitch(ring)
        assert isinstance(found, Pitch) and found.note == 62
    finally:
        ring.unlink()
