"""`melody-bridge render`: clips from a melody, a prompt, or both."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bridge.config import Options, merge
from bridge.config.files import render_defaults
from bridge.config.flags import add_flags, given_flags
from bridge.config.presets import find_preset
from bridge.errors import BadArgument
from bridge.tools.render_ray import PLACES

if TYPE_CHECKING:
    from bridge.rendering.plan import RenderPlan


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of a render."""
    add_flags(parser, "render")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    group = parser.add_argument_group("batch")
    group.add_argument(
        "--batch",
        metavar="FILE",
        help="render each row of a .csv or .jsonl file of options; the other flags are defaults",
    )
    group.add_argument(
        "--results",
        metavar="FILE",
        help="the batch's result file, from which it goes on after a stop "
        "(default: beside the batch file, .results.jsonl)",
    )
    group.add_argument(
        "--ray",
        metavar="|".join(PLACES),
        help="render on replicas of the batch's own, which end with it: local is Ray on this "
        "machine alone, auto the cluster of Ray whose head this machine is",
    )
    group.add_argument(
        "--replicas",
        metavar="N|auto",
        help="how many, with --ray (default: auto, as many as the rows keep busy)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Render, and print the clips; return the exit status.

    Raises:
        BridgeError: as `rendering.plan.prepare` and `rendering.render.render`.
    """
    flags = given_flags(arguments, "render")
    if arguments.batch is not None:
        from bridge.tools.render_batch import run_and_print

        return run_and_print(
            arguments.batch,
            arguments.results,
            flags=flags,
            as_json=arguments.json,
            ray=arguments.ray,
            replicas=arguments.replicas,
        )
    for name in ("results", "ray", "replicas"):
        if getattr(arguments, name) is not None:
            raise BadArgument(f"--{name} belongs to a batch: name its file with --batch")
    preset = {} if arguments.preset is None else find_preset(arguments.preset).values
    return render_and_print(merge(flags, preset, render_defaults()), as_json=arguments.json)


def render_and_print(options: Options, *, as_json: bool) -> int:
    """Render with a progress bar; print the clips, or one JSON object; return the exit status."""
    from bridge.rendering.plan import prepare

    return print_clips(prepare(options), as_json=as_json)


def print_clips(plan: RenderPlan, *, as_json: bool, recipe: Mapping[str, Any] | None = None) -> int:
    """Render a plan as `render_and_print` does.

    Args:
        recipe: further fields for the sidecars.
    """
    from bridge.rendering.render import render
    from bridge.tools.progress_bar import progress_bar

    _print_remarks(plan.remarks)
    with progress_bar() as progress:
        rendered = render(plan, progress=progress, recipe=recipe)
    _print_remarks(rendered.remarks)
    if as_json:
        print(json.dumps(rendered.as_json(), allow_nan=False))
        return 0
    for clip in rendered.clips:
        print(clip.path)
        print(f"  {clip.summary()}")
    if rendered.plot is not None:
        print(rendered.plot)
    print(
        f"{rendered.seconds:.1f} s on {rendered.device}, "
        f"{rendered.realtime_factor:.2f} times real time"
    )
    return 0


def _print_remarks(remarks: tuple[str, ...]) -> None:
    if sys.stderr is not None:
        for remark in remarks:
            print(" ".join(remark.split()), file=sys.stderr)
