"""`melody-bridge devices`: sound and MIDI, as text and as JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest

from bridge.midi.listing import MidiListing
from bridge.tools import devices
from tests.peers.jack import JackServer


def printed(*arguments: str) -> str:
    """What the command prints; it must succeed and print nothing to stderr."""
    done = subprocess.run(
        [sys.executable, "-m", "bridge", "devices", *arguments], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_devices_are_printed_as_text_and_as_json(jack_server: JackServer) -> None:
    lines = printed().splitlines()
    assert lines[0].startswith("  0 system, JACK")
    assert "MIDI" in lines[-1]
    read = json.loads(printed("--json"))
    (device,) = read["sound"]
    assert (device["name"], device["is_default_input"]) == ("system", True)
    assert set(read["midi"]) == {"inputs", "outputs", "problem"}
    assert bool(read["midi"]["problem"]) == (not Path("/dev/snd/seq").exists())


@pytest.mark.parametrize(
    ("midi", "lines"),
    [
        (
            MidiListing(("Keys", "Pads"), ("Pads",)),
            ["MIDI input: Keys", "MIDI input: Pads", "MIDI output: Pads"],
        ),
        (MidiListing(), ["no MIDI: plug a device in"]),
        (MidiListing(problem="broken"), ["no MIDI: broken"]),
    ],
    ids=["ports", "none", "problem"],
)
def test_midi_ports_follow_on_lines_of_their_own(
    midi: MidiListing,
    lines: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(devices, "list_devices", lambda: [])
    monkeypatch.setattr(devices, "list_midi", lambda: midi)
    assert devices.run(Namespace(json=False)) == 0
    assert capsys.readouterr().out.splitlines()[1:] == lines
