"""`render --batch --ray`: replicas of a batch's own, which end with it."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from typing import Any

from bridge.errors import BadArgument, BridgeError
from bridge.process import signals
from bridge.rendering.batch_jobs import BatchJob

LOCAL, CLUSTER = PLACES = "local", "auto"
HOST = "127.0.0.1"
_MODEL = ("model", "decoder", "precision", "device")
"""The options that choose what a replica loads."""


def model_of(
    jobs: Sequence[BatchJob], flags: Mapping[str, Any], defaults: Mapping[str, Any]
) -> dict[str, Any] | None:
    """The model that the rows want to be rendered with, for `own_replicas`; None: no row is right.

    Args:
        flags, defaults: as for `run_batch`, which gives a wrong row its error.

    Raises:
        BadArgument: the rows have several models, or an engine.
    """
    if "engine" in flags:
        raise BadArgument("--ray starts engines of its own: leave --engine out")
    for job in jobs:
        if "engine" in job.values:
            raise BadArgument(
                f"row {job.row} has an engine, and --ray starts engines of its own: leave engine "
                "out of the rows"
            )
    wanted: dict[tuple[Any, ...], dict[str, Any]] = {}
    for job in jobs:
        with suppress(BridgeError):
            options = job.options(flags, defaults)
            values = {name: getattr(options, name) for name in _MODEL}
            wanted[tuple(values.values())] = values
    if len(wanted) > 1:
        names = "; ".join(" ".join(map(str, each)) for each in list(wanted)[:3])
        raise BadArgument(
            f"the rows have {len(wanted)} models ({names}), and --ray serves one: split the file"
        )
    for values in wanted.values():
        return {name: value for name, value in values.items() if value is not None}
    return None


@contextmanager
def own_replicas(
    model: Mapping[str, Any],
    *,
    place: str,
    replicas: str | None,
    progress: Callable[[str], None],
) -> Iterator[str]:
    """Start replicas of a model on Ray; end them after the block, or at a signal.

    Args:
        model: what a replica loads, as `model_of` gives it.
        place: one of `PLACES`.
        replicas: how many; `auto` or None: as many as the rows keep busy.
        progress: called with what is being done until they are there.

    Yields:
        The address of the engine.

    Raises:
        BadArgument: the place or the number is wrong.
        Unsupported: Ray is not installed.
        CheckpointUnusable: the model cannot be loaded.
        EngineFailed: Ray cannot start.
        signals.Interrupted: a signal came; the replicas have ended.
    """
    if place not in PLACES:
        raise BadArgument(f"ray {place!r}: give {LOCAL}, or {CLUSTER} for the cluster of Ray here")
    from bridge.serving.deployment import AUTO, EngineDeployment
    from bridge.serving.server import serve_engines
    from bridge.tools.serve import threads_each

    replicas = replicas or AUTO
    values: dict[str, Any] = {**model, "replicas": replicas}
    if place == LOCAL:
        values["threads"] = threads_each(replicas, 1)
    engine = EngineDeployment.from_arguments(values)
    with (
        signals.raised() as listen,
        # Ray prints what happens to its processes on stdout.
        redirect_stdout(sys.stderr),
    ):
        shown = ""

        def show(doing: str) -> None:
            nonlocal shown
            # Ray takes SIGTERM for itself.
            listen()
            if doing != shown:
                progress(doing)
            shown = doing

        with serve_engines(
            [engine],
            host=HOST,
            port=_free_port(),
            address=None if place == LOCAL else CLUSTER,
            elsewhere="render with --engine and its address instead of --ray",
            progress=show,
        ) as (url,):
            listen()
            yield url


def _free_port() -> int:
    with socket.socket() as free:
        free.bind((HOST, 0))
        return int(free.getsockname()[1])
