"""`melody-bridge bench --trigger`: the figures of a real run, and its refusals."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bridge.tools.bench_parts import PARTS
from bridge.tools.bench_trigger import KINDS

if sys.platform == "win32":
    pytest.skip("JACK, process groups and signals are POSIX's", allow_module_level=True)

BENCH = (sys.executable, "-m", "bridge", "bench", "--trigger")


@pytest.mark.exclusive
def test_a_run_prints_its_figures(require_program: Callable[[str], str], model: Path) -> None:
    require_program("jackd")
    pytest.importorskip("jack")
    command = [*BENCH, "--runs", "1", "--model", str(model), "--json"]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    printed: dict[str, Any] = json.loads(ran.stdout)
    trigger = printed["trigger"]
    assert printed["model"] == str(model) and (trigger["bars"], trigger["rounds"]) == (4, 1)
    for kind in KINDS:
        measured = trigger[kind]
        assert 0 < measured["clip_ms"]["p50"] <= measured["clip_ms"]["p95"]
        assert tuple(measured["parts_ms"]) == PARTS
        assert all(part >= 0 for part in measured["parts_ms"].values()), measured
        assert sum(measured["parts_ms"].values()) == pytest.approx(
            measured["clip_ms"]["p50"], abs=0.5
        )
    assert trigger["callbacks"]["count"] > 1000


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--runs", "0"], "--runs 0: give 1 to 500"),
        (["--loop"], "--loop --trigger: give one of them"),
        (["--variations", "2"], "leave it out with --trigger"),
    ],
)
def test_wrong_arguments_are_refused_in_one_line(arguments: list[str], error: str) -> None:
    ran = subprocess.run([*BENCH, *arguments], capture_output=True, text=True)
    assert ran.returncode == 2
    assert error in ran.stderr and len(ran.stderr.splitlines()) == 1 and ran.stdout == ""
