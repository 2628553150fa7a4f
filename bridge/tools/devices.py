"""`melody-bridge devices`: the inputs and outputs of this machine."""

from __future__ import annotations

import argparse

from bridge.soundcard import devices


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Print the devices; return the exit status."""
    return devices.main(as_json=arguments.json)
