"""The supervisor is one engine host; others can take its place."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import pytest

from bridge.engine.process.fallback import FallbackEngine
from bridge.engine.process.host import EngineHost, OnState
from bridge.engine.process.remote import RemoteEngine
from bridge.engine.process.supervisor import Supervisor

MEMBERS = ("state", "detail", "facts", "failure", "waiting", "network", "start", "stop", "submit")


def ignore(state: str, detail: str) -> None:
    """Take no state in."""


def local(on_state: OnState = ignore) -> EngineHost:
    """mypy rejects these where they do not satisfy the protocol."""
    return Supervisor("stand-in", "cpu", on_state)


def remote(on_state: OnState = ignore) -> EngineHost:
    return RemoteEngine("http://gpu-box:8000", on_state, client="test")


def both() -> EngineHost:
    return FallbackEngine(remote, local, ignore)


@pytest.mark.parametrize("kind", [Supervisor, RemoteEngine, FallbackEngine])
def test_a_host_has_every_member_of_the_protocol(kind: type) -> None:
    assert {name for name in vars(EngineHost) if not name.startswith("_")} == set(MEMBERS)
    for name in MEMBERS:
        expected, actual = (inspect.getattr_static(one, name) for one in (EngineHost, kind))
        assert type(actual) is type(expected), name
        if inspect.isfunction(expected):
            parameters = [list(inspect.signature(one).parameters) for one in (expected, actual)]
            assert parameters[0] == parameters[1], name
            assert inspect.iscoroutinefunction(actual) == inspect.iscoroutinefunction(expected)


@pytest.mark.parametrize("make", [local, remote, both])
def test_before_its_start_a_host_knows_nothing(make: Callable[[], EngineHost]) -> None:
    host = make()
    assert (host.state, host.detail, host.waiting) == ("loading", "not started", 0)
    assert (host.facts, host.failure, host.network) == (None, None, None)
