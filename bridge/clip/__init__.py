"""From generated audio to a clip: clicks out, on the grid, exact bars, a closed loop, one loudness.

This package does not know where the audio comes from or where it goes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from bridge.audio import Waveform
from bridge.chroma import STEP_SECONDS
from bridge.clip.clicks import Click, find_clicks, repaired
from bridge.clip.fit import fit_surplus_seconds, fit_to_grid, played_tempo
from bridge.clip.loop import (
    FADE_SECONDS,
    LATE_SECONDS,
    close_loop,
    opening_silence_seconds,
    stretched_loop,
)
from bridge.clip.loudness import normalised
from bridge.clip.onsets import find_onsets
from bridge.clip.rank import Ranked, rank
from bridge.errors import BadArgument
from bridge.timing import Meter, bars_to_frames, bars_to_seconds

__all__ = [
    "FinishedClip",
    "Ranked",
    "finish",
    "played_tempo",
    "rank",
    "stretched_loop",
    "surplus_seconds",
]

PREROLL_SECONDS = 0.0015
"""Audio kept before the bar line at which a clip is cut, so that its attack is complete."""
LOWEST_SAMPLE_RATE = 8000


@dataclass(frozen=True, eq=False)
class FinishedClip:
    """A clip ready to be written.

    Attributes:
        waveform: stereo, exactly the bars' frames at the target rate, finite.
        beat_offset_ms: median distance of its onsets to the sixteenth grid; None without onsets.
        fitted: whether a pulse was found and put on the grid.
        stretch_ratio: clip duration over source duration; 1 when not stretched.
        source_offset_seconds: position of its first bar line in the generated audio.
        loudness_lufs: integrated loudness; None when under 0.4 s or silent.
        true_peak_dbtp: true peak; −inf when silent.
        clicks: bursts in one channel that were found in the generated audio, and repaired.
        remarks: what a person should know about how it was made.
    """

    waveform: Waveform
    beat_offset_ms: float | None
    fitted: bool
    stretch_ratio: float
    source_offset_seconds: float
    loudness_lufs: float | None
    true_peak_dbtp: float
    clicks: int = 0
    remarks: tuple[str, ...] = ()


def finish(
    waveform: Waveform,
    *,
    bars: int,
    tempo_bpm: Fraction,
    meter: Meter,
    sample_rate: int,
    melody_classes: NDArray[np.int64] | None = None,
) -> FinishedClip:
    """Make a clip from generated audio.

    Args:
        waveform: any rate and channels; best `surplus_seconds` longer than the clip. With less,
            the search is narrower and the loop's fade shorter; if it is too short, silence is
            added at the end.
        bars: length of the clip, positive.
        tempo_bpm: tempo of the clip.
        meter: meter of the clip.
        sample_rate: Hz of the clip, 8000 or more.
        melody_classes: int64 `[steps]`, the pitch class of the conditioning melody at each 128 ms
            of the clip, −1 at rests; None without a melody.

    Raises:
        BadArgument: less than one bar, or too low a rate.
    """
    if bars < 1:
        raise BadArgument(f"{bars} bars: a clip has at least 1")
    if sample_rate < LOWEST_SAMPLE_RATE:
        raise BadArgument(f"a clip has {LOWEST_SAMPLE_RATE} Hz or more, got {sample_rate}")
    # First: a click would count as an onset, and hold the gain of the whole clip down.
    generated = waveform.stereo()
    clicks = find_clicks(generated)
    played = fit_to_grid(
        repaired(generated, clicks),
        bars=bars,
        tempo_bpm=tempo_bpm,
        meter=meter,
        melody_classes=melody_classes,
    )
    start, offset, remarks = played.start_seconds, played.source_offset_seconds, played.remarks
    if not played.fitted:
        clip_seconds = float(bars_to_seconds(bars, meter, tempo_bpm))
        start = offset = _latency_seconds(played.waveform, clip_seconds, melody_classes)
        if start > 0:
            remarks += (f"nothing sounded for the first {start * 1000:.0f} ms: cut",)
    loop = close_loop(
        played.waveform.resampled(sample_rate),
        start_frame=round((start - PREROLL_SECONDS if start > 0 else start) * sample_rate),
        frames=bars_to_frames(bars, meter, tempo_bpm, sample_rate),
        on_beat=played.fitted,
    )
    loud = normalised(loop.waveform)
    return FinishedClip(
        waveform=loud.waveform,
        beat_offset_ms=beat_offset_ms(loud.waveform, tempo_bpm),
        fitted=played.fitted,
        stretch_ratio=played.stretch_ratio,
        source_offset_seconds=offset,
        loudness_lufs=loud.loudness_lufs,
        true_peak_dbtp=loud.true_peak_dbtp,
        clicks=len(clicks),
        remarks=_click_remarks(clicks) + remarks + loop.remarks + loud.remarks,
    )


def _click_remarks(clicks: Sequence[Click]) -> tuple[str, ...]:
    if not clicks:
        return ()
    counted = "1 click" if len(clicks) == 1 else f"{len(clicks)} clicks"
    return (f"{counted} in one channel: repaired with the other",)


def _latency_seconds(
    waveform: Waveform, clip_seconds: float, melody_classes: NDArray[np.int64] | None
) -> float:
    """Time by which the sound begins later than its melody, limited to the surplus audio.

    0 for a delay of at most `LATE_SECONDS`: the loop's seam covers that.
    """
    sounding = np.flatnonzero(melody_classes >= 0) if melody_classes is not None else np.zeros(1)
    rest = float(sounding[0]) * STEP_SECONDS if sounding.size else 0.0
    late = opening_silence_seconds(waveform) - rest
    spare = waveform.seconds - clip_seconds
    return min(late, spare) if late > LATE_SECONDS and spare > 0 else 0.0


def surplus_seconds(bars: int, tempo_bpm: Fraction, meter: Meter) -> float:
    """Audio to generate beyond the clip's length, for fitting it and for closing the loop."""
    return fit_surplus_seconds(bars, tempo_bpm, meter) + FADE_SECONDS


def beat_offset_ms(clip: Waveform, tempo_bpm: Fraction) -> float | None:
    """Median distance of a looping clip's onsets to its sixteenth grid; None without onsets."""
    times = find_onsets(clip, loops=True).times
    if not times.size:
        return None
    sixteenth = float(15 / tempo_bpm)
    away = np.abs(times - np.round(times / sixteenth) * sixteenth)
    return float(np.median(away)) * 1000
