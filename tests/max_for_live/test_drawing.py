"""The picture shows the patcher's presentation, and `overflows` reports what does not fit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from PIL import Image, ImageChops

from max_for_live.controls import CONTROLS
from max_for_live.drawing import BODY_HEIGHT, TITLE_HEIGHT, draw, overflows
from max_for_live.painters import PAINTERS

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
    """The attributes that make a box a parameter; without `initial` it has no initial value."""
    named = {f"parameter_{key}": item for key, item in value.items()}
    if "initial" in value:
        named |= {"parameter_initial": [value["initial"]], "parameter_initial_enable": 1}
    return {"saved_attribute_attributes": {"valueof": named}}


def device(*boxes: dict[str, Any]) -> dict[str, Any]:
    entries = [{"box": one} for one in boxes]
    return {"patcher": {"devicewidth": float(WIDTH), "boxes": entries}}


def picture(*boxes: dict[str, Any], **shown: Any) -> Image.Image:
    return draw(device(*boxes), 1, shown).convert("RGB")


def crop(image: Image.Image, rect: Rect) -> Image.Image:
    x, y, width, height = rect
    return image.crop((x, y + TITLE_HEIGHT, x + width, y + height + TITLE_HEIGHT))


def share(image: Image.Image, color: Iterable[int]) -> float:
    """The fraction of an image that has exactly that colour, 0…1."""
    uniform = Image.new("RGB", image.size, tuple(color))
    differences = ImageChops.difference(image, uniform).tobytes()
    same = [not any(differences[at : at + 3]) for at in range(0, len(differences), 3)]
    return sum(same) / len(same)


def changed(one: Image.Image, other: Image.Image) -> Rect | None:
    """Bounds of the difference of two pictures: left, top, right and bottom in the body."""
    bounds = ImageChops.difference(one, other).getbbox()
    if bounds is None:
        return None
    left, top, right, bottom = bounds
    return left, top - TITLE_HEIGHT, right, bottom - TITLE_HEIGHT


AT: Rect = (40, 30, 60, 50)
FLAT: Rect = (40, 30, 100, 15)
EVERY_CLASS = [
    box("live.comment", FLAT, text="Words"),
    box("live.dial", AT, **parameter(shortname="Dial", mmin=0, mmax=10, initial=3)),
    box("live.line", AT),
    box("live.menu", FLAT, **parameter(type=2, enum=["one", "two"], initial=0)),
    box("live.meter~", FLAT, orientation=1),
    box("live.numbox", FLAT, **parameter(mmin=0, mmax=10, initial=3)),
    box("live.text", FLAT, text="Press"),
    box("multislider", FLAT),
    box("panel", AT),
    box("textedit", AT, text="Words"),
    box("umenu", FLAT, items=["one", ",", "two"]),
]


@pytest.mark.parametrize("one", EVERY_CLASS, ids=lambda one: one["maxclass"])
def test_a_box_is_drawn_inside_its_rectangle(one: dict[str, Any]) -> None:
    x, y, width, height = one["presentation_rect"]
    left, top, right, bottom = changed(picture(), picture(one)) or (0, 0, 0, 0)
    assert x <= left < right <= x + width
    assert y <= top < bottom <= y + height


@pytest.mark.parametrize("scale", [1, 2, 3])
def test_the_picture_has_the_devices_size_and_round_corners(scale: int) -> None:
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


def test_a_box_outside_the_presentation_is_not_drawn() -> None:
    assert not changed(picture(), picture(box("live.text", FLAT, presentation=0)))
    assert not changed(picture(), picture(box("live.text", FLAT, hidden=1)))


def test_a_class_without_a_painter_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"^knob: no picture of a live\.gain~$"):
        draw(device(box("live.gain~", AT, "knob")))


def test_every_class_of_the_device_has_a_painter_and_no_other() -> None:
    device_classes = {control.maxclass for control in CONTROLS}
    assert set(PAINTERS) == device_classes == {one["maxclass"] for one in EVERY_CLASS}


def test_a_switch_that_is_on_is_orange() -> None:
    off = box("live.text", AT, **parameter(initial=0))
    on = box("live.text", AT, **parameter(initial=1))
    assert share(crop(picture(off), AT), BUTTON) > 0.8
    assert share(crop(picture(on), AT), ORANGE) > 0.8
    assert share(crop(picture(off, it=1), AT), ORANGE) > 0.8


def test_a_switch_that_is_on_shows_its_other_text() -> None:
    switch = box("live.text", FLAT, text="off", texton="much too long for such a box as this")
    assert overflows(device(switch)) == []
    assert "much too long" in overflows(device(switch), {"it": 1})[0]


def test_a_dials_arc_grows_with_its_value() -> None:
    def blue(value: float, low: float = 0) -> float:
        dial = box("live.dial", AT, **parameter(mmin=low, mmax=10, initial=value))
        return share(crop(picture(dial), AT), BLUE)

    assert blue(0) == 0
    assert 0 < blue(2) < blue(6) < blue(10)
    # In a range with both signs the arc begins at 0.
    assert blue(0, low=-10) == 0
    assert blue(-10, low=-10) == pytest.approx(blue(10, low=-10), rel=0.2)


def test_a_dial_without_an_initial_value_shows_its_lowest_value() -> None:
    dial = box("live.dial", AT, **parameter(mmin=2, mmax=10))
    lowest = box("live.dial", AT, **parameter(mmin=2, mmax=10, initial=2))
    assert not changed(picture(dial), picture(lowest))


@pytest.mark.parametrize(
    ("style", "value", "text"),
    [(0, 3.4, "3"), (1, 3.4, "3.40")],
)
def test_a_number_is_written_in_its_unit_style(style: int, value: float, text: str) -> None:
    narrow = box("live.numbox", (10, 10, 1, 15), **parameter(unitstyle=style, initial=value))
    assert f"{text!r} is" in overflows(device(narrow))[0]


def test_a_menu_shows_its_chosen_item() -> None:
    chosen = parameter(type=2, enum=["first", "second"], initial=1)
    assert "'second'" in overflows(device(box("live.menu", (10, 10, 30, 15), **chosen)))[0]


@pytest.mark.parametrize(
    ("one", "lit"),
    [
        (box("live.meter~", (40, 30, 100, 8)), (0x0C, 0xF8, 0x64)),
        (box("multislider", (40, 30, 100, 8), setminmax=[0.0, 1.0]), ORANGE),
    ],
    ids=["live.meter~", "multislider"],
)
def test_a_bar_is_as_long_as_its_value(one: dict[str, Any], lit: tuple[int, int, int]) -> None:
    for part in (0.0, 0.25, 0.5):
        bar = crop(picture(one, it=part), (40, 34, 100, 1))
        assert share(bar, lit) == pytest.approx(part, abs=0.02)


def test_a_meter_is_red_where_the_signal_is_too_loud() -> None:
    meter = box("live.meter~", (40, 30, 100, 8))
    assert picture(meter, it=1.0).getpixel((137, TITLE_HEIGHT + 34)) == (0xFF, 0x0A, 0x0A)
    assert picture(meter, it=0.9).getpixel((137, TITLE_HEIGHT + 34)) != (0xFF, 0x0A, 0x0A)


def test_a_panels_colour_is_its_own_or_the_themes_or_the_shown_one() -> None:
    panel = box("panel", AT, bgcolor=[1.0, 0.0, 0.0, 1.0], rounded=0)
    assert share(crop(picture(panel), AT), RED) == 1
    assert share(crop(picture(panel, it=[0, 1, 0, 1]), AT), GREEN) == 1
    bound = {"bgfillcolor": {"expression": "themecolor.live_value_arc"}}
    themed = panel | {"saved_attribute_attributes": bound}
    assert share(crop(picture(themed), AT), BLUE) == 1


def test_the_first_box_of_the_patcher_is_in_front() -> None:
    red = box("panel", AT, bgcolor=[1.0, 0.0, 0.0, 1.0], rounded=0)
    green = box("panel", AT, bgcolor=[0.0, 1.0, 0.0, 1.0], rounded=0)
    assert share(crop(picture(red, green), AT), RED) == 1


LONG = "a sentence that is far too long for a box like this one"


def test_a_text_that_is_too_long_is_cut_and_reported() -> None:
    comment = box("live.comment", FLAT, text=LONG)
    assert changed(picture(), picture(comment)) is not None
    (fault,) = overflows(device(comment))
    assert fault.startswith(f"it: {LONG!r} is ") and fault.endswith("px wide, its box 96")
    # A cut text differs from a text that ends there: it has an ellipsis.
    shorter = box("live.comment", FLAT, text=LONG[:22])
    assert changed(picture(comment), picture(shorter)) is not None


def test_a_text_that_fits_is_no_fault() -> None:
    assert overflows(device(box("live.comment", FLAT, text="short enough"))) == []


def test_a_shown_text_is_measured_too() -> None:
    comment = box("live.comment", FLAT, text="ready")
    assert overflows(device(comment)) == []
    assert LONG in overflows(device(comment), {"it": LONG})[0]


def test_a_text_is_aligned_left_centred_or_right() -> None:
    def edges(align: int) -> tuple[int, int]:
        comment = box("live.comment", FLAT, text="Words", textjustification=align)
        left, _, right, _ = changed(picture(), picture(comment)) or (0, 0, 0, 0)
        return left - 40, 140 - right

    (near, far), (one, other), (rest, end) = (edges(align) for align in range(3))
    assert near == pytest.approx(2, abs=1) and end == pytest.approx(2, abs=1)
    assert one == pytest.approx(other, abs=2)
    assert far == pytest.approx(rest, abs=2) and far > 60


def test_a_buttons_text_is_centred() -> None:
    left, top, right, bottom = (
        changed(picture(box("live.text", AT)), picture(box("live.text", AT, text="H"))) or AT
    )
    assert left - 40 == pytest.approx(100 - right, abs=1)
    assert top - 30 == pytest.approx(80 - bottom, abs=1)


def test_a_text_wraps_and_is_reported_when_the_lines_do_not_fit() -> None:
    assert overflows(device(box("textedit", (40, 30, 100, 60), text=LONG))) == []
    (fault,) = overflows(device(box("textedit", (40, 30, 100, 30), text=LONG)))
    assert "needs 3 lines, there are 2" in fault
    (fault,) = overflows(device(box("textedit", (40, 30, 100, 60), text="x" * 60)))
    assert "px wide" in fault


def test_a_box_that_is_too_low_for_its_text_is_reported() -> None:
    (fault,) = overflows(device(box("live.text", (40, 30, 100, 7), text="Press")))
    assert fault == "it: 7 px are too low for 'Press'"


def test_characters_that_the_font_lacks_are_replaced() -> None:
    def written(text: str) -> Image.Image:
        return picture(box("live.comment", FLAT, text=text))

    assert not changed(written("café"), written("cafe"))
    # An arrow, not the upright box of a missing character.
    left, top, right, bottom = changed(picture(), written("→")) or (0, 0, 0, 0)
    assert right - left > bottom - top > 0
    assert not changed(written("日"), written("?"))


def test_overlaps_are_reported_except_those_of_panels_and_lines() -> None:
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
def test_a_box_that_leaves_the_device_is_reported(rect: Rect) -> None:
    sides = ", ".join(map(str, rect))
    faults = overflows(device(box("live.text", rect)))
    assert faults == [f"it: [{sides}] is not within 300 × 169"]


def test_a_box_may_reach_the_edges_of_the_device() -> None:
    assert overflows(device(box("panel", (0, 0, WIDTH, BODY_HEIGHT)))) == []
