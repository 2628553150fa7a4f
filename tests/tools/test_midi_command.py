"""`melody-bridge midi`: over a real port, and its mistakes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bridge.cli import main
from bridge.control.midi_map_file import load_map
from tests.peers.jack import JackServer, jack_server, module_jack_server
from tests.peers.midi import sending
from tests.processes import KILL

__all__ = ["jack_server", "module_jack_server"]

PORT = "Melody Bridge:in"
KNOB = bytes((0xB2, 20, 99))


@contextmanager
def midi(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Run a `melody-bridge midi` command."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bridge", "midi", *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.send_signal(KILL)
        process.communicate()


@pytest.mark.exclusive
def test_learn_writes_what_was_touched(jack_server: JackServer, tmp_path: Path) -> None:
    path = tmp_path / "midi.toml"
    arguments = ("learn", "--midi", "jack", "--midi-map", path, "set", "top_k", "{value}")
    with sending("controller") as controller, midi(*arguments) as process:
        jack_server.connect(controller.ports[0], PORT)
        controller.play(b"\xfe", KNOB)
        output, errors = process.communicate()
    assert process.returncode == 0, errors
    assert output == f"{path}\n"
    assert "cc 20, channel 3" in errors
    entry = load_map(path, ("waltz",)).entries[-1]
    assert (entry.trigger.text(), entry.on.text()) == (
        *("cc 20, channel 3", "/bridge/set top_k {value}"),
    )


@pytest.mark.exclusive
def test_learn_asks_for_the_action_until_it_is_one(jack_server: JackServer, tmp_path: Path) -> None:
    path = tmp_path / "midi.toml"
    with (
        sending("controller") as controller,
        midi("learn", "--midi", "jack", "--midi-map", path) as process,
    ):
        jack_server.connect(controller.ports[0], PORT)
        controller.play(KNOB)
        _, errors = process.communicate("genrate\nset prompt 'warm keys'\n")
    assert process.returncode == 0, errors
    assert "did you mean /bridge/generate" in errors
    assert load_map(path, ("waltz",)).entries[-1].on.arguments == ("prompt", "warm keys")


@pytest.mark.exclusive
def test_monitor_shows_messages_and_what_they_do(jack_server: JackServer, tmp_path: Path) -> None:
    path = tmp_path / "midi.toml"
    path.write_text("[[map]]\ncc = 20\ndo = '/bridge/panic'\n")
    with (
        sending("controller") as controller,
        midi("monitor", "--json", "--midi", "jack", "--midi-map", path) as process,
    ):
        jack_server.connect(controller.ports[0], PORT)
        controller.play(KNOB)
        assert process.stdout is not None
        message, command = (json.loads(process.stdout.readline()) for _ in range(2))
    assert (message["port"], message["data"]) == (PORT, "b2 14 63")
    assert message["touch"] == {"kind": "cc", "channel": 3, "number": 20, "value": 99}
    assert command == {"command": "Panic"}


def test_map_shows_the_file_and_its_entries(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "midi.toml"
    path.write_text("[[map]]\nnote = 60\ndo = '/bridge/panic'\n")
    assert main(["midi", "map", "--midi-map", str(path)]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"{path}\n")
    assert "c  note 60      /bridge/panic" in shown
    assert main(["midi", "map", "--json", "--midi-map", str(path)]) == 0
    shown_json = json.loads(capsys.readouterr().out)
    assert shown_json["entries"][-1] == {
        **{"kind": "note", "number": 60, "channel": None, "low": 1, "high": 127, "port": ""},
        **{"mode": "press", "on": {"do": "/bridge/panic", "arguments": []}},
        **{"off": None, "led": None, "default": False},
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["midi"], "required: COMMAND"),
        (["midi", "learn", "genrate"], "did you mean /bridge/generate"),
        (["midi", "learn", "set", "bars", "0"], "bars 0: the range is 1 to 1000"),
        (["midi", "monitor", "--midi", "none"], "name the input to listen to"),
        (["midi", "map", "--midi-map", "nowhere.toml"], "'nowhere.toml' cannot be read"),
        (["run", "--midi-map", "nowhere.toml", "--osc-port", "0"], "'nowhere.toml' cannot be read"),
    ],
)
def test_a_mistake_is_a_line_and_exit_status_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1
