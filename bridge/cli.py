"""The command line: it reads arguments, calls the programs, and prints what they return.

Everything slow is imported where it is needed: `--help` and a refusal never wait for torch.
"""

from __future__ import annotations

import argparse
import errno
import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from bridge import __version__
from bridge.errors import BridgeError

if TYPE_CHECKING:
    from bridge.config import Options, RunOptions
    from bridge.rendering.render import Rendered

_PROGRAM = "melody-bridge"
_BROKEN_PIPE_STATUS = 128 + 13
"""What a shell shows for a program that SIGPIPE ended."""


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
        _print_error(f"{_PROGRAM}: {error}")
        return error.exit_status
    except BrokenPipeError:
        # Whoever read has gone; without this, Python complains once more when it shuts down.
        for descriptor in (1, 2):
            os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
        return _BROKEN_PIPE_STATUS
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EIO) and error.filename is None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        where = f"{error.filename!r}: " if error.filename is not None else ""
        _print_error(f"{_PROGRAM}: {where}{error.strerror or error}")
        return 1


def _run(arguments: Sequence[str]) -> int:
    parser = _parser()
    try:
        parsed = parser.parse_args(arguments)
    except SystemExit as leaving:
        return int(leaving.code or 0)
    if parsed.command is None:
        parser.print_help()
        return 0
    run: Callable[[argparse.Namespace], int] = parsed.run
    return run(parsed)


def _render(arguments: argparse.Namespace) -> int:
    from bridge.config import files, merge, presets

    flags = {
        name: value
        for name, value in vars(arguments).items()
        # A switch that was not thrown is not given.
        if name not in ("command", "run", "json") and value is not False
    }
    preset = {} if arguments.preset is None else presets.find_preset(arguments.preset).values
    return _render_and_print(merge(flags, preset, files.render_defaults()), as_json=arguments.json)


def _demo(arguments: argparse.Namespace) -> int:
    from bridge.config import read_value
    from bridge.rendering.plan import demo_options

    given = {
        name: read_value(name, value)
        for name in ("out", "plot")
        if (value := getattr(arguments, name)) is not None
    }
    return _render_and_print(demo_options(**given), as_json=arguments.json)


def _render_and_print(options: Options, *, as_json: bool) -> int:
    from bridge.rendering.plan import prepare
    from bridge.rendering.render import render
    from bridge.tools.progress_bar import progress_bar

    plan = prepare(options)
    for sentence in plan.remarks:
        _print_error(sentence)
    with progress_bar() as progress:
        rendered = render(plan, progress=progress)
    for sentence in rendered.remarks:
        _print_error(sentence)
    if as_json:
        print(json.dumps(rendered.as_json(), allow_nan=False))
    else:
        _print_clips(rendered)
    return 0


def _print_clips(rendered: Rendered) -> None:
    for clip in rendered.clips:
        print(clip.path)
        print(f"  {clip.summary()}")
    if rendered.plot is not None:
        print(rendered.plot)
    print(
        f"{rendered.seconds:.1f} s on {rendered.device}, "
        f"{rendered.realtime_factor:.2f} times real time"
    )


def _presets(arguments: argparse.Namespace) -> int:
    from bridge.config import files, presets

    found, broken = presets.list_presets()
    width = max(len(preset.name) for preset in found)
    for preset in found:
        print(f"{preset.name:{width}}  {preset.description}")
        print(f"{'':{width}}  {preset.prompt}")
    print(f"\nYour own go into {files.user_folder() / 'presets'}")
    for error in broken.values():
        _print_error(f"{_PROGRAM}: {error}")
    return 0


def _run_daemon(arguments: argparse.Namespace) -> int:
    from bridge.daemon import daemon

    return daemon.run(_run_options(arguments), as_json=arguments.json_log)


def _doctor(arguments: argparse.Namespace) -> int:
    from bridge.tools import doctor

    return doctor.main(_run_options(arguments), as_json=arguments.json)


def _run_options(arguments: argparse.Namespace) -> RunOptions:
    from pathlib import Path

    from bridge.config import FILE_OPTIONS, merge_run
    from bridge.config.files import read_config

    flags = {name: value for name, value in vars(arguments).items() if name in FILE_OPTIONS}
    file = None if arguments.config is None else Path(arguments.config).expanduser()
    return merge_run(flags, read_config(file))


def _send(arguments: argparse.Namespace) -> int:
    from bridge.tools import send

    options = _run_options(arguments)
    return send.send(
        arguments.address,
        send.read_arguments(arguments.address, arguments.arguments),
        port=options.osc_port,
        show=send.show_json if arguments.json else send.show_line,
    )


def _config(arguments: argparse.Namespace) -> int:
    from pathlib import Path

    from bridge.config import files

    path = None if arguments.config is None else Path(arguments.config).expanduser()
    if arguments.init:
        print(files.write_config(path))
        return 0
    path = path or files.config_path()
    values = files.read_config(path) if path.exists() else {}
    print(f"{path}{'' if path.exists() else ' (not there; --init writes one)'}")
    for name, value in values.items():
        print(f"  {name} = {value}")
    return 0


