"""Loudness of a clip, and the gain that makes all clips equally loud.

It is a gain and not a limiter: a limiter across the seam would have to know that the clip loops,
and a drum's attack is worth more than a decibel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import soxr
from numpy.typing import NDArray

from bridge.audio import Waveform, amplitude_to_db, db_to_amplitude

TARGET_LUFS = -14.0
CEILING_DBTP = -1.0
MARGIN_DB = 0.1
"""Margin below the ceiling: meters interpolate differently, and 24 bits round."""
SILENT_DBTP = -80.0
"""A clip whose true peak is below this counts as silent, and is not made louder."""
BLOCK_SECONDS = 0.4
"""ITU-R BS.1770 measures loudness in blocks of this length; a shorter clip has none."""
OVERSAMPLING = 4
"""ITU-R BS.1770-4, annex 2: true peak at 48 kHz."""
_REST_FRAMES = 256
_FRAMES_AT_ONCE = 65_536
"""Oversampled at once: all of minutes of audio would take gigabytes."""


@dataclass(frozen=True, eq=False)
class Loud:
    """A clip at its final level.

    Attributes:
        waveform: the clip.
        loudness_lufs: integrated loudness; None for one under 0.4 s, or silent.
        true_peak_dbtp: greatest level, between samples too; −inf when silent.
    """

    waveform: Waveform
    loudness_lufs: float | None
    true_peak_dbtp: float


def normalised(waveform: Waveform) -> Loud:
    """Bring a clip to −14 LUFS, or as near as a true peak of −1 dBTP allows; leave silence alone.

    A clip shorter than 0.4 s has no loudness: its true peak becomes −1 dBTP. A clip below −80 dBTP
    counts as silent.
    """
    peak = true_peak_dbtp(waveform)
    if peak < SILENT_DBTP:
        return Loud(waveform, None, peak)
    loudest = _amplified(waveform, CEILING_DBTP - MARGIN_DB - peak)
    # Measured at that level: BS.1770 drops blocks below −70 LUFS, which would gate a quiet clip.
    loudness = loudness_lufs(loudest)
    too_loud = 0.0 if loudness is None else max(0.0, loudness - TARGET_LUFS)
    return Loud(
        _amplified(loudest, -too_loud),
        None if loudness is None else loudness - too_loud,
        CEILING_DBTP - MARGIN_DB - too_loud,
    )


def loudness_lufs(waveform: Waveform) -> float | None:
    """Integrated loudness (ITU-R BS.1770-4); None under 0.4 s, or below −70 LUFS throughout."""
    if waveform.seconds < BLOCK_SECONDS:
        return None
    # Importing scipy takes half a second: a request that is refused must not wait for that.
    from pyloudnorm import Meter as LoudnessMeter

    meter = LoudnessMeter(waveform.sample_rate, block_size=BLOCK_SECONDS)
    loudness = float(meter.integrated_loudness(waveform.samples.astype(np.float64)))
    return loudness if np.isfinite(loudness) else None


def true_peak_dbtp(waveform: Waveform) -> float:
    """The true peak in dB of full scale, played once as well as looped; −inf when silent."""
    samples = waveform.samples
    peak = _peak(samples)
    if peak == 0.0:
        return -np.inf
    rest = np.zeros((_REST_FRAMES, waveform.channels), dtype=np.float32)
    starts = range(0, waveform.frames, _FRAMES_AT_ONCE)
    once = [samples[start : start + _FRAMES_AT_ONCE] for start in starts]
    seam = [samples[-_REST_FRAMES:], samples[:_REST_FRAMES]]
    finer = soxr.ResampleStream(1, OVERSAMPLING, waveform.channels, "float64", "VHQ")
    for piece in (rest, *once, rest, *seam, rest):
        peak = max(peak, _peak(finer.resample_chunk(piece.astype(np.float64))))
    last = finer.resample_chunk(np.zeros((0, waveform.channels)), last=True)
    return amplitude_to_db(max(peak, _peak(last)))


def _peak(samples: NDArray[np.float32] | NDArray[np.float64]) -> float:
    return float(np.abs(samples).max(initial=0.0))


def _amplified(waveform: Waveform, gain_db: float) -> Waveform:
    gain = np.float32(db_to_amplitude(gain_db))
    return Waveform(waveform.samples * gain, waveform.sample_rate)
