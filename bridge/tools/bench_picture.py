"""The picture of a bench: time per decoder step over the position in the piece."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

_COLOURS = ("#1f6f8b", "#c2571a")


def draw(
    ours: Sequence[tuple[float, float]],
    theirs: Sequence[tuple[float, float]],
    figures: dict[str, Any],
) -> bytes:
    """Draw both engines' step times.

    Args:
        ours, theirs: position in decoder steps, and milliseconds per step of all variations.
        figures: the results of the same bench.

    Returns:
        A PNG.
    """
    figure = Figure(figsize=(8, 4), dpi=145, layout="constrained")
    axes = figure.subplots()
    for label, times, colour in (("engine", ours, _COLOURS[0]), ("generate", theirs, _COLOURS[1])):
        positions = [position for position, _ in times]
        heights = [milliseconds for _, milliseconds in times]
        axes.plot(positions, heights, color=colour, lw=1.2, marker="o", ms=2.5)
        if times:
            axes.annotate(label, times[-1], xytext=(4, 0), textcoords="offset points", color=colour)
    limit = figures["limit"]
    limit_ms = limit["bytes_per_step"] / limit["bandwidth_gb_s"] / 1e6
    real_time_ms = limit_ms * limit["realtime_factor"]
    axes.axhline(real_time_ms, color="#22303c", lw=0.8, ls=":")
    axes.axhline(limit_ms, color="#22303c", lw=0.8, ls="--")
    for height, label in ((real_time_ms, "real time"), (limit_ms, "limit by bandwidth")):
        axes.text(
            0.01, height, label, va="bottom", fontsize=8, transform=axes.get_yaxis_transform()
        )
    axes.set_yscale("log")
    axes.set_xlabel("decoder step")
    axes.set_ylabel("ms a step")
    axes.set_title(f"{figures['model']} on {figures['device_name']}, {figures['dtype']}")
    axes.spines[["top", "right"]].set_visible(False)
    png = io.BytesIO()
    # Without a version, as in the picture of a render.
    figure.savefig(png, format="png", metadata={"Software": None})
    return png.getvalue()
