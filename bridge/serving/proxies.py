"""Ray Serve's proxies: where they listen, and whether that suffices for what they serve.

`serve deploy` and KubeRay start the proxies themselves, as a config file has them. So the
application asks Serve where they listen before it serves anything.
"""

from __future__ import annotations

import ipaddress
from importlib import import_module
from typing import Any

from bridge.errors import BadArgument
from bridge.serving.exposure import Remedies, Tls, listen_address

CONFIG_FILE = Remedies(
    "http_options: host",
    "make a file of them with `melody-bridge token add NAME --tokens FILE`, and name it as "
    "`tokens` in `args`",
    "give ssl_certfile and ssl_keyfile in http_options, or `insecure: true` in `args` where TLS "
    "ends in front of Ray, or in a network that you trust",
)


def check_proxies(*, has_tokens: bool, insecure: bool) -> None:
    """Check that the proxies of a running Serve are as safe as where they listen demands.

    Where no Serve runs, nothing is checked.

    Args:
        has_tokens, insecure: as for `listen_address`.

    Raises:
        BadArgument: they are not.
    """
    options = _options()
    if options is None or options.host is None:
        return
    host = str(options.host)
    listen_address(
        host,
        is_encrypted=bool(options.ssl_certfile and options.ssl_keyfile),
        has_tokens=has_tokens,
        insecure=insecure,
        remedies=CONFIG_FILE,
    )
    if host != "localhost" and not _is_numeric(host):
        raise BadArgument(
            f"{CONFIG_FILE.host} {host!r} may be another address on each machine: give a number"
        )


def check_same(*, host: str, port: int, tls: Tls | None, remedy: str) -> None:
    """Check that the proxies of a running Serve listen where this program wants them to.

    Serve keeps the options of its first start, and only warns of others.

    Args:
        remedy: what to do where they do not.

    Raises:
        BadArgument: they do not.
    """
    options = _options()
    wanted = (host, port, *(map(str, (tls.certificate, tls.key)) if tls else (None, None)))
    if options is None or wanted == (
        options.host,
        options.port,
        options.ssl_certfile,
        options.ssl_keyfile,
    ):
        return
    scheme = "https" if options.ssl_certfile else "http"
    raise BadArgument(
        f"Ray Serve runs on this cluster already, at {scheme}://{options.host}:{options.port}: "
        f"{remedy}, or end it first with `serve shutdown`"
    )


def _options() -> Any:
    """The `HTTPOptions` of the Serve that runs; None: none does."""
    ray = import_module("ray")
    constants = import_module("ray.serve._private.constants")
    try:
        # Not by Serve's own client: it keeps the options of an earlier start.
        controller = ray.get_actor(
            constants.SERVE_CONTROLLER_NAME, namespace=constants.SERVE_NAMESPACE
        )
    except ValueError:
        return None
    return ray.get(controller.get_http_config.remote())


def _is_numeric(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
