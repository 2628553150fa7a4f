"""From generated audio to a clip: clicks out, on the grid, exact bars, a closed loop, one loudness.

This package does not know where the audio comes from or where it goes.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from bridge.audio import Waveform
from bridge.clip.clicks import find_clicks, without_clicks
from bridge.clip.early_end import EarlyEnd
from bridge.clip.fit import (
    Fitted,
    bring_to_grid,
    fit_surplus_seconds,
    fit_to_grid,
    played_tempo,
)
from bridge.clip.loop import (
    FADE_SECONDS,
    close_loop,
    joined,
    late_seconds,
    stretched_loop,
)
from bridge.clip.loudness import loudness_lufs, normalised, true_peak_dbtp
from bridge.clip.onsets import find_onsets
from bridge.clip.rank import rank, why_last
from bridge.clip.score import ScoreParts, score_clip, score_raw
from bridge.errors import BadArgument
from bridge.timing import Meter, bars_to_frames, bars_to_seconds

__all__ = [
    "EarlyEnd",
    "FinishedClip",
    "ScoreParts",
    "finish",
    "finish_raw",
    "joined",
    "loop_surplus_seconds",
    "played_tempo",
    "rank",
    "stretched_loop",
    "surplus_seconds",
    "why_last",
]

PREROLL_SECONDS = 0.0015
"""Audio kept before the bar line at which a clip is cut, so that its attack is complete."""
LOWEST_SAMPLE_RATE = 8000


@dataclass(frozen=True, eq=False)
class FinishedClip:
    """A clip ready to be written.

    Attributes:
        waveform: stereo, exactly the bars' frames at the target rate, finite. Of a raw clip, as
            the model made it.
        beat_offset_ms: median distance of its onsets to the sixteenth grid; None without onsets.
        fitted: whether a pulse was found and put on the grid.
        stretch_ratio: clip duration over source duration; 1 when not stretched.
        source_offset_seconds: position of its first bar line in the generated audio.
        loudness_lufs: integrated loudness; None when under 0.4 s or silent.
        true_peak_dbtp: true peak; −inf when silent.
        score: what it is ranked by among variations.
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
    score: ScoreParts
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
    on_grid: bool = False,
    end: EarlyEnd | None = None,
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
        on_grid: the waveform is at the tempo, with a bar line at its start: its timing stays.
        end: what was found while the waveform was made; None: nothing was.

    Raises:
        BadArgument: less than one bar, or too low a rate.
    """
    if bars < 1:
        raise BadArgument(f"{bars} bars: a clip has at least 1")
    if sample_rate < LOWEST_SAMPLE_RATE:
        raise BadArgument(f"a clip has {LOWEST_SAMPLE_RATE} Hz or more, got {sample_rate}")
    # First: a click would count as an onset, and hold the gain of the whole clip down.
    generated = waveform.stereo()
    mended, clicks = without_clicks(generated)
    if on_grid:
        played = Fitted(mended, fitted=True)
    elif end is not None and end.frames is not None:
        played = bring_to_grid(mended, end.grid, bars=bars, tempo_bpm=tempo_bpm, meter=meter)
    else:
        played = fit_to_grid(
            mended,
            bars=bars,
            tempo_bpm=tempo_bpm,
            meter=meter,
            melody_classes=melody_classes,
        )
    start, offset, remarks = played.start_seconds, played.source_offset_seconds, played.remarks
    if not played.fitted:
        clip_seconds = float(bars_to_seconds(bars, meter, tempo_bpm))
        spare_seconds = played.waveform.seconds - clip_seconds
        late = late_seconds(played.waveform, melody_classes)
        start = offset = max(0.0, min(late, spare_seconds))
        if start > 0:
            remarks += (f"nothing sounded for the first {start * 1000:.0f} ms: cut",)
    loop = close_loop(
        played.waveform.resampled(sample_rate),
        start_frame=round((start - PREROLL_SECONDS if start > 0 else start) * sample_rate),
        frames=bars_to_frames(bars, meter, tempo_bpm, sample_rate),
        on_beat=played.fitted,
    )
    loud = normalised(loop.waveform)
    onsets = find_onsets(loud.waveform, loops=True)
    return FinishedClip(
        waveform=loud.waveform,
        beat_offset_ms=beat_offset_ms(onsets.times, tempo_bpm),
        fitted=played.fitted,
        stretch_ratio=played.stretch_ratio,
        source_offset_seconds=offset,
        loudness_lufs=loud.loudness_lufs,
        true_peak_dbtp=loud.true_peak_dbtp,
        score=score_clip(
            loud.waveform,
            onsets,
            generated,
            clicks=clicks,
            loudness_lufs=loud.loudness_lufs,
            tempo_bpm=tempo_bpm,
            meter=meter,
            melody_classes=melody_classes,
        ),
        clicks=clicks,
        remarks=_click_remarks(clicks) + remarks + loop.remarks + loud.remarks,
    )


def finish_raw(
    waveform: Waveform,
    *,
    seconds: float | None = None,
    melody_classes: NDArray[np.int64] | None = None,
) -> FinishedClip:
    """Cut generated audio to a length and measure it; no sample is changed.

    Args:
        waveform: any rate and channels.
        seconds: length of the clip, at most; None: all of the waveform.
        melody_classes: as in `finish`.
    """
    frames = None if seconds is None else round(seconds * waveform.sample_rate)
    clip = Waveform(waveform.samples[:frames], waveform.sample_rate)
    clicks = len(find_clicks(clip))
    over = int(np.count_nonzero(np.abs(clip.samples) > 1))
    remarks = (f"{over} samples are over full scale, where the file cuts them",) if over else ()
    return FinishedClip(
        waveform=clip,
        beat_offset_ms=None,
        fitted=False,
        stretch_ratio=1.0,
        source_offset_seconds=0.0,
        loudness_lufs=loudness_lufs(clip),
        true_peak_dbtp=true_peak_dbtp(clip),
        score=score_raw(clip, clicks=clicks, melody_classes=melody_classes),
        clicks=clicks,
        remarks=remarks,
    )


def _click_remarks(clicks: int) -> tuple[str, ...]:
    if not clicks:
        return ()
    counted = "1 click" if clicks == 1 else f"{clicks} clicks"
    return (f"{counted} in one channel: repaired with the other",)


def surplus_seconds(bars: int, tempo_bpm: Fraction, meter: Meter) -> float:
    """Audio to generate beyond the clip's length, for fitting it and for closing the loop."""
    return fit_surplus_seconds(bars, tempo_bpm, meter) + FADE_SECONDS


def loop_surplus_seconds() -> float:
    """The part of it that a clip needs which is on the grid: for closing the loop alone."""
    return FADE_SECONDS


def beat_offset_ms(times: NDArray[np.float64], tempo_bpm: Fraction) -> float | None:
    """Median distance of onsets to the sixteenth grid; None without onsets.

    Args:
        times: float64 `[onsets]`, seconds from the first bar line.
    """
    if not times.size:
        return None
    sixteenth = float(15 / tempo_bpm)
    away = np.abs(times - np.round(times / sixteenth) * sixteenth)
    return float(np.median(away)) * 1000
