"""Pictures of clips and takes as SVG, for a page: a waveform or notes, over a chromagram.

The page's style gives the colours: `.wave` is the waveform, `.c1` to `.c4` are the shades of the
chromagram, and `.bar` the bar lines.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from bridge.audio import MODEL_SAMPLE_RATE, Waveform
from bridge.rendering.chromagram import chromagram
from bridge.timing import Note

WIDTH, WAVE_HEIGHT, ROW_HEIGHT = 400, 48, 5
HEIGHT = WAVE_HEIGHT + 12 * ROW_HEIGHT
_COLUMNS = 100
"""Most steps of the chromagram; half of the columns of the waveform."""
_SHADES = (0.06, 0.15, 0.3, 0.55)
"""From where on a pitch class has each of the four shades."""
_MOST_BAR_LINES = 64


def sound_svg(waveform: Waveform, bars: float) -> str:
    """A waveform over its chromagram.

    Args:
        waveform: one frame or more.
        bars: how many bars it has; 0: not known.
    """
    mono = waveform.mono()
    return _svg(_wave_path(mono) + _chroma_paths(mono), bars)


def notes_svg(notes: Sequence[Note], end_beats: float, bars: float) -> str:
    """Notes by their pitch, over their pitch classes.

    Args:
        notes: one or more.
        end_beats: the picture's end, after the first note's start.
    """
    lowest = min(note.pitch for note in notes)
    reach = max(max(note.pitch for note in notes) - lowest, 11)
    roll, classes = [], []
    for note in notes:
        left = round(WIDTH * float(note.start_beat) / end_beats)
        width = max(1, round(WIDTH * float(note.length_beats) / end_beats))
        top = round((WAVE_HEIGHT - 4) * (1 - (note.pitch - lowest) / reach))
        roll.append(f"M{left} {top}h{width}v3h-{width}z")
        classes.append(_cell(left, width, note.pitch % 12))
    return _svg(
        f'<path class="wave" d="{"".join(roll)}"/><path class="c4" d="{"".join(classes)}"/>', bars
    )


def _svg(content: str, bars: float) -> str:
    lines = ""
    if 1 <= bars <= _MOST_BAR_LINES:
        lefts = (round(WIDTH * bar / bars) for bar in range(1, math.ceil(bars)))
        lines = f'<path class="bar" d="{"".join(f"M{left} 0v{HEIGHT}" for left in lefts)}"/>'
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" aria-hidden="true">'
        f"{content}{lines}</svg>"
    )


def _wave_path(mono: Waveform) -> str:
    """The outline of the waveform: its highest samples to the right, its lowest back again."""
    samples = mono.samples[:, 0]
    columns = min(2 * _COLUMNS, len(samples))
    edges = np.arange(columns) * len(samples) // columns
    low, high = np.minimum.reduceat(samples, edges), np.maximum.reduceat(samples, edges)
    scale = (WAVE_HEIGHT / 2 - 1) / max(float(np.abs(samples).max()), 1e-6)
    step = WIDTH / columns
    points = [(step * index, float(value)) for index, value in enumerate(high)]
    points += [(step * index, float(value)) for index, value in reversed(list(enumerate(low)))]
    middle = WAVE_HEIGHT / 2
    path = "L".join(f"{x:.0f} {middle - scale * y:.1f}" for x, y in points)
    return f'<path class="wave" d="M{path}z"/>'


def _chroma_paths(mono: Waveform) -> str:
    """A path for each shade; runs of one shade in a row are one rectangle."""
    frames = math.ceil(mono.seconds * MODEL_SAMPLE_RATE)
    shades = chromagram(mono, max(1, math.ceil(frames / _COLUMNS)))
    levels = np.searchsorted(_SHADES, shades)
    steps = len(levels)
    paths: dict[int, list[str]] = {level: [] for level in range(1, len(_SHADES) + 1)}
    for pitch_class in range(12):
        row = levels[:, pitch_class]
        starts = np.flatnonzero(np.diff(row, prepend=-1))
        for start, end in zip(starts, [*starts[1:], steps], strict=True):
            if level := int(row[start]):
                left, right = round(WIDTH * start / steps), round(WIDTH * end / steps)
                paths[level].append(_cell(left, right - left, pitch_class))
    return "".join(
        f'<path class="c{level}" d="{"".join(cells)}"/>' for level, cells in paths.items() if cells
    )


def _cell(left: int, width: int, pitch_class: int) -> str:
    """A rectangle in a pitch class's row, C at the bottom."""
    top = WAVE_HEIGHT + ROW_HEIGHT * (11 - pitch_class)
    return f"M{left} {top}h{width}v{ROW_HEIGHT}h-{width}z"
