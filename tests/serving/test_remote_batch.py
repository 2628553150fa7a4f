"""`render --batch` at a server: many rows at once, and one result a row whatever happens to it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bridge.cli import main
from bridge.serving.application import ReplicaSettings
from tests.peers.wait import until
from tests.processes import KILL
from tests.serving.ray_server import ray_server
from tests.serving.served import served

ROWS = 40
ROW_SECONDS = 300.0
"""Time for the first rows, on a busy machine."""


def write_rows(folder: Path, count: int) -> Path:
    """A file of jobs: clips of one and two bars."""
    jobs = folder / "jobs.jsonl"
    rows = [{"prompt": "keys", "bars": 1 + seed % 2, "seed": seed} for seed in range(count)]
    jobs.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return jobs


def results_of(jobs: Path) -> dict[int, dict[str, Any]]:
    """The result file's lines by row, each row once."""
    lines = jobs.with_name(f"{jobs.stem}.results.jsonl").read_text().splitlines()
    results = [json.loads(line) for line in lines]
    assert len({result["row"] for result in results}) == len(results)
    return {result["row"]: result for result in results}


def sounds(folder: Path) -> dict[str, bytes]:
    """The clips of a folder, by their names."""
    return {path.name: path.read_bytes() for path in folder.glob("*.wav")}


@pytest.fixture
def url(model: Path) -> Iterator[str]:
    with served(ReplicaSettings(str(model), "cpu")) as url:
        yield url


def test_rows_with_mistakes_cost_no_other_row(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs = write_rows(tmp_path, 4)
    jobs.write_text(jobs.read_text() + '{"melody": "nowhere.mid"}\n{"prompt": "x", "bars": 0}\n')
    out = str(tmp_path / "clips")
    assert main(["render", "--batch", str(jobs), "--engine", url, "--out", out]) == 1
    results = results_of(jobs)
    assert [row for row in sorted(results) if results[row]["error"] is None] == [1, 2, 3, 4]
    assert len(sounds(tmp_path / "clips")) == 4
    assert "no such file" in capsys.readouterr().err


def test_a_server_that_is_gone_stops_the_batch_and_costs_no_row(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs = write_rows(tmp_path, 3)
    command = ["render", "--batch", str(jobs), "--out", str(tmp_path / "clips"), "--engine"]
    assert main([*command, "http://127.0.0.1:9"]) == 1
    assert "cannot be reached" in capsys.readouterr().err
    assert results_of(jobs) == {}
    with served(ReplicaSettings(str(model), "cpu")) as url:
        assert main([*command, url]) == 0
    assert sorted(results_of(jobs)) == [1, 2, 3]
    assert len(sounds(tmp_path / "clips")) == 3


@pytest.mark.slow
@pytest.mark.exclusive
@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux to find processes")
def test_each_row_has_one_result_though_a_replica_and_the_batch_are_killed(
    model: Path, tmp_path: Path
) -> None:
    jobs = write_rows(tmp_path, ROWS)
    results = tmp_path / "jobs.results.jsonl"
    local = tmp_path / "local"
    again = tmp_path / "again.jsonl"
    again.write_text(jobs.read_text())
    arguments = ["--model", str(model), "--device", "cpu", "--out", str(local)]
    assert main(["render", "--batch", str(again), *arguments]) == 0

    def has(rows: int) -> bool:
        return results.exists() and results.read_text().count("\n") >= rows

    arguments = ["--replicas", "2", "--model", str(model)]
    with ray_server(tmp_path, *arguments) as server:
        command = [sys.executable, "-m", "bridge", "render", "--batch", str(jobs)]
        command += ["--engine", server.url, "--out", str(tmp_path / "clips")]
        batch = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        until(lambda: has(3), "three rows are rendered", ROW_SECONDS)
        replicas = server.processes("ServeReplica")
        assert len(replicas) == 2
        os.kill(min(replicas), KILL)
        until(lambda: has(10), "ten rows are rendered", ROW_SECONDS)
        batch.kill()
        batch.wait()
        before = results.read_text().splitlines()[:10]
        assert subprocess.run(command, stdout=subprocess.DEVNULL).returncode == 0
    assert sorted(results_of(jobs)) == list(range(1, ROWS + 1))
    # A batch that ends puts its results in the order of the rows.
    assert set(before) < set(results.read_text().splitlines())
    assert all(result["error"] is None for result in results_of(jobs).values())
    assert sounds(tmp_path / "clips") == sounds(local)
