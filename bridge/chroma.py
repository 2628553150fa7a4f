"""One-hot chroma of audio or notes, and the similarity of two melodies.

Chroma conditions MusicGen Melody: a step every 4096/32000 s (128 ms), each with the strongest of
the twelve pitch classes, C = 0. This module does not know tempo grids, files or models.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridge.audio import (
    LONGEST_DELAY,
    MODEL_SAMPLE_RATE,
    TOKENS_A_SECOND,
    Waveform,
    db_to_power,
)
from bridge.spectrum import Transform, hann, power_spectrogram
from bridge.timing import Lead, Note, beats_to_seconds

PITCH_NAMES = ("C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B")
HOP = 4096
"""Frames at 32 kHz from step to step."""
WINDOW = 16384
"""Frames at 32 kHz in the Hann window of one step, centred on the step's own time."""
STEP_SECONDS = HOP / MODEL_SAMPLE_RATE
WINDOW_SECONDS = 30
"""Length of the model's context."""
WINDOW_STEPS = 235
"""Steps in those 30 s."""
LONGEST_SECONDS = 600.0
"""The longest piece; a piece longer than one window is generated window by window."""
MOST_TOKENS = round(LONGEST_SECONDS * TOKENS_A_SECOND) + LONGEST_DELAY
"""The tokens of such a piece."""
SILENCE_DBFS = -70.0
"""A step below this is silent, whatever the other steps are. 0 dBFS is a mean square of 1."""
CHROMA_FLOOR_DB = -40.0
"""A step this far below the loudest is a rest: its sound is room and noise."""
LOW_HZ, HIGH_HZ = 110.0, 2000.0
"""The band of a melody."""

_SAMPLES_PER_STEP = 16
_LEADS: Mapping[Lead, Callable[[Note], tuple[Any, ...]]] = {
    "highest": lambda note: (note.pitch,),
    "last": lambda note: (note.start_beat, note.pitch),
    "loudest": lambda note: (note.velocity, note.pitch),
}
"""The note with the greatest key leads; the pitch decides where they are equal."""


def audio_chroma(
    waveform: Waveform, *, strict: bool = False, time_scale: Fraction | int = 1
) -> NDArray[np.float32]:
    """The strongest pitch class of each step, one-hot.

    Silent steps (40 dB below the loudest, or under −70 dBFS) hold the last pitch class; leading
    silence takes the first that sounds. If all is silent, every step is C.

    Args:
        waveform: any rate and channels; mixed to mono and resampled to 32 kHz here.
        strict: at every step return what transformers' `MusicgenMelodyFeatureExtractor` returns:
            30 s at most, an arbitrary class in silence, audio shorter than a window centred in one.
        time_scale: seconds of the waveform that one second of steps covers, positive: 2 reads it
            at double tempo. The analysis moves, not the audio, so pitch stays. `strict` ignores it.

    Returns:
        float32 `[steps, 12]`; steps = 1 + floor(seconds / (time_scale * 128 ms)), and step k is
        centred on second k * time_scale * 128 ms.
    """
    if strict:
        # The official extractor takes the mean, also where the channels cancel.
        mean = Waveform(waveform.samples.mean(axis=1, keepdims=True), waveform.sample_rate)
        energy = _class_energy(
            _official_length(_model_mono(mean)), chroma_filter_bank(), Fraction(HOP)
        )
        # The official extractor also divides each step by its maximum, which keeps the argmax.
        return one_hot(energy.astype(np.float32).argmax(axis=1))
    mono = _model_mono(waveform)
    energy = _class_energy(mono, chroma_filter_bank(), HOP * Fraction(time_scale))
    return one_hot(_hold_rests(_sounding_classes(energy, CHROMA_FLOOR_DB)))


