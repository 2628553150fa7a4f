"""The picture of a render: melody and clip, waveforms over chromagrams, on a grid of bars."""

from __future__ import annotations

import io
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bridge.audio import MODEL_SAMPLE_RATE, Waveform
from bridge.chroma import STEP_SECONDS, WINDOW, chroma_filter_bank
from bridge.spectrum import power_spectrogram
from bridge.timing import Meter, Note, bars_to_seconds

_PITCH_CLASSES = ("C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B")
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
    """

    title: str
    source: Waveform | tuple[Note, ...]
    tempo_bpm: Fraction
    meter: Meter
    bars: float
    classes: NDArray[np.int64] | None = None

    @property
    def bar_seconds(self) -> float:
        """Duration of one bar."""
        return float(bars_to_seconds(1, self.meter, self.tempo_bpm))


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
    mono = waveform.mono().resampled(MODEL_SAMPLE_RATE).samples[:, 0]
    starts = np.arange(0, len(mono) + 1, _HOP)
    bank = chroma_filter_bank()
    energy = power_spectrogram(
        np.pad(mono, WINDOW // 2), np.hanning(WINDOW), starts, lambda power: power @ bank.T
    )
    # Between amplitude, which makes everything grey, and energy, which shows only one class.
    shade = (energy / max(float(energy.max()), 1e-12)).T ** 0.75
    end = len(starts) * _HOP / MODEL_SAMPLE_RATE / column.bar_seconds
    axes.imshow(
        shade,
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
    """Draw a frame around each run of one pitch class."""
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
        axes.barh(
            classes[start],
            right - left,
            left=left,
            height=1,
            fill=False,
            edgecolor=_COLOURS[0],
            linewidth=1.2,
        )


def _dress(upper: Axes, lower: Axes, column: Column) -> None:
    upper.set_yticks([])
    lower.set_yticks(range(12), _PITCH_CLASSES, fontsize=7, color=_INK)
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
