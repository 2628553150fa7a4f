"""The engine on Ray Serve: replicas that Ray places, restarts, and scales with the load.

`melody-bridge serve` uses `serve_engines`; `serve deploy` uses `application` by its import path,
`bridge.serving.deployment:application`. A connection that is lost with its replica is the client's
to open again; Ray's router then chooses another replica.
"""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path, PurePath
from typing import Any

from bridge.config import OPTIONS
from bridge.config.readers import numbers
from bridge.errors import BadArgument, BridgeError, CheckpointUnusable, EngineFailed, Unsupported
from bridge.serving.application import Application, ReplicaSettings
from bridge.serving.exposure import Tls
from bridge.serving.replica import QUEUE_SIZE

GPUS = numbers(0, 8)
AUTO = "auto"
"""In place of a number of replicas: as many as the load needs."""
MOST_REPLICAS = 1000
OBJECT_STORE_BYTES = 100 * 2**20
"""Ray's shared memory on this machine: the audio does not go through it."""
MOST_ONGOING = 2 * QUEUE_SIZE
"""Connections of one replica: those that wait, and those whose audio is on its way."""
TARGET_ONGOING = 2.0
"""Connections a replica at which `auto` is content: one that is generated, and one that waits."""
SCALE_UP_SECONDS, SCALE_DOWN_SECONDS = 5.0, 300.0
HEALTH_SECONDS = 2.0
"""How often the controller looks at a replica: a dead one is replaced after this time."""
DRAIN_SECONDS = 120.0
"""How long a replica that is replaced may finish its requests."""
LOAD_TRIES = 2

_FIELDS = {"model", "device", "decoder", "precision", "tokens", "replicas", "gpus"}


@dataclass(frozen=True)
class EngineDeployment:
    """One model and its replicas.

    Attributes:
        replica: what each replica runs.
        replicas: how many; `auto`: 1 to as many as the cluster has room for.
        gpus: GPUs of one replica, such as 0.5; 0: it runs on processors; None: one GPU, where the
            device may be one and the cluster has any.
    """

    replica: ReplicaSettings
    replicas: int | str = 1
    gpus: float | None = None

    @classmethod
    def from_arguments(cls, arguments: Mapping[str, Any]) -> EngineDeployment:
        """From the `args` of a Serve config file.

        Raises:
            BadArgument: a name or a value is wrong.
        """
        if unknown := set(arguments) - _FIELDS:
            raise BadArgument(f"args {sorted(unknown)}: the names are {', '.join(sorted(_FIELDS))}")
        tokens = arguments.get("tokens")
        settings = ReplicaSettings(
            model=OPTIONS["model"].read(arguments.get("model", OPTIONS["model"].default)),
            device=OPTIONS["device"].read(arguments.get("device", OPTIONS["device"].default)),
            decoder=arguments.get("decoder"),
            precision=OPTIONS["precision"].read(
                arguments.get("precision", OPTIONS["precision"].default)
            ),
            tokens=None if tokens is None else Path(tokens).expanduser(),
        )
        gpus = None if arguments.get("gpus") is None else GPUS("gpus", arguments["gpus"])
        return cls(settings, read_replicas(arguments.get("replicas", 1)), gpus)

    def bind(self) -> Any:
        """The Serve application."""
        serve = _serve()
        settings = self.replica

        def replica() -> Application:
            return Application(settings)

        options: dict[str, Any] = {
            "ray_actor_options": {"num_cpus": 1, "num_gpus": self._gpus()},
            "max_ongoing_requests": MOST_ONGOING,
            "max_queued_requests": MOST_ONGOING,
            "health_check_period_s": HEALTH_SECONDS,
            "graceful_shutdown_timeout_s": DRAIN_SECONDS,
            "max_constructor_retry_count": LOAD_TRIES,
        }
        if self.replicas == AUTO:
            options["autoscaling_config"] = {
                "min_replicas": 1,
                "max_replicas": MOST_REPLICAS,
                "target_ongoing_requests": TARGET_ONGOING,
                "upscale_delay_s": SCALE_UP_SECONDS,
                "downscale_delay_s": SCALE_DOWN_SECONDS,
            }
        else:
            options["num_replicas"] = self.replicas
        return serve.deployment(name="engine", **options)(serve.ingress(replica)()).bind()

    def _gpus(self) -> float:
        if self.gpus is not None:
            return self.gpus
        ray = import_module("ray")
        may_use = self.replica.device != "cpu"
        return float(may_use and ray.cluster_resources().get("GPU", 0) >= 1)


