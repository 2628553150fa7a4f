"""The pitch of a single voice along a recording, and whether a single voice is what sounds.

SwiftF0 (Nieradzik, "SwiftF0: Fast and Accurate Monophonic Pitch Detection", arXiv 2508.18440) finds
the pitch of each frame to a few cents. The phase of the voice's harmonics then gives it to one, and
their share of the sound says whether there is anything else.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from bridge.audio import Waveform
from bridge.process.onnx_runtime import keep_reports_home

if TYPE_CHECKING:
    from swift_f0 import PitchResult, SwiftF0

SAMPLE_RATE = 16_000
"""Hz. The rate of the pitch model."""
FRAME_SECONDS = 0.016

_PEAK = 0.5
"""The model does not level its input."""
_SOFTEST_PEAK = 1e-4
_WINDOW, _HOP = 2048, 256
_HARMONICS = 12
_REACH_BINS = 2
"""Half of the main lobe of a Hann window."""
_HIGHEST_HZ = 5000.0
_FURTHEST_CENTS = 60.0
"""A phase that says more than this is another sound's."""
_LOWEST_WHISTLE_HZ, _WHISTLE_SHARE = 1800.0, 0.6
"""The model's range ends at 2094 Hz, and people whistle up to 4 kHz. There the strongest partial is
the pitch, where it has that share of the power: no voice puts as much into one so high."""
_FRAMES_AT_ONCE = 512
_STREAMED_FRAMES = 128
"""The model takes 11 MB for so many; for the 16 s of a long take at once it takes 90 MB, and the
process keeps them."""


@dataclass(frozen=True, eq=False)
class PitchTrack:
    """Frames of 16 ms; frame k is centred on `k * 16 ms`.

    Attributes:
        found: SwiftF0's own result, with the pitch and the confidence that are found here.
        exact: float64 `[frames]`, MIDI note number with its fraction.
        harmonic_share: float64 `[frames]`, 0…1: share of the power up to 5 kHz that is in the
            first twelve harmonics.
    """

    found: PitchResult
    exact: NDArray[np.float64]
    harmonic_share: NDArray[np.float64]

    @property
    def confidence(self) -> NDArray[np.float64]:
        """0…1 `[frames]`: a voice sounds from 0.5 on."""
        return self.found.confidence

    @property
    def level_db(self) -> NDArray[np.float64]:
        """Level `[frames]`, relative to a peak of 0 dBFS."""
        return self.found.loudness_db


def track_pitch(waveform: Waveform) -> PitchTrack | None:
    """Follow the pitch of a recording; None where it is silent."""
    keep_reports_home()
    from swift_f0 import PitchResult, concat

    mono = waveform.mono().resampled(SAMPLE_RATE).samples[:, 0]
    peak = float(np.abs(mono).max(initial=0.0))
    if peak < _SOFTEST_PEAK:
        return None
    mono = mono * np.float32(_PEAK / peak)
    stream = _detector().stream()
    step = _STREAMED_FRAMES * _HOP
    parts = [stream.push(mono[at : at + step], SAMPLE_RATE) for at in range(0, len(mono), step)]
    found = concat([*parts, stream.flush()])
    hertz, share = _harmonics(mono, found.pitch_hz)
    # A pure tone is no voice to the model, which was trained on voices and instruments.
    confidence = np.maximum(found.confidence, np.clip((share - 0.6) / 0.3, 0.0, 0.9))
    audible = found.loudness_db > found.loudness_db.max() - 40.0
    result = PitchResult(found.timestamps, hertz, confidence * audible, found.loudness_db)
    return PitchTrack(result, 69 + 12 * np.log2(hertz / 440), share)


@cache
def _detector() -> SwiftF0:
    from swift_f0 import SwiftF0

    # One thread that sleeps between calls: the daemon needs the other cores for its audio.
    return SwiftF0(threads=1, spin=False)


