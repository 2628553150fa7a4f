"""Painters of the Max objects that the device contains, one for each class."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from max_for_live.boxes import (
    Box,
    box_name,
    box_rect,
    color_of,
    fill_color,
    font_size,
    formatted,
    fraction,
    inset,
    is_active,
    lowest,
    short_name,
    text_color,
    unit_rgba,
    value_of,
)
from max_for_live.canvas import Canvas, Color, Label, Rect, leading, rgba

_METER = ((0.0, "#0cf864"), (0.65, "#c3f864"), (0.85, "#ffc10a"), (0.95, "#ff0a0a"))
"""Colours of a meter, each with the level from which it is used."""
EDGE = "#00000038"
"""Colour of the edges of controls and of the title bar."""
_INACTIVE_TEXT = "#6e6e6e"
_MAX_FILL, _MAX_TEXT = "#333333", "#e5e5e5"
"""Colours of Max's own classes, which do not follow Live's theme by default."""
_PAD = 3.0
"""Space between a control's edge and its text."""
_LINE_HEIGHT = 13.0
"""Height of a dial's name and value."""
_TRIANGLE_ROOM = 12.0
"""Width of a menu's triangle and the space around it."""


def _paint_text_button(canvas: Canvas, box: Box, shown: Any) -> None:
    on = bool(value_of(box, shown))
    rect = box_rect(box)
    _paint_control(canvas, box, rect, _button_fill(box, on))
    attribute = "activetextoncolor" if on else "activetextcolor"
    ink = color_of(box, attribute, "live_control_fg") if is_active(box) else rgba(_INACTIVE_TEXT)
    text = box.get("texton" if on else "text", "")
    canvas.text(_label(box, text, inset(rect, 2), ink, 1))


def _paint_numbox(canvas: Canvas, box: Box, shown: Any) -> None:
    rect = box_rect(box)
    _paint_control(canvas, box, rect, color_of(box, "activebgcolor", "live_control_text_bg"))
    text = formatted(box, value_of(box, shown))
    canvas.text(_label(box, text, inset(rect, _PAD), text_color(box), 1))


def _paint_dial(canvas: Canvas, box: Box, shown: Any) -> None:
    left, top, right, bottom = box_rect(box)
    value = value_of(box, shown)
    room = bottom - top - 2 * _LINE_HEIGHT
    radius = min(0.55 * room, (right - left) / 2 - 4)
    center = (left + right) / 2, top + _LINE_HEIGHT + radius + 1.5
    # From the position of an hour hand at half past seven to that at half past four.
    start, sweep = 135.0, 270.0
    here = start + sweep * fraction(box, value)
    origin = start + sweep * fraction(box, max(0.0, lowest(box)))
    canvas.arc(
        center, radius, (start, start + sweep), 2.5, color_of(box, "dialcolor", "live_dial_fg")
    )
    value_color = color_of(box, "activedialcolor", "live_value_arc")
    canvas.arc(center, radius, (min(origin, here), max(origin, here)), 2.5, value_color)
    angle = math.radians(here)
    tip = center[0] + radius * math.cos(angle), center[1] + radius * math.sin(angle)
    canvas.line(center, tip, 1.75, color_of(box, "activeneedlecolor", "live_dial_needle"))
    name_rect = left, top, right, top + _LINE_HEIGHT
    canvas.text(_label(box, short_name(box), name_rect, text_color(box), 1))
    value_rect = left, bottom - _LINE_HEIGHT, right, bottom
    canvas.text(_label(box, formatted(box, value), value_rect, text_color(box), 1))


def _paint_menu(canvas: Canvas, box: Box, shown: Any) -> None:
    rect = box_rect(box)
    _paint_control(canvas, box, rect, color_of(box, "activebgcolor", "live_control_text_bg"))
    _paint_triangle(canvas, rect, color_of(box, "tricolor", "live_control_fg"))
    text = formatted(box, value_of(box, shown))
    canvas.text(_label(box, text, _left_of_triangle(rect), text_color(box)))


