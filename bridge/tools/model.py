"""`melody-bridge model show`: what a checkpoint is made of."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from bridge.engine.checkpoint import find
from bridge.engine.description import Description, describe


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    show = actions.add_parser("show", help="print parts, sizes, defaults and licence")
    show.add_argument(
        "model", metavar="MODEL", help="pocket, a folder, or a Hugging Face id; it is not fetched"
    )
    show.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Print the description; return the exit status.

    Raises:
        BadArgument, CheckpointUnusable: it is not on this machine, or cannot be used.
    """
    description = describe(find(arguments.model, fetch=False))
    if arguments.json:
        print(json.dumps(asdict(description), default=str))
    else:
        print("\n".join(_lines(description)))
    return 0


def _lines(about: Description) -> list[str]:
    is_whole = len(about.parts) > 1
    lines = [about.name, f"  folder         {about.folder}"]
    if about.revision is not None:
        lines.append(f"  revision       {about.revision}")
    for part in about.parts:
        lines.append(
            f"  {part.name:<17}{part.parameters / 1e6:12,.3f} M parameters"
            f"{part.num_bytes / 1e6:12,.1f} MB  {', '.join(part.dtypes)}"
        )
    channels = {1: "mono", 2: "stereo"}.get(about.audio_channels or 0, "channels not stated")
    lines.append(
        f"  decoder        {about.layers} layers, {about.hidden_size} wide, {about.heads} heads"
    )
    lines.append(
        f"  sound          {channels}, {about.num_codebooks} codebooks of {about.codebook_size}"
        + (f", {about.sample_rate} Hz" if is_whole else "")
    )
    if is_whole:
        lines.append(f"  prompt         {about.text_encoder or 'not stated'}")
        lines.append(f"  melody         {about.chroma_length} steps of chroma")
        defaults = ", ".join(f"{name} {value}" for name, value in about.defaults.items())
        lines.append(f"  defaults       {defaults or 'none'}")
    else:
        lines.append("  a decoder alone; give it to `melody-bridge compose`")
    lines.append(f"  licence        {about.licence or 'not stated in the folder'}")
    if about.is_finite is None:
        lines.append("  weights        not read here; loading checks that they are finite")
    return lines
