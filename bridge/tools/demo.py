"""`melody-bridge demo`: the bundled hum, rendered by the embedded model."""

from __future__ import annotations

import argparse

from bridge.config import read_value
from bridge.tools.render import render_and_print


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the demo's options."""
    parser.add_argument("--out", metavar="FOLDER", help="where to (melody-bridge-demo)")
    parser.add_argument("--plot", metavar="PNG", help="draw melody and clip")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Render the demo and print its clip; return the exit status."""
    from bridge.rendering.plan import demo_options

    given = {
        name: read_value(name, value)
        for name in ("out", "plot")
        if (value := getattr(arguments, name)) is not None
    }
    return render_and_print(demo_options(**given), as_json=arguments.json)
