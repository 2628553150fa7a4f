"""Loudness of a clip, and the gain and the limiter that make all clips equally loud."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import soxr
from numpy.typing import NDArray

from bridge.audio import Waveform, amplitude_to_db, db_to_amplitude
from bridge.clip.limiter import OVERSAMPLING, frame_peaks, limited

TARGET_LUFS = -14.0
CEILING_DBTP = -1.0
MARGIN_DB = 0.1
"""Margin below the ceiling: meters interpolate differently, and 24 bits round."""
SILENT_DBTP = -80.0
"""A clip whose true peak is below this counts as silent, and is not made louder."""
BLOCK_SECONDS = 0.4
"""ITU-R BS.1770 measures loudness in blocks of this length; a shorter clip has none."""
LOUDNESS_TOLERANCE_LU = 1.0
"""A clip further below −14 LUFS than this has a remark."""
HIGHEST_REDUCTION_DB = 6.0
"""The most that the limiter takes off a peak: beyond that a drum's attack is audibly flattened."""
GAIN_STEPS = 4
"""Corrections of the gain: what the limiter takes off is missing in the loudness."""
EXACT_LU = 0.05
"""A correction smaller than this is not worth another round."""
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
        remarks: what a person should know.
    """

    waveform: Waveform
    loudness_lufs: float | None
    true_peak_dbtp: float
    remarks: tuple[str, ...] = ()


def normalised(waveform: Waveform) -> Loud:
    """Bring a clip to −14 LUFS with a true peak of at most −1 dBTP; leave silence alone.

    The limiter takes at most 6 dB off the peaks. A clip that needs more stays quieter, with a
    remark. A clip shorter than 0.4 s has no loudness: its true peak becomes −1 dBTP. A clip below
    −80 dBTP counts as silent.
    """
    peak = true_peak_dbtp(waveform)
    if peak < SILENT_DBTP:
        return Loud(waveform, None, peak)
    ceiling_dbtp = CEILING_DBTP - MARGIN_DB
    loudest = _amplified(waveform, ceiling_dbtp - peak)
    # Measured at that level: BS.1770 drops blocks below −70 LUFS, which would gate a quiet clip.
    loudness = loudness_lufs(loudest)
    if loudness is None:
        return Loud(loudest, None, ceiling_dbtp)
    gain_db = TARGET_LUFS - loudness
    if gain_db <= 0:
        return Loud(_amplified(loudest, gain_db), TARGET_LUFS, ceiling_dbtp + gain_db)
    return _limited_to_target(loudest, gain_db)


def _limited_to_target(loudest: Waveform, gain_db: float) -> Loud:
    """Amplify a clip that peaks at the ceiling to −14 LUFS, and limit it.

    Args:
        gain_db: what its loudness lacks, over 0.
    """
    ceiling_dbtp = CEILING_DBTP - MARGIN_DB
    ceiling = db_to_amplitude(ceiling_dbtp)
    peaks = frame_peaks(loudest)
    for _ in range(GAIN_STEPS):
        gain_db = min(gain_db, HIGHEST_REDUCTION_DB)
        gain = db_to_amplitude(gain_db)
        waveform = limited(_amplified(loudest, gain_db), peaks * gain, ceiling)
        true_peak = true_peak_dbtp(waveform)
        # The limiter's moving gain can lift a peak between samples by a tenth of a decibel.
        excess_db = max(0.0, true_peak - ceiling_dbtp)
        waveform = _amplified(waveform, -excess_db)
        loudness = loudness_lufs(waveform)
        missing = 0.0 if loudness is None else TARGET_LUFS - loudness
        if abs(missing) < EXACT_LU or (gain_db >= HIGHEST_REDUCTION_DB and missing > 0):
            break
        gain_db += missing
    remarks: tuple[str, ...] = ()
    if missing > LOUDNESS_TOLERANCE_LU:
        remarks = (
            f"its peaks are high: {loudness:.1f} LUFS instead of {TARGET_LUFS:g}, with "
            f"{HIGHEST_REDUCTION_DB:g} dB taken off them",
        )
    return Loud(waveform, loudness, true_peak - excess_db, remarks)


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
