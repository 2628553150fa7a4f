"""`melody-bridge bench --engine`: the figures of a real run, and its refusals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bridge.cli import main
from bridge.serving.application import ReplicaSettings
from tests.serving.served import served


def test_whole_requests_are_measured_beside_the_local_engine(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with served(ReplicaSettings(str(model), "cpu")) as url:
        arguments = ["--engine", url, "--model", str(model), "--device", "cpu", "--seconds", "2"]
        assert main(["bench", *arguments, "--runs", "2", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    for name in ("local", "remote"):
        of_engine = figures[name]
        assert (of_engine["model"], of_engine["device"]) == (str(model), "cpu")
        assert 0 < of_engine["first_ms"]["p50"] <= of_engine["clip_ms"]["p95"]
        assert of_engine["realtime_factor"] > 0 and of_engine["realtime_factor_together"] > 0
    assert figures["remote"]["network"]["round_trip_ms"] > 0
    assert set(figures["overhead_ms"]) == {"p50", "p95"}
    assert figures["throughput_loss_percent"] < 100


def test_engines_that_differ_have_no_overhead(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with served(ReplicaSettings("pocket", "cpu")) as url:
        arguments = ["--engine", url, "--model", str(model), "--device", "cpu", "--seconds", "1"]
        assert main(["bench", *arguments, "--runs", "2"]) == 0
    printed = capsys.readouterr().out
    assert "round trip, ms" in printed and "more a request" not in printed


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--engine", "http://box:8000", "--size", "full"], "--size is for a checkpoint alone"),
        (["--engine", "http://box:8000", "--requests", "9"], "--requests is for a checkpoint"),
        (["--engine", "local"], "give the address of a server"),
        (["--engine", "http://box:8000", "--runs", "1"], "--runs 1: give 2 or more"),
        (["--engine", "http://box:8000", "--seconds", "0"], "--seconds 0"),
        (["--engine", "box"], "write local, or an address"),
        (["--engine-token-file", "x.token"], "give --engine too"),
    ],
)
def test_mistakes_are_refused_before_a_model_is_loaded(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_a_server_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("websockets", reason="needs the extra `remote`")
    assert main(["bench", "--engine", "http://127.0.0.1:9", "--runs", "2"]) == 1
    assert "cannot be reached" in capsys.readouterr().err
