"""The made hums: tunes, voices and the defects that people sing with, each from a seed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from bridge.audio import MODEL_SAMPLE_RATE, Waveform, db_to_amplitude
from bridge.melody.key import Key
from bridge.pocket.music.hum import PLAYED
from bridge.pocket.music.score import Part
from bridge.pocket.music.synth import play
from bridge.tools.hums.singing import HELD_OUT_VOICES, VOICES, Contour, Voice, plucked
from bridge.tools.hums.tunes import HELD_OUT_SONGS, LINES, SONGS, Tune

SEED, HELD_OUT_SEED = 1700, 1701
TEMPOS_BPM, HELD_OUT_TEMPOS_BPM = (72, 96, 120, 144), (66, 84, 108, 132)
LEAD_SECONDS = 0.3
"""Silence before the first beat."""
OFFSET_CENTS = 48.0

Sung = tuple[float, float, int]
"""A note as it sounds: start and length in seconds, and the MIDI note number that is meant."""


@dataclass(frozen=True)
class Defects:
    """How a voice sings; the defaults are a good singer close to a good microphone.

    Attributes:
        offset_cents: of the whole take: drawn from between minus this and this.
        fixed_offset: whether it is one of the two ends.
        drift_cents: change over 8 s, up or down.
        jitter_cents: standard deviation of each note's pitch; `even_jitter`: its greatest size.
        slide_seconds: from note to note, and up to a first note.
        breath: noise of 20 dB below the voice, breaths in the rests, and clicks.
        room: reverberation of 0.5 s.
        telephone: 300 to 3400 Hz at 8 kHz in eight bits.
        slips: notes of the tune that are sung in another octave.
        late_seconds: the most that a note begins late.
    """

    offset_cents: float = 0.0
    fixed_offset: bool = False
    drift_cents: float = 0.0
    jitter_cents: float = 5.0
    even_jitter: bool = False
    slide_seconds: float = 0.04
    breath: bool = False
    room: bool = False
    telephone: bool = False
    slips: int = 0
    late_seconds: float = 0.0


CONDITIONS = {
    "clean": Defects(),
    "offset": Defects(offset_cents=50.0),
    "offset48": Defects(
        offset_cents=OFFSET_CENTS, fixed_offset=True, jitter_cents=12.0, even_jitter=True
    ),
    "drift": Defects(drift_cents=60.0),
    "jitter": Defects(jitter_cents=25.0),
    "slides": Defects(slide_seconds=0.16),
    "breath": Defects(breath=True),
    "room": Defects(room=True),
    "telephone": Defects(telephone=True),
    "slips": Defects(slips=2),
    "late": Defects(late_seconds=0.12),
    "all at once": Defects(
        offset_cents=40.0,
        drift_cents=30.0,
        jitter_cents=15.0,
        slide_seconds=0.1,
        breath=True,
        room=True,
        late_seconds=0.06,
    ),
}
INSTRUMENTS = (*PLAYED, "string")
_ALL_VOICES: dict[str, Voice] = {**VOICES, **HELD_OUT_VOICES}


@dataclass(frozen=True, eq=False)
class Hum:
    """One made recording, and what it means.

    Attributes:
        condition: one of `CONDITIONS`, or `"instrument"`.
        voice: what sounds.
        tune: the name of the tune.
        waveform: mono.
        notes: as they sound, with the pitches that are meant.
        key: of the tune; None: it is in none.
        tempo_bpm: of its beats.
    """

    condition: str
    voice: str
    tune: str
    waveform: Waveform
    notes: tuple[Sung, ...]
    key: Key | None
    tempo_bpm: Fraction


def hums(rounds: int = 2, *, every: int = 1) -> Iterator[Hum]:
    """Every tune under every condition, that many times, in all keys and tempos, by turns.

    Args:
        rounds: 1 or more; each has other voices, keys and tempos.
        every: under each condition take only one of so many tunes, a divisor of 12.
    """
    names = list(VOICES)
    for index, condition in enumerate(CONDITIONS):
        for number, (place, tune) in product(range(rounds), enumerate(SONGS)):
            if place % every != index % every:
                continue
            turn = place + index + number
            yield sung(
                tune,
                condition,
                voice=names[(turn + 3 * number + place // 4) % len(names)],
                tonic=(5 * place + 7 * index + number) % 12,
                tempo_bpm=TEMPOS_BPM[(turn + place // 4) % len(TEMPOS_BPM)],
                seed=(SEED, number, index, place),
            )


def held_out_hums(rounds: int = 2) -> Iterator[Hum]:
    """Other tunes by other voices in other tempos under every condition, that many times.

    No threshold was chosen on them.
    """
    voices = list(HELD_OUT_VOICES)
    for index, condition in enumerate(CONDITIONS):
        for number, (place, tune) in product(range(rounds), enumerate(HELD_OUT_SONGS)):
            turn = place + index + 2 * number
            yield sung(
                tune,
                condition,
                voice=voices[turn % len(voices)],
                tonic=(5 * place + 7 * index + 6 * number) % 12,
                tempo_bpm=HELD_OUT_TEMPOS_BPM[(turn + place // 4) % len(HELD_OUT_TEMPOS_BPM)],
                seed=(HELD_OUT_SEED, number, index, place),
            )


def solos(*, every: int = 1) -> Iterator[Hum]:
    """Each instrument, in tune and in time, with songs and with lines that are in no key.

    Args:
        every: take only one of so many of its five pieces, 1…5.
    """
    for index, name in enumerate(INSTRUMENTS):
        for place, tune in enumerate((*LINES, SONGS[index % len(SONGS)], SONGS[-1 - index])):
            if place % every == index % every:
                yield _played(tune.transposed((3 * index + place) % 7 - 3), name, (index, place))


def sung(
    tune: Tune, condition: str, *, voice: str, tonic: int, tempo_bpm: int, seed: tuple[int, ...]
) -> Hum:
    """One tune by one voice in one key."""
    rng = np.random.default_rng(seed)
    defects = CONDITIONS[condition]
    assert tune.key is not None
    shift = (tonic - tune.key.tonic + 5) % 12 - 5
    lowest = min(pitch for *_, pitch in tune.notes) + shift
    if "whistle" in voice:
        shift += 12 if lowest >= 60 else 24
    elif rng.random() < 0.5:
        shift -= 12 if lowest >= 52 else 0
    moved = tune.transposed(shift)
    notes = _timed(moved, tempo_bpm, defects, rng)
    contour = _contour(notes, defects, rng, has_consonants="whistle" not in voice)
    sound = _ALL_VOICES[voice](contour, rng)
    waveform = _recorded(sound, notes, defects, rng)
    return Hum(condition, voice, tune.name, waveform, notes, moved.key, Fraction(tempo_bpm))


def _played(tune: Tune, name: str, number: tuple[int, int]) -> Hum:
    rng = np.random.default_rng((SEED, *number))
    tempo_bpm = TEMPOS_BPM[sum(number) % len(TEMPOS_BPM)]
    beat = 60 / tempo_bpm
    notes = tuple(
        (start * beat, 0.95 * length * beat, pitch) for start, length, pitch in tune.notes
    )
    frames = round((notes[-1][0] + notes[-1][1] + 1.0) * MODEL_SAMPLE_RATE)
    if name == "string":
        sound = plucked(list(notes), frames, rng)
    else:
        rows = [(start, 0.95 * length, pitch, 1.0) for start, length, pitch in tune.notes]
        part = Part.of(name, rows)
        played = play(part, PLAYED[name], rng, tempo_bpm=tempo_bpm, frames=frames)
        sound = played.mean(axis=1).astype(np.float64)
    sound = 0.5 * sound / np.abs(sound).max() + 1e-4 * rng.standard_normal(frames)
    return Hum(
        "instrument", name, tune.name, _waveform(sound), notes, tune.key, Fraction(tempo_bpm)
    )


def _timed(tune: Tune, tempo_bpm: int, defects: Defects, rng: Generator) -> tuple[Sung, ...]:
    """The notes in seconds; each ends a little before the next begins."""
    beat = 60 / tempo_bpm
    starts = [
        LEAD_SECONDS + start * beat + rng.normal(0.0, 0.008) + rng.uniform(0, defects.late_seconds)
        for start, *_ in tune.notes
    ]
    notes = []
    for index, (start, length, pitch) in enumerate(tune.notes):
        end = LEAD_SECONDS + (start + length) * beat
        if index + 1 < len(starts):
            end = min(end + defects.late_seconds, starts[index + 1])
            if tune.notes[index + 1][2] == pitch:
                # A note that is sung twice is heard twice: the voice stops in between.
                end = min(end, starts[index + 1] - 0.06)
        notes.append((starts[index], end - starts[index], pitch))
    return tuple(notes)


def _contour(
    notes: tuple[Sung, ...], defects: Defects, rng: Generator, *, has_consonants: bool
) -> Contour:
    frames = round((notes[-1][0] + notes[-1][1] + 0.5) * MODEL_SAMPLE_RATE)
    time = np.arange(frames) / MODEL_SAMPLE_RATE
    pitch = np.full(frames, float(notes[0][2]))
    level = np.zeros(frames)
    slips = set(rng.permutation(np.arange(1, len(notes) - 1))[: defects.slips].tolist())
    daa = has_consonants and rng.random() < 0.5
    consonants = []
    for index, (start, seconds, meant) in enumerate(notes):
        first, last = (round(second * MODEL_SAMPLE_RATE) for second in (start, start + seconds))
        cents = (
            rng.uniform(-defects.jitter_cents, defects.jitter_cents)
            if defects.even_jitter
            else rng.normal(0.0, defects.jitter_cents)
        )
        octave = int(rng.choice((-12, 12))) if index in slips else 0
        pitch[first:] = meant + octave + cents / 100
        level[first:last] = rng.uniform(0.7, 1.0)
        if daa:
            consonants.append(start)
            level[max(0, first - round(0.045 * MODEL_SAMPLE_RATE)) : first] = 0.0
    pitch = _smoothed(pitch, defects.slide_seconds)
    if defects.slide_seconds > 0.1:
        # A slide up to each note after a rest, and to the first.
        for index, (start, *_rest) in enumerate(notes):
            if index == 0 or notes[index - 1][0] + notes[index - 1][1] < start - 0.1:
                since = (time - start) / defects.slide_seconds
                pitch -= np.where((since >= 0) & (since < 1), 2.0 * (1 - since), 0.0)
    offset = rng.uniform(-1, 1) * defects.offset_cents
    if defects.fixed_offset:
        offset = float(rng.choice((-1, 1))) * defects.offset_cents
    drift = float(rng.choice((-1, 1))) * defects.drift_cents * (time - LEAD_SECONDS) / 8.0
    vibrato = rng.uniform(0, 20) * np.sin(2 * np.pi * rng.uniform(4.5, 6.0) * time)
    pitch += (offset + drift + vibrato) / 100
    return Contour(pitch, _smoothed(level, 0.025), tuple(consonants))


def _recorded(
    sound: NDArray[np.float64], notes: tuple[Sung, ...], defects: Defects, rng: Generator
) -> Waveform:
    """The sound in its room, with noise, through its line."""
    from scipy.signal import butter, fftconvolve, sosfilt

    sound = 0.5 * sound / np.abs(sound).max()
    noise_db = -60.0
    if defects.breath:
        noise_db = -20.0 + 20 * np.log10(float(np.sqrt(np.mean(sound**2))))
        for index in range(1, len(notes)):
            end = notes[index - 1][0] + notes[index - 1][1]
            if notes[index][0] - end > 0.15:
                _add(sound, end + 0.02, 0.05 * rng.standard_normal(4000) * np.hanning(4000))
        for second in rng.uniform(0, len(sound) / MODEL_SAMPLE_RATE, 3):
            _add(sound, second, 0.3 * rng.standard_normal(64) * np.hanning(64))
    if defects.room:
        tail_time = np.arange(round(0.5 * MODEL_SAMPLE_RATE)) / MODEL_SAMPLE_RATE
        tail = rng.standard_normal(len(tail_time)) * 10 ** (-3 * tail_time / 0.5)
        tail[: round(0.01 * MODEL_SAMPLE_RATE)] = 0.0
        tail *= db_to_amplitude(-6) / np.sqrt(np.square(tail).sum())
        sound = sound + fftconvolve(sound, tail)[: len(sound)]
    sound = sound + db_to_amplitude(noise_db) * rng.standard_normal(len(sound))
    if not defects.telephone:
        return _waveform(sound)
    band = butter(4, (300, 3400), "bandpass", fs=MODEL_SAMPLE_RATE, output="sos")
    narrow = _waveform(sosfilt(band, sound)).resampled(8000).samples
    # The µ-law of G.711, without its coding: 8 bits of a logarithm.
    companded = np.sign(narrow) * np.log1p(255 * np.minimum(np.abs(narrow), 1)) / np.log(256)
    coded = np.rint(companded * 127) / 127
    decoded = np.sign(coded) * (256 ** np.abs(coded) - 1) / 255
    return Waveform(decoded.astype(np.float32), 8000)


def _add(sound: NDArray[np.float64], second: float, piece: NDArray[np.float64]) -> None:
    first = round(second * MODEL_SAMPLE_RATE)
    room = len(sound[first : first + len(piece)])
    sound[first : first + room] += piece[:room]


def _smoothed(curve: NDArray[np.float64], seconds: float) -> NDArray[np.float64]:
    """Running mean over that many seconds; the ends hold their value."""
    width = max(1, round(seconds * MODEL_SAMPLE_RATE))
    padded = np.pad(curve, (width // 2, width - width // 2), mode="edge")
    total = np.cumsum(padded)
    return np.asarray((total[width:] - total[:-width]) / width)


def _waveform(sound: NDArray[np.float64]) -> Waveform:
    return Waveform(sound[:, None].astype(np.float32), MODEL_SAMPLE_RATE)
