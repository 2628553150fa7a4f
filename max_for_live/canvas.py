"""A canvas for the picture of a device: shapes with smooth edges, and texts that must fit.

It knows nothing of Max or Live. Lengths are Live's pixels at 100 %, from the upper left corner of
the device's body; the title bar is above it, at negative heights.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from PIL import Image, ImageDraw, ImageFont

Color = tuple[int, int, int, int]
"""Red, green, blue and opacity, 0…255."""
Point = tuple[float, float]
Rect = tuple[float, float, float, float]
"""Left, top, right and bottom."""


@dataclass(frozen=True)
class Label:
    """A text, and the rectangle that it has to fit into.

    Attributes:
        owner: name of the box that the text belongs to, for messages.
        size: of the font, in pixels.
        align: 0 left, 1 centred, 2 right.
        lines: how many lines the rectangle has room for.
        from_top: whether the first line is at the top; else a single line is in the middle.
    """

    owner: str
    text: str
    rect: Rect
    color: Color
    size: float
    align: int = 0
    lines: int = 1
    from_top: bool = False

    @property
    def width(self) -> float:
        """Width of the rectangle."""
        return self.rect[2] - self.rect[0]

    @property
    def height(self) -> float:
        """Height of the rectangle."""
        return self.rect[3] - self.rect[1]


class Canvas:
    """Shapes in the order in which they are drawn, and all texts above them.

    Args:
        width: of the picture.
        title_height: height of the part above the body.
        body_height: height of the body.
        scale: pixels of the picture for each pixel of Live.
        color: of the background.
    """

    # Below, right and bottom are reduced by 1 where Pillow includes the last pixel.

    _FINER = 4
    """Pixels of the sheet for each pixel of the picture: their average makes smooth edges."""

    def __init__(
        self, width: float, title_height: int, body_height: int, scale: int, color: Color
    ) -> None:
        self.width = width
        self.labels: list[Label] = []
        self._title_height = title_height
        self._scale = scale
        self._zoom = scale * self._FINER
        self._size = round(width * scale), (title_height + body_height) * scale
        sheet_size = self._size[0] * self._FINER, self._size[1] * self._FINER
        self._sheet = Image.new("RGB", sheet_size, color[:3])
        # In this mode Pillow blends colours by their opacity.
        self._pen = ImageDraw.Draw(self._sheet, "RGBA")

    def rectangle(self, rect: Rect, color: Color, radius: float = 0) -> None:
        """Draw a filled rectangle; nothing if it has no area."""
        left, top, right, bottom = self._sheet_rect(rect)
        if right > left and bottom > top:
            self._pen.rounded_rectangle(
                (left, top, right - 1, bottom - 1), radius * self._zoom, fill=color
            )

    def frame(self, rect: Rect, color: Color, radius: float = 0, width: float = 1) -> None:
        """Draw an outline, inside the rectangle."""
        left, top, right, bottom = self._sheet_rect(rect)
        self._pen.rounded_rectangle(
            (left, top, right - 1, bottom - 1),
            radius * self._zoom,
            outline=color,
            width=round(width * self._zoom),
        )

    def circle(self, center: Point, radius: float, color: Color) -> None:
        """Draw a filled circle."""
        self._pen.ellipse(self._around(center, radius), fill=color)

    def arc(self, center: Point, radius: float, degrees: Point, width: float, color: Color) -> None:
        """Draw an arc, clockwise from the first angle to the second; 0 is at three o'clock."""
        width = round(width * self._zoom)
        self._pen.arc(self._around(center, radius), *degrees, fill=color, width=width)

    def line(self, start: Point, end: Point, width: float, color: Color) -> None:
        """Draw a line with round ends."""
        points = [self._sheet_point(start), self._sheet_point(end)]
        self._pen.line(points, fill=color, width=round(width * self._zoom))
        for point in (start, end):
            self.circle(point, width / 2, color)

    def polygon(self, points: Sequence[Point], color: Color) -> None:
        """Draw a filled polygon."""
        self._pen.polygon([self._sheet_point(point) for point in points], fill=color)

    def text(self, label: Label) -> None:
        """Add a text. One that is too long is cut and ends in an ellipsis."""
        if label.text:
            self.labels.append(label)

    def picture(self, corner: float) -> Image.Image:
        """The picture: RGBA, at the scale, transparent outside corners of that radius."""
        image = self._sheet.resize(self._size, Image.Resampling.BOX)
        for label in self.labels:
            self._write(image, label)
        image.putalpha(self._corners(corner))
        return image

    def _write(self, image: Image.Image, label: Label) -> None:
        left, top = label.rect[0], label.rect[1] + self._title_height
        # The label's rectangle clips its text.
        clip = Image.new(
            "L",
            (math.ceil(label.width * self._scale) or 1, math.ceil(label.height * self._scale) or 1),
        )
        for index, line in enumerate(_laid_out(label)):
            spare = label.width - text_width(line, label.size)
            baseline = _first_baseline(label) + index * leading(label.size)
            start = spare * label.align / 2 * self._scale, round(baseline * self._scale)
            _write_line(clip, line, start, label.size * self._scale)
        opacity = clip.point(lambda value: value * label.color[3] // 255)
        image.paste(label.color[:3], (round(left * self._scale), round(top * self._scale)), opacity)

    def _corners(self, radius: float) -> Image.Image:
        mask = Image.new("L", self._sheet.size)
        bounds = 0, 0, mask.width - 1, mask.height - 1
        ImageDraw.Draw(mask).rounded_rectangle(bounds, radius * self._zoom, fill=255)
        return mask.resize(self._size, Image.Resampling.BOX)

    def _sheet_point(self, point: Point) -> Point:
        return point[0] * self._zoom, (point[1] + self._title_height) * self._zoom

    def _sheet_rect(self, rect: Rect) -> tuple[int, int, int, int]:
        left, top = self._sheet_point(rect[:2])
        right, bottom = self._sheet_point(rect[2:])
        return round(left), round(top), round(right), round(bottom)

    def _around(self, center: Point, radius: float) -> Rect:
        x, y = self._sheet_point(center)
        reach = radius * self._zoom
        return x - reach, y - reach, x + reach - 1, y + reach - 1


def rgba(color: str) -> Color:
    """The colour from "#rrggbb" or "#rrggbbaa"."""
    red, green, blue, *alpha = bytes.fromhex(color.removeprefix("#"))
    return red, green, blue, alpha[0] if alpha else 255


def leading(size: float) -> float:
    """Distance from one baseline to the next, in pixels."""
    return 1.2 * size


def misfit(label: Label) -> str:
    """How a label is cut off, as a sentence; empty: it fits."""
    if label.height < _CAPITAL_HEIGHT * label.size + 2:
        return f"{label.owner}: {label.height:g} px are too low for {label.text!r}"
    lines = _wrapped(label)
    widest = max(text_width(line, label.size) for line in lines)
    if widest > label.width:
        return f"{label.owner}: {label.text!r} is {widest:.0f} px wide, its box {label.width:.0f}"
    if len(lines) > label.lines:
        return f"{label.owner}: {label.text!r} needs {len(lines)} lines, there are {label.lines}"
    return ""


def text_width(text: str, size: float) -> float:
    """The width of a text, in pixels at 100 %."""
    # Measured at a large size, so that the width is the same at every scale.
    font = _font(100)
    return sum(
        _ARROW_WIDTH * size if run == _ARROW else font.getlength(run) * size / 100
        for run in _runs(text)
    )


_CAPITAL_HEIGHT = 0.7
_ARROW_WIDTH = 0.95
"""Both as fractions of the font's size."""
_ARROW = "→"
_ELLIPSIS = "…"
_PLAIN = {"–": "-", "—": "-", "−": "-", "“": '"', "”": '"', "‘": "'", "’": "'"}


def _first_baseline(label: Label) -> float:
    if label.from_top:
        return 3 + label.size
    # A line of text looks centred when its capitals are in the middle.
    return (label.height + _CAPITAL_HEIGHT * label.size) / 2


def _laid_out(label: Label) -> list[str]:
    """The lines as the picture shows them."""
    lines = _wrapped(label)
    shown = lines[: label.lines]
    if len(lines) > len(shown):
        shown[-1] += _ELLIPSIS
    return [_shortened(line, label) for line in shown]


def _wrapped(label: Label) -> list[str]:
    """The text in as many lines as it needs. A word that is longer than a line is not split."""
    if label.lines == 1:
        return [label.text]
    lines: list[str] = []
    for paragraph in label.text.split("\n"):
        line, *words = paragraph.split(" ")
        for word in words:
            if text_width(f"{line} {word}", label.size) > label.width:
                lines.append(line)
                line = word
            else:
                line = f"{line} {word}"
        lines.append(line)
    return lines


def _shortened(line: str, label: Label) -> str:
    if text_width(line, label.size) <= label.width:
        return line
    kept = line.removesuffix(_ELLIPSIS)
    while kept and text_width(kept + _ELLIPSIS, label.size) > label.width:
        kept = kept[:-1]
    return kept.rstrip() + _ELLIPSIS


def _write_line(image: Image.Image, text: str, start: Point, size: float) -> None:
    pen = ImageDraw.Draw(image)
    x, baseline = start
    for run in _runs(text):
        if run == _ARROW:
            _write_arrow(image, (x, baseline), size)
        else:
            # Slightly bolder than the font, because Live's font is a medium one.
            pen.text(
                (x, baseline),
                run,
                fill=255,
                font=_font(size),
                anchor="ls",
                stroke_width=0.012 * size,
            )
        x += text_width(run, size)


def _write_arrow(image: Image.Image, start: Point, size: float) -> None:
    finer = 4
    box = math.ceil(size)
    sheet = Image.new("L", (box * finer, box * finer))
    pen = ImageDraw.Draw(sheet)
    tip, barb, middle = 0.85 * size * finer, 0.24 * size * finer, box * finer / 2
    width = max(1, round(0.09 * size * finer))
    pen.line([(0.1 * size * finer, middle), (tip, middle)], fill=255, width=width)
    pen.line(
        [(tip - barb, middle - barb), (tip, middle), (tip - barb, middle + barb)],
        fill=255,
        width=width,
        joint="curve",
    )
    # At half the height of a capital.
    corner = round(start[0]), round(start[1] - _CAPITAL_HEIGHT / 2 * size - box / 2)
    image.paste(255, corner, sheet.resize((box, box), Image.Resampling.BOX))


def _runs(text: str) -> list[str]:
    """The text split at its arrows, which the font does not have."""
    first, *others = "".join(map(_drawable, text)).split(_ARROW)
    return [first, *(run for other in others for run in (_ARROW, other))]


@cache
def _drawable(character: str) -> str:
    """The character, or the nearest one of the font, which has no accents and few signs."""
    if character == _ARROW or _has_glyph(character):
        return character
    if character in _PLAIN:
        return _PLAIN[character]
    letter = unicodedata.normalize("NFKD", character)[0]
    return letter if _has_glyph(letter) else "?"


def _has_glyph(character: str) -> bool:
    font = _font(20)
    return character == " " or bytes(font.getmask(character)) != bytes(font.getmask("\ue000"))


@cache
def _font(size: float) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise RuntimeError("this Pillow has no FreeType, and without it no font that scales")
    return font
