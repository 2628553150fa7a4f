"""The supervisor is one engine host; others can take its place."""

from __future__ import annotations

import inspect

from bridge.engine.process.host import EngineHost
from bridge.engine.process.supervisor import Supervisor

MEMBERS = ("state", "detail", "facts", "failure", "waiting", "start", "stop", "submit")


def as_host(supervisor: Supervisor) -> EngineHost:
    """mypy rejects this where `Supervisor` does not satisfy the protocol."""
    return supervisor


def test_the_supervisor_has_every_member_of_the_protocol() -> None:
    host = as_host(Supervisor("stand-in", "cpu", lambda state, detail: None))
    assert {name for name in vars(EngineHost) if not name.startswith("_")} == set(MEMBERS)
    for name in MEMBERS:
        expected, actual = (inspect.getattr_static(one, name) for one in (EngineHost, Supervisor))
        assert type(actual) is type(expected), name
        if inspect.isfunction(expected):
            parameters = [list(inspect.signature(one).parameters) for one in (expected, actual)]
            assert parameters[0] == parameters[1], name
            assert inspect.iscoroutinefunction(actual) == inspect.iscoroutinefunction(expected)
    assert (host.state, host.facts, host.failure, host.waiting) == ("loading", None, None, 0)
