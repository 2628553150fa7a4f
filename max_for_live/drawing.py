"""Draws a Max patcher's presentation as Live shows it: on a track, in the default theme, at 100 %.

It shows the layout where there is no Live, draws the picture in the README, and finds texts that
are cut off and boxes that overlap. Live's own font is not free, so another one is used: widths are
close to Live's, but not equal.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from PIL import Image

from max_for_live.boxes import Box, box_name, box_rect, theme_color
from max_for_live.canvas import Canvas, Label, misfit, rgba
from max_for_live.constants import NAME
from max_for_live.painters import EDGE, PAINTERS

TITLE_HEIGHT = 18
BODY_HEIGHT = 169


def draw(
    patcher: Mapping[str, Any], scale: int = 2, shown: Mapping[str, Any] | None = None
) -> Image.Image:
    """The device with its title bar.

    Args:
        patcher: a parsed .maxpat.
        scale: pixels of the picture for each pixel of Live.
        shown: by scripting name, what boxes show in place of their initial values: a text, a number
            (the value of a parameter, or 0…1 for a meter), a colour of 0…1 for a panel, or a
            mapping of attributes that messages have set.

    Returns:
        RGBA, (`devicewidth` × 187) × scale, transparent outside the rounded corners.

    Raises:
        ValueError: the presentation has a box of a class that has no painter.
    """
    return _paint(patcher, scale, shown or {}).picture(_CORNER)


def overflows(patcher: Mapping[str, Any], shown: Mapping[str, Any] | None = None) -> list[str]:
    """Faults of the layout: a sentence for each text that is cut off, each pair of boxes that
    overlap, and each box that leaves the device. Panels and lines may be under other boxes.
    """
    boxes = _presented(patcher)
    labels = _paint(patcher, 1, shown or {}).labels
    return [
        *(fault for label in labels if (fault := misfit(label))),
        *_overlaps(boxes),
        *_outside(boxes, patcher["patcher"]["devicewidth"]),
    ]


_TITLE_BAR = "#c3c3c3"
_ICON = "#3c3c3c"
_CORNER = 4.0


def _paint(patcher: Mapping[str, Any], scale: int, shown: Mapping[str, Any]) -> Canvas:
    width = patcher["patcher"]["devicewidth"]
    canvas = Canvas(width, TITLE_HEIGHT, BODY_HEIGHT, scale, theme_color("live_surface_bg"))
    _paint_title(canvas)
    # Max's list begins with the front.
    for box in reversed(_presented(patcher)):
        painter = PAINTERS.get(box["maxclass"])
        if painter is None:
            raise ValueError(f"{box_name(box)}: no picture of a {box['maxclass']}")
        value = shown.get(box_name(box))
        if isinstance(value, Mapping):
            box, value = {**box, **value}, None
        painter(canvas, box, value)
    return canvas


def _presented(patcher: Mapping[str, Any]) -> list[Box]:
    boxes = [entry["box"] for entry in patcher["patcher"]["boxes"]]
    return [box for box in boxes if box.get("presentation") and not box.get("hidden")]


def _paint_title(canvas: Canvas) -> None:
    middle = -TITLE_HEIGHT / 2
    canvas.rectangle((0, -TITLE_HEIGHT, canvas.width, 0), rgba(_TITLE_BAR))
    canvas.rectangle((0, -0.5, canvas.width, 0), rgba(EDGE))
    canvas.circle((10, middle), 4.5, rgba("#00000055"))
    canvas.circle((10, middle), 4, theme_color("live_control_selection"))
    rect = 19, -TITLE_HEIGHT, canvas.width - 36, 0
    canvas.text(Label("title", NAME, rect, theme_color("live_control_fg"), 10))
    _paint_title_icons(canvas, canvas.width, middle)


def _paint_title_icons(canvas: Canvas, right: float, middle: float) -> None:
    """The icons that edit the device in Max and save its preset."""
    ink = rgba(_ICON)
    canvas.arc((right - 26, middle), 5, (0, 360), 1, ink)
    for step in (-2, 0, 2):
        canvas.circle((right - 26 + step, middle), 0.7, ink)
    canvas.frame((right - 15, middle - 4.5, right - 6, middle + 4.5), ink, 1)
    canvas.rectangle((right - 12.5, middle - 4.5, right - 8.5, middle - 1.5), ink)
    canvas.rectangle((right - 13, middle + 0.5, right - 8, middle + 4.5), ink)


def _overlaps(boxes: Sequence[Box]) -> Iterator[str]:
    solid = [box for box in boxes if box["maxclass"] not in ("panel", "live.line")]
    for one, other in itertools.combinations(solid, 2):
        a, b = box_rect(one), box_rect(other)
        if a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]:
            yield f"{box_name(one)} and {box_name(other)} overlap"


def _outside(boxes: Sequence[Box], width: float) -> Iterator[str]:
    for box in boxes:
        left, top, right, bottom = box_rect(box)
        if left < 0 or top < 0 or right > width or bottom > BODY_HEIGHT:
            sides = ", ".join(f"{side:g}" for side in box["presentation_rect"])
            yield f"{box_name(box)}: [{sides}] is not within {width:g} × {BODY_HEIGHT}"
