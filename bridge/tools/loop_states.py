"""The picture of a live loop's states; `python -m bridge.tools.loop_states FILE.svg` writes it.

What it shows comes from the tables of `bridge.daemon.loop_transitions`; only places are kept here.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path

from bridge.daemon.loop_transitions import (
    COMING,
    COMMANDED,
    ENTERS_LATE,
    FROZEN,
    SOUNDING,
    WITHOUT_CLOCK,
)

WIDTH, HEIGHT = 880, 610
_BOX_WIDTH, _BOX_HEIGHT = 108, 38
_SOUNDING_PLACES: Mapping[str, tuple[int, int]] = {
    "off": (100, 110),
    "playing": (430, 110),
    "stopping": (760, 110),
}
_COMING_PLACES: Mapping[str, tuple[int, int]] = {
    "none": (100, 320),
    "armed": (100, 430),
    "capturing": (320, 320),
    "rendering": (545, 320),
    "queued": (760, 320),
    "slipped": (650, 430),
}
_LINE = 20
"""Height of a line of text."""


@dataclass(frozen=True)
class _Route:
    """Where an arrow goes.

    Attributes:
        begin, end: offsets from the middles of its two boxes.
        bend: of its middle from the straight line, upwards.
        text: offset of its label from its middle.
    """

    begin: tuple[int, int]
    end: tuple[int, int]
    bend: int = 0
    text: tuple[int, int] = (0, -8)


_RIGHT, _LEFT = (_BOX_WIDTH // 2, 0), (-_BOX_WIDTH // 2, 0)
_TOP, _BOTTOM = (0, -_BOX_HEIGHT // 2), (0, _BOX_HEIGHT // 2)
_ROUTES: Mapping[tuple[str, str], _Route] = {
    ("off", "playing"): _Route(_RIGHT, _LEFT),
    ("playing", "stopping"): _Route(_RIGHT, _LEFT),
    ("stopping", "playing"): _Route((-10, -19), (20, -19), 34, (0, -6)),
    ("stopping", "off"): _Route((0, 19), (-20, 19), -56, (0, 16)),
    ("playing", "off"): _Route((-20, 19), (20, 19), -20, (0, 16)),
    ("armed", "capturing"): _Route((54, -6), (-30, 19), 0, (-34, -12)),
    ("capturing", "armed"): _Route((0, 19), (54, 8), 0, (52, 18)),
    ("capturing", "rendering"): _Route(_RIGHT, _LEFT),
    ("rendering", "capturing"): _Route((-20, 19), (24, 19), -26, (0, 18)),
    ("rendering", "queued"): _Route(_RIGHT, _LEFT),
    ("rendering", "slipped"): _Route((10, 19), (-30, -19), 0, (-30, 6)),
    ("slipped", "queued"): _Route((10, -19), (-20, 19), 0, (-36, -8)),
    ("queued", "slipped"): _Route((16, 19), (54, -4), 0, (62, 10)),
    ("queued", "capturing"): _Route((10, -19), (0, -19), 62, (0, -6)),
    ("queued", "rendering"): _Route((-16, -19), (16, -19), 24, (-26, -6)),
}
_STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328; text-anchor: middle; }
.title { font-weight: 600; text-anchor: start; }
.line { text-anchor: start; }
.state { font-weight: 600; }
rect { fill: #ddf4ff; stroke: #0969da; stroke-width: 1.5; }
path { fill: none; stroke: #57606a; stroke-width: 1.5; }
marker path { fill: #57606a; stroke: none; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  rect { fill: #12263f; stroke: #4493f8; }
  path { stroke: #9198a1; }
  marker path { fill: #9198a1; }
}
"""


def svg() -> str:
    """The picture, for a light and a dark page."""
    body = [
        _text((20, 36), "what sounds", "title"),
        *_panel(_SOUNDING_PLACES, [(each.before, each.after, each.why) for each in SOUNDING]),
        _text((20, 230), "what is to come", "title"),
        *_panel(_COMING_PLACES, [(each.before, each.after, each.why) for each in COMING]),
        *_notes(492),
    ]
    arrow = (
        '<marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" '
        'orient="auto"><path d="M0 0 L8 4 L0 8 z"/></marker>'
    )
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
            f'width="{WIDTH}" height="{HEIGHT}">',
            f"<style>{_STYLE}</style>",
            f"<defs>{arrow}</defs>",
            *body,
            "</svg>\n",
        ]
    )


def _panel(
    places: Mapping[str, tuple[int, int]], changes: list[tuple[str, str, str]]
) -> Iterator[str]:
    for before, after, why in changes:
        yield from _arrow(places[before], places[after], _ROUTES[before, after], why)
    for name, (x, y) in places.items():
        yield (
            f'<rect x="{x - _BOX_WIDTH // 2}" y="{y - _BOX_HEIGHT // 2}" '
            f'width="{_BOX_WIDTH}" height="{_BOX_HEIGHT}" rx="6"/>'
        )
        yield _text((x, y + 5), name, "state")


def _arrow(start: tuple[int, int], end: tuple[int, int], route: _Route, why: str) -> Iterator[str]:
    """An arrow from box to box with its label: a quadratic curve through its bent middle."""
    (x, y), (to_x, to_y) = (
        (place[0] + offset[0], place[1] + offset[1])
        for place, offset in ((start, route.begin), (end, route.end))
    )
    middle_x, middle_y = (x + to_x) // 2, (y + to_y) // 2 - route.bend
    control_y = 2 * middle_y - (y + to_y) // 2
    yield (f'<path d="M{x} {y} Q{middle_x} {control_y} {to_x} {to_y}" marker-end="url(#arrow)"/>')
    yield _text((middle_x + route.text[0], middle_y + route.text[1]), why)


def _notes(top: int) -> Iterator[str]:
    lines = [f"{', '.join(each.commands)}: from every state to {each.after}" for each in COMMANDED]
    lines += [
        f"while no clock plays: {WITHOUT_CLOCK} in place of capturing; in a frozen loop: {FROZEN}",
        f"from {ENTERS_LATE} a clip enters as from queued",
    ]
    for number, line in enumerate(lines):
        yield _text((20, top + number * _LINE), line, "line")


def _text(place: tuple[int, int], text: str, kind: str = "") -> str:
    name = f' class="{kind}"' if kind else ""
    return f'<text x="{place[0]}" y="{place[1]}"{name}>{escape(text)}</text>'


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(svg(), encoding="utf-8")
