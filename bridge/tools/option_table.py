"""The table of options in docs/cli.md; `python -m bridge.tools.option_table PAGE` writes it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from bridge.config import OPTIONS, Option, Place
from bridge.errors import BadArgument

BEGIN, END = "<!-- options:begin -->", "<!-- options:end -->"
_HEADINGS: Mapping[Place, str] = {
    "render": "`render`",
    "run": "`run`",
    "file": "config.toml",
    "preset": "preset",
    "osc": "OSC",
}

_ONE_ADDRESS: Mapping[Place, str] = {"session": "/bridge/set", "request": "/bridge/generate"}
"""Places that are one address of OSC."""


def markdown() -> str:
    """The table in Markdown: a row an option, with name, flag, range, default, help and places."""
    headings = [
        "option",
        "flag",
        "values",
        "default",
        "meaning",
        *_HEADINGS.values(),
    ]
    rows = [headings, ["---"] * len(headings)]
    rows += [_row(option) for option in OPTIONS.values()]
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in rows)


def with_table(text: str) -> str:
    """A page with the table between its two marks.

    Raises:
        BadArgument: the marks are missing, or not in order.
    """
    begin, end = text.find(BEGIN), text.find(END)
    if not 0 <= begin < end:
        raise BadArgument(f"the page lacks {BEGIN} and {END}: write both, each on a line")
    return f"{text[: begin + len(BEGIN)]}\n{markdown()}\n{text[end:]}"


def _row(option: Option) -> list[str]:
    is_flag = bool({"render", "run"} & set(option.places))
    flag = f"`{option.flag or option.metavar}`" if is_flag else ""
    marks = ["yes" if place in option.places else "" for place in _HEADINGS]
    for place, address in _ONE_ADDRESS.items():
        if place in option.places:
            marks[-1] = f"`{address}`"
    texts = (option.reader.range, option.default_text, option.help)
    return [f"`{option.name}`", flag, *map(_escaped, texts), *marks]


def _escaped(text: str) -> str:
    """Text in which Markdown sees neither a cell's end nor HTML."""
    return text.replace("|", "\\|").replace("<", "\\<")


if __name__ == "__main__":
    page = Path(sys.argv[1])
    page.write_text(with_table(page.read_text(encoding="utf-8")), encoding="utf-8")
