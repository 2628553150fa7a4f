"""The picture of a render: melody and clip, waveforms over chromagrams, on a grid of bars."""

from __future__ import annotations

import io
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bridge.audio import MODEL_SAMPLE_RATE, Waveform
from bridge.chroma import PITCH_NAMES, STEP_SECONDS
from bridge.rendering.chromagram import chromagram
from bridge.timing import Meter, Note, bars_to_seconds

if TYPE_CHECKING:
    from bridge.rendering.plan import RenderPlan
    from bridge.rendering.render import RankedClip

_INK = "#22303c"
_COLOURS = ("#c2571a", "#1f6f8b")
_COLUMNS_PER_BAR = 400
_HOP = 1024


@dataclass(frozen=True, eq=False)
class Column:
    """One of the picture's columns.

    Attributes:
        title: text above the column.
        source: the sound, or the notes.
        tempo_bpm, meter: tempo and meter of the bars.
        bars: number of bars shown, from the start.
        classes: int64 `[steps of 128 ms]`, −1 for none: pitch classes to outline in the chromagram,
            such as the melody's in the clip's; None: no outlines.
        notes: to outline there too, such as those that were meant by a recording.
    """

    title: str
    source: Waveform | tuple[Note, ...]
    tempo_bpm: Fraction
    meter: Meter
    bars: float
    classes: NDArray[np.int64] | None = None
    notes: tuple[Note, ...] = ()

    @property
    def bar_seconds(self) -> float:
        """Duration of one bar."""
        return float(bars_to_seconds(1, self.meter, self.tempo_bpm))


def picture_of(plan: RenderPlan, best: RankedClip) -> bytes:
    """The melody beside the best clip, its notes outlined in the chromagrams of both; a PNG."""
    bars = float(plan.clip_seconds / bars_to_seconds(1, plan.meter, plan.tempo_bpm))
    columns = []
    if plan.take is not None:
        tempo_bpm = plan.take.tempo_bpm or plan.tempo_bpm
        source = plan.take.from_first_bar_line().source
        heard = plan.notes if isinstance(source, Waveform) else None
        columns.append(
            Column(
                f"melody: {plan.take.name}",
                source,
                tempo_bpm,
                plan.meter,
                bars,
                notes=heard or (),
            )
        )
    title = f"clip: seed {best.seed}"
    if best.melody_similarity is not None:
        title += f", melody similarity {best.melody_similarity:.2f}"
    classes = plan.aligned.classes if plan.aligned is not None else None
    clip = best.finished.waveform
    columns.append(Column(title, clip, plan.tempo_bpm, plan.meter, bars, classes))
    return draw(columns)


def draw(columns: list[Column]) -> bytes:
    """Draw the columns side by side, each a waveform (or notes) over a chromagram.

    Returns:
        A PNG, 1600 pixels wide for two columns.
    """
    figure = Figure(figsize=(0.5 + 5.25 * len(columns), 4.6), dpi=145, layout="constrained")
    axes = figure.subplots(2, len(columns), squeeze=False, sharex="col", height_ratios=(1, 1.6))
    for index, column in enumerate(columns):
        upper, lower = axes[0, index], axes[1, index]
        colour = _COLOURS[(index - len(columns)) % len(_COLOURS)]
        upper.set_title(column.title, loc="left", fontsize=10, color=_INK)
        if isinstance(column.source, Waveform):
            _draw_waveform(upper, column, column.source, colour)
            _draw_chromagram(lower, column, column.source)
        else:
            _draw_notes(upper, column, column.source, colour)
            _draw_note_classes(lower, column, column.source, colour)
        _draw_outlines(lower, column)
        _dress(upper, lower, column)
    png = io.BytesIO()
    # Without date and version, the same clip gives the same file.
    figure.savefig(png, format="png", metadata={"Software": None})
    return png.getvalue()


