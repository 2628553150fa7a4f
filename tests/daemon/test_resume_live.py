"""A daemon that is started again goes on with its live loops: on a real daemon, with JACK."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest

from tests.daemon.loop_stage import BARS, TEMPO_BPM, Stage, band, on_stage, stage_arguments
from tests.peers.daemon import Client, DaemonProcess
from tests.peers.daw import Daw
from tests.peers.jack import JackServer, excusing_xruns
from tests.peers.wait import until
from tests.processes import KILL

if sys.platform == "win32":
    pytest.skip("JACK's dummy server is POSIX's", allow_module_level=True)


def test_a_daemon_that_was_killed_goes_on_with_its_loops(
    jack_server: JackServer, tmp_path: Path, model: Path
) -> None:
    arguments = ("--model", str(model))

    def attempt() -> None:
        killed = DaemonProcess(
            tmp_path / "Clips", *stage_arguments(tmp_path), *arguments, input="system", midi="jack"
        ).ready()
        try:
            with band(killed, tmp_path, bars=5) as (stage, _):
                settings = ("bars", BARS, "prompt", "keys", "layer", 2)
                stage.client.send("/bridge/loop/start", stage.id, *settings)
                first = stage.state("playing", other_than="")
                stage.client.send("/bridge/loop/freeze", stage.id)
                stage.client.send("/bridge/gain", 2, -6)
                kept = tmp_path / "Clips" / "loops.json"
                until(
                    lambda: json.loads(kept.read_text())["gains"], "the loop and its gain are kept"
                )
                assert killed.stop(KILL) != 0
        finally:
            killed.stop(KILL)
        with (
            on_stage(tmp_path, *arguments, "--resume") as daemon,
            Client(daemon.port, "stage") as client,
            Daw(daemon.port, start_seconds=time.perf_counter(), tempo_bpm=TEMPO_BPM),
        ):
            again = Stage(client, stage.id)
            assert again.state("playing", "none") == first
            client.send("/bridge/loop/stop", stage.id)
            again.state("off", "none")

    excusing_xruns(jack_server, attempt)


def test_a_broken_file_of_loops_is_reported_and_ignored(
    jack_server: JackServer, tmp_path: Path, model: Path
) -> None:
    (tmp_path / "Clips").mkdir()
    (tmp_path / "Clips" / "loops.json").write_text('{"version": 1')
    with on_stage(tmp_path, "--model", str(model), "--resume") as daemon:
        line = daemon.logged("remark", id="-")
        assert "loops.json is broken and is ignored" in line["text"]