def _harmonics(
    mono: NDArray[np.float32], hertz: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The exact pitch of each frame in Hz, from a rough one, and its harmonics' share.

    The frequency of each harmonic is that of the reassigned spectrogram (Auger and Flandrin 1995):
    the bin's own, and the ratio of the spectra with the window's derivative and with the window.
    """
    padded = np.pad(mono, (_WINDOW // 2, _WINDOW // 2 + _HOP))
    windows = sliding_window_view(padded, _WINDOW)[::_HOP][: len(hertz)]
    parts = [
        _harmonics_of(windows[first : first + _FRAMES_AT_ONCE], each)
        for first in range(0, len(hertz), _FRAMES_AT_ONCE)
        for each in (hertz[first : first + _FRAMES_AT_ONCE],)
    ]
    exact, share = (np.concatenate(column) for column in zip(*parts, strict=True))
    return exact, share


def _harmonics_of(
    windows: NDArray[np.float32], hertz: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    # Imported with the first transcription: it takes a third of a second.
    from scipy.fft import rfft

    bin_hz = SAMPLE_RATE / _WINDOW
    highest = int(_HIGHEST_HZ / bin_hz)
    plain = rfft(windows)[:, : highest + 2]
    spectrum = _with_hann(plain)  # [frames, highest + 1]
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    total = power[:, 1:].sum(axis=1) + 1e-9
    hertz = _whistled(power, total, hertz, bin_hz)
    numbers = np.arange(1, _HARMONICS + 1)
    centres = np.rint(hertz[:, None] * numbers / bin_hz).astype(np.int64)
    # [frames, harmonics, bins of a lobe]
    lobes = centres[:, :, None] + np.arange(-_REACH_BINS, _REACH_BINS + 1)
    inside = (lobes > 0) & (lobes <= highest)
    lobes = np.where(inside, lobes, 0)
    row = np.arange(len(power))[:, None, None]
    lobe_power = np.where(inside, power[row, lobes], 0.0)
    # Lobes of a low voice touch; each bin counts once.
    held = np.zeros_like(power, dtype=bool)
    held[np.broadcast_to(row, lobes.shape)[inside], lobes[inside]] = True
    share = np.where(held, power, 0.0).sum(axis=1) / total

    strongest = np.take_along_axis(lobes, lobe_power.argmax(axis=2)[:, :, None], 2)[:, :, 0]
    at = np.arange(len(power))[:, None]
    # The spectrum with the window's derivative, π / N · sin(2 π n / N), at these bins alone.
    turned = np.pi / _WINDOW * (plain[at, strongest - 1] - plain[at, strongest + 1]) / 2j
    ratio = turned / (spectrum[at, strongest] + 1e-12)
    frequency = strongest * bin_hz - ratio.imag * SAMPLE_RATE / (2 * np.pi)
    with np.errstate(divide="ignore", invalid="ignore"):
        cents = 1200 * np.log2(np.maximum(frequency, 1.0) / (hertz[:, None] * numbers))
    # The higher a harmonic, the more exactly it says the pitch.
    weight = lobe_power.max(axis=2) * numbers**2 * (np.abs(cents) <= _FURTHEST_CENTS)
    summed = weight.sum(axis=1)
    mean = (weight * np.where(weight > 0, cents, 0.0)).sum(axis=1) / np.maximum(summed, 1e-12)
    return hertz * 2 ** (np.where(summed > 0, mean, 0.0) / 1200), share


def _whistled(
    power: NDArray[np.float32],
    total: NDArray[np.float32],
    hertz: NDArray[np.float64],
    bin_hz: float,
) -> NDArray[np.float64]:
    """The given pitch of each frame; of a high whistle, its strongest partial's to a bin."""
    first, last = int(_LOWEST_WHISTLE_HZ / bin_hz), power.shape[1] - _REACH_BINS
    strongest = first + power[:, first:last].argmax(axis=1)
    lobe = strongest[:, None] + np.arange(-_REACH_BINS, _REACH_BINS + 1)
    inside = np.take_along_axis(power, lobe, axis=1).sum(axis=1)
    return np.where(inside >= _WHISTLE_SHARE * total, strongest * bin_hz, hertz)


def _with_hann(plain: NDArray[np.complex64]) -> NDArray[np.complex64]:
    """The spectra with a Hann window `[frames, bins − 1]`, from those without one.

    The window is 1/2 − 1/4 · (e^(2πin/N) + e^(−2πin/N)), and each exponential moves the spectrum
    by a bin.
    """
    spectrum = 0.5 * plain[:, :-1]
    spectrum[:, 1:] -= 0.25 * plain[:, :-2]
    spectrum[:, 0] -= 0.25 * plain[:, 1].conj()
    spectrum -= 0.25 * plain[:, 1:]
    return spectrum
