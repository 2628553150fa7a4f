"""The engine on Ray Serve: replicas that Ray places, restarts, and scales with the load.

`melody-bridge serve` binds `EngineDeployment`s (`server.py`); `serve deploy` uses `application` by
its import path, `bridge.serving.deployment:application`. A connection that is lost with its replica
is the client's to open again; Ray's router then chooses another replica.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from bridge.config import OPTIONS
from bridge.config.readers import ints, numbers
from bridge.engine.threads import use_threads
from bridge.errors import BadArgument, Unsupported
from bridge.serving.application import Application, ReplicaSettings
from bridge.serving.proxies import check_proxies
from bridge.serving.ray_ledger import RayLedgerLine
from bridge.serving.replica import QUEUE_SIZE

GPUS = numbers(0, 8)
AUTO = "auto"
"""In place of a number of replicas: as many as the load needs."""
MOST_REPLICAS = 1000
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

THREADS = ints(1, 1024)
_FIELDS = {
    *("model", "device", "decoder", "precision", "threads"),
    *("tokens", "replicas", "gpus", "insecure"),
}


@dataclass(frozen=True)
class EngineDeployment:
    """One model and its replicas.

    Attributes:
        replica: what each replica runs.
        replicas: how many; `auto`: 1 to as many as the cluster has room for.
        gpus: GPUs of one replica, such as 0.5; 0: it runs on processors; None: one GPU, where the
            device may be one and the cluster has any.
        insecure: as for `listen_address`.
        threads: with which a replica computes on processors; None: as many as torch takes.
    """

    replica: ReplicaSettings
    replicas: int | str = 1
    gpus: float | None = None
    insecure: bool = False
    threads: int | None = 1

    @classmethod
    def from_arguments(cls, arguments: Mapping[str, Any]) -> EngineDeployment:
        """From the `args` of a Serve config file.

        Raises:
            BadArgument: a name or a value is wrong.
        """
        if unknown := set(arguments) - _FIELDS:
            raise BadArgument(f"args {sorted(unknown)}: the names are {', '.join(sorted(_FIELDS))}")
        tokens = arguments.get("tokens")
        threads = arguments.get("threads", 1)
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
        insecure = arguments.get("insecure", False)
        if not isinstance(insecure, bool):
            raise BadArgument(f"insecure {insecure!r}: give true or false")
        return cls(
            settings,
            read_replicas(arguments.get("replicas", 1)),
            gpus,
            insecure,
            None if threads == AUTO else THREADS("threads", threads),
        )

    def bind(self) -> Any:
        """The Serve application.

        Raises:
            BadArgument: Serve's proxies listen where this application needs tokens or TLS.
        """
        serve = ray_serve()
        settings, insecure, threads = self.replica, self.insecure, self.threads

        # Of a replica's process, which has one.
        loaded: list[Application] = []

        def check() -> None:
            check_proxies(has_tokens=settings.tokens is not None, insecure=insecure)

        class Ingress:
            """Loads the model, so that Serve reports why that fails."""

            async def __init__(self) -> None:  # type: ignore[misc]  # Serve awaits it.
                # Again: `serve run` calls `application` before there are proxies.
                check()
                use_threads(threads)
                application = Application(settings, line=RayLedgerLine())
                await application.start()
                loaded.append(application)

        def replica() -> Application:
            return loaded[0]

        if import_module("ray").is_initialized():
            check()
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
        return serve.deployment(name="engine", **options)(serve.ingress(replica)(Ingress)).bind()

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


def ray_serve() -> Any:
    """The module `ray.serve`.

    Raises:
        Unsupported: Ray is not installed.
    """
    try:
        return import_module("ray.serve")
    except ImportError as error:
        raise Unsupported(
            "serving needs Ray: pip install 'melody-bridge[ray]' (Python 3.11 to 3.13)"
        ) from error
