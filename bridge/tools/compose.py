"""`melody-bridge compose`: one checkpoint from a base, a decoder and an adapter."""

from __future__ import annotations

import argparse

from bridge.errors import BadArgument
from bridge.tools.new_checkpoint import add_json, add_number_type, add_out, print_result
from bridge.tools.progress_bar import progress_bar


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_out(parser)
    parser.add_argument(
        "--base",
        metavar="MODEL",
        required=True,
        help="the checkpoint that text encoder and codec come from: pocket, a folder, or a Hugging "
        "Face id",
    )
    parser.add_argument(
        "--decoder", metavar="MODEL", help="a decoder that was trained with them (the base's)"
    )
    parser.add_argument("--adapter", metavar="FOLDER", help="a LoRA of peft to merge (none)")
    add_number_type(parser, "weights", "the base's")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Put the checkpoint together; return the exit status.

    Raises:
        BadArgument, CheckpointUnusable, DiskFull, NotWritable, Unsupported: as
            `bridge.engine.compose.compose`.
    """
    # Before torch, which takes seconds to import.
    if arguments.decoder is None and arguments.adapter is None:
        raise BadArgument("give --decoder, --adapter, or both: there is nothing to put together")
    from bridge.engine.compose import compose

    with progress_bar() as show:
        done = compose(
            arguments.base,
            arguments.out,
            decoder=arguments.decoder,
            adapter=arguments.adapter,
            dtype=arguments.dtype,
            progress=lambda doing: show(doing, None),
        )
    lines = [f"{done.folder}: the decoder of {done.decoder}, the rest of {arguments.base}"]
    if arguments.adapter is not None:
        lines.append(f"  {done.adapted_weights} matrices changed by {arguments.adapter}")
    return print_result(done, lines, as_json=arguments.json)
