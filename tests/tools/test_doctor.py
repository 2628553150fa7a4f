"""`melody-bridge doctor`: a line for each finding, what is wrong, and the remedy."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bridge.config import merge_run
from bridge.daemon.logs import log_path
from bridge.engine import precision
from bridge.soundcard.permission import silence_remedy
from bridge.tools import doctor
from tests.peers.jack import JackServer


def examined(*arguments: str, **environment: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """Run the doctor; return its exit status and its findings by their subject."""
    done = subprocess.run(
        [sys.executable, "-m", "bridge", "doctor", "--json", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )
    assert done.stderr == ""
    report = json.loads(done.stdout)
    assert report["verdict"] == ("failure" if done.returncode else "ok")
    return done.returncode, {finding["about"]: finding for finding in report["findings"]}


def test_a_machine_with_a_sound_card_passes(jack_server: JackServer, tmp_path: Path) -> None:
    status, findings = examined("--clips", str(tmp_path / "Clips"), "--osc-port", "0")
    assert status == 0
    assert {"program", "packages", "OSC port 0", "clips folder", "inputs", "outputs"} < set(
        findings
    )
    assert "JACK" in findings["inputs"]["found"] and "44100 Hz" in findings["inputs"]["found"]
    # Nothing plays into the dummy card. macOS gives the same zeros without permission.
    assert findings["microphone"]["verdict"] == "warning"
    assert "exactly zero" in findings["microphone"]["found"]
    assert findings["microphone"]["remedy"] == silence_remedy()
    assert findings["log file"]["found"] == str(log_path())
    assert findings["model pocket"]["verdict"] == "ok"
    assert findings["device"]["found"].startswith("cpu")
    assert not (tmp_path / "Clips").exists(), "the doctor changes nothing"
    for finding in findings.values():
        assert finding["verdict"] == "ok" or finding["remedy"], finding


def test_an_output_that_is_chosen_is_played_on(jack_server: JackServer) -> None:
    arguments = ("--input", "none", "--osc-port", "0", "--output")
    _, findings = examined(*arguments, "system")
    assert findings["output system"]["verdict"] != "failure"
    assert findings["output system"]["found"].startswith("system, 44100 Hz, ")
    status, findings = examined(*arguments, "nothing")
    assert status == 1 and "there is no output 'nothing'" in findings["output nothing"]["found"]


def test_each_problem_is_found(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = str(taken.getsockname()[1])
        status, findings = examined(
            *("--osc-port", port, "--clips", str(tmp_path / "file"), "--input", "none"),
            *("--model", "owner/of-no-such-model", "--device", "cuda:7"),
            HF_HOME=str(tmp_path / "hub"),
        )
    assert status == 1
    port_taken = findings[f"OSC port {port}"]
    assert port_taken["verdict"] == "warning" and str(os.getpid()) in port_taken["found"]
    assert findings["clips folder"]["verdict"] == "failure"
    assert "not on this machine yet" in findings["model owner/of-no-such-model"]["found"]
    assert findings["device"]["verdict"] == "failure"
    assert "microphone" not in findings and "input none" not in findings
    assert "output" not in findings and "output none" not in findings


def test_midi_ports_are_opened_as_the_daemon_does(jack_server: JackServer) -> None:
    _, findings = examined(
        *("--input", "none", "--osc-port", "0", "--midi", "jack", "--midi-out", "jack")
    )
    assert findings["MIDI"]["verdict"] == "ok"
    assert findings["MIDI"]["found"] == "from Melody Bridge:in; to Melody Bridge:out"
    jack_server.stop()
    status, findings = examined("--input", "none", "--osc-port", "0", "--midi", "jack")
    assert status == 0 and findings["MIDI"]["verdict"] == "warning"
    assert findings["MIDI"]["found"] == "there is no JACK server: start it"
    assert "MIDI" not in examined("--input", "none", "--osc-port", "0", "--midi", "none")[1]


def test_a_checkpoint_that_was_cut_is_found(model: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(model, tmp_path / "model")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    status, findings = examined("--model", str(folder), "--input", "none", "--osc-port", "0")
    finding = findings[f"model {folder}"]
    assert status == 1 and finding["verdict"] == "failure"
    assert "model.safetensors is cut" in finding["found"]


def test_a_precision_whose_extra_is_missing_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "PACKAGES", ("no_such_package",))
    nothing = {"input": "none", "midi": "none", "osc_port": 0}
    for name, verdict in (("exact", None), ("int8", "failure")):
        found = doctor.examine(merge_run({**nothing, "precision": name}))
        findings = {finding.about: finding for finding in found}
        assert (findings["precision"].verdict if "precision" in findings else None) == verdict
    assert "melody-bridge[fast]" in findings["precision"].found


def test_a_finding_is_printed_as_one_line_with_the_remedy_below(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = [
        doctor.Finding("this", "ok", "well"),
        doctor.Finding("that", "failure", "broken", "mend it"),
    ]
    monkeypatch.setattr(doctor, "examine", lambda options: iter(found))
    assert doctor.main(merge_run(), as_json=False) == 1
    assert capsys.readouterr().out.splitlines() == [
        "ok       this: well",
        "failure  that: broken",
        "         mend it",
    ]
