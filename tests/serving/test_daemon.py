"""The daemon with a remote engine: the same events and the same clips as with its own."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.serving.application import ReplicaSettings
from tests.peers.daemon import Client, DaemonProcess
from tests.serving.served import free_port, served

SETTINGS = ("melody", "none", "prompt", "warm keys", "bars", 1, "seed", 7, "variations", 2)


def rendered(folder: Path, *arguments: str) -> tuple[list[bytes], list[str]]:
    """The clips that a daemon makes, best first, and the remarks in their sidecars."""
    daemon = DaemonProcess(folder, *arguments)
    try:
        with Client(daemon.port) as client:
            client.send("/bridge/generate", "me-1", *SETTINGS)
            paths = [Path(str(clip.arguments[3])) for clip in client.done("me-1")]
    finally:
        daemon.stop()
    remarks = json.loads(paths[0].with_suffix(".json").read_text())["remarks"]
    return [path.read_bytes() for path in paths], remarks


def test_the_clips_are_those_of_the_local_engine_to_the_byte(model: Path, tmp_path: Path) -> None:
    local, _ = rendered(tmp_path / "local", "--model", str(model), "--device", "cpu")
    with served(ReplicaSettings(str(model), "cpu")) as url:
        remote, remarks = rendered(tmp_path / "remote", "--engine", url)
    assert len(local) == 2
    assert remote == local
    assert not any("rendered on this machine" in remark for remark in remarks)


def test_the_daemon_renders_itself_while_the_server_is_gone(model: Path, tmp_path: Path) -> None:
    pytest.importorskip("websockets", reason="needs the extra `remote`")
    url = f"http://127.0.0.1:{asyncio.run(free_port())}"
    arguments = ("--engine", url, "--engine-fallback", "local", "--model", str(model))
    clips, remarks = rendered(tmp_path, *arguments, "--device", "cpu")
    assert len(clips) == 2
    assert any("rendered on this machine" in remark for remark in remarks)


def test_the_doctor_shows_the_remote_engine_and_how_far_away_it_is(model: Path) -> None:
    command = [sys.executable, "-m", "bridge", "doctor", "--json", "--input", "none"]
    with served(ReplicaSettings(str(model), "cpu")) as url:
        there = findings([*command, "--engine", url])[f"engine {url}"]
    assert there["verdict"] == "ok"
    assert "ms away and back" in there["found"]
    gone = findings([*command, "--engine", url])[f"engine {url}"]
    assert (gone["verdict"], "cannot be reached" in gone["found"]) == ("failure", True)


def findings(command: list[str]) -> dict[str, dict[str, str]]:
    """What the doctor found, by what it is about."""
    done = subprocess.run(command, capture_output=True, text=True)
    return {each["about"]: each for each in json.loads(done.stdout)["findings"]}
