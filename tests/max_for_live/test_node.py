"""The tests in Node: of the script, of the host that runs it, and of the model of Live."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from bridge.control.addresses import _FORMS, read_command
from max_for_live.build import SCRIPT_FILE

TESTS = sorted(Path(__file__).parent.glob("*.test.js"))


class NodeRun(NamedTuple):
    """A run of all tests in Node.

    Attributes:
        status: Node's exit status; 0: every test passed.
        output: the report.
        sent: the messages that scripts sent to the daemon, each an address and its arguments.
    """

    status: int
    output: str
    sent: list[tuple[str, list[Any]]]


@pytest.fixture(scope="module")
def node_run(
    require_program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> NodeRun:
    folder = tmp_path_factory.mktemp("sent")
    # A Node that finds this variable takes itself for the child of another test runner.
    environment = {key: value for key, value in os.environ.items() if key != "NODE_TEST_CONTEXT"}
    run = subprocess.run(
        # By default Node leaves one core free: of two cores it would use one.
        [require_program("node"), "--test", f"--test-concurrency={os.cpu_count()}", *TESTS],
        capture_output=True,
        text=True,
        timeout=300,
        env={**environment, "MELODY_BRIDGE_SENT": str(folder)},
        check=False,
    )
    lines = [line for path in folder.iterdir() for line in path.read_text().splitlines() if line]
    sent = [(address, arguments) for address, arguments in map(json.loads, lines)]
    return NodeRun(run.returncode, run.stdout + run.stderr, sent)


def test_every_test_in_node_passes(node_run: NodeRun) -> None:
    assert node_run.status == 0, node_run.output
    assert len(TESTS) > 9


def test_the_daemon_accepts_every_message_that_the_script_sends(node_run: NodeRun) -> None:
    assert len(node_run.sent) > 1000
    for address, arguments in node_run.sent:
        read_command(address, arguments, 0.0)
    # The tests make the script send each of its commands.
    script = SCRIPT_FILE.read_text(encoding="utf-8")
    commands = set(re.findall(r'"(/bridge/[a-z/]+)"', script)) & set(_FORMS)
    assert {address for address, _ in node_run.sent} == commands
