"""`melody-bridge ardour`: put the daemon's clips into Ardour, and install its scripts."""

from __future__ import annotations

import argparse
import json
import threading
from dataclasses import asdict

from bridge.config.flags import add_config_flag, add_flag, run_options
from bridge.hosts.ardour.companion import Companion, Report, follow
from bridge.hosts.ardour.install import config_folders, install

NEXT_STEPS = """\
Two things remain, in Ardour:
1. Edit, Lua Scripts, Script Manager, Action Hooks: New Hook, choose Melody Bridge, Add.
   If Ardour runs already, press Refresh there first.
2. To have clips launched: Preferences, Control Surfaces: switch on Open Sound Control (OSC).
Then start `melody-bridge run --host ardour`."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "--install", action="store_true", help="write the scripts into Ardour's folder, and end"
    )
    for name in ("osc_port", "ardour_port", "ardour_place", "ardour_launch"):
        add_flag(parser, name)
    add_config_flag(parser)
    parser.add_argument("--json", action="store_true", help="print JSON, an object a line")


def run(arguments: argparse.Namespace) -> int:
    """Install, or follow the daemon until Ctrl-C; return the exit status.

    Raises:
        BadArgument: an option cannot be used, or Ardour has never been run.
        NotWritable: a script cannot be written.
    """
    options = run_options(arguments)
    if arguments.install:
        paths = install(config_folders(), osc_port=options.osc_port)
        if arguments.json:
            print(json.dumps({"scripts": [str(path) for path in paths]}, ensure_ascii=False))
        else:
            print(*paths, NEXT_STEPS, sep="\n")
        return 0
    show = _show_json if arguments.json else _show
    companion = Companion(
        ardour_port=options.ardour_port,
        place=options.ardour_place,
        launches=options.ardour_launch,
        report=show,
    )
    follow(companion, options.osc_port, threading.Event(), show)
    return 0


def _show(report: Report) -> None:
    clip = f"{report.clip}: " if report.clip else ""
    print(f"{clip}{report.state}: {report.detail}", flush=True)


def _show_json(report: Report) -> None:
    print(json.dumps(asdict(report), ensure_ascii=False), flush=True)
