"""`render --batch` at a server: many rows at once, and one result a row whatever happens to it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bridge.cli import main
from bridge.engine.process import remote_generator, server_connection
from bridge.rendering.batch import run_batch
from bridge.rendering.batch_jobs import read_jobs
from bridge.rendering.batch_results import open_results
from bridge.serving.application import ReplicaSettings
from bridge.serving.gate import WITHOUT_ROOM
from tests.peers.daemon import alive, descendants
from tests.peers.wait import until
from tests.processes import KILL
from tests.serving.ray_server import ray_server
from tests.serving.served import load_stand_in, served

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


class Crowded:
    """A server that has no room, until it has.

    Attributes:
        refusals: how many connections were refused.
    """

    def __init__(self, application: Any) -> None:
        self._application = application
        self.is_full = True
        self.refusals = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """See ASGI."""
        if scope["type"] == "websocket" and self.is_full:
            self.refusals += 1
            await send(
                {"type": "websocket.http.response.start", "status": WITHOUT_ROOM, "headers": []}
            )
            await send({"type": "websocket.http.response.body", "body": b""})
        else:
            await self._application(scope, receive, send)


@pytest.fixture
def crowded(model: Path) -> Iterator[tuple[str, Crowded]]:
    layers: list[Crowded] = []

    def layer(application: Any) -> Crowded:
        layers.append(Crowded(application))
        return layers[0]

    with served(ReplicaSettings(str(model), "cpu"), layer=layer) as url:
        yield url, layers[0]


def test_a_batch_waits_for_a_full_server(
    crowded: tuple[str, Crowded], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, server = crowded
    monkeypatch.setattr(remote_generator, "PAUSE_SECONDS", 0.0)
    jobs = read_jobs(write_rows(tmp_path, 2))
    shown: list[str] = []

    def on_progress(doing: str, share: float | None, done: int) -> None:
        shown.append(doing)
        server.is_full = shown.count(f"waiting for {url}") < 2

    with open_results(tmp_path / "results.jsonl", jobs) as results:
        flags = {"engine": url, "out": str(tmp_path / "clips")}
        summary = run_batch(jobs, results, flags=flags, defaults={}, on_progress=on_progress)
    assert server.refusals == 2
    assert (summary.made, summary.failed) == (2, 0)


def test_a_server_that_stays_full_stops_the_batch_and_costs_no_row(
    crowded: tuple[str, Crowded],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    url, server = crowded
    monkeypatch.setattr(remote_generator, "CONNECT_PATIENCE_SECONDS", 0.0)
    jobs = write_rows(tmp_path, 3)
    command = ["render", "--batch", str(jobs), "--engine", url, "--out", str(tmp_path / "clips")]
    assert main(command) == 1
    assert "has no room for another request" in capsys.readouterr().err
    assert server.refusals == 1
    assert results_of(jobs) == {}
    server.is_full = False
    assert main(command) == 0
    assert sorted(results_of(jobs)) == [1, 2, 3]


@pytest.mark.parametrize(
    ("answer", "named"),
    [(None, "sent nothing for"), (404, "no engine of Melody Bridge (status 404)")],
)
def test_a_server_that_cannot_be_used_costs_no_row(
    answer: int | None,
    named: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def layer(application: Any) -> Any:
        async def answered(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] != "websocket":
                await application(scope, receive, send)
            elif answer is None:
                await receive()
                await send({"type": "websocket.accept"})
                await receive()
            else:
                start = {"type": "websocket.http.response.start", "status": answer, "headers": []}
                await send(start)
                await send({"type": "websocket.http.response.body", "body": b""})

        return answered

    monkeypatch.setattr(remote_generator, "CONNECT_PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(server_connection, "SILENT_SECONDS", 0.1)
    jobs = write_rows(tmp_path, 2)
    with served(load=load_stand_in, layer=layer) as url:
        assert main(["render", "--batch", str(jobs), "--engine", url]) != 0
    assert named in capsys.readouterr().err
    assert results_of(jobs) == {}


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


@pytest.mark.slow
@pytest.mark.exclusive
@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux to find processes")
def test_a_batch_on_its_own_replicas_ends_them_and_goes_on_after_ctrl_c(
    model: Path, tmp_path: Path
) -> None:
    pytest.importorskip("ray.serve", reason="needs the extra `ray`")
    jobs = write_rows(tmp_path, ROWS)
    results = tmp_path / "jobs.results.jsonl"
    again = tmp_path / "again.jsonl"
    again.write_text(jobs.read_text())
    arguments = ["--model", str(model), "--device", "cpu", "--out"]
    assert main(["render", "--batch", str(again), *arguments, str(tmp_path / "local")]) == 0
    command = [sys.executable, "-m", "bridge", "render", "--batch", str(jobs), *arguments]
    command += [str(tmp_path / "clips"), "--ray", "local", "--replicas", "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    batch = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment)
    until(
        lambda: results.exists() and results.read_text().count("\n") >= 3,
        "three rows are rendered",
        ROW_SECONDS,
    )
    replicas = descendants(batch.pid)
    assert replicas
    batch.send_signal(signal.SIGINT)
    assert batch.wait(ROW_SECONDS) == 130
    until(lambda: not any(map(alive, replicas)), "every process of Ray has ended", ROW_SECONDS)
    before = results_of(jobs)
    assert 3 <= len(before) < ROWS
    assert all(Path(path).exists() for result in before.values() for path in result["paths"])
    made = subprocess.run([*command, "--json"], capture_output=True, text=True, env=environment)
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["made"] == ROWS - len(before)
    assert sounds(tmp_path / "clips") == sounds(tmp_path / "local")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--ray", "local"], "--ray belongs to a batch"),
        (["--replicas", "2"], "--replicas belongs to a batch"),
        (["--batch", "jobs.jsonl", "--replicas", "2"], "--replicas belongs to --ray"),
        (["--batch", "jobs.jsonl", "--ray", "there"], "ray 'there': give local"),
        (["--batch", "jobs.jsonl", "--ray", "local", "--replicas", "0"], "replicas '0'"),
        (
            ["--batch", "jobs.jsonl", "--ray", "local", "--engine", "http://there:8000"],
            "leave --engine out",
        ),
        (["--batch", "models.jsonl", "--ray", "local"], "the rows have 2 models"),
        (["--batch", "engines.jsonl", "--ray", "local"], "row 2 has an engine"),
    ],
)
def test_mistakes_with_replicas_of_its_own_are_named_before_ray_starts(
    arguments: list[str],
    named: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("ray.serve", reason="needs the extra `ray`")
    write_rows(tmp_path, 2)
    for option, values in {
        "model": ("pocket", "other/model"),
        "engine": (None, "http://there:8000"),
    }.items():
        rows = [{"prompt": "keys", option: value} for value in values]
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (tmp_path / f"{option}s.jsonl").write_text(text)
    monkeypatch.chdir(tmp_path)
    assert main(["render", *arguments]) == 2
    errors = capsys.readouterr().err
    assert named in errors
    assert "starting Ray" not in errors


def test_no_replica_is_started_for_rows_that_are_all_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs = tmp_path / "jobs.jsonl"
    jobs.write_text(json.dumps({"prompt": "keys", "tempo": 120}) + "\n")
    assert main(["render", "--batch", str(jobs), "--ray", "local"]) == 1
    assert "option 'tempo' is none of" in str(results_of(jobs)[1]["error"])
    printed = capsys.readouterr()
    assert "1 row, 1 with an error" in printed.out
    assert "starting Ray" not in printed.err
