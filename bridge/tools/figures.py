"""The figures of `eval`: one a measure, as a table and as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.table import Table


@dataclass(frozen=True)
class Figure:
    """One row of the table.

    Attributes:
        name: the name of the measure.
        value: the measured value; NaN where nothing could be measured.
        floor: the least value that `pocket` must reach; None: no requirement.
        at_most: whether the floor is a ceiling instead.
        clips: number of clips that were measured.
        best: the same measure over the best variation of each melody alone; None: not measured.
    """

    name: str
    value: float
    floor: float | None
    at_most: bool
    clips: int
    best: float | None = None

    @property
    def holds(self) -> bool:
        """Whether the value is on the right side of its floor; NaN is on neither."""
        if self.floor is None:
            return True
        return self.value <= self.floor if self.at_most else self.value >= self.floor


def figures_as_json(measured: Mapping[str, Any], figures: list[Figure]) -> str:
    """A JSON object: what was measured, and a list of figures with `holds`; NaN becomes null."""
    return json.dumps({**measured, "figures": as_rows(figures)})


def as_rows(figures: list[Figure]) -> list[dict[str, Any]]:
    """The figures for JSON; NaN becomes None."""
    return [
        {
            **vars(figure),
            "value": _rounded(figure.value),
            "best": _rounded(figure.best),
            "holds": figure.holds,
        }
        for figure in figures
    ]


def _rounded(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else round(value, 4)


def as_table(title: str, variations: int, figures: list[Figure]) -> Table:
    """The figures as a table; those that miss their floors are marked."""
    table = Table(title=title)
    headings = ["figure", "value", "floor", "clips"]
    if variations > 1:
        headings.insert(2, f"best of {variations}")
    for heading in headings:
        table.add_column(heading)
    for figure in figures:
        sign = "≤" if figure.at_most else "≥"
        floor = "" if figure.floor is None else f"{sign} {figure.floor:g}"
        cells = [figure.name, _cell(figure.value), floor, str(figure.clips)]
        if not figure.holds:
            cells[1] += "  missed"
        if variations > 1:
            cells.insert(2, "" if figure.best is None else _cell(figure.best))
        table.add_row(*cells)
    return table


def _cell(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2f}"


def share(hits: list[bool]) -> float:
    return mean([float(hit) for hit in hits])


def mean(values: list[float]) -> float:
    """Mean of the values that are not NaN; NaN where none is."""
    measured = [value for value in values if not math.isnan(value)]
    return sum(measured) / len(measured) if measured else math.nan
