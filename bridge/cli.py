"""The command line: a table of commands, each a module of `bridge.tools`.

A command's module is imported when the command is chosen, and slow libraries later still: `--help`
and error messages never wait for torch.
"""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import groupby
from typing import Any, NoReturn

from bridge import __version__
from bridge.errors import BridgeError

PROGRAM = "melody-bridge"
_BROKEN_PIPE_STATUS = 128 + 13
"""The shell's exit status for a program that SIGPIPE ended."""


@dataclass(frozen=True)
class Command:
    """One command.

    Attributes:
        name: the word on the command line.
        group: its heading in `--help`.
        summary: one line for `--help`.
        examples: two command lines without the program's name.
        module: the module of `bridge.tools` with `add_arguments(parser)` and `run(arguments)`;
            empty: the command's name.
    """

    name: str
    group: str
    summary: str
    examples: tuple[str, str]
    module: str = ""

    def load(self) -> Any:
        """Import the command's module."""
        return import_module(f"bridge.tools.{self.module or self.name}")


COMMANDS = (
    Command(
        *("render", "make", "make clips from a melody, a prompt, or both"),
        ("render hum.wav --preset lofi-keys --tempo 100", "render --prompt 'warm keys' --bars 2"),
    ),
    Command(
        *("again", "make", "make a clip again, with another preset, seed, or bars"),
        ("again last --preset strings", "again 3f9 --bars 8"),
    ),
    Command(
        *("demo", "make", "render the bundled hum with the embedded model"),
        ("demo", "demo --plot demo.png --json"),
    ),
    Command(
        *("transcribe", "make", "hear the notes that a hum means, as a list or as MIDI"),
        ("transcribe hum.wav --out hum.mid", "transcribe hum.wav --key 'A minor' --json"),
    ),
    Command(
        *("run", "play", "run the daemon beside the DAW: listen, render, deliver"),
        ("run", "run --input 'USB Audio' --sample-rate 48000"),
    ),
    Command(
        *("sketch", "play", "hum and hear loops in this terminal, without a DAW"),
        ("sketch", "sketch --input 'USB Audio' --output default"),
    ),
    Command(
        *("send", "play", "send a message to the daemon, and show its events until it is done"),
        ("send /bridge/capture/last me-1 4", "send /bridge/generate me-2 preset lofi-keys bars 4"),
    ),
    Command(
        *("serve", "play", "serve the engine to daemons on this machine and on others"),
        ("serve", "serve --model facebook/musicgen-stereo-melody --replicas 2 --host gpu-box"),
    ),
    Command(
        *("ardour", "play", "put the daemon's clips into Ardour's cue slots"),
        ("ardour --install", "ardour --ardour-launch"),
    ),
    Command(
        *("midi", "play", "learn, show and watch what MIDI controls do"),
        ("midi learn set preset lofi-keys", "midi map"),
    ),
    Command(
        *("clips", "manage", "list the clips, or write a page with players"),
        ("clips --kept", "clips --html"),
    ),
    Command(
        *("keep", "manage", "mark clips as kept: they are not discarded, and their takes stay"),
        ("keep last", "keep 3f9 k2x"),
        module="clip_changes",
    ),
    Command(
        *("unkeep", "manage", "keep clips no longer, so that they can be discarded"),
        ("unkeep 3f9", "unkeep 3f9 k2x"),
        module="clip_changes",
    ),
    Command(
        *("discard", "manage", "move clips to Discarded, where they stay for a week"),
        ("discard 3f9", "discard 3f9 k2x"),
        module="clip_changes",
    ),
    Command(
        *("restore", "manage", "move discarded clips back"),
        ("restore 3f9", "restore last"),
        module="clip_changes",
    ),
    Command(
        *("open", "manage", "open a clip, or the folder of clips"),
        ("open", "open last"),
        module="open_clip",
    ),
    Command(
        *("presets", "manage", "list the presets"),
        ("presets", "render hum.wav --preset waltz"),
    ),
    Command(
        *("config", "manage", "show or write the settings"),
        ("config", "config --init"),
    ),
    Command(
        *("model", "manage", "show what a checkpoint is made of"),
        ("model show pocket", "model show ./melody-model --json"),
    ),
    Command(
        *("convert", "manage", "convert a checkpoint of audiocraft for --model"),
        ("convert musicgen-melody/ melody-model", "render hum.wav --model melody-model"),
    ),
    Command(
        *("finetune", "manage", "teach a checkpoint the sound of your own loops"),
        (
            "finetune loops/ my-sound --word glimmer",
            "finetune loops/ my-sound --base facebook/musicgen-stereo-melody --lora 16",
        ),
    ),
    Command(
        *("compose", "manage", "put a checkpoint together from a base, a decoder, an adapter"),
        (
            "compose mine --base facebook/musicgen-stereo-melody --decoder my-decoder",
            "compose mine --base pocket --adapter my-lora",
        ),
    ),
    Command(
        *("devices", "manage", "list inputs and outputs of sound and MIDI"),
        ("devices", "devices --json"),
    ),
    Command(
        *("doctor", "manage", "check everything that the daemon needs"),
        ("doctor", "doctor --input 'USB Audio' --json"),
    ),
    Command(
        *("token", "manage", "say who may use the engine that this machine serves"),
        ("token add laptop --out laptop.token", "token revoke laptop"),
    ),
    Command(
        *("calibrate", "measure", "measure the input latency through a loopback"),
        ("calibrate", "calibrate --input 0 --output 1"),
    ),
    Command(
        *("eval", "measure", "measure how well a checkpoint follows"),
        ("eval --short --model facebook/musicgen-stereo-melody", "eval --hums --json"),
        module="evaluate",
    ),
    Command(
        *("bench", "measure", "measure how fast a checkpoint is, beside transformers"),
        ("bench --runs 3", "bench --size full --dtype bfloat16"),
    ),
    Command(
        *("sizing", "measure", "simulate how many replicas a number of players needs"),
        ("sizing 10 100 10000", "sizing 100 --bench bench.json --price 3"),
    ),
)


