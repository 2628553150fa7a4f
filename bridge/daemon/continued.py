"""The clip that a message names for another one to go on from."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from pathlib import Path

from bridge.daemon.clips import ClipRegistry
from bridge.melody import allowed_path


async def continued_path(named: str, clips: ClipRegistry, roots: Iterable[Path]) -> Path:
    """The file of a clip that is named by its path, or by the id of the request that made it.

    The best clip of a request counts, the one of index 0.

    Args:
        roots: the folders that a message may name files in, at any depth.

    Raises:
        PathRefused, UnreadableFile: the path is not allowed, or cannot be read.
        UnknownId, BadArgument: no request of that id has clips.
    """
    # As in `allowed_path`, so that what looks like a path gets its errors.
    if os.path.isabs(named) or "/" in named or "\\" in named:
        return await asyncio.to_thread(allowed_path, named, roots)
    return (await clips.find(named, 0)).path
