"""What `melody-bridge eval` lets a checkpoint follow: hums and plucks with a prompt each."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from importlib.resources import files
from pathlib import Path

import numpy as np

from bridge.audio import MODEL_SAMPLE_RATE, Waveform
from bridge.config import Options
from bridge.melody import AlignedMelody, align_to_bars
from bridge.melody.notes import take_from_midi
from bridge.pocket.corpus import HELD_OUT_SEEDS
from bridge.pocket.music import Part, compose, melody_alone
from bridge.pocket.music.score import KEY_NAMES
from bridge.rendering.meant import leading_notes, meant_by
from bridge.timing import Meter, Take, bars_to_seconds, first_meter, first_tempo

TUNES = Path(str(files("bridge"))) / "data" / "tunes"
BARS = 4
"""Length of each clip."""
MELODIES_SEED, _ = HELD_OUT_SEEDS

PROMPTS = (
    "electric piano, bass, drums, {tempo} bpm",
    "synth lead, pad, electronic drums, {tempo} bpm, {key}",
    "flute, strings, no drums, {tempo} bpm",
    "guitar, bass, brushed drums, {tempo} bpm",
    "bells, pad, sub bass, lo-fi drums, {tempo} bpm, {key}",
    "warm organ, bass, no drums, {tempo} bpm, {key}",
    "brass, piano, bass, drums, {tempo} bpm",
    "marimba, sub bass, lo-fi drums, lo-fi, {tempo} bpm",
)


@dataclass(frozen=True, eq=False)
class Case:
    """One melody to follow.

    Attributes:
        aligned: what was meant by the hum or pluck, on `BARS` bars: the notes that are heard in it
            lead, as in a render.
        sound: the prompt, its tempo and key filled in.
        tempo_bpm, meter: the clip's.
        seed: the clip's.
    """

    aligned: AlignedMelody
    sound: str
    tempo_bpm: Fraction
    meter: Meter
    seed: int

    @cached_property
    def seconds(self) -> float:
        """Length of the clip without any surplus."""
        return float(bars_to_seconds(BARS, self.meter, self.tempo_bpm))

    @property
    def has_drums(self) -> bool:
        """Whether the prompt asks for drums."""
        return "drums" in self.sound and "no drums" not in self.sound


def melodies(count: int) -> Iterator[Case]:
    """Hums and plucks of tunes and of random melodies, in keys around the circle of fifths."""
    tunes = sorted(TUNES.glob("*.mid"))
    for number in range(count):
        rng = np.random.default_rng((MELODIES_SEED, number))
        shift = (number * 5) % 12 - 6
        if number % 2 == 0:
            tune = take_from_midi(tunes[number // 2 % len(tunes)])
            assert not isinstance(tune.source, Waveform)
            meter, tempo_bpm = first_meter(tune.meter), first_tempo(tune.tempo_bpm)
            rows = [
                (float(note.start_beat), float(note.length_beats), note.pitch + shift, 1.0)
                for note in tune.source
            ]
            part = Part.of("hum", rows)
            key = _key_of(part)
        else:
            score = compose(np.random.default_rng((MELODIES_SEED, number)), seconds=16.0)
            part, meter, key = score.lead, score.meter, score.key
            tempo_bpm = Fraction(score.tempo_bpm)
        end_beat = float((part.starts_beats + part.lengths_beats).max())
        frames = math.ceil((end_beat + 1) * 60 / float(tempo_bpm) * MODEL_SAMPLE_RATE)
        audio = melody_alone(part, rng, tempo_bpm=float(tempo_bpm), frames=frames)
        prompt = PROMPTS[number % len(PROMPTS)].format(tempo=f"{float(tempo_bpm):g}", key=key)
        aligned = _meant(Take(audio, tempo_bpm, meter), tempo_bpm, meter)
        yield Case(aligned, prompt, tempo_bpm, meter, seed=number)


def _meant(take: Take, tempo_bpm: Fraction, meter: Meter) -> AlignedMelody:
    """A recording on the clip's bars, as a render with the default options follows it."""
    options = Options(unconditional=True, bars=BARS, tempo_bpm=tempo_bpm, meter=meter)
    meant = meant_by(take, options)
    notes = leading_notes(meant, take, options, tempo_bpm=tempo_bpm, meter=meter)
    return align_to_bars(take, bars=BARS, tempo_bpm=tempo_bpm, meter=meter, notes=notes)


def _key_of(part: Part) -> str:
    """The key of a tune that begins on its tonic, as the tunes in `TUNES` do."""
    tonic = int(part.pitches[0]) % 12
    minor = (tonic + 3) % 12 in part.pitches % 12
    return f"{KEY_NAMES[tonic]} {'minor' if minor else 'major'}"
