"""The picture shows what the patcher says, and tells what does not fit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from PIL import Image, ImageChops

from max_for_live.drawing import BODY_HEIGHT, TITLE_HEIGHT, draw, overflows

WIDTH = 300
SURFACE = (0xA5, 0xA5, 0xA5)
ORANGE = (0xFF, 0xB5, 0x32)
BLUE = (0x6D, 0xD7, 0xFF)
BUTTON = (0xCF, 0xCF, 0xCF)
RED, GREEN = (255, 0, 0), (0, 255, 0)

Rect = tuple[int, int, int, int]
"""x, y, width and height."""


def box(maxclass: str, rect: Rect, name: str = "it", **more: Any) -> dict[str, Any]:
    return {
        "maxclass": maxclass,
        "varname": name,
        "presentation": 1,
        "presentation_rect": [float(side) for side in rect],
        **more,
    }


def parameter(**value: Any) -> dict[str, Any]:
    """The parts of a box that make it a parameter; `initial` counts unless it is left out."""
    named = {f"parameter_{key}": item for key, item in value.items()}
    if "initial" in value:
        named |= {"parameter_initial": [value["initial"]], "parameter_initial_enable": 1}
    return {"saved_attribute_attributes": {"valueof": named}}


def device(*boxes: dict[str, Any]) -> dict[str, Any]:
    entries = [{"box": one} for one in boxes]
    return {"patcher": {"devicewidth": float(WIDTH), "boxes": entries}}


def picture(*boxes: dict[str, Any], **shown: Any) -> Image.Image:
    return draw(device(*boxes), 1, shown).convert("RGB")


def place(image: Image.Image, rect: Rect) -> Image.Image:
    x, y, width, height = rect
    return image.crop((x, y + TITLE_HEIGHT, x + width, y + height + TITLE_HEIGHT))


def share(image: Image.Image, color: Iterable[int]) -> float:
    """The part of an image that has exactly that colour, 0…1."""
    wanted = Image.new("RGB", image.size, tuple(color))
    differences = ImageChops.difference(image, wanted).tobytes()
    same = [not any(differences[at : at + 3]) for at in range(0, len(differences), 3)]
    return sum(same) / len(same)


def changed(one: Image.Image, other: Image.Image) -> Rect | None:
    """Where two pictures differ: left, top, right and bottom in the body."""
    found = ImageChops.difference(one, other).getbbox()
    if found is None:
        return None
    left, top, right, bottom = found
    return left, top - TITLE_HEIGHT, right, bottom - TITLE_HEIGHT


AT: Rect = (40, 30, 60, 50)
FLAT: Rect = (40, 30, 100, 15)
EVERY_CLASS = [
    box("comment", FLAT, text="Words"),
    box("led", AT),
    box("live.button", AT),
    box("live.comment", FLAT, text="Words"),
    box("live.dial", AT, **parameter(shortname="Dial", mmin=0, mmax=10, initial=3)),
    box("live.line", FLAT),
    box("live.menu", FLAT, **parameter(type=2, enum=["one", "two"], initial=0)),
    box("live.meter~", FLAT, orientation=1),
    box("live.numbox", FLAT, **parameter(mmin=0, mmax=10, initial=3)),
    box("live.slider", AT, **parameter(shortname="Slide", mmin=0, mmax=10, initial=3)),
    box("live.tab", FLAT, **parameter(type=2, enum=["one", "two"], initial=0)),
    box("live.text", FLAT, text="Press"),
    box("live.toggle", AT),
    box("multislider", FLAT, orientation=0),
    box("panel", AT),
    box("slider", AT),
    box("textedit", AT, text="Words"),
    box("umenu", FLAT, items=["one", ",", "two"]),
]


@pytest.mark.parametrize("one", EVERY_CLASS, ids=lambda one: one["maxclass"])
def test_a_box_is_seen_in_its_place_and_nowhere_else(one: dict[str, Any]) -> None:
    x, y, width, height = one["presentation_rect"]
    left, top, right, bottom = changed(picture(), picture(one)) or (0, 0, 0, 0)
    assert x <= left < right <= x + width
    assert y <= top < bottom <= y + height


@pytest.mark.parametrize("scale", [1, 2, 3])
def test_the_picture_has_lives_size_and_round_corners(scale: int) -> None:
    image = draw(device(), scale)
    assert image.size == (WIDTH * scale, (BODY_HEIGHT + TITLE_HEIGHT) * scale)
    opacity = image.getchannel("A")
    right, bottom = image.width - 1, image.height - 1
    assert [opacity.getpixel(at) for at in ((0, 0), (right, 0), (0, bottom), (right, bottom))] == [
        0,
        0,
        0,
        0,
    ]
    assert opacity.getpixel((image.width // 2, bottom)) == 255
    assert image.getpixel((image.width // 2, image.height // 2)) == (*SURFACE, 255)


def test_what_is_not_in_the_presentation_is_not_drawn() -> None:
    assert not changed(picture(), picture(box("live.text", FLAT, presentation=0)))
    assert not changed(picture(), picture(box("live.text", FLAT, hidden=1)))


def test_a_class_that_it_cannot_draw_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"^knob: no picture of a live\.gain~$"):
        draw(device(box("live.gain~", AT, "knob")))


@pytest.mark.parametrize("maxclass", ["live.text", "live.toggle"])
def test_a_switch_that_is_on_is_orange(maxclass: str) -> None:
    off = box(maxclass, AT, **parameter(initial=0))
    on = box(maxclass, AT, **parameter(initial=1))
    assert share(place(picture(off), AT), BUTTON) > 0.8
    assert share(place(picture(on), AT), ORANGE) > 0.8
    assert share(place(picture(off, it=1), AT), ORANGE) > 0.8


def test_a_switch_says_another_thing_when_it_is_on() -> None:
    switch = box("live.text", FLAT, text="off", texton="much too long for such a box as this")
    assert overflows(device(switch)) == []
    assert "much too long" in overflows(device(switch), {"it": 1})[0]


def test_a_dial_shows_where_its_value_is_in_the_range() -> None:
    def blue(value: float, low: float = 0) -> float:
        dial = box("live.dial", AT, **parameter(mmin=low, mmax=10, initial=value))
        return share(place(picture(dial), AT), BLUE)

    assert blue(0) == 0
    assert 0 < blue(2) < blue(6) < blue(10)
    # Where the range has both signs, the arc begins at nought.
    assert blue(0, low=-10) == 0
    assert blue(-10, low=-10) == pytest.approx(blue(10, low=-10), rel=0.2)


def test_a_dial_without_an_initial_value_stands_at_its_lowest() -> None:
    dial = box("live.dial", AT, **parameter(mmin=2, mmax=10))
    lowest = box("live.dial", AT, **parameter(mmin=2, mmax=10, initial=2))
    assert not changed(picture(dial), picture(lowest))


@pytest.mark.parametrize(
    ("style", "value", "text"),
    [(0, 3.4, "3"), (1, 3.4, "3.40"), (2, 20, "20 ms"), (4, -6, "-6.0 dB"), (5, 50, "50 %")],
)
def test_a_number_is_written_in_its_unit(style: int, value: float, text: str) -> None:
    narrow = box("live.numbox", (10, 10, 1, 15), **parameter(unitstyle=style, initial=value))
    assert f"{text!r} is" in overflows(device(narrow))[0]


def test_a_menu_and_a_tab_name_what_is_chosen() -> None:
    chosen = parameter(type=2, enum=["first", "second"], initial=1)
    assert "'second'" in overflows(device(box("live.menu", (10, 10, 30, 15), **chosen)))[0]
    tabs = place(picture(box("live.tab", FLAT, **chosen)), FLAT)
    assert share(tabs.crop((0, 0, 50, 15)), ORANGE) == 0
    assert share(tabs.crop((50, 0, 100, 15)), ORANGE) > 0.5


@pytest.mark.parametrize(
    ("appearance", "blue"),
    [(0, None), (1, (42, 47)), (2, (40, 65)), (3, (65, 90))],
    ids=["plain", "triangle", "slider", "bipolar"],
)
def test_a_number_box_shows_its_value_in_its_appearances_way(
    appearance: int, blue: tuple[int, int] | None
) -> None:
    number = box(
        "live.numbox",
        FLAT,
        appearance=appearance,
        textcolor=[0.0, 0.0, 0.0, 0.0],
        **parameter(mmin=0, mmax=100, initial=25),
    )
    middle = TITLE_HEIGHT + 37
    line = picture(number).crop((0, middle, WIDTH, middle + 1))
    columns = [x for x in range(WIDTH) if line.getpixel((x, 0)) == BLUE]
    if blue is None:
        assert columns == []
    else:
        assert (columns[0], columns[-1] + 1) == pytest.approx(blue, abs=2)


def test_a_number_box_in_lcd_is_dark() -> None:
    number = box("live.numbox", FLAT, appearance=4, **parameter(mmin=0, mmax=100, initial=25))
    assert share(place(picture(number), FLAT), (0x24, 0x24, 0x24)) > 0.8


@pytest.mark.parametrize(
    ("one", "lit"),
    [
        (box("live.meter~", (40, 30, 100, 8), orientation=1), (0x0C, 0xF8, 0x64)),
        (box("multislider", (40, 30, 100, 8), orientation=0, setminmax=[0.0, 1.0]), ORANGE),
    ],
    ids=["live.meter~", "multislider"],
)
def test_a_bar_is_as_long_as_what_it_shows(one: dict[str, Any], lit: tuple[int, int, int]) -> None:
    for part in (0.0, 0.25, 0.5):
        bar = place(picture(one, it=part), (40, 34, 100, 1))
        assert share(bar, lit) == pytest.approx(part, abs=0.02)


def test_a_meter_is_red_where_it_is_too_loud() -> None:
    meter = box("live.meter~", (40, 30, 8, 100))
    assert picture(meter, it=1.0).getpixel((44, TITLE_HEIGHT + 33)) == (0xFF, 0x0A, 0x0A)
    assert picture(meter, it=0.9).getpixel((44, TITLE_HEIGHT + 33)) != (0xFF, 0x0A, 0x0A)


def test_a_colour_is_the_boxs_own_or_the_themes_or_the_one_to_be_shown() -> None:
    panel = box("panel", AT, bgcolor=[1.0, 0.0, 0.0, 1.0], rounded=0)
    assert share(place(picture(panel), AT), RED) == 1
    assert share(place(picture(panel, it=[0, 1, 0, 1]), AT), GREEN) == 1
    bound = {"bgfillcolor": {"expression": "themecolor.live_value_arc"}}
    themed = panel | {"saved_attribute_attributes": bound}
    assert share(place(picture(themed), AT), BLUE) == 1


def test_what_is_first_in_the_patcher_lies_above() -> None:
    red = box("panel", AT, bgcolor=[1.0, 0.0, 0.0, 1.0], rounded=0)
    green = box("panel", AT, bgcolor=[0.0, 1.0, 0.0, 1.0], rounded=0)
    assert share(place(picture(red, green), AT), RED) == 1


LONG = "a sentence that is far too long for a box like this one"


def test_a_text_that_is_too_long_is_cut_and_told() -> None:
    comment = box("live.comment", FLAT, text=LONG)
    assert changed(picture(), picture(comment)) is not None
    (told,) = overflows(device(comment))
    assert told.startswith(f"it: {LONG!r} is ") and told.endswith("px wide, its place 96")
    # The ellipsis counts: what is cut looks otherwise than a text that happens to end there.
    shorter = box("live.comment", FLAT, text=LONG[:22])
    assert changed(picture(comment), picture(shorter)) is not None


def test_a_text_that_fits_is_not_told() -> None:
    assert overflows(device(box("live.comment", FLAT, text="short enough"))) == []


def test_what_is_to_be_shown_is_measured_too() -> None:
    comment = box("live.comment", FLAT, text="ready")
    assert overflows(device(comment)) == []
    assert LONG in overflows(device(comment), {"it": LONG})[0]


def test_a_text_stands_left_in_the_middle_or_right() -> None:
    def edges(align: int) -> tuple[int, int]:
        comment = box("live.comment", FLAT, text="Words", textjustification=align)
        left, _, right, _ = changed(picture(), picture(comment)) or (0, 0, 0, 0)
        return left - 40, 140 - right

    (near, far), (one, other), (rest, end) = (edges(align) for align in range(3))
    assert near == pytest.approx(2, abs=1) and end == pytest.approx(2, abs=1)
    assert one == pytest.approx(other, abs=2)
    assert far == pytest.approx(rest, abs=2) and far > 60


def test_a_buttons_text_is_in_its_middle() -> None:
    left, top, right, bottom = (
        changed(picture(box("live.text", AT)), picture(box("live.text", AT, text="H"))) or AT
    )
    assert left - 40 == pytest.approx(100 - right, abs=1)
    assert top - 30 == pytest.approx(80 - bottom, abs=1)


def test_a_text_wraps_where_there_is_room_and_is_told_where_there_is_none() -> None:
    assert overflows(device(box("textedit", (40, 30, 100, 60), text=LONG))) == []
    (told,) = overflows(device(box("textedit", (40, 30, 100, 30), text=LONG)))
    assert "takes 3 lines, there are 2" in told
    (told,) = overflows(device(box("textedit", (40, 30, 100, 60), text="x" * 60)))
    assert "px wide" in told


def test_a_box_that_is_too_low_for_its_text_is_told() -> None:
    (told,) = overflows(device(box("live.text", (40, 30, 100, 7), text="Press")))
    assert told == "it: 7 px are too low for 'Press'"


def test_what_the_font_lacks_is_drawn_all_the_same() -> None:
    def written(text: str) -> Image.Image:
        return picture(box("live.comment", FLAT, text=text))

    assert not changed(written("café"), written("cafe"))
    # An arrow and not the upright box that stands for a sign which is missing.
    left, top, right, bottom = changed(picture(), written("→")) or (0, 0, 0, 0)
    assert right - left > bottom - top > 0
    assert not changed(written("日"), written("?"))


def test_boxes_that_overlap_are_told_but_not_panels_and_lines() -> None:
    a = box("live.text", (10, 10, 40, 15), "a", text="A")
    b = box("live.text", (49, 10, 40, 15), "b", text="B")
    beside = box("live.text", (50, 10, 40, 15), "b", text="B")
    panel = box("panel", (0, 0, 100, 100), "p")
    line = box("live.line", (20, 0, 5, 100), "l")
    assert overflows(device(a, b)) == ["a and b overlap"]
    assert overflows(device(a, beside, panel, line)) == []
    assert overflows(device(beside, a)) == []


@pytest.mark.parametrize(
    "rect", [(-1, 10, 20, 15), (10, -1, 20, 15), (281, 10, 20, 15), (10, 155, 20, 15)]
)
def test_a_box_that_leaves_the_device_is_told(rect: Rect) -> None:
    sides = ", ".join(map(str, rect))
    told = overflows(device(box("live.toggle", rect)))
    assert told == [f"it: [{sides}] is not within 300 × 169"]


def test_a_box_at_the_edges_is_within() -> None:
    assert overflows(device(box("panel", (0, 0, WIDTH, BODY_HEIGHT)))) == []
