"""`melody-bridge run`: the daemon."""

from __future__ import annotations

import argparse

from bridge.config.flags import add_config_flag, add_flags, run_options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the daemon's options."""
    add_flags(parser, "run")
    add_config_flag(parser)
    parser.add_argument("--json-log", action="store_true", help="log JSON lines on stdout")
    parser.add_argument(
        "--until-stdin-ends",
        action="store_true",
        help="stop when stdin is closed, as by the end of the program that started the daemon",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the daemon until Ctrl-C or SIGTERM; return the exit status."""
    options = run_options(arguments)
    from bridge.daemon import daemon

    return daemon.run(
        options, as_json=arguments.json_log, until_stdin_ends=arguments.until_stdin_ends
    )
