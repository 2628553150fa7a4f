"""`melody-bridge convert`: a checkpoint of audiocraft becomes a folder that --model takes."""

from __future__ import annotations

import argparse
from pathlib import Path

from bridge.errors import BadArgument
from bridge.tools.new_checkpoint import add_json, add_number_type, add_out, print_result
from bridge.tools.progress_bar import progress_bar

_FILES = ("state_dict.bin", "compression_state_dict.bin")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("source", metavar="SOURCE", help=f"folder with {' and '.join(_FILES)}")
    add_out(parser)
    parser.add_argument(
        "--text-encoder",
        metavar="MODEL",
        help="T5 encoder: a folder or a Hugging Face id (the one that the source names)",
    )
    parser.add_argument(
        "--codec", metavar="MODEL", help="EnCodec: a folder or a Hugging Face id (the source's)"
    )
    add_number_type(parser, "decoder", "the source's")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Convert; return the exit status.

    Raises:
        BadArgument, CheckpointUnusable, DiskFull, NotWritable: as `bridge.engine.convert.convert`.
    """
    source = Path(arguments.source).expanduser()
    # Before torch, which takes seconds to import.
    if not source.is_dir():
        raise BadArgument(f"{str(source)!r} is no folder; give one with {' and '.join(_FILES)}")
    from bridge.engine.convert import convert

    with progress_bar() as show:
        done = convert(
            source,
            arguments.out,
            text_encoder=arguments.text_encoder,
            codec=arguments.codec,
            dtype=arguments.dtype,
            progress=lambda doing: show(doing, None),
        )
    channels = "stereo" if done.audio_channels == 2 else "mono"
    lines = (
        f"{done.folder}: {done.parameters / 1e6:,.1f} million parameters, {channels}",
        f"  text encoder {done.text_encoder}",
        f"  codec {done.codec}",
        f"  {done.weights} weights, each accounted for",
    )
    return print_result(done, lines, as_json=arguments.json)