def _draw_waveform(axes: Axes, column: Column, waveform: Waveform, colour: str) -> None:
    """Draw the lowest and highest sample of each pixel column, approximately."""
    mono = waveform.mono().samples[:, 0]
    count = max(min(round(column.bars * _COLUMNS_PER_BAR), len(mono)), 1)
    edges = np.linspace(0, len(mono), count, endpoint=False).astype(np.int64)
    if not len(mono):
        return
    bars = edges / waveform.sample_rate / column.bar_seconds
    low, high = np.minimum.reduceat(mono, edges), np.maximum.reduceat(mono, edges)
    axes.fill_between(bars, low, high, color=colour, linewidth=0.4)
    reach = max(float(np.abs(mono).max()), 1e-6)
    axes.set_ylim(-1.05 * reach, 1.05 * reach)


def _draw_chromagram(axes: Axes, column: Column, waveform: Waveform) -> None:
    """Draw the relative energy of each pitch class, in finer steps than the model's."""
    shades = chromagram(waveform, _HOP)
    end = len(shades) * _HOP / MODEL_SAMPLE_RATE / column.bar_seconds
    axes.imshow(
        shades.T,
        extent=(0, end, -0.5, 11.5),
        origin="lower",
        aspect="auto",
        cmap="bone_r",
        vmin=0,
        vmax=0.6,
        interpolation="nearest",
    )


def _draw_notes(axes: Axes, column: Column, notes: tuple[Note, ...], colour: str) -> None:
    per_bar = column.meter.beats_per_bar
    for note in notes:
        start, length = float(note.start_beat / per_bar), float(note.length_beats / per_bar)
        axes.barh(note.pitch, length, left=start, height=0.9, color=colour)


def _draw_note_classes(axes: Axes, column: Column, notes: tuple[Note, ...], colour: str) -> None:
    per_bar = column.meter.beats_per_bar
    for note in notes:
        start, length = float(note.start_beat / per_bar), float(note.length_beats / per_bar)
        axes.barh(note.pitch % 12, length, left=start, height=1, color=colour)


def _draw_outlines(axes: Axes, column: Column) -> None:
    """Draw a frame around each run of one pitch class, and around each note."""
    per_bar = column.meter.beats_per_bar
    for note in column.notes:
        left = float(note.start_beat / per_bar)
        _draw_frame(axes, note.pitch % 12, left, left + float(note.length_beats / per_bar))
    if column.classes is None:
        return
    classes = column.classes
    starts = np.flatnonzero(np.diff(classes, prepend=-2))
    ends = np.append(starts[1:], len(classes))
    for start, end in zip(starts, ends, strict=True):
        if classes[start] < 0:
            continue
        # A step is centred on its time.
        left, right = (
            max((step - 0.5) * STEP_SECONDS / column.bar_seconds, 0) for step in (start, end)
        )
        _draw_frame(axes, int(classes[start]), left, right)


def _draw_frame(axes: Axes, pitch_class: int, left: float, right: float) -> None:
    axes.barh(
        pitch_class,
        right - left,
        left=left,
        height=1,
        fill=False,
        edgecolor=_COLOURS[0],
        linewidth=1.2,
    )


def _dress(upper: Axes, lower: Axes, column: Column) -> None:
    upper.set_yticks([])
    lower.set_yticks(range(12), PITCH_NAMES, fontsize=7, color=_INK)
    lower.set_ylim(-0.5, 11.5)
    lower.set_xlabel("bar", fontsize=8, color=_INK)
    bars = np.arange(0, np.ceil(column.bars))
    lower.set_xticks(bars, [f"{bar + 1:.0f}" for bar in bars], fontsize=7, color=_INK)
    lower.set_xlim(0, column.bars)
    for axes in (upper, lower):
        axes.grid(axis="x", color=_INK, alpha=0.25, linewidth=0.6)
        for spine in axes.spines.values():
            spine.set_edgecolor(_INK)
            spine.set_alpha(0.4)
