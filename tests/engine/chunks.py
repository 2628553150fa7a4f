"""What the tests of the engine share: all chunks of a request, its codes, and the extra `fast`."""

from __future__ import annotations

import os

import numpy as np
import pytest
from numpy.typing import NDArray

from bridge.engine import Chunk, Engine, Request, precision

needs_fast = pytest.mark.skipif(
    not precision.installed() and "MELODY_BRIDGE_REQUIRE_ALL" not in os.environ,
    reason="needs the extra fast",
)


def joined_chunks(engine: Engine, request: Request) -> Chunk:
    """All chunks of a request, joined."""
    with engine.stream(request) as stream:
        return Chunk.joined(list(stream))


def codes(engine: Engine, request: Request) -> NDArray[np.int64]:
    """The codes of a request, `[variations, K, steps]`."""
    return joined_chunks(engine, request).codes