def application(arguments: dict[str, Any]) -> Any:
    """The Serve application of a config file.

    Raises:
        BadArgument: `args` has a wrong name or value.
    """
    return EngineDeployment.from_arguments(arguments).bind()


@contextmanager
def serve_engines(
    engines: Sequence[EngineDeployment],
    *,
    host: str,
    port: int,
    tls: Tls | None = None,
    address: str | None = None,
    progress: Callable[[str], None] = lambda doing: None,
) -> Iterator[list[str]]:
    """Serve engines while inside: on Ray's own processes on this machine, or on a cluster.

    Args:
        engines: one is served at `/`; of several, each at its model's name.
        host: numeric.
        address: of a running cluster, as `ray.init` takes it; None: this machine alone.
        progress: called with what is being done.

    Yields:
        The address of each engine.

    Raises:
        Unsupported: Ray is not installed.
        BadArgument: the port is taken, or there is no cluster at the address.
        CheckpointUnusable: a replica cannot load its model.
    """
    serve = _serve()
    ray = import_module("ray")
    progress("starting Ray")
    _start_ray(ray, engines, address)
    try:
        options: dict[str, Any] = {"host": host, "port": port}
        if tls is not None:
            options |= {"ssl_certfile": str(tls.certificate), "ssl_keyfile": str(tls.key)}
        with _as_error(EngineFailed, "Ray Serve cannot start"):
            serve.start(http_options=options)
        names = [_name(engine.replica.model) for engine in engines]
        prefixes = ["/"] if len(engines) == 1 else [f"/{name}" for name in names]
        shown = f"[{host}]" if ":" in host else host
        scheme = "http" if tls is None else "https"
        urls = []
        for engine, name, prefix in zip(engines, names, prefixes, strict=True):
            progress(f"loading {engine.replica.model}")
            with _as_error(CheckpointUnusable, f"model {engine.replica.model!r} cannot be served"):
                serve.run(engine.bind(), name=name.replace("/", "-"), route_prefix=prefix)
            urls.append(f"{scheme}://{shown}:{port}{prefix.rstrip('/')}")
        yield urls
    finally:
        progress("stopping Ray")
        if address is None:
            serve.shutdown()
        ray.shutdown()


def read_replicas(value: object) -> int | str:
    """A number of replicas, or `auto`, from text or a config file.

    Raises:
        BadArgument: it is neither.
    """
    text = str(value)
    if text == AUTO:
        return AUTO
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= MOST_REPLICAS:
        raise BadArgument(f"replicas {text!r}: give a number from 1 to {MOST_REPLICAS}, or auto")
    return int(text)


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
    counts = [int(each.replicas) for each in engines if each.replicas != AUTO]
    with _as_error(EngineFailed, "Ray cannot start on this machine"):
        ray.init(
            num_cpus=max(os.cpu_count() or 1, sum(counts) + len(engines) - len(counts)),
            object_store_memory=OBJECT_STORE_BYTES,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            _node_ip_address="127.0.0.1",
        )


@contextmanager
def _as_error(kind: type[BridgeError], what: str) -> Iterator[None]:
    """Turn what Ray raises inside into a one-line error."""
    try:
        yield
    except BridgeError:
        raise
    except Exception as error:
        lines = [line for line in str(error).splitlines() if line.strip()]
        reason = lines[-1].strip() if lines else type(error).__name__
        raise kind(
            f"{what} ({reason}): see session_latest/logs in the temporary folder of Ray"
        ) from error


def _name(model: str) -> str:
    """A model's name in an address."""
    return model if "/" in model and not Path(model).exists() else PurePath(model).name


def _serve() -> Any:
    try:
        return import_module("ray.serve")
    except ImportError as error:
        raise Unsupported(
            "serving needs Ray: pip install 'melody-bridge[ray]' (Python 3.11 to 3.13)"
        ) from error
