"""The engine that `render` generates with: loaded here, or a server's."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from bridge.config import Options
from bridge.config.engine_token import engine_token
from bridge.config.readers import LOCAL_ENGINE

if TYPE_CHECKING:
    from bridge.engine import Engine
    from bridge.engine.process.remote_generator import RemoteGenerator


def load_generator(
    options: Options, progress: Callable[[str], None] = lambda doing: None
) -> Engine | RemoteGenerator:
    """Load the model, or connect to the server.

    Args:
        progress: called with what is being done.

    Raises:
        BridgeError: as `bridge.engine.load`, or as `RemoteGenerator`.
    """
    if options.engine != LOCAL_ENGINE:
        from bridge.engine.process.remote_generator import RemoteGenerator

        return RemoteGenerator(options.engine, engine_token(options.engine_token_file), progress)
    from bridge.engine import load
    from bridge.engine.threads import let_idle_threads_sleep

    let_idle_threads_sleep()
    progress(f"loading {options.model}")
    return load(
        options.model,
        device=options.device,
        decoder=options.decoder,
        precision=options.precision,
    )
