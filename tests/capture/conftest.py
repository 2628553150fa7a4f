"""The studio of the tests of captures."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.capture.studio import (
    MakeStudio,
    Studio,
)
from tests.clock.daw import Daw


@pytest.fixture
def make_studio() -> Iterator[MakeStudio]:
    """A factory of studios; their rings are freed after the test."""
    made: list[Studio] = []

    def make(daw: Daw, latency_seconds: float = 0.0, **settings: float) -> Studio:
        made.append(Studio(daw, latency_seconds, **settings))
        return made[-1]

    yield make
    for studio in made:
        studio.ring.unlink()
        studio.ring.close()
