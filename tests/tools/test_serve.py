"""How `serve` shares its machine among replicas."""

from __future__ import annotations

import os

import pytest

from bridge.tools.serve import threads_each


@pytest.mark.parametrize(
    ("cores", "replicas", "models", "expected"),
    [
        (8, "1", 1, "auto"),
        (8, "2", 1, 4),
        (8, "2", 2, 2),
        (8, "3", 1, 2),
        (2, "4", 1, 1),
        (None, "2", 1, 1),
        (8, "auto", 1, 1),
    ],
)
def test_the_replicas_share_the_cores(
    cores: int | None,
    replicas: str,
    models: int,
    expected: int | str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert threads_each(replicas, models) == expected