def _devices(arguments: argparse.Namespace) -> int:
    from bridge.soundcard import devices

    return devices.main(as_json=arguments.json)


def _calibrate(arguments: argparse.Namespace) -> int:
    from bridge.tools import calibrate

    return calibrate.main(
        input_=_device_named(arguments.input),
        output=_device_named(arguments.output),
        as_json=arguments.json,
    )


def _device_named(word: str | None) -> str | int | None:
    """A device as the command line names it: by index, by name, or by nothing."""
    from bridge.config import read_value

    device: str | int | None = None if word is None else read_value("input", word)
    return device


def _eval(arguments: argparse.Namespace) -> int:
    from bridge.tools import evaluate

    return evaluate.main(arguments)


def _bench(arguments: argparse.Namespace) -> int:
    from bridge.tools import bench

    return bench.main(arguments)


def _print_error(line: str) -> None:
    """One line on stderr."""
    if sys.stderr is not None:
        print(" ".join(line.split()), file=sys.stderr)


class _Parser(argparse.ArgumentParser):
    """One line for a mistake, instead of the usage and a line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {' '.join(message.split())} (see {self.prog} --help)\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog=_PROGRAM,
        description="A melody in, a stereo loop out that follows it: exact bars, on the grid.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"{_PROGRAM} {__version__}")
    commands = parser.add_subparsers(
        dest="command", metavar="COMMAND", title="commands", parser_class=_Parser
    )
    _add_run(commands)
    _add_send(commands)
    _add_render(commands)

    demo = commands.add_parser(
        "demo", help="render the bundled hum with the embedded model", allow_abbrev=False
    )
    demo.add_argument("--out", metavar="FOLDER", help="where to (melody-bridge-demo)")
    demo.add_argument("--plot", metavar="PNG", help="draw melody and clip")
    demo.add_argument("--json", action="store_true", help="print one JSON object")
    demo.set_defaults(run=_demo)

    presets = commands.add_parser("presets", help="list the presets", allow_abbrev=False)
    presets.set_defaults(run=_presets)

    evaluate = commands.add_parser(
        "eval", help="measure how well a checkpoint follows", allow_abbrev=False
    )
    evaluate.add_argument("--json", action="store_true", help="print one JSON object")
    evaluate.add_argument("--model", default="pocket", help="as for render (%(default)s)")
    evaluate.add_argument(
        "--engine",
        choices=("stream", "reference"),
        default="stream",
        help="the bridge's own, or transformers' generate (%(default)s)",
    )
    evaluate.add_argument("--short", action="store_true", help="fewer clips, a rougher figure")
    evaluate.set_defaults(run=_eval)
    _add_bench(commands)
    return parser


def _add_bench(commands: Any) -> None:
    bench = commands.add_parser(
        "bench", help="measure how fast a checkpoint is, beside transformers", allow_abbrev=False
    )
    bench.add_argument("--model", help="as for render (pocket)")
    bench.add_argument(
        "--size",
        choices=("full", "mono", "large"),
        help="random weights of a published size instead of a model: 1.5 B stereo or mono, 3.3 B",
    )
    bench.add_argument("--device", help="auto, cpu, cuda, cuda:N or mps (auto)")
    bench.add_argument(
        "--dtype",
        choices=("auto", "float32", "float16", "bfloat16"),
        help="of the weights (bfloat16 on CUDA, else float32)",
    )
    bench.add_argument("--seconds", type=float, default=10.0, help="of the piece (%(default)g)")
    bench.add_argument("--runs", type=int, default=5, help="of each engine (%(default)s)")
    bench.add_argument("--variations", type=int, default=1, help="made at once (%(default)s)")
    bench.add_argument(
        "--requests", type=int, default=0, help="also measure the memory over so many requests"
    )
    bench.add_argument("--plot", metavar="PNG", help="draw step time against position")
    bench.add_argument("--json", action="store_true", help="print one JSON object")
    bench.set_defaults(run=_bench)


def _add_run(commands: Any) -> None:
    """The daemon, and what looks after it. Values stay text here, as for render."""
    parser = commands.add_parser(
        "run", help="stand beside the DAW: hear, render, deliver", allow_abbrev=False
    )
    parser.set_defaults(run=_run_daemon)
    _add_run_options(parser)
    parser.add_argument("--clips", metavar="FOLDER", help="where clips go (the clips folder)")
    parser.add_argument("--sample-rate", metavar="HZ", help="of the clips (44100)")
    parser.add_argument("--json-log", action="store_true", help="log JSON lines on stdout")

    doctor = commands.add_parser(
        "doctor", help="see what stands in the daemon's way", allow_abbrev=False
    )
    doctor.set_defaults(run=_doctor)
    _add_run_options(doctor)
    doctor.add_argument("--clips", metavar="FOLDER", help="as for run")
    doctor.add_argument("--json", action="store_true", help="print one JSON object")

    devices = commands.add_parser("devices", help="list inputs and outputs", allow_abbrev=False)
    devices.add_argument("--json", action="store_true", help="print one JSON object")
    devices.set_defaults(run=_devices)

    calibrate = commands.add_parser(
        "calibrate",
        help="measure how late the input hears, through a loopback",
        allow_abbrev=False,
    )
    calibrate.add_argument("--input", metavar="NAME|INDEX", help="as for run")
    calibrate.add_argument("--output", metavar="NAME|INDEX", help="what plays (the default one)")
    calibrate.add_argument("--json", action="store_true", help="print one JSON object")
    calibrate.set_defaults(run=_calibrate)

    config = commands.add_parser("config", help="show or write the settings", allow_abbrev=False)
    config.add_argument("--init", action="store_true", help="write a commented file of settings")
    config.add_argument("--config", metavar="FILE", help="this file (the usual one)")
    config.set_defaults(run=_config)


def _add_run_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--osc-port", metavar="N", help="UDP port on 127.0.0.1 (7771)")
    parser.add_argument(
        "--input", metavar="NAME|INDEX|none", help="what to hear (the system's default)"
    )
    parser.add_argument(
        "--model", metavar="MODEL", help="pocket, a folder, or a Hugging Face id (pocket)"
    )
    parser.add_argument("--device", metavar="NAME", help="auto, cpu, cuda, cuda:N or mps (auto)")
    parser.add_argument("--config", metavar="FILE", help="settings (config.toml, see `config`)")


def _add_send(commands: Any) -> None:
    parser = commands.add_parser(
        "send",
        help="send a message to the daemon, and show its events until it is done",
        allow_abbrev=False,
    )
    parser.set_defaults(run=_send)
    parser.add_argument("address", metavar="ADDRESS", help="such as /bridge/generate")
    parser.add_argument(
        "arguments", nargs="*", metavar="ARGUMENT", help="an id first, where the address has one"
    )
    parser.add_argument("--osc-port", metavar="N", help="the daemon's (7771)")
    parser.add_argument("--config", metavar="FILE", help="as for run")
    parser.add_argument("--json", action="store_true", help="print each event as a JSON object")


def _add_render(commands: Any) -> None:
    """Values stay text here: `bridge.config` reads them, with the same ranges as in TOML."""
    parser = commands.add_parser(
        "render", help="make clips from a melody, a prompt, or both", allow_abbrev=False
    )
    parser.set_defaults(run=_render)
    parser.add_argument(
        "melody", nargs="?", metavar="MELODY", help="an audio or MIDI file; left out: text only"
    )
    music = parser.add_argument_group("music")
    music.add_argument(
        "--prompt",
        metavar="TEXT",
        help="what it sounds like; {tempo} and {key} are filled in, and added where it has none",
    )
    music.add_argument("--preset", metavar="NAME", help="a named sound; `presets` lists them")
    music.add_argument("--bars", metavar="N", help="length of the clip (4)")
    music.add_argument("--tempo", metavar="BPM", dest="tempo_bpm", help="(a MIDI file's, or 120)")
    music.add_argument("--meter", metavar="N/D", help="(a MIDI file's, or 4/4)")
    music.add_argument(
        "--melody-tempo",
        metavar="BPM",
        dest="melody_tempo_bpm",
        help="the melody's own tempo, where the clip's is another",
    )
    music.add_argument("--key", metavar="KEY", help="such as 'A minor', for the prompt")
    model = parser.add_argument_group("model")
    model.add_argument(
        "--model", metavar="MODEL", help="pocket, a folder, or a Hugging Face id (pocket)"
    )
    model.add_argument("--seed", metavar="N", help="0 to 16777215; without it one is drawn")
    model.add_argument("--variations", metavar="N", help="how many clips, best first (1)")
    model.add_argument("--guidance-scale", metavar="X", help="how strictly it follows (3)")
    model.add_argument("--temperature", metavar="X", help="how freely it chooses (1)")
    model.add_argument("--top-k", metavar="N", help="choose from the likeliest N; 0: all (250)")
    model.add_argument("--greedy", action="store_true", help="always take the likeliest")
    model.add_argument(
        "--unconditional", action="store_true", help="follow neither melody nor prompt"
    )
    model.add_argument("--device", metavar="NAME", help="auto, cpu, cuda, cuda:N or mps (auto)")
    output = parser.add_argument_group("output")
    output.add_argument("--sample-rate", metavar="HZ", help="8000 to 192000 (44100)")
    output.add_argument(
        "--out", metavar="FILE_OR_FOLDER", help="a .wav file or a folder (the clips folder)"
    )
    output.add_argument("--plot", metavar="PNG", help="draw melody and clip")
    output.add_argument("--json", action="store_true", help="print one JSON object")
