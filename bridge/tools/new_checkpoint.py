"""What the commands share that make a checkpoint: its folder, its number type, the answer."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

NUMBER_TYPES = ("float32", "float16", "bfloat16")


def add_out(parser: argparse.ArgumentParser, more: str = "") -> None:
    """Add the folder to make.

    Args:
        more: text after its help.
    """
    parser.add_argument("out", metavar="OUT", help=f"the folder to make{more}")


def add_number_type(parser: argparse.ArgumentParser, weights: str, default: str) -> None:
    """Add `--dtype`.

    Args:
        weights: what is saved in it.
        default: whose number type they have otherwise.
    """
    help = f"number type of the saved {weights} ({default})"
    parser.add_argument("--dtype", choices=NUMBER_TYPES, help=help)


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add `--json`."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def print_result(made: DataclassInstance, lines: Iterable[str], *, as_json: bool) -> int:
    """Print what was made, as lines or as one JSON object; return the exit status."""
    print(json.dumps(asdict(made), default=str) if as_json else "\n".join(lines))
    return 0
