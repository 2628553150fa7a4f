"""`melody-bridge serve`: the engine for other machines."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from contextlib import redirect_stdout
from pathlib import Path
from types import FrameType

from bridge.config import OPTIONS
from bridge.config.flags import add_flag
from bridge.config.readers import ints
from bridge.errors import BadArgument
from bridge.process import signals
from bridge.serving.deployment import AUTO, EngineDeployment, read_replicas
from bridge.serving.exposure import check_port_is_free
from bridge.serving.server import serve_engines
from bridge.tools.serve_security import add_security_flags, security

DEFAULT_PORT = 8000
PORT = ints(1, 65_535)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what is served, and to whom."""
    model = OPTIONS["model"]
    parser.add_argument(
        "--model",
        action="append",
        metavar="ID",
        help=f"{model.help} ({model.limits}); again for each further model, which is then served "
        "at its name",
    )
    add_flag(parser, "device")
    add_flag(parser, "precision")
    parser.add_argument(
        "--replicas", metavar="N|auto", default="1", help="copies of each model (%(default)s)"
    )
    parser.add_argument(
        "--gpus", metavar="X", help="GPUs of one replica, such as 0.5 (one where there are any)"
    )
    add_security_flags(parser)
    parser.add_argument(
        "--port", metavar="N", default=str(DEFAULT_PORT), help="the port (%(default)s)"
    )
    parser.add_argument(
        "--address",
        metavar="ADDRESS",
        help="a running cluster of Ray: auto, or ray://host:port (this machine alone)",
    )
    parser.add_argument("--json", action="store_true", help="print a JSON object once it serves")


def run(arguments: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM; return the exit status."""
    port = PORT("port", arguments.port)
    allowed = security(arguments)
    engines = _engines(arguments, allowed.tokens)
    if arguments.address is None:
        check_port_is_free(allowed.address, port)
        from bridge.engine.checkpoint import find

        for each in engines:
            # A mistake is found before Ray starts, which takes its time.
            find(each.replica.model)
    stop = _Stop()
    stop.listen()
    models = [each.replica.model for each in engines]
    out = sys.stdout
    with (
        # Ray prints what happens to its processes on stdout.
        redirect_stdout(sys.stderr),
        serve_engines(
            engines,
            host=allowed.address.text,
            port=port,
            tls=allowed.tls,
            address=arguments.address,
            progress=_Progress(stop),
        ) as urls,
    ):
        stop.listen()
        if arguments.json:
            text = json.dumps({"engines": dict(zip(models, urls, strict=True))})
            print(text, file=out, flush=True)
        else:
            for model, url in zip(models, urls, strict=True):
                print(f"{model}: melody-bridge run --engine {url}", file=out, flush=True)
            _say("Ctrl-C ends it")
        stop.requested.wait()
        _say("letting requests end; Ctrl-C again ends them")
    return 0


class _Stop:
    """The wish to end: the first Ctrl-C or SIGTERM lets requests end, the second does not.

    Attributes:
        requested: set by the first.
        number: the first signal's number.
    """

    def __init__(self) -> None:
        self.requested = threading.Event()
        self.number = 0

    def listen(self) -> None:
        """Handle the signals from now on. Once more after Ray has taken SIGTERM for itself."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._handle)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.requested.is_set():
            # Ray's processes end with this one.
            signals.leave(number)
        self.number = number
        self.requested.set()


class _Progress:
    """Says what is being done, each thing once, until the end is wished for."""

    def __init__(self, stop: _Stop) -> None:
        self._stop, self._said = stop, ""

    def __call__(self, doing: str) -> None:
        """Raises:
        Interrupted: a signal came.
        """
        self._stop.listen()
        if self._stop.requested.is_set():
            _say("stopping")
            raise signals.Interrupted(self._stop.number)
        if doing != self._said:
            self._said = doing
            _say(doing)


def _engines(arguments: argparse.Namespace, tokens: Path | None) -> list[EngineDeployment]:
    values = {
        "device": arguments.device,
        "precision": arguments.precision,
        "replicas": arguments.replicas,
        "gpus": arguments.gpus,
        "tokens": tokens,
        "insecure": arguments.insecure,
    }
    models = arguments.model or [OPTIONS["model"].default]
    if arguments.address is None:
        values["threads"] = threads_each(arguments.replicas, len(models))
    given = {name: value for name, value in values.items() if value is not None}
    if len(set(models)) < len(models):
        raise BadArgument(f"model {', '.join(models)}: name each model once")
    return [EngineDeployment.from_arguments({**given, "model": model}) for model in models]


def threads_each(replicas: str, models: int) -> int | str:
    """The threads of each replica on a machine that they share; Ray would give each of them one."""
    number = read_replicas(replicas)
    if number == AUTO:
        return 1
    copies = int(number) * models
    return AUTO if copies == 1 else max(1, (os.cpu_count() or 1) // copies)


def _say(doing: str) -> None:
    print(doing, file=sys.stderr, flush=True)
