"""Engines on Ray Serve while a program runs: on Ray's own processes here, or on a cluster."""

from __future__ import annotations

import logging
import os
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from io import StringIO
from pathlib import Path, PurePath
from typing import Any

from bridge import errors
from bridge.errors import BadArgument, BridgeError, CheckpointUnusable, EngineFailed
from bridge.serving.deployment import AUTO, EngineDeployment, ray_serve
from bridge.serving.exposure import Tls, host_for_others
from bridge.serving.gate import proxy_environment
from bridge.serving.proxies import check_same

OBJECT_STORE_BYTES = 100 * 2**20
"""Ray's shared memory on this machine: the audio does not go through it."""
POLL_SECONDS = 0.1
"""How often Serve is asked how far the replicas are."""
LOGS = "see session_latest/logs in the temporary folder of Ray"

_log = logging.getLogger(__name__)


@contextmanager
def serve_engines(
    engines: Sequence[EngineDeployment],
    *,
    host: str,
    port: int,
    tls: Tls | None = None,
    address: str | None = None,
    elsewhere: str = "give that --host, --port and its TLS",
    progress: Callable[[str], None] = lambda doing: None,
) -> Iterator[list[str]]:
    """Serve engines while inside.

    Args:
        engines: one is served at `/`; of several, each at its model's name. All have one file of
            tokens.
        host: numeric.
        address: of a running cluster, as `ray.init` takes it; None: this machine alone.
        elsewhere: the remedy where a Serve of the cluster listens at another place.
        progress: called about ten times a second with what is being done, until it serves. What
            it raises ends the start.

    Yields:
        The address of each engine.

    Raises:
        Unsupported: Ray is not installed.
        BadArgument: two models have one name, there is no cluster at the address, or its Serve
            listens elsewhere.
        CheckpointUnusable: a replica cannot load its model.
        EngineFailed: Ray cannot start.
    """
    serve = ray_serve()
    ray = import_module("ray")
    names = [_name(engine.replica.model) for engine in engines]
    prefixes = ["/"] if len(engines) == 1 else [f"/{name}" for name in names]
    applications = [name.replace("/", "-") for name in names]
    if len(set(applications)) < len(applications):
        raise BadArgument(f"two models have one name: {', '.join(names)}; rename a folder")
    progress("starting Ray")
    _start_ray(ray, engines, address)
    is_served = False
    try:
        progress("starting Ray Serve")
        options: dict[str, Any] = {"host": host, "port": port}
        if tls is not None:
            options |= {"ssl_certfile": str(tls.certificate), "ssl_keyfile": str(tls.key)}
        with _as_error(EngineFailed, "Ray Serve cannot start"):
            # What a signal ends halfway may have begun a Serve, which then is this one's to end.
            is_served = not serve.status().proxies
            serve.start(http_options=options)
            check_same(host=host, port=port, tls=tls, remedy=elsewhere)
        is_served = True
        for engine, name, prefix in zip(engines, applications, prefixes, strict=True):
            _load(serve, engine, name, prefix, progress)
        scheme = "http" if tls is None else "https"
        server = f"{scheme}://{host_for_others(host)}:{port}"
        yield [server + prefix.rstrip("/") for prefix in prefixes]
    finally:
        # Serve kills the actor that was asked to end it, and Ray prints that as a failure.
        with redirect_stdout(StringIO()):
            try:
                if is_served:
                    _end(serve, applications)
            except Exception as error:
                _log.warning("Ray Serve does not end its requests: %s", _last_line(str(error)))
            finally:
                ray.shutdown()


def _start_ray(ray: Any, engines: Sequence[EngineDeployment], address: str | None) -> None:
    # Ray sends statistics of use to its makers, unless this is set before it starts.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    for name in ("ray", "ray.serve"):
        logging.getLogger(name).setLevel(logging.ERROR)
    if address is not None:
        with _as_error(BadArgument, f"address {address!r}: no cluster of Ray answers"):
            ray.init(address=address, log_to_driver=False)
        return
    if "RAY_AUTH_TOKEN_PATH" not in os.environ:
        # For this run's processes alone. By default Ray writes a token for all runs to ~/.ray.
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    os.environ.update(proxy_environment(engines[0].replica.tokens))
    counts = [int(each.replicas) for each in engines if each.replicas != AUTO]
    options: dict[str, Any] = {
        "num_cpus": max(os.cpu_count() or 1, sum(counts) + len(engines) - len(counts)),
        "object_store_memory": OBJECT_STORE_BYTES,
        "include_dashboard": False,
        "log_to_driver": False,
        "logging_level": logging.ERROR,
        "_node_ip_address": "127.0.0.1",
    }
    with _as_error(EngineFailed, "Ray cannot start on this machine"):
        try:
            ray.init(**options)
        except Exception:
            # It gives its own processes 30 s, which a busy machine may not have had for them.
            ray.shutdown()
            ray.init(**options)


def _load(
    serve: Any,
    engine: EngineDeployment,
    name: str,
    prefix: str,
    progress: Callable[[str], None],
) -> None:
    """Start an application, and wait until its replicas have loaded their model.

    Raises:
        BadArgument: it may not be served where Serve's proxies listen.
        CheckpointUnusable: it cannot be loaded.
    """
    model = engine.replica.model
    wanted = 1 if engine.replicas == AUTO else engine.replicas
    with _as_error(CheckpointUnusable, f"model {model!r} cannot be served"):
        target = serve.RunTarget(target=engine.bind(), name=name, route_prefix=prefix)
        serve.run_many([target], wait_for_applications_running=False)
    while True:
        with _as_error(EngineFailed, "Ray Serve does not answer"):
            status = serve.status().applications[name]
        states = [each.replica_states for each in status.deployments.values()]
        loaded = sum(int(each.get("RUNNING", 0)) for each in states)
        progress(f"loading {model}: {loaded} of {wanted} replicas")
        if status.status == "RUNNING":
            return
        if status.status == "DEPLOY_FAILED":
            message = status.message + "".join(each.message for each in status.deployments.values())
            raise CheckpointUnusable(
                f"model {model!r} cannot be served ({_last_line(message)}): {LOGS}"
            )
        time.sleep(POLL_SECONDS)


def _end(serve: Any, applications: Sequence[str]) -> None:
    """Let the applications finish their requests and end them; Serve too, where it has no other."""
    left = set(serve.status().applications)
    if left <= set(applications):
        serve.shutdown()
        return
    for name in left.intersection(applications):
        serve.delete(name)


@contextmanager
def _as_error(kind: type[BridgeError], what: str) -> Iterator[None]:
    """Turn what Ray raises inside into a one-line error."""
    try:
        yield
    except BridgeError:
        raise
    except Exception as error:
        raise kind(f"{what} ({_last_line(str(error)) or type(error).__name__}): {LOGS}") from error


def _last_line(text: str) -> str:
    """The last line of a message, which in a traceback says what happened."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1].removeprefix(f"{errors.__name__}.") if lines else ""


def _name(model: str) -> str:
    """A model's name in an address."""
    return model if "/" in model and not Path(model).exists() else PurePath(model).name
