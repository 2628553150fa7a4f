"""Makes the `EngineHost` that the options name."""

from __future__ import annotations

import secrets
from functools import partial

from bridge.config import RunOptions
from bridge.config.engine_token import engine_token
from bridge.config.readers import LOCAL_ENGINE
from bridge.engine.process.fallback import FallbackEngine
from bridge.engine.process.host import EngineHost, OnState
from bridge.engine.process.remote import PATIENCE_SECONDS, RemoteEngine
from bridge.engine.process.supervisor import Supervisor
from bridge.engine.process.worker import run_engine

FALLBACK_PATIENCE_SECONDS = 3.0
"""How long a request waits for a remote engine that is gone, where another one can render."""


def make_engine(options: RunOptions, on_state: OnState, *, queue_size: int) -> EngineHost:
    """The engine on this machine, a remote one, or both.

    Args:
        queue_size: how many requests may wait, 1 or more.

    Raises:
        BadArgument, UnreadableFile: the token of the remote engine cannot be used.
    """

    def local(on_state: OnState) -> Supervisor:
        return Supervisor(
            options.model,
            options.device,
            on_state,
            queue_size=queue_size,
            target=partial(run_engine, decoder=options.decoder, precision=options.precision),
        )

    if options.engine == LOCAL_ENGINE:
        return local(on_state)
    with_fallback = options.engine_fallback == LOCAL_ENGINE
    token = engine_token(options.engine_token_file)
    # By chance: a server learns no name of this machine or of its user.
    client = secrets.token_hex(8)

    def remote(on_state: OnState) -> RemoteEngine:
        return RemoteEngine(
            options.engine,
            on_state,
            client=client,
            token=token,
            queue_size=queue_size,
            patience_seconds=FALLBACK_PATIENCE_SECONDS if with_fallback else PATIENCE_SECONDS,
            # Without another engine a late clip is better than none.
            refuses_late=with_fallback,
        )

    return FallbackEngine(remote, local, on_state) if with_fallback else remote(on_state)
