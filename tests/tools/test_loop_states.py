"""The picture of a loop's states in the docs is what the program's tables say."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import bridge
from bridge.daemon.loop_transitions import COMING, COMMANDED, SOUNDING
from bridge.tools.loop_states import HEIGHT, WIDTH, svg

DOCS = Path(bridge.__file__).parent.parent / "docs"
SVG = "{http://www.w3.org/2000/svg}"


def test_the_picture_in_the_docs_is_the_one_that_the_tool_writes() -> None:
    drawn = (DOCS / "loop-states.svg").read_text(encoding="utf-8")
    assert drawn == svg(), "run `make docs`"
    assert "loop-states.svg" in (DOCS / "stage.md").read_text(encoding="utf-8")


def test_each_change_of_the_tables_is_an_arrow_with_its_label_inside_the_picture() -> None:
    root = ET.fromstring(svg())
    texts = [(element.text or "", element) for element in root.iter(f"{SVG}text")]
    labels = [text for text, _ in texts]
    for each in (*SOUNDING, *COMING):
        assert each.why in labels
    assert len(root.findall(f"{SVG}path")) == len(SOUNDING) + len(COMING)
    for command in COMMANDED:
        assert any(text.startswith(", ".join(command.commands)) for text in labels)
    for text, element in texts:
        half = 4 * len(text) * (0 if element.get("class") in ("line", "title") else 1)
        assert half <= float(element.attrib["x"]) <= WIDTH - half, text
        assert 0 < float(element.attrib["y"]) < HEIGHT
