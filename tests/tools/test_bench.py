"""`melody-bridge bench`: its arithmetic, the figures of a real run, and its refusals."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bridge.tools.bench import Limit, bytes_per_step

# Exit status 99: the refusal came after torch was imported.
REFUSAL = """
import sys
from bridge.__main__ import main
status = main()
sys.exit(99 if "torch" in sys.modules else status)
"""
FULL = {"layers": 48, "hidden": 1536, "value_bytes": 2, "rows": 2}
FULL_WEIGHT_BYTES = 2 * (1_409_596_416 - 8 * 2049 * 1536)
"""Weights of the 1.5 B decoder in bfloat16 without embeddings: a step reads one row of each."""


def test_the_bytes_of_a_step_at_full_size_are_the_known_figure() -> None:
    """3.65 GB at position 1500 in bfloat16; 23.5 times real time at 4.3 TB/s."""
    read = bytes_per_step(FULL_WEIGHT_BYTES, positions=1500, **FULL)
    assert read == pytest.approx(3.65e9, rel=2e-3)
    assert Limit(read, 4300.0, 50).realtime_factor == pytest.approx(23.5, rel=2e-3)


def test_the_limit_over_ten_seconds_is_28_times_real_time() -> None:
    read = bytes_per_step(FULL_WEIGHT_BYTES, positions=235 + 15 + 504 / 2, **FULL)
    assert read == pytest.approx(3.07e9, rel=2e-3)
    assert Limit(read, 4300.0, 50).realtime_factor == pytest.approx(28, rel=5e-3)


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bridge", "bench", *arguments],
        capture_output=True,
        text=True,
    )


def test_a_run_prints_its_figures(tmp_path: Path) -> None:
    plot = tmp_path / "steps.png"
    ran = bench("--seconds", "1", "--runs", "1", "--requests", "6", "--plot", str(plot), "--json")
    assert ran.returncode == 0, ran.stderr
    figures: dict[str, Any] = json.loads(ran.stdout)
    assert (figures["model"], figures["device"], figures["dtype"]) == ("pocket", "cpu", "float32")
    engine, reference, limit = (figures[name] for name in ("engine", "reference", "limit"))
    for each in (engine, reference):
        # 50 steps and three more make the second.
        assert each["steps_per_second"] == pytest.approx(53 * each["realtime_factor"], rel=1e-3)
    assert figures["ratio"] == pytest.approx(
        engine["realtime_factor"] / reference["realtime_factor"], rel=1e-3
    )
    assert 0 < engine["first_audio_ms"]["p50"] <= engine["first_audio_ms"]["p95"]
    assert engine["load_seconds"] > 0 and engine["peak_memory_mb"] > 100
    # 6 layers of 12 x 256 x 256 weights and 8 heads of 256 x 512, and the cache of two rows.
    weights = 4 * (6 * 12 * 256**2 + 8 * 256 * 512)
    cache = 2 * 6 * 256 * 4 * 2 * (235 + 15 + (53 + 1) / 2)
    assert limit["bytes_per_step"] == pytest.approx(weights + cache, rel=1e-4)
    assert limit["realtime_factor"] == pytest.approx(
        limit["bandwidth_gb_s"] * 1e9 / limit["bytes_per_step"] / 50, rel=1e-3
    )
    assert limit["realtime_factor"] > engine["realtime_factor"]
    assert figures["memory"]["requests"] == 6
    assert 100 < figures["memory"]["after_mb"] <= engine["peak_memory_mb"]
    assert plot.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--seconds", "31"], "--seconds 31: over 0 and at most 30"),
        (["--seconds", "0"], "--seconds 0"),
        (["--seconds", "nan"], "--seconds nan"),
        (["--runs", "0"], "--runs 0: give 1 or more"),
        (["--variations", "9"], "--variations 9: give 1 to 8"),
        (["--requests", "5"], "--requests 5: give more than 5"),
        (["--size", "full", "--model", "pocket"], "leave out --model pocket"),
        (["--size", "tiny"], "invalid choice: 'tiny'"),
        (["--device", "abacus"], "device 'abacus'"),
        (["--dtype", "int4"], "invalid choice: 'int4'"),
        (["--plot", "steps.jpg"], "name a .png file"),
    ],
)
def test_wrong_arguments_are_refused_in_one_line_before_torch(
    arguments: list[str], error: str
) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", REFUSAL, "bench", *arguments], capture_output=True, text=True
    )
    assert ran.returncode == 2, ran.stderr
    assert error in ran.stderr
    assert len(ran.stderr.splitlines()) == 1 and ran.stdout == ""
