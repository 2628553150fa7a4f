"""Loudness of a clip, and the gain and the limiter that make all clips equally loud."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import soxr
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from bridge.audio import Waveform, amplitude_to_db, db_to_amplitude, db_to_power, power_to_db
from bridge.clip.limiter import OVERSAMPLING, frame_peaks, limited

TARGET_LUFS = -14.0
CEILING_DBTP = -1.0
MARGIN_DB = 0.1
"""Margin below the ceiling: meters interpolate differently, and 24 bits round."""
SILENT_DBTP = -80.0
"""A clip whose true peak is below this counts as silent, and is not made louder."""
BLOCK_SECONDS = 0.4
"""ITU-R BS.1770-4 measures loudness in blocks of this length; a shorter clip has none."""
STEP_SECONDS = 0.1
BLOCK_STEPS = 4
"""A block begins every step, and takes so many of them."""
OFFSET_LUFS = -0.691
ABSOLUTE_GATE_LUFS = -70.0
RELATIVE_GATE_LU = -10.0
"""Blocks below the absolute gate do not count, nor blocks so far below the mean of the others."""
LOUDNESS_TOLERANCE_LU = 1.0
"""A clip further below −14 LUFS than this has a remark."""
HIGHEST_REDUCTION_DB = 6.0
"""The most that the limiter takes off a peak: beyond that a drum's attack is audibly flattened."""
GAIN_STEPS = 4
"""Corrections of the gain: what the limiter takes off is missing in the loudness."""
EXACT_LU = 0.05
"""A correction smaller than this is not worth another round."""
NEAR_PEAK_DB = 1.0
"""The true peak of a limited clip is where its frames' peaks are expected within this of the
highest: the limiter's moving gain shifts them by a tenth of it."""
_REST_FRAMES = 256
_PIECE_FRAMES = 256
_WHOLE_FRAMES, _FADE_FRAMES = 64, 64
"""Frames on both sides of a piece that is oversampled alone; then it fades."""
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
        amplified = peaks * db_to_amplitude(gain_db)
        waveform, moving = limited(_amplified(loudest, gain_db), amplified, ceiling)
        amplified *= moving
        near = amplified > amplified.max() * db_to_amplitude(-NEAR_PEAK_DB)
        true_peak = true_peak_dbtp(waveform, near)
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
    power = _block_power(waveform)
    # Gates of BS.1770-4: absolute, then relative to what is above that.
    power = power[power >= _lufs_to_power(ABSOLUTE_GATE_LUFS)]
    if not power.size:
        return None
    relative = float(power.mean()) * db_to_power(RELATIVE_GATE_LU)
    return float(power_to_db(power[power > relative].mean())) + OFFSET_LUFS


def _lufs_to_power(lufs: float) -> float:
    return db_to_power(lufs - OFFSET_LUFS)


def _block_power(waveform: Waveform) -> NDArray[np.float64]:
    """K-weighted power of each block of 0.4 s, a block every 0.1 s; the channels' sum, `[blocks]`.

    Args:
        waveform: a block or more.
    """
    # Importing scipy takes half a second: a request that is refused must not wait for that.
    from scipy.signal import sosfilt

    rate = waveform.sample_rate
    count = 1 + round((waveform.seconds - BLOCK_SECONDS) / STEP_SECONDS)
    steps = count - 1 + BLOCK_STEPS
    edges = (np.arange(steps) * STEP_SECONDS * rate).astype(int)
    of_step = np.zeros(steps)
    sections = _k_weighting(rate)
    for channel in waveform.samples.T:
        weighted = sosfilt(sections, channel.astype(np.float64))
        np.square(weighted, out=weighted)
        of_step += np.add.reduceat(weighted[: int(steps * STEP_SECONDS * rate)], edges)
    power: NDArray[np.float64] = sliding_window_view(of_step, BLOCK_STEPS).sum(axis=1)
    return power / (BLOCK_SECONDS * rate)


@lru_cache(maxsize=4)
def _k_weighting(sample_rate: int) -> NDArray[np.float64]:
    """The filters of BS.1770-4 as second-order sections, `[2, 6]`."""
    from pyloudnorm.iirfilter import IIRfilter

    high_shelf = IIRfilter(4.0, 1 / np.sqrt(2), 1500.0, sample_rate, "high_shelf")
    high_pass = IIRfilter(0.0, 0.5, 38.0, sample_rate, "high_pass")
    return np.array([[*each.b, *each.a] for each in (high_shelf, high_pass)])


def true_peak_dbtp(waveform: Waveform, near: NDArray[np.bool_] | None = None) -> float:
    """The true peak in dB of full scale, played once as well as looped; −inf when silent.

    Args:
        near: bool `[frames]`, the frames that the peak is among, where that is known: a few take
            a fraction of the time.
    """
    samples = waveform.samples
    peak = _peak(samples)
    if peak == 0.0:
        return -np.inf
    rest = np.zeros((_REST_FRAMES, waveform.channels), dtype=np.float32)
    pieces: Iterable[NDArray[np.float32]]
    if near is None:
        starts = range(0, waveform.frames, _FRAMES_AT_ONCE)
        pieces = [samples[start : start + _FRAMES_AT_ONCE] for start in starts]
    else:
        pieces = _faded_pieces(samples, near)
    seam = [samples[-_REST_FRAMES:], samples[:_REST_FRAMES]]
    finer = soxr.ResampleStream(1, OVERSAMPLING, waveform.channels, "float32", "HQ")
    for piece in (rest, *pieces, rest, *seam, rest):
        peak = max(peak, _peak(finer.resample_chunk(piece)))
    last = finer.resample_chunk(rest[:0], last=True)
    return amplitude_to_db(max(peak, _peak(last)))


def _faded_pieces(
    samples: NDArray[np.float32], near: NDArray[np.bool_]
) -> Iterator[NDArray[np.float32]]:
    """The pieces of a clip with these frames, and its ends; they fade, so that none is cut."""
    frames, channels = samples.shape
    fade = np.sin((np.arange(_FADE_FRAMES) + 0.5) / _FADE_FRAMES * np.pi / 2) ** 2
    inner = np.ones(_PIECE_FRAMES + 2 * _WHOLE_FRAMES)
    gain = np.concatenate([fade, inner, fade[::-1]]).astype(np.float32)[:, None]
    numbers = {0, (frames - 1) // _PIECE_FRAMES, *(np.flatnonzero(near) // _PIECE_FRAMES).tolist()}
    for number in sorted(numbers):
        start = number * _PIECE_FRAMES - _WHOLE_FRAMES - _FADE_FRAMES
        end = min(start + len(gain), frames)
        # Silence is around the clip.
        before = max(0, -start)
        piece = np.zeros((len(gain), channels), dtype=np.float32)
        piece[before : end - start] = samples[start + before : end]
        yield piece * gain


def _peak(samples: NDArray[np.float32]) -> float:
    return max(float(samples.max(initial=0.0)), -float(samples.min(initial=0.0)))


def _amplified(waveform: Waveform, gain_db: float) -> Waveform:
    gain = np.float32(db_to_amplitude(gain_db))
    return Waveform(waveform.samples * gain, waveform.sample_rate)
