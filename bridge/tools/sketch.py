"""`melody-bridge sketch`: the screen in the terminal, for ideas without a DAW."""

from __future__ import annotations

import argparse
import sys
from importlib.util import find_spec
from pathlib import Path

from bridge.config import DEFAULT_DEVICE, OPTIONS, merge_sketch
from bridge.config.files import read_config
from bridge.config.flags import add_config_flag, add_flags, config_file, given_flags, run_options
from bridge.config.options import options_in
from bridge.errors import BadArgument, Unsupported

EXTRA = "sketch needs one more package: pip install 'melody-bridge[tui]'"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the daemon's options: the screen starts one with them, unless one runs on the port."""
    add_flags(parser, "run")
    add_config_flag(parser)
    parser.add_argument("--picture", metavar="SVG", help="draw the last screen, when you quit")


def run(arguments: argparse.Namespace) -> int:
    """Show the screen until its person leaves; return the exit status.

    Raises:
        Unsupported: the extra is not installed, or there is no terminal.
        BadArgument, UnreadableFile: an option cannot be used.
        DaemonSilent, DaemonEnded: there is no daemon to show.
    """
    if find_spec("textual") is None:
        raise Unsupported(EXTRA)
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise Unsupported("sketch draws on a terminal, and this is none: run it in one")
    configured = read_config(config_file(arguments))
    options, sketch = run_options(arguments), merge_sketch(configured)
    picture = Path(arguments.picture).expanduser() if arguments.picture else None
    if picture is not None and not (picture.suffix == ".svg" and picture.parent.is_dir()):
        raise BadArgument(f"--picture {str(picture)!r}: name a .svg file in a folder that exists")
    from bridge.screens.sketch.guard import find_or_start, guarded

    # First the daemon, which is slower: the screen is imported meanwhile.
    daemon = find_or_start(options.osc_port, _daemon_flags(arguments, "output" in configured))
    port = options.osc_port if daemon is None else daemon.port
    bars = int(options.defaults.get("bars", OPTIONS["bars"].default))

    def screen(leave_descriptor: int | None) -> int:
        from bridge.screens.sketch.app import SketchApp, Start

        app = SketchApp(sketch, Start(port, bars, leave_descriptor))
        app.run()
        if picture is not None and app.last_picture:
            picture.write_text(app.last_picture, encoding="utf-8")
        return app.return_code or 0

    return guarded(screen, daemon)


def _daemon_flags(arguments: argparse.Namespace, has_output: bool) -> list[str]:
    """The flags that were given, for the daemon; it plays on the default output unless named."""
    flags: list[str] = []
    given = given_flags(arguments, "run")
    if not has_output:
        given.setdefault("output", DEFAULT_DEVICE)
    for option in options_in("run"):
        if option.name == "osc_port" or option.name not in given:
            continue
        flags.append(option.flag)
        if option.reader.kind != "switch":
            flags.append(str(given[option.name]))
    config = config_file(arguments)
    return [*flags, *(("--config", str(config)) if config is not None else ())]
