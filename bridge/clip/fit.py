"""Fitting to the grid: find the pulse and the first bar line, and stretch to the known tempo.

This needs a reliable pulse. Without one the audio stays as it was generated, and a remark says so.
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
from bridge.clip.downbeat import first_lines
from bridge.clip.fft import transform
from bridge.clip.onsets import Onsets, find_onsets
from bridge.clip.pulse import TEMPO_RANGE, Pulse, find_pulse
from bridge.timing import Meter, bars_to_seconds

SEARCH_SECONDS = 2.0
"""The search for the first bar line covers at most a bar, and at most this time."""
DRIFT_SECONDS = 0.008
"""A clip whose end is off by less than this is not stretched: the drift is inaudible, and
stretching weakens every attack a little."""
NEAR_SECONDS = 0.005
"""A bar line this close to the start counts as the start, and nothing is cut."""
SUBSTEPS = 4
"""The melody is compared at a quarter of a chroma step, so that every grid line can be tried."""


@dataclass(frozen=True, eq=False)
class Fitted:
    """Generated audio at the known tempo.

    Attributes:
        waveform: all of the audio, at its own rate, stretched by `stretch_ratio`.
        fitted: whether the pulse was reliable and there was enough audio to bring onto the grid;
            False leaves the waveform unchanged.
        stretch_ratio: output seconds per input second; 1 when it was not stretched.
        start_seconds: the first bar line in `waveform`; negative when it is before frame 0.
        source_offset_seconds: the same before the stretch.
        remarks: what a person should know.
    """

    waveform: Waveform
    fitted: bool = False
    stretch_ratio: float = 1.0
    start_seconds: float = 0.0
    source_offset_seconds: float = 0.0
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class PlayedGrid:
    """Tempo and first bar line of generated audio, in its own seconds.

    Attributes:
        start_seconds: the first bar line; −0.03 or more.
        stretch_ratio: what the audio is to be stretched by; 1: not at all.
        end_error_seconds: standard error of the clip's end, as the tempo gives it.
        tempo_margin: by how much the tempo fits the onsets better than the best other one, as
            `Pulse.margin`.
        line_margin: by how much the first bar line scores better than the best other line, in the
            units of `downbeat.LOW_WEIGHT`; infinite where there is no other.
    """

    start_seconds: float
    stretch_ratio: float
    end_error_seconds: float
    tempo_margin: float
    line_margin: float


def played_tempo(waveform: Waveform, tempo_bpm: Fraction, meter: Meter) -> float | None:
    """The played tempo in bpm, if it is within ±8 % of `tempo_bpm`; None when not reliable.

    A piece at half or double the tempo has the same grid, and is found at `tempo_bpm` itself.
    """
    pulse = find_pulse(find_onsets(waveform), tempo_bpm, meter)
    return None if pulse is None else float(tempo_bpm) * pulse.ratio


def find_grid(
    waveform: Waveform,
    onsets: Onsets | None = None,
    *,
    bars: int,
    tempo_bpm: Fraction,
    meter: Meter,
    melody_classes: NDArray[np.int64] | None = None,
    piece_seconds: float | None = None,
) -> PlayedGrid | None:
    """Find the played tempo and the first bar line; None when no pulse is reliable.

    Args:
        onsets: the waveform's; None: they are to be found.
        bars, tempo_bpm, meter, melody_classes: as for `fit_to_grid`.
        piece_seconds: length of the whole piece, of which the waveform is the beginning; None: the
            waveform is all of it. It limits how late the first bar line may be.
    """
    onsets = find_onsets(waveform) if onsets is None else onsets
    pulse = find_pulse(onsets, tempo_bpm, meter)
    if pulse is None:
        return None
    clip_seconds = float(bars_to_seconds(bars, meter, tempo_bpm))
    whole_seconds = waveform.seconds if piece_seconds is None else piece_seconds
    starts, scores = first_lines(
        waveform,
        onsets,
        pulse,
        meter,
        latest_seconds=min(SEARCH_SECONDS, whole_seconds - clip_seconds / pulse.ratio),
        likeness=_likeness(waveform, pulse, melody_classes),
    )
    best = int(scores.argmax())
    start = float(starts[best])
    if abs(start) <= NEAR_SECONDS:
        start = 0.0
    away = abs(pulse.ratio - 1)
    ratio = pulse.ratio
    if away * clip_seconds < DRIFT_SECONDS or away < 2 * pulse.ratio_error:
        ratio = 1.0
    return PlayedGrid(
        start_seconds=start,
        stretch_ratio=ratio,
        end_error_seconds=pulse.ratio_error * clip_seconds,
        tempo_margin=pulse.margin,
        line_margin=float(scores[best] - np.delete(scores, best).max(initial=-np.inf)),
    )


def fit_to_grid(
    waveform: Waveform,
    *,
    bars: int,
    tempo_bpm: Fraction,
    meter: Meter,
    melody_classes: NDArray[np.int64] | None = None,
) -> Fitted:
    """Bring generated audio to the known tempo, and find its first bar line.

    Args:
        waveform: best `fit_surplus_seconds` longer than the clip, so that every search is possible.
        melody_classes: int64 `[steps]`, the pitch classes of the conditioning melody, a step each
            128 ms of the clip, −1 at rests; they help to find the bar line.
    """
    grid = find_grid(
        waveform, bars=bars, tempo_bpm=tempo_bpm, meter=meter, melody_classes=melody_classes
    )
    return bring_to_grid(waveform, grid, bars=bars, tempo_bpm=tempo_bpm, meter=meter)


def bring_to_grid(
    waveform: Waveform,
    grid: PlayedGrid | None,
    *,
    bars: int,
    tempo_bpm: Fraction,
    meter: Meter,
) -> Fitted:
    """Bring generated audio to the known tempo; without a grid it stays as it is."""
    if grid is None:
        return Fitted(
            waveform,
            remarks=(
                f"no steady pulse near {float(tempo_bpm):g} bpm: the timing is as it was made; "
                "another seed, or drums in the prompt, give one",
            ),
        )
    start, ratio = grid.start_seconds, grid.stretch_ratio
    clip_seconds = float(bars_to_seconds(bars, meter, tempo_bpm))
    if (waveform.seconds - start) * ratio < clip_seconds - 1 / waveform.sample_rate:
        # A hole at the seam is easier to hear than a beat that drifts.
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
    """Audio needed beyond the clip's length, for slow playing and for the search."""
    clip_seconds = float(bars_to_seconds(bars, meter, tempo_bpm))
    bar_seconds = float(bars_to_seconds(1, meter, tempo_bpm))
    return clip_seconds * (1 / (1 - TEMPO_RANGE) - 1) + min(bar_seconds, SEARCH_SECONDS)