def melody_chroma(
    waveform: Waveform, *, time_scale: Fraction | int = 1
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """What `audio_chroma` and `pitch_classes` give, from one spectrogram."""
    banks = np.stack([chroma_filter_bank(), _band_filter_bank(LOW_HZ, HIGH_HZ)])
    # [2, steps, 12]
    energy = _class_energy(_model_mono(waveform), banks, HOP * Fraction(time_scale)).swapaxes(0, 1)
    wide, in_band = (_sounding_classes(each, CHROMA_FLOOR_DB) for each in energy)
    return one_hot(_hold_rests(wide)), in_band


def note_chroma(
    notes: Iterable[Note], tempo_bpm: Fraction, steps: int, lead: Lead = "highest"
) -> NDArray[np.float32]:
    """The chroma of notes, in the form of `audio_chroma`, without audio in between.

    Args:
        notes: in any order.
        tempo_bpm: tempo of their beats.
        steps: number of steps from beat 0.
        lead: which of several notes at a time is the melody.

    Returns:
        float32 `[steps, 12]`, one-hot; rests hold as in `audio_chroma`.
    """
    return one_hot(_hold_rests(note_pitch_classes(notes, tempo_bpm, steps, lead)))


def pitch_classes(
    waveform: Waveform,
    *,
    low_hz: float = LOW_HZ,
    high_hz: float = HIGH_HZ,
    floor_db: float = CHROMA_FLOOR_DB,
    time_scale: Fraction | int = 1,
    transform: Transform = np.fft.rfft,
) -> NDArray[np.int64]:
    """The strongest pitch class between two frequencies at each step, and the rests.

    A window is half a second long, so only a longer rest is found.

    Args:
        waveform: any rate and channels.
        low_hz, high_hz: the band that counts; rumble and hiss outside it do not.
        floor_db: a step this far below the loudest one (or under −70 dBFS) is a rest.
        time_scale: as in `audio_chroma`.
        transform: as in `power_spectrogram`.

    Returns:
        int64 `[steps]`, as many as `audio_chroma` gives: 0 (C) to 11 (B), −1 at rests.
    """
    band = _band_filter_bank(low_hz, high_hz)
    # Most of the spectrum is outside a melody's band: it has no power to compute.
    heard = np.flatnonzero(band.any(axis=0))
    bins = slice(heard[0], heard[-1] + 1) if len(heard) else slice(0, 1)
    energy = _class_energy(
        _model_mono(waveform),
        band[:, bins],
        HOP * Fraction(time_scale),
        lambda windowed: transform(windowed)[:, bins],
    )
    return _sounding_classes(energy, floor_db)


def note_pitch_classes(
    notes: Iterable[Note], tempo_bpm: Fraction, steps: int, lead: Lead = "highest"
) -> NDArray[np.int64]:
    """The pitch class of the leading note that sounds longest within each step's 128 ms.

    Returns:
        int64 `[steps]`: 0 (C) to 11 (B), −1 where no note sounds.
    """
    line = np.full(steps * _SAMPLES_PER_STEP, -1, dtype=np.int64)
    samples_per_second = _SAMPLES_PER_STEP / STEP_SECONDS
    # Sample i is at (i + 0.5) / 16 of a step, and step k's span begins half a step before it.
    offset = _SAMPLES_PER_STEP / 2 - 0.5
    for note in sorted(notes, key=_LEADS[lead]):
        start = float(beats_to_seconds(note.start_beat, tempo_bpm)) * samples_per_second
        length = float(beats_to_seconds(note.length_beats, tempo_bpm)) * samples_per_second
        first, last = (int(np.ceil(edge + offset)) for edge in (start, start + length))
        line[max(first, 0) : max(last, 0)] = note.pitch % 12
    samples = line.reshape(steps, _SAMPLES_PER_STEP)
    share = (samples[:, :, None] == np.arange(12)).sum(axis=1)
    return np.where(share.any(axis=1), share.argmax(axis=1), -1)


def similarity(clip_classes: NDArray[np.int64], melody_classes: NDArray[np.int64]) -> float:
    """The share of the melody's sounding steps at which the clip has the melody's pitch class.

    MusicGen's own measure (Copet et al. 2023), without the melody's rests. A clip's rest where the
    melody sounds is a miss. The longer of the two is cut.

    Returns:
        0…1; NaN when the melody rests throughout.
    """
    steps = min(len(clip_classes), len(melody_classes))
    clip, melody = clip_classes[:steps], melody_classes[:steps]
    sounding = melody >= 0
    if not sounding.any():
        return float("nan")
    return float((clip[sounding] == melody[sounding]).mean())


def note_name(pitch: int) -> str:
    """A MIDI note's name, such as `A4` for 69."""
    return f"{PITCH_NAMES[pitch % 12]}{pitch // 12 - 1}"


def one_hot(classes: NDArray[np.int64]) -> NDArray[np.float32]:
    """Pitch classes `[steps]`, each 0…11, as float32 `[steps, 12]`."""
    return np.eye(12, dtype=np.float32)[classes]


@lru_cache(maxsize=1)
def chroma_filter_bank() -> NDArray[np.float64]:
    """Weight of each frequency of a 16384-frame window at 32 kHz for each pitch class.

    Ellis's `fft2chromamx`, by way of librosa and transformers' `chroma_filter_bank` with tuning 0:
    Gaussian bumps a semitone wide, each frequency's L2 norm 1, weighted by a Gaussian of two
    octaves around 880 Hz.

    Returns:
        float64 `[12, 8193]`, C first; read-only.
    """
    frequencies = np.arange(1, WINDOW) * (MODEL_SAMPLE_RATE / WINDOW)
    semitones = 12 * np.log2(frequencies / (440.0 / 16))
    # 0 Hz has no pitch: it is put one and a half octaves below the first other frequency.
    semitones = np.concatenate(([semitones[0] - 18], semitones))
    widths = np.concatenate((np.maximum(np.diff(semitones), 1.0), [1.0]))
    distances = np.mod(semitones - np.arange(12)[:, None] + 6, 12) - 6
    bumps = np.exp(-0.5 * (2 * distances / widths) ** 2)
    bumps /= np.sqrt((bumps**2).sum(axis=0))
    bumps *= np.exp(-0.5 * ((semitones / 12 - 5) / 2) ** 2)
    # The first row is A so far.
    bank = np.ascontiguousarray(np.roll(bumps, -3, axis=0)[:, : WINDOW // 2 + 1])
    bank.setflags(write=False)
    return bank


@lru_cache(maxsize=8)
def _band_filter_bank(low_hz: float, high_hz: float) -> NDArray[np.float64]:
    frequencies = np.arange(WINDOW // 2 + 1) * (MODEL_SAMPLE_RATE / WINDOW)
    in_band = (frequencies >= low_hz) & (frequencies <= high_hz)
    return chroma_filter_bank() * in_band


def _model_mono(waveform: Waveform) -> NDArray[np.float32]:
    return waveform.mono().resampled(MODEL_SAMPLE_RATE).samples[:, 0]


def _official_length(mono: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cut to 30 s; centre audio shorter than a window in one of zeros."""
    mono = mono[: WINDOW_SECONDS * MODEL_SAMPLE_RATE]
    missing = max(WINDOW - len(mono), 0)
    return np.pad(mono, (missing // 2, missing - missing // 2))


def _class_energy(
    mono: NDArray[np.float32],
    bank: NDArray[np.float64],
    hop: Fraction,
    transform: Transform = np.fft.rfft,
) -> NDArray[np.float64]:
    """Mean square of each pitch class, weighted by the bank: `[steps, 12]`.

    Of banks `[n, 12, bins]`: `[steps, n, 12]`.
    """
    steps = 1 + int(len(mono) // hop)
    if len(mono) < WINDOW:
        mono = np.pad(mono, (0, WINDOW - len(mono)))
    padded = np.pad(mono, WINDOW // 2, mode="reflect")
    starts = np.rint(np.arange(steps) * float(hop)).astype(np.int64)
    window = hann(WINDOW)
    energy: NDArray[np.float64] = power_spectrogram(
        padded, window, starts, lambda power: _weighted(power, bank), transform
    )
    # Parseval's theorem: from one side of the spectrum of a windowed signal to its mean square.
    energy *= 2 / (WINDOW * np.square(window).sum())
    return energy


def _weighted(power: NDArray[np.floating], bank: NDArray[np.float64]) -> NDArray[np.float64]:
    """Power `[steps, bins]` by pitch class, as in `_class_energy`."""
    if bank.ndim == 2:
        weighted: NDArray[np.float64] = power @ bank.T
        return weighted
    return np.stack([power @ each.T for each in bank], axis=1)


def _sounding_classes(energy: NDArray[np.float64], floor_db: float) -> NDArray[np.int64]:
    return np.where(is_sounding(energy.sum(axis=1), floor_db), energy.argmax(axis=1), -1)


def is_sounding(
    mean_square: NDArray[np.float64], floor_db: float = CHROMA_FLOOR_DB
) -> NDArray[np.bool_]:
    """Which steps are no rest: at most `floor_db` below the loudest, and above −70 dBFS.

    Args:
        mean_square: float64 `[steps]`, one or more.
        floor_db: relative to the loudest step, negative.

    Returns:
        bool `[steps]`.
    """
    floor = max(float(mean_square.max()) * db_to_power(floor_db), db_to_power(SILENCE_DBFS))
    return mean_square >= floor


def _hold_rests(classes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Fill rests with the class before them, leading rests with the first class, or with C."""
    sounding = np.flatnonzero(classes >= 0)
    if not len(sounding):
        return np.zeros_like(classes)
    latest = np.searchsorted(sounding, np.arange(len(classes)), side="right") - 1
    return classes[sounding[np.maximum(latest, 0)]]
