"""Options as flags of the command line. Values stay text here; `read_value` reads them later."""

from __future__ import annotations

import argparse
from collections.abc import Container
from pathlib import Path
from typing import Any

from bridge.config.entry import Option, Place
from bridge.config.files import read_config
from bridge.config.options import OPTIONS, RunOptions, merge_run, options_in


def add_flags(
    parser: argparse.ArgumentParser, place: Place, *, without: Container[str] = ()
) -> None:
    """Add every option that may be set in that place, under the headings of the table.

    Args:
        without: names of options to leave out.
    """
    groups: dict[str, argparse._ActionsContainer] = {"": parser}
    for option in options_in(place):
        if option.name in without:
            continue
        if place == "render" and option.group not in groups:
            groups[option.group] = parser.add_argument_group(option.group)
        add_flag(groups.get(option.group, parser), option)


def add_flag(parser: argparse._ActionsContainer, option: Option | str) -> None:
    """Add one option, or the option of that name."""
    if isinstance(option, str):
        option = OPTIONS[option]
    help = f"{option.help} ({option.limits})".replace("%", "%%")
    if not option.flag:
        parser.add_argument(option.name, nargs="?", metavar=option.metavar, help=help)
    elif option.reader.kind == "switch":
        parser.add_argument(option.flag, dest=option.name, action="store_true", help=option.help)
    else:
        parser.add_argument(option.flag, dest=option.name, metavar=option.metavar, help=help)


def given_flags(arguments: argparse.Namespace, place: Place) -> dict[str, Any]:
    """The raw values that the command line sets, by option name; a switch only when it is on."""
    values = {option.name: getattr(arguments, option.name, None) for option in options_in(place)}
    return {name: value for name, value in values.items() if value not in (None, False)}


def add_config_flag(parser: argparse.ArgumentParser) -> None:
    """Add `--config FILE`."""
    parser.add_argument("--config", metavar="FILE", help="settings (config.toml, see `config`)")


def config_file(arguments: argparse.Namespace) -> Path | None:
    """The file that `--config` names; None: the user's own."""
    return None if arguments.config is None else Path(arguments.config).expanduser()


def run_options(arguments: argparse.Namespace) -> RunOptions:
    """The daemon's options: flags over the configuration file.

    Raises:
        BadArgument, UnreadableFile: a value cannot be used.
    """
    return merge_run(given_flags(arguments, "run"), read_config(config_file(arguments)))
