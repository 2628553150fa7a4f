"""Listening with numbers: what `eval` measures of a sound beside its pitch classes.

Each function takes a `Waveform` of any rate and channel count and returns one number.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bridge.audio import Waveform, db_to_power, power_to_db
from bridge.spectrum import power_spectrogram

SILENT_DB = -120.0
"""What stands for the level of nothing."""
GAP_BELOW_DB = -40.0
"""A block this far below the sound's loudest tenth counts as a gap."""
DRUMS_FROM_HZ = 2000.0
"""Where the noise of drums is, and little else."""
BLUR_SECONDS = 0.015
"""Onsets this far apart begin together."""
_BLOCK_SECONDS = 0.05


def longest_gap_seconds(waveform: Waveform) -> float:
    """The longest stretch in which nothing is heard."""
    levels = _block_levels_db(waveform)
    quiet = levels < np.quantile(levels, 0.9) + GAP_BELOW_DB
    longest = current = 0
    for block in quiet:
        current = current + 1 if block else 0
        longest = max(longest, current)
    return longest * _BLOCK_SECONDS


def fade_db(waveform: Waveform) -> float:
    """Level of the last quarter over that of the first, in dB."""
    quarter = max(1, waveform.frames // 4)
    return _level_db(waveform.samples[-quarter:]) - _level_db(waveform.samples[:quarter])


def side_over_mid_db(waveform: Waveform) -> float:
    """Level of half the difference of left and right over that of half their sum, in dB."""
    stereo = waveform.stereo().samples
    mid = (stereo[:, 0] + stereo[:, 1]) / 2
    side = (stereo[:, 0] - stereo[:, 1]) / 2
    return _level_db(side) - _level_db(mid)


def percussive_share(waveform: Waveform) -> float:
    """Energy of what is struck, above 2 kHz, as a share of all energy, 0…1.

    Below 2 kHz plucked notes strike too. Median filters along time and along frequency part the
    spectrogram into what is held and what is struck (FitzGerald, "Harmonic/percussive separation
    using median filtering", DAFx 2010).
    """
    # Importing scipy takes half a second, which `melody-bridge --help` must not wait for.
    from scipy.ndimage import median_filter

    window, hop, neighbours = 1024, 512, 17
    mono = np.pad(waveform.mono().samples[:, 0], window)
    starts = np.arange(0, len(mono) - window + 1, hop)
    power = power_spectrogram(mono, np.hanning(window), starts)
    magnitude = np.sqrt(power).astype(np.float32)  # [steps, bins]
    held = median_filter(magnitude, (neighbours, 1), mode="nearest")
    struck = median_filter(magnitude, (1, neighbours), mode="nearest")
    power = magnitude**2
    mask = struck**2 / (struck**2 + held**2 + 1e-12)
    high = np.fft.rfftfreq(window, 1 / waveform.sample_rate) >= DRUMS_FROM_HZ
    return float((power * mask)[:, high].sum() / (power.sum() + 1e-12))


def tempo_of(strength: NDArray[np.float64], step_seconds: float, beats_per_bar: float) -> float:
    """The tempo that onsets repeat at, in beats a minute, 60…200, whatever was asked for.

    The autocorrelation of the onset strength is read at half a beat, a beat, two of them, a bar
    and two bars, which agree only where there is a beat: at 2.5 eighths, say, every other of a
    hat's strokes meets another, but at half of that none does. Double and half of the beat are as
    likely as itself.

    Args:
        strength: float64 `[steps]`, how strongly something begins.
        step_seconds: from step to step.
        beats_per_bar: quarter notes, which tells three in a bar from two.
    """
    from scipy.signal import correlate

    # Else hits that are a little early and late would meet at no lag.
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
        wanted = beats * 60 / tempos / step_seconds
        fits = wanted * step_seconds < usable
        score += weight * np.where(fits, np.interp(wanted, lags, repeats), 0.0)
        count += weight * fits
    return float(tempos[np.argmax(score / np.maximum(count, 1))])


def _block_levels_db(waveform: Waveform) -> NDArray[np.float64]:
    block = max(1, round(_BLOCK_SECONDS * waveform.sample_rate))
    count = max(1, waveform.frames // block)
    padded = np.zeros((count * block, waveform.channels))
    padded[: min(waveform.frames, count * block)] = waveform.samples[: count * block]
    power = (padded.reshape(count, -1) ** 2).mean(axis=1)
    return power_to_db(power + db_to_power(SILENT_DB))


def _level_db(samples: NDArray[np.floating]) -> float:
    power = float((samples.astype(np.float64) ** 2).mean())
    return power_to_db(power + db_to_power(SILENT_DB))
