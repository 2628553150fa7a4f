"""Measures of a sound for `eval`, beside its pitch classes.

Each function takes a `Waveform` of any rate and channel count and returns one number.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bridge.audio import Waveform, db_to_power, power_to_db
from bridge.clip.gaps import SILENT_DB
from bridge.spectrum import power_spectrogram

DRUMS_FROM_HZ = 2000.0
"""Above this frequency there is the noise of drums, and little else."""
BLUR_SECONDS = 0.015
"""Onsets this far apart count as simultaneous."""


def fade_db(waveform: Waveform) -> float:
    """Level of the last quarter relative to that of the first, in dB."""
    quarter = max(1, waveform.frames // 4)
    return _level_db(waveform.samples[-quarter:]) - _level_db(waveform.samples[:quarter])


def side_over_mid_db(waveform: Waveform) -> float:
    """Level of the side signal, (L − R) / 2, relative to the mid signal, (L + R) / 2, in dB."""
    stereo = waveform.stereo().samples
    mid = (stereo[:, 0] + stereo[:, 1]) / 2
    side = (stereo[:, 0] - stereo[:, 1]) / 2
    return _level_db(side) - _level_db(mid)


def percussive_share(waveform: Waveform) -> float:
    """Percussive energy above 2 kHz as a share of all energy, 0…1.

    Below 2 kHz plucked notes are percussive too. Median filters along time and along frequency
    separate the spectrogram into harmonic and percussive parts (FitzGerald, "Harmonic/percussive
    separation using median filtering", DAFx 2010).
    """
    # Importing scipy takes half a second, which `melody-bridge --help` must not wait for.
    from scipy.ndimage import median_filter

    window, hop, neighbours = 1024, 512, 17
    mono = np.pad(waveform.mono().samples[:, 0], window)
    starts = np.arange(0, len(mono) - window + 1, hop)
    power = power_spectrogram(mono, np.hanning(window), starts)
    magnitude = np.sqrt(power).astype(np.float32)  # [steps, bins]
    harmonic = median_filter(magnitude, (neighbours, 1), mode="nearest")
    percussive = median_filter(magnitude, (1, neighbours), mode="nearest")
    power = magnitude**2
    mask = percussive**2 / (percussive**2 + harmonic**2 + 1e-12)
    high = np.fft.rfftfreq(window, 1 / waveform.sample_rate) >= DRUMS_FROM_HZ
    return float((power * mask)[:, high].sum() / (power.sum() + 1e-12))


def tempo_of(strength: NDArray[np.float64], step_seconds: float, beats_per_bar: float) -> float:
    """The tempo at which onsets repeat, 60…200 bpm, without knowledge of the prompted tempo.

    The score of a tempo sums the autocorrelation of the onset strength at half a beat, one beat,
    two beats, a bar and two bars. Only at a true beat are all of them high: at a lag of 2.5
    eighths, say, every second stroke of a hat meets another, but at half of that none does. Double
    and half the tempo are as likely as the tempo itself.

    Args:
        strength: float64 `[steps]`, onset strength.
        step_seconds: seconds per step.
        beats_per_bar: quarter notes per bar: an odd bar is not compared at two beats.
    """
    from scipy.signal import correlate

    # Without blur, hits that are a little early or late would meet at no lag.
    blur = np.hanning(2 * round(BLUR_SECONDS / step_seconds) + 1)[1:-1]
    centred = np.convolve(strength - strength.mean(), blur / blur.sum(), mode="same")
    repeats = correlate(centred, centred, method="fft")[len(centred) - 1 :]
    repeats /= np.arange(len(centred), 0, -1)  # as many terms at every lag
    lags = np.arange(len(centred))
    tempos = np.geomspace(60, 200, 600)
    usable = len(centred) * step_seconds * 0.75
    score = np.zeros(len(tempos))
    count = np.zeros(len(tempos))
    two_beats = 2.0 if beats_per_bar % 2 == 0 else beats_per_bar
    for beats, weight in (
        (0.5, 1),
        (1.0, 2),
        (two_beats, 1),
        (beats_per_bar, 1),
        (2 * beats_per_bar, 1),
    ):
        lag = beats * 60 / tempos / step_seconds
        fits = lag * step_seconds < usable
        score += weight * np.where(fits, np.interp(lag, lags, repeats), 0.0)
        count += weight * fits
    return float(tempos[np.argmax(score / np.maximum(count, 1))])


def _level_db(samples: NDArray[np.floating]) -> float:
    power = float((samples.astype(np.float64) ** 2).mean())
    return power_to_db(power + db_to_power(SILENT_DB))
