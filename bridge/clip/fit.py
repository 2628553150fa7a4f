"""On the grid: find the pulse and the first bar line, and stretch to the known tempo.

Only where the pulse is sure; otherwise the audio is left as it was made, and that is told.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from python_stretch.Signalsmith import Stretch

from bridge.audio import Waveform
from bridge.chroma import STEP_SECONDS, pitch_classes, similarity
from bridge.clip.downbeat import find_downbeat
from bridge.clip.onsets import find_onsets
from bridge.clip.pulse import TEMPO_RANGE, Pulse, find_pulse
from bridge.timing import Meter, bars_to_seconds

SEARCH_SECONDS = 2.0
"""The first bar line is looked for within a bar, and within this time."""
DRIFT_SECONDS = 0.008
"""A clip that is off by less at its end is not stretched: that is below what one hears, and
stretching costs a little of every attack."""
NEAR_SECONDS = 0.005
"""A bar line this close to the start is the start: nothing is cut."""
SHARPER = 4
"""The melody is compared at a quarter of a chroma step, so that every grid line can be tried."""


@dataclass(frozen=True, eq=False)
class Fitted:
    """What was played, at the known tempo.

    Attributes:
        waveform: all of it, at the rate it had, stretched by `stretch_ratio`.
        fitted: whether the pulse was sure and there was enough to bring onto the grid; False
            leaves the waveform as it was.
        stretch_ratio: seconds out a second in; 1 when it was not stretched.
        start_seconds: the first bar line in `waveform`; negative when it lies before frame 0.
        source_offset_seconds: the same in what was played.
        remarks: what a person should know.
    """

    waveform: Waveform
    fitted: bool = False
    stretch_ratio: float = 1.0
    start_seconds: float = 0.0
    source_offset_seconds: float = 0.0
    remarks: tuple[str, ...] = ()


def played_tempo(waveform: Waveform, tempo_bpm: Fraction, meter: Meter) -> float | None:
    """The tempo in bpm that is played, if it is within ±8 % of that one; None when not sure.

    A piece at half or double the tempo has the same grid, and is found at the tempo itself.
    """
    pulse = find_pulse(find_onsets(waveform), tempo_bpm, meter)
    return None if pulse is None else float(tempo_bpm) * pulse.ratio


def fit_to_grid(
    waveform: Waveform,
    *,
    bars: int,
    tempo_bpm: Fraction,
    meter: Meter,
    melody_classes: NDArray[np.int64] | None = None,
) -> Fitted:
    """Bring what was played to the known tempo, and find its first bar line.

    Args:
        waveform: longer than the clip, by `fit_surplus_seconds` for every search to be possible.
        melody_classes: int64 `[steps]`, the pitch classes of the melody that led it, a step each
            128 ms of the clip, −1 at rests; the bar line is where they fit best.
    """
    onsets = find_onsets(waveform)
    pulse = find_pulse(onsets, tempo_bpm, meter)
    if pulse is None:
        return Fitted(
            waveform,
            remarks=(
                f"no steady pulse near {float(tempo_bpm):g} bpm: the timing is as it was made",
            ),
        )
    clip_seconds = float(bars_to_seconds(bars, meter, tempo_bpm))
    start = find_downbeat(
        waveform,
        onsets,
        pulse,
        meter,
        latest_seconds=min(SEARCH_SECONDS, waveform.seconds - clip_seconds / pulse.ratio),
        likeness=_likeness(waveform, pulse, melody_classes),
    )
    if abs(start) <= NEAR_SECONDS:
        start = 0.0
    away = abs(pulse.ratio - 1)
    ratio = pulse.ratio
    if away * clip_seconds < DRIFT_SECONDS or away < 2 * pulse.ratio_error:
        ratio = 1.0
    if (waveform.seconds - start) * ratio < clip_seconds - 1 / waveform.sample_rate:
        # A hole at the seam is heard before a beat that drifts is.
        return Fitted(
            waveform,
            remarks=(
                "too little was made past the clip to bring it onto the grid: the timing is as it "
                "was made; fewer bars leave room",
            ),
        )
    return Fitted(
        waveform=stretched(waveform, ratio),
        fitted=True,
        stretch_ratio=ratio,
        start_seconds=start * ratio,
        source_offset_seconds=start,
        remarks=_remarks(ratio, start, tempo_bpm),
    )


def fit_surplus_seconds(bars: int, tempo_bpm: Fraction, meter: Meter) -> float:
    """How much longer than the clip the played audio should be: slow playing, and the search."""
    clip_seconds = float(bars_to_seconds(bars, meter, tempo_bpm))
    bar_seconds = float(bars_to_seconds(1, meter, tempo_bpm))
    return clip_seconds * (1 / (1 - TEMPO_RANGE) - 1) + min(bar_seconds, SEARCH_SECONDS)


def stretched(waveform: Waveform, ratio: float) -> Waveform:
    """The same sound, `ratio` times as long, at the same pitch; itself at 1.

    What lies at second t comes to lie at t * ratio, within a millisecond: python-stretch takes
    its own latency out.
    """
    if ratio == 1.0 or waveform.frames == 0:
        return waveform
    stretch = Stretch(0)
    stretch.preset(waveform.channels, waveform.sample_rate)
    # Silence around it, so that the first attack is seen by whole windows as any other is.
    around = stretch.blockSamples()
    stretch.setTimeFactor(1 / ratio)
    samples = np.pad(waveform.samples, ((around, around), (0, 0)))
    out: NDArray[np.float32] = np.asarray(stretch.process(np.ascontiguousarray(samples.T))).T
    frames = round(waveform.frames * ratio)
    begin = round(around * ratio)
    return Waveform(np.ascontiguousarray(out[begin : begin + frames]), waveform.sample_rate)


def _likeness(
    waveform: Waveform, pulse: Pulse, melody_classes: NDArray[np.int64] | None
) -> Callable[[float], float] | None:
    """How like the melody a clip is that begins at that second as played; None without one."""
    if melody_classes is None or not (melody_classes >= 0).any():
        return None
    step = Fraction(1 / pulse.ratio).limit_denominator(10**6)
    classes = pitch_classes(waveform, time_scale=step / SHARPER)
    sharp_seconds = STEP_SECONDS * float(step) / SHARPER

    def likeness(start_seconds: float) -> float:
        first = round(start_seconds / sharp_seconds)
        places = first + SHARPER * np.arange(melody_classes.size)
        return similarity(classes[places.clip(0, classes.size - 1)], melody_classes)

    return likeness


def _remarks(ratio: float, start_seconds: float, tempo_bpm: Fraction) -> tuple[str, ...]:
    remarks = []
    if ratio != 1.0:
        played_bpm = float(tempo_bpm) * ratio
        remarks.append(f"played at {played_bpm:.2f} bpm, stretched to {float(tempo_bpm):g}")
    if start_seconds > 0:
        remarks.append(f"the first bar line was {start_seconds * 1000:.0f} ms in: cut to it")
    return tuple(remarks)
