"""The table of options in the docs is the table in the code."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.config import OPTIONS
from bridge.errors import BadArgument
from bridge.tools.option_table import BEGIN, END, markdown, with_table

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"


def test_the_page_has_the_present_table() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert with_table(text) == text, "run `make docs`"


def test_every_option_is_a_row_with_its_flag_range_and_places() -> None:
    rows = markdown().splitlines()
    assert len(rows) == 2 + len(OPTIONS)
    (row,) = (row for row in rows if row.startswith("| `top_p` |"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[1:3] == ["`--top-p`", "0.001 to 1"]
    assert cells[-5:] == ["yes", "", "yes", "yes", "yes"]


@pytest.mark.parametrize("text", ["no marks", f"{END}\n{BEGIN}"])
def test_a_page_without_marks_is_refused(text: str) -> None:
    with pytest.raises(BadArgument, match="lacks"):
        with_table(text)
