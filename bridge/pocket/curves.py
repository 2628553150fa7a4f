"""The picture of a training: losses over steps, read from its logs."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

log = logging.getLogger(__name__)

_NUMBER = r"(-?\d+(?:\.\d+)?|nan)"
_CODEC_LINE = re.compile(
    rf"codec step (\d+) spectral {_NUMBER} bands {_NUMBER} wave {_NUMBER} commitment {_NUMBER} "
)
_DECODER_LINE = re.compile(
    rf"decoder step (\d+) loss {_NUMBER} first codebook {_NUMBER} "
    rf"pitch class found {_NUMBER} beat found {_NUMBER} "
)
_INK = "#22303c"
_COLOURS = ("#c2571a", "#1f6f8b", "#8a8f98", "#b79a3b")


@dataclass(frozen=True, eq=False)
class Curves:
    """The logged figures, a row every 50 steps, ordered by step.

    Attributes:
        codec: float64 `[rows, 5]`: step, spectral, band, wave and commitment loss.
        decoder: float64 `[rows, 5]`: step, loss and that of the first codebooks in nats per code,
            shares of codec steps whose pitch class and whose beat phase was found.
    """

    codec: NDArray[np.float64]
    decoder: NDArray[np.float64]


def draw(logs: Iterable[Path], picture: Path) -> None:
    """Draw the losses in the logs as a PNG; without matplotlib, log that and draw nothing."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        log.info("no picture of the losses: install matplotlib (the extra `plot`) and ask again")
        return
    curves = read_logs(logs)
    figure = Figure(figsize=(11, 3.6), dpi=145, layout="constrained")
    left, right = figure.subplots(1, 2)
    _lines(left, curves.codec, ("spectral", "bands", "wave", "commitment"))
    left.set(title="codec", xlabel="step", ylabel="loss", ylim=(0, None))
    left.legend(frameon=False)
    _lines(right, curves.decoder[:, :3], ("all codebooks", "first codebook"))
    right.set(title="decoder", xlabel="step", ylabel="cross-entropy, nats a code")
    share = right.twinx()
    for column, name in ((3, "pitch class found"), (4, "place in the beat found")):
        share.plot(
            curves.decoder[:, 0], curves.decoder[:, column], color=_COLOURS[column - 1], label=name
        )
    share.set(ylabel="share of the steps", ylim=(0, 1))
    right.legend(handles=[*right.lines, *share.lines], frameon=False)
    figure.savefig(picture)


def read_logs(logs: Iterable[Path]) -> Curves:
    """Read the losses; of a step that was logged twice, as after a kill, the last line counts."""
    codec: dict[int, list[float]] = {}
    decoder: dict[int, list[float]] = {}
    for path in logs:
        text = path.read_text(encoding="utf-8")
        for pattern, rows in ((_CODEC_LINE, codec), (_DECODER_LINE, decoder)):
            for match in pattern.finditer(text):
                rows[int(match[1])] = [float(value) for value in match.groups()]
    return Curves(_in_order(codec), _in_order(decoder))


def _in_order(rows: dict[int, list[float]]) -> NDArray[np.float64]:
    return np.array([rows[step] for step in sorted(rows)], dtype=np.float64).reshape(-1, 5)


def _lines(axes: Axes, rows: NDArray[np.float64], names: tuple[str, ...]) -> None:
    for column, (name, colour) in enumerate(zip(names, _COLOURS, strict=False), 1):
        axes.plot(rows[:, 0], rows[:, column], color=colour, label=name)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=_INK)
