"""Voices of the made hums: a contour of pitch and level becomes sound.

Two methods, so that nothing is judged by the voice that it was made with: additive, with the
recipe's harmonics (`bridge.pocket.music.hum`), and source and filter, a glottal pulse through
the formants of vowels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from bridge.audio import MODEL_SAMPLE_RATE, db_to_amplitude
from bridge.pocket.music.hum import HUMS

VOWELS = {
    "a": ((730.0, 1090.0, 2440.0), (90.0, 110.0, 170.0)),
    "o": ((570.0, 840.0, 2410.0), (80.0, 100.0, 160.0)),
    "m": ((280.0, 1000.0, 2200.0), (80.0, 250.0, 300.0)),
    "e": ((530.0, 1840.0, 2480.0), (80.0, 110.0, 160.0)),
    "i": ((270.0, 2290.0, 3010.0), (70.0, 110.0, 170.0)),
    "u": ((300.0, 870.0, 2240.0), (80.0, 100.0, 150.0)),
}
"""Frequencies and bandwidths in Hz of three formants: Peterson and Barney, "Control methods used in
a study of the vowels", JASA 24, 1952; `m` is a nasal murmur."""


@dataclass(frozen=True, eq=False)
class Contour:
    """What a voice sings.

    Attributes:
        pitch: float64 `[frames]` at 32 kHz, MIDI note number with its fraction.
        level: float64 `[frames]`, 0…1.
        consonants: seconds at which a consonant opens into a note.
    """

    pitch: NDArray[np.float64]
    level: NDArray[np.float64]
    consonants: tuple[float, ...] = ()

    @property
    def phase(self) -> NDArray[np.float64]:
        """Cycles of the fundamental since frame 0."""
        cycles: NDArray[np.float64] = np.cumsum(
            440.0 * 2 ** ((self.pitch - 69) / 12) / MODEL_SAMPLE_RATE
        )
        return cycles


Voice = Callable[[Contour, Generator], NDArray[np.float64]]
"""From a contour to its sound `[frames]`, peak near 1."""


def additive(name: str) -> Voice:
    """A voice of the recipe's harmonics."""

    def sing(contour: Contour, rng: Generator) -> NDArray[np.float64]:
        phase = contour.phase
        hertz = np.gradient(phase) * MODEL_SAMPLE_RATE
        sound = np.zeros(len(phase))
        for harmonic, amplitude in enumerate(HUMS[name], start=1):
            audible = hertz * harmonic < 0.45 * MODEL_SAMPLE_RATE
            sound += amplitude * audible * np.sin(2 * np.pi * harmonic * phase)
        return _levelled(sound, contour) + _bursts(contour, rng)

    return sing


def filtered(vowel: str) -> Voice:
    """A glottal pulse (Rosenberg 1971) through the formants of a vowel."""

    def sing(contour: Contour, rng: Generator) -> NDArray[np.float64]:
        from scipy.signal import lfilter

        # A voice's period is never quite even: its pitch wanders by a few cents.
        wander = np.repeat(rng.normal(0.0, 0.03, len(contour.pitch) // 320 + 1), 320)
        uneven = Contour(contour.pitch + wander[: len(contour.pitch)], contour.level)
        position = uneven.phase % 1.0
        opening, closing = 0.4, 0.16
        flow = np.where(
            position < opening,
            0.5 * (1 - np.cos(np.pi * position / opening)),
            np.where(
                position < opening + closing,
                np.cos(0.5 * np.pi * (position - opening) / closing),
                0.0,
            ),
        )
        sound = np.diff(flow, prepend=0.0) + 0.002 * rng.standard_normal(len(flow))
        for frequency, bandwidth in zip(*VOWELS[vowel], strict=True):
            radius = np.exp(-np.pi * bandwidth / MODEL_SAMPLE_RATE)
            angle = 2 * np.pi * frequency / MODEL_SAMPLE_RATE
            feedback = [1.0, -2 * radius * np.cos(angle), radius**2]
            sound = lfilter([sum(feedback)], feedback, sound)
        return _levelled(sound, contour) + _bursts(contour, rng)

    return sing


def whistle(breath: float) -> Voice:
    """A sine in a narrow band of its own breath, which has that amplitude beside it."""

    def sing(contour: Contour, rng: Generator) -> NDArray[np.float64]:
        from scipy.signal import lfilter

        sine = np.sin(2 * np.pi * contour.phase)
        noise = lfilter([0.3], [1.0, -0.7], rng.standard_normal(len(sine)))
        return _levelled(sine + breath * noise, contour)

    return sing


VOICES: dict[str, Voice] = {
    **{name: additive(name) for name in ("hum", "dark hum", "open voice")},
    "whistle": additive("whistle"),
    **{f"sung {vowel}": filtered(vowel) for vowel in "aom"},
    "blown whistle": whistle(0.03),
}
HELD_OUT_VOICES: dict[str, Voice] = {
    **{f"sung {vowel}": filtered(vowel) for vowel in "eiu"},
    "breathy whistle": whistle(0.1),
}
"""Voices on which no threshold was chosen."""


def plucked(
    notes: list[tuple[float, float, int]], frames: int, rng: Generator
) -> NDArray[np.float64]:
    """A string by delay line (Karplus and Strong 1983), in tune by an all-pass filter.

    Args:
        notes: start and length in seconds, and MIDI note number.
        frames: of the result.
        rng: of each pluck's noise.

    Returns:
        `[frames]`, peak 1.
    """
    from scipy.signal import lfilter

    sound = np.zeros(frames)
    for start, seconds, pitch in notes:
        period = MODEL_SAMPLE_RATE / (440.0 * 2 ** ((pitch - 69) / 12))
        # The averaging of two neighbours delays by half a frame.
        whole = int(period - 0.5)
        part = period - 0.5 - whole
        allpass = (1 - part) / (1 + part)
        first = round(start * MODEL_SAMPLE_RATE)
        count = min(round(seconds * MODEL_SAMPLE_RATE), frames - first)
        pluck = np.zeros(count)
        pluck[:whole] = lfilter([0.5, 0.5], [1.0], rng.uniform(-1, 1, whole))[:count]
        # y = pluck + loop(y), with loop = average of two, then the all-pass, after `whole` frames.
        loop = np.convolve([0.4985, 0.4985], [allpass, 1.0])
        feedback = np.zeros(whole + 3)
        feedback[:2] = [1.0, allpass]
        feedback[whole : whole + 3] -= loop
        note = lfilter([1.0, allpass], feedback, pluck)
        fade = min(count, 320)
        note[-fade:] *= np.linspace(1, 0, fade)
        sound[first : first + count] += note
    return np.asarray(sound / np.abs(sound).max())


def _levelled(sound: NDArray[np.float64], contour: Contour) -> NDArray[np.float64]:
    return np.asarray(sound / np.abs(sound).max() * contour.level)


def _bursts(contour: Contour, rng: Generator) -> NDArray[np.float64]:
    """The noise with which each consonant opens, 12 ms."""
    sound = np.zeros(len(contour.level))
    length = round(0.012 * MODEL_SAMPLE_RATE)
    for second in contour.consonants:
        first = max(0, round(second * MODEL_SAMPLE_RATE) - length)
        noise = rng.standard_normal(len(sound[first : first + length]))
        sound[first : first + length] += db_to_amplitude(-16) * noise * np.hanning(len(noise))
    return sound
