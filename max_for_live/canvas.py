"""A sheet to draw a device on: shapes with smooth edges, and texts that know whether they fit.

It knows nothing of Max or Live. Lengths are Live's pixels at 100 %, from the upper left corner of
the device's body; its title bar lies above, at negative heights.
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
    """A text, and the place that it has to fit into.

    Attributes:
        owner: what it belongs to, for whoever reads that it does not fit.
        size: of the font, in pixels.
        align: 0 left, 1 centred, 2 right.
        lines: how many the place has room for.
        from_top: whether the first stands at the top; else a single one is in the middle.
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
        """Of its place."""
        return self.rect[2] - self.rect[0]

    @property
    def height(self) -> float:
        """Of its place."""
        return self.rect[3] - self.rect[1]


class Canvas:
    """Texts above shapes, in the order in which they come.

    Args:
        width: of the whole.
        title_height: above the body.
        body_height: below that.
        scale: pixels of the picture for each of Live's.
        color: of what nothing is drawn on.
    """

    # Below, 1 is taken off right and bottom where Pillow counts the last pixel in.

    _FINER = 4
    """The sheet's pixels for each of the picture's: averaging them is what smooths edges."""

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
        # In this mode colours are laid over each other by their opacity.
        self._pen = ImageDraw.Draw(self._sheet, "RGBA")

    def rectangle(self, rect: Rect, color: Color, radius: float = 0) -> None:
        """Filled; nothing where it has no area."""
        left, top, right, bottom = self._places(rect)
        if right > left and bottom > top:
            self._pen.rounded_rectangle(
                (left, top, right - 1, bottom - 1), radius * self._zoom, fill=color
            )

    def frame(self, rect: Rect, color: Color, radius: float = 0, width: float = 1) -> None:
        """An outline, inside the rectangle."""
        left, top, right, bottom = self._places(rect)
        self._pen.rounded_rectangle(
            (left, top, right - 1, bottom - 1),
            radius * self._zoom,
            outline=color,
            width=round(width * self._zoom),
        )

    def circle(self, center: Point, radius: float, color: Color) -> None:
        """Filled."""
        self._pen.ellipse(self._around(center, radius), fill=color)

    def arc(self, center: Point, radius: float, degrees: Point, width: float, color: Color) -> None:
        """Clockwise from the first angle to the second; 0 is at three o'clock."""
        width = round(width * self._zoom)
        self._pen.arc(self._around(center, radius), *degrees, fill=color, width=width)

    def line(self, start: Point, end: Point, width: float, color: Color) -> None:
        """With round ends."""
        places = [self._place(start), self._place(end)]
        self._pen.line(places, fill=color, width=round(width * self._zoom))
        for point in (start, end):
            self.circle(point, width / 2, color)

    def polygon(self, points: Sequence[Point], color: Color) -> None:
        """Filled."""
        self._pen.polygon([self._place(point) for point in points], fill=color)

    def text(self, label: Label) -> None:
        """Where it is too long it ends in an ellipsis."""
        if label.text:
            self.labels.append(label)

    def picture(self, corner: float) -> Image.Image:
        """RGBA, at the scale; transparent outside corners of that radius."""
        image = self._sheet.resize(self._size, Image.Resampling.BOX)
        for label in self.labels:
            self._write(image, label)
        image.putalpha(self._corners(corner))
        return image

    def _write(self, image: Image.Image, label: Label) -> None:
        left, top = label.rect[0], label.rect[1] + self._title_height
        # Only what is inside the label's place is seen.
        place = Image.new(
            "L",
            (math.ceil(label.width * self._scale) or 1, math.ceil(label.height * self._scale) or 1),
        )
        for index, line in enumerate(_laid_out(label)):
            spare = label.width - text_width(line, label.size)
            baseline = _first_baseline(label) + index * leading(label.size)
            start = spare * label.align / 2 * self._scale, round(baseline * self._scale)
            _write_line(place, line, start, label.size * self._scale)
        opacity = place.point(lambda value: value * label.color[3] // 255)
        image.paste(label.color[:3], (round(left * self._scale), round(top * self._scale)), opacity)

    def _corners(self, radius: float) -> Image.Image:
        mask = Image.new("L", self._sheet.size)
        whole = 0, 0, mask.width - 1, mask.height - 1
        ImageDraw.Draw(mask).rounded_rectangle(whole, radius * self._zoom, fill=255)
        return mask.resize(self._size, Image.Resampling.BOX)

    def _place(self, point: Point) -> Point:
        return point[0] * self._zoom, (point[1] + self._title_height) * self._zoom

    def _places(self, rect: Rect) -> tuple[int, int, int, int]:
        left, top = self._place(rect[:2])
        right, bottom = self._place(rect[2:])
        return round(left), round(top), round(right), round(bottom)

    def _around(self, center: Point, radius: float) -> Rect:
        x, y = self._place(center)
        reach = radius * self._zoom
        return x - reach, y - reach, x + reach - 1, y + reach - 1


def rgba(color: str) -> Color:
    """Of "#rrggbb" or "#rrggbbaa"."""
    red, green, blue, *alpha = bytes.fromhex(color.removeprefix("#"))
    return red, green, blue, alpha[0] if alpha else 255


def leading(size: float) -> float:
    """From one baseline to the next, in pixels."""
    return 1.2 * size


def misfit(label: Label) -> str:
    """In what way a label is cut off; empty: it is not."""
    if label.height < _CAPITAL_HEIGHT * label.size + 2:
        return f"{label.owner}: {label.height:g} px are too low for {label.text!r}"
    lines = _wrapped(label)
    widest = max(text_width(line, label.size) for line in lines)
    if widest > label.width:
        return f"{label.owner}: {label.text!r} is {widest:.0f} px wide, its place {label.width:.0f}"
    if len(lines) > label.lines:
        return f"{label.owner}: {label.text!r} takes {len(lines)} lines, there are {label.lines}"
    return ""


def text_width(text: str, size: float) -> float:
    """In pixels at 100 %."""
    # Measured large, so that it is the same at every scale.
    font = _font(100)
    return sum(
        _ARROW_WIDTH * size if run == _ARROW else font.getlength(run) * size / 100
        for run in _runs(text)
    )


_CAPITAL_HEIGHT = 0.7
_ARROW_WIDTH = 0.95
"""Both in parts of the font's size."""
_ARROW = "→"
_ELLIPSIS = "…"
_PLAIN = {"–": "-", "—": "-", "−": "-", "“": '"', "”": '"', "‘": "'", "’": "'"}


def _first_baseline(label: Label) -> float:
    if label.from_top:
        return 3 + label.size
    # Capitals in the middle are what makes a line of text look centred.
    return (label.height + _CAPITAL_HEIGHT * label.size) / 2


def _laid_out(label: Label) -> list[str]:
    """The lines as they are seen."""
    lines = _wrapped(label)
    seen = lines[: label.lines]
    if len(lines) > len(seen):
        seen[-1] += _ELLIPSIS
    return [_shortened(line, label) for line in seen]


def _wrapped(label: Label) -> list[str]:
    """The text in as many lines as it needs; a word that is too long for one stays whole."""
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


def _write_line(place: Image.Image, text: str, start: Point, size: float) -> None:
    pen = ImageDraw.Draw(place)
    x, baseline = start
    for run in _runs(text):
        if run == _ARROW:
            _write_arrow(place, (x, baseline), size)
        else:
            # A little bolder than the font is, for Live's is a medium one.
            pen.text(
                (x, baseline),
                run,
                fill=255,
                font=_font(size),
                anchor="ls",
                stroke_width=0.012 * size,
            )
        x += text_width(run, size)


def _write_arrow(place: Image.Image, start: Point, size: float) -> None:
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
    # Half as high as a capital: there a reader expects it.
    corner = round(start[0]), round(start[1] - _CAPITAL_HEIGHT / 2 * size - box / 2)
    place.paste(255, corner, sheet.resize((box, box), Image.Resampling.BOX))


def _runs(text: str) -> list[str]:
    """What the font can draw, and between it arrows, which it has not."""
    first, *others = "".join(map(_drawable, text)).split(_ARROW)
    return [first, *(run for other in others for run in (_ARROW, other))]


@cache
def _drawable(character: str) -> str:
    """The character itself, or the nearest that the font has: it knows no accents and few signs."""
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