def _paint_comment(canvas: Canvas, box: Box, shown: Any) -> None:
    left, top, right, bottom = box_rect(box)
    size = font_size(box)
    text = box.get("text", "") if shown is None else str(shown)
    lines = max(1, int((bottom - top - 2 * _PAD) // leading(size)))
    align = int(box.get("textjustification", 0))
    rect = left + 2, top, right - 2, bottom
    canvas.text(Label(box_name(box), text, rect, text_color(box), size, align, lines, True))


def _paint_line(canvas: Canvas, box: Box, shown: Any) -> None:
    """A vertical line."""
    left, top, right, bottom = box_rect(box)
    width = float(box.get("border", 1))
    # 0 at the left of its box, 1 in the middle, 2 at the right.
    share = min(int(box.get("justification", 0)), 2) / 2
    x = round(left + (right - left - width) * share)
    color = color_of(box, "linecolor", "live_surface_frame")
    canvas.rectangle((x, top, x + width, bottom), color)


def _paint_meter(canvas: Canvas, box: Box, shown: Any) -> None:
    """A horizontal meter."""
    rect = box_rect(box)
    canvas.rectangle(rect, color_of(box, "bgcolor", "live_meter_bg"), 1)
    level = float(shown or 0)
    ends = [start for start, _ in _METER[1:]] + [1.0]
    for (start, color), end in zip(_METER, ends, strict=True):
        lit = _span(inset(rect, 1, 1), start, min(end, level))
        canvas.rectangle(lit, rgba(color))


def _paint_textedit(canvas: Canvas, box: Box, shown: Any) -> None:
    left, top, right, bottom = rect = box_rect(box)
    _paint_control(canvas, box, rect, color_of(box, "bgcolor", _MAX_FILL))
    text = box.get("text", "") if shown is None else str(shown)
    size = font_size(box)
    lines = max(1, int((bottom - top - _PAD) // leading(size))) if box.get("wordwrap", 1) else 1
    text_rect = left + _PAD + 1, top, right - _PAD - 1, bottom
    color = color_of(box, "textcolor", _MAX_TEXT)
    canvas.text(Label(box_name(box), text, text_rect, color, size, 0, lines, True))


def _paint_umenu(canvas: Canvas, box: Box, shown: Any) -> None:
    rect = box_rect(box)
    _paint_control(canvas, box, rect, fill_color(box, _MAX_FILL))
    color = color_of(box, "textcolor", _MAX_TEXT)
    _paint_triangle(canvas, rect, color)
    items = [item for item in box.get("items", []) if item != ","]
    text = str(shown if shown is not None else items[0] if items else "")
    canvas.text(_label(box, text, _left_of_triangle(rect), color))


def _paint_multislider(canvas: Canvas, box: Box, shown: Any) -> None:
    """A horizontal bar, of one value."""
    rect = box_rect(box)
    canvas.rectangle(rect, color_of(box, "bgcolor", _MAX_FILL), 1)
    low, high = box.get("setminmax", (-1.0, 1.0))
    end = 0.0 if shown is None else (float(shown) - low) / (high - low)
    bar = _span(inset(rect, 1, 1), 0, end)
    canvas.rectangle(bar, color_of(box, "slidercolor", "live_control_selection"))


def _paint_panel(canvas: Canvas, box: Box, shown: Any) -> None:
    left, top, right, bottom = rect = box_rect(box)
    filling = fill_color(box, "live_control_bg")
    fill = unit_rgba(shown) if isinstance(shown, Sequence) else filling
    radius = min(float(box.get("rounded", 8)), (right - left) / 2, (bottom - top) / 2)
    canvas.rectangle(rect, fill, radius)
    if border := float(box.get("border", 0)):
        canvas.frame(rect, color_of(box, "bordercolor", "live_control_fg"), radius, border)


PAINTERS: dict[str, Callable[[Canvas, Box, Any], None]] = {
    "live.comment": _paint_comment,
    "live.dial": _paint_dial,
    "live.line": _paint_line,
    "live.menu": _paint_menu,
    "live.meter~": _paint_meter,
    "live.numbox": _paint_numbox,
    "live.text": _paint_text_button,
    "multislider": _paint_multislider,
    "panel": _paint_panel,
    "textedit": _paint_textedit,
    "umenu": _paint_umenu,
}
"""By class. A painter takes the canvas, the box, and the value to show, or None."""


def _paint_control(canvas: Canvas, box: Box, rect: Rect, fill: Color) -> None:
    if not fill[3]:
        return
    # In Live 12 the corners are slightly round even where the box sets no radius.
    radius = min(float(box.get("rounded", 0)) or 1.5, (rect[3] - rect[1]) / 2)
    canvas.rectangle(rect, rgba(EDGE), radius + 0.5)
    canvas.rectangle(inset(rect, 0.5, 0.5), fill, radius)


def _button_fill(box: Box, on: bool) -> Color:
    if not is_active(box):
        return color_of(box, "bgcolor", "live_surface_bg")
    if on:
        return color_of(box, "activebgoncolor", "live_control_selection")
    return color_of(box, "activebgcolor", "live_control_bg")


def _paint_triangle(canvas: Canvas, rect: Rect, color: Color) -> None:
    x, y = rect[2] - _TRIANGLE_ROOM / 2 - 0.5, (rect[1] + rect[3]) / 2
    canvas.polygon([(x - 3, y - 1.5), (x + 3, y - 1.5), (x, y + 2.5)], color)


def _left_of_triangle(rect: Rect) -> Rect:
    return rect[0] + _PAD + 1, rect[1], rect[2] - _TRIANGLE_ROOM, rect[3]


def _span(rect: Rect, start: float, end: float) -> Rect:
    """The part of a rectangle between two fractions of its width."""
    left, top, right, bottom = rect
    return left + (right - left) * start, top, left + (right - left) * end, bottom


def _label(box: Box, text: str, rect: Rect, color: Color, align: int = 0) -> Label:
    return Label(box_name(box), text, rect, color, font_size(box), align)