def stretched(waveform: Waveform, ratio: float) -> Waveform:
    """Stretch to `ratio` times the length at the same pitch; ratio 1 returns the waveform itself.

    Sound at second t moves to t * ratio, within a millisecond: python-stretch compensates its own
    latency.
    """
    if ratio == 1.0 or waveform.frames == 0:
        return waveform
    stretch = Stretch(0)
    stretch.preset(waveform.channels, waveform.sample_rate)
    # Silence around it: full windows then cover the first attack, as they cover any other.
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
    """Similarity to the melody of a clip that begins at a given second before the stretch.

    None without a melody.
    """
    if melody_classes is None or not (melody_classes >= 0).any():
        return None
    step = Fraction(1 / pulse.ratio).limit_denominator(10**6)
    classes = pitch_classes(waveform, time_scale=step / SUBSTEPS, transform=transform)
    substep_seconds = STEP_SECONDS * float(step) / SUBSTEPS

    def likeness(start_seconds: float) -> float:
        first = round(start_seconds / substep_seconds)
        substeps = first + SUBSTEPS * np.arange(melody_classes.size)
        # Of the beginning of a piece, what there is.
        there = substeps[substeps < classes.size].clip(0)
        return similarity(classes[there], melody_classes)

    return likeness


def _remarks(ratio: float, start_seconds: float, tempo_bpm: Fraction) -> tuple[str, ...]:
    remarks = []
    if ratio != 1.0:
        played_bpm = float(tempo_bpm) * ratio
        remarks.append(f"played at {played_bpm:.2f} bpm, stretched to {float(tempo_bpm):g}")
    if start_seconds > 0:
        remarks.append(f"the first bar line was {start_seconds * 1000:.0f} ms in: cut to it")
    return tuple(remarks)
