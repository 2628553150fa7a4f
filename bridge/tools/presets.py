"""`melody-bridge presets`: the bundled presets and the user's own."""

from __future__ import annotations

import argparse
import sys

from bridge.config.files import user_folder
from bridge.config.presets import list_presets


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add nothing: the command has no options."""


def run(arguments: argparse.Namespace) -> int:
    """Print the presets, and the invalid files on stderr; return the exit status."""
    found, broken = list_presets()
    width = max(len(preset.name) for preset in found)
    for preset in found:
        print(f"{preset.name:{width}}  {preset.description}")
        print(f"{'':{width}}  {preset.prompt}")
    print(f"\nYour own go into {user_folder() / 'presets'}")
    for error in broken.values():
        print(f"melody-bridge: {' '.join(str(error).split())}", file=sys.stderr)
    return 0
