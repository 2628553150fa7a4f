"""`render` with a remote engine: the same clips, one at a time and in batches."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.cli import main
from bridge.engine.process.remote_generator import RemoteGenerator
from bridge.errors import EngineDied
from bridge.serving.application import ReplicaSettings
from tests.serving.served import served


@pytest.fixture
def url(model: Path) -> Iterator[str]:
    with served(ReplicaSettings(str(model), "cpu")) as url:
        yield url


def sounds(folder: Path) -> dict[str, bytes]:
    """The clips of a folder, by their names."""
    return {path.name: path.read_bytes() for path in folder.glob("*.wav")}


def test_a_render_makes_the_same_clips(url: str, model: Path, tmp_path: Path) -> None:
    request = ["render", "--prompt", "warm keys", "--bars", "1", "--seed", "7", "--variations", "2"]
    local = ["--model", str(model), "--device", "cpu", "--out", str(tmp_path / "local")]
    assert main([*request, *local]) == 0
    remote = ["--engine", url, "--precision", "int8", "--out", str(tmp_path / "remote")]
    assert main([*request, *remote]) == 0
    assert len(sounds(tmp_path / "local")) == 2
    assert sounds(tmp_path / "remote") == sounds(tmp_path / "local")
    (sidecar, _) = sorted((tmp_path / "remote").glob("*.json"))
    recorded = json.loads(sidecar.read_text())
    # As the server was started.
    assert (recorded["model"], recorded["precision"]) == (str(model), "exact")


def test_a_batch_has_one_result_a_row(url: str, model: Path, tmp_path: Path) -> None:
    rows = [{"prompt": "warm keys", "bars": 1, "seed": seed} for seed in range(5)]
    for name, engine in (("local", ["--model", str(model)]), ("remote", ["--engine", url])):
        jobs = tmp_path / f"{name}.jsonl"
        jobs.write_text("".join(json.dumps(row) + "\n" for row in rows))
        assert main(["render", "--batch", str(jobs), *engine, "--out", str(tmp_path / name)]) == 0
    assert len(sounds(tmp_path / "local")) == 5
    assert sounds(tmp_path / "remote") == sounds(tmp_path / "local")


def test_a_server_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("websockets", reason="needs the extra `remote`")
    with pytest.raises(EngineDied, match="see whether `melody-bridge serve` runs"):
        RemoteGenerator("http://127.0.0.1:9", None)
    arguments = ["render", "--prompt", "keys", "--bars", "1", "--engine", "http://127.0.0.1:9"]
    assert main(arguments) == 1
    assert "cannot be reached" in capsys.readouterr().err
