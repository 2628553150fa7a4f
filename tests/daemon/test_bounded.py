"""A bounded dict keeps its newest entries."""

from __future__ import annotations

from bridge.daemon.bounded import Bounded


def test_the_oldest_entry_is_forgotten() -> None:
    entries: Bounded[str, int] = Bounded(2)
    for number, key in enumerate("abc"):
        entries[key] = number
    assert entries == {"b": 1, "c": 2}


def test_an_entry_that_is_set_again_is_the_newest() -> None:
    entries: Bounded[str, int] = Bounded(2)
    for number, key in enumerate("abac"):
        entries[key] = number
    assert entries == {"a": 2, "c": 3}