def main(arguments: Sequence[str]) -> int:
    """Run one command line.

    Args:
        arguments: without the program's name.

    Returns:
        The exit status: 0, 1 for a mishap, 2 for a mistake in the input.
    """
    for stream in (sys.stdout, sys.stderr):
        # A file name may hold bytes that are not text in this locale.
        if stream is not None:
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        status = _run(arguments)
        if sys.stdout is not None:
            sys.stdout.flush()
        return status
    except BridgeError as error:
        _print_error(str(error))
        return error.exit_status
    except BrokenPipeError:
        # The reader has closed the pipe; without this, Python prints an error when it shuts down.
        for descriptor in (1, 2):
            os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
        return _BROKEN_PIPE_STATUS
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EIO) and error.filename is None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        where = f"{error.filename!r}: " if error.filename is not None else ""
        _print_error(f"{where}{error.strerror or error}")
        return 1


def _run(arguments: Sequence[str]) -> int:
    parser = _parser()
    try:
        parsed = parser.parse_args(arguments)
    except SystemExit as exit:
        return int(exit.code or 0)
    if parsed.command is None:
        parser.print_help()
        return 0
    (command,) = (each for each in COMMANDS if each.name == parsed.command)
    return int(command.load().run(parsed))


def _print_error(message: str) -> None:
    if sys.stderr is not None:
        print(f"{PROGRAM}: {' '.join(message.split())}", file=sys.stderr)


class _Parser(argparse.ArgumentParser):
    """A parser that reports a mistake in one line, without the usage.

    A command's parser adds its arguments when it is used; the general `--help` imports no command.
    """

    def __init__(self, *, command: Command | None = None, **options: Any) -> None:
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, **options)
        self._command = command

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """See `argparse`."""
        if self._command is not None:
            self._command.load().add_arguments(self)
            self._command = None
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {' '.join(message.split())} (see {self.prog} --help)\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog=PROGRAM,
        usage=f"{PROGRAM} [-h] [--version] COMMAND ...",
        description="A melody in, a stereo loop out that follows it: exact bars, on the grid.",
        epilog=_overview(),
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    commands = parser.add_subparsers(
        dest="command",
        prog=PROGRAM,
        metavar="COMMAND",
        help=argparse.SUPPRESS,
        parser_class=_Parser,
    )
    for command in COMMANDS:
        commands.add_parser(
            command.name,
            command=command,
            description=f"{command.summary[0].upper()}{command.summary[1:]}.",
            epilog=_examples(command.examples),
            allow_abbrev=False,
        )
    return parser


def _overview() -> str:
    """The list of commands in groups, each group with two examples."""
    width = max(len(command.name) for command in COMMANDS)
    parts = []
    for group, members in groupby(COMMANDS, key=lambda command: command.group):
        commands = tuple(members)
        lines = [f"  {command.name:{width}}  {command.summary}" for command in commands]
        examples = [example for command in commands[:2] for example in command.examples[:1]]
        parts.append("\n".join([f"{group}:", *lines, _examples(examples)]))
    parts.append(f"`{PROGRAM} COMMAND --help` shows a command's options.")
    return "\n\n".join(parts)


def _examples(lines: Sequence[str]) -> str:
    return "\n".join(["  for example:", *(f"    {PROGRAM} {line}" for line in lines)])
