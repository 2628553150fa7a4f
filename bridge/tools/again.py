"""`melody-bridge again`: a clip made again from its stored take, with other settings."""

from __future__ import annotations

import argparse

from bridge.config.files import render_defaults
from bridge.config.flags import add_flags, config_file, given_flags
from bridge.tools.clip_folder import add_folder_flags, open_book, read_id
from bridge.tools.render import print_clips

_OF_THE_CLIP = ("melody", "unconditional")
"""Options of a render that the stored clip decides."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the clip's id, and the options of a render."""
    parser.add_argument("id", metavar="ID", help="as `melody-bridge clips` shows it, or `last`")
    add_folder_flags(parser)
    add_flags(parser, "render", without=_OF_THE_CLIP)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Render, and print the clips; return the exit status.

    Raises:
        UnknownId, BadArgument: no clip, or several clips, are meant.
        BridgeError: as `rendering.again.plan_again` and `rendering.render.render`.
    """
    from bridge.rendering.again import AGAIN_OF, plan_again

    clip = open_book(arguments).find(read_id(arguments.id))
    plan = plan_again(
        clip, given_flags(arguments, "render"), render_defaults(config_file(arguments))
    )
    return print_clips(plan, as_json=arguments.json, recipe={AGAIN_OF: clip.known.path.name})
