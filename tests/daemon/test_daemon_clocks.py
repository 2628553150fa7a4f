"""The daemon's own clock and the choice of a source, over OSC and from a shell."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.peers.daemon import PATIENCE_SECONDS, Client, DaemonProcess, running
from tests.peers.wait import until


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    with running(tmp_path_factory.mktemp("clocks") / "Clips", "--count-in-bars", "1") as daemon:
        yield daemon


@pytest.fixture
def client(daemon: DaemonProcess) -> Iterator[Client]:
    with Client(daemon.port) as client:
        client.send("/bridge/halt")
        client.send("/bridge/reset")
        client.send("/bridge/clock", "auto")
        client.sync()
        yield client


def test_the_clock_is_answered_to_who_asks(client: Client, daemon: DaemonProcess) -> None:
    with Client(daemon.port, "other") as other:
        client.send("/bridge/set", "tempo_bpm", 93.5)
        seen = len(client.events)
        client.send("/bridge/clock")
        answer = client.wait("/bridge/clock", after=seen)
        assert answer.arguments == ("osc", 93.5, 4, 4, 0)
        other.sync()
        assert not [event for event in other.events if event.address == "/bridge/clock"]


def test_the_internal_clock_starts_is_tapped_and_halts(client: Client) -> None:
    client.send("/bridge/set", "tempo_bpm", 150)
    seen = len(client.events)
    client.send("/bridge/start")
    client.wait("/bridge/clock", "internal", 150.0, 4, 4, 1, after=seen)

    def tapped() -> bool:
        client.send("/bridge/tap")
        clocks = [each for each in client.events[seen:] if each.address == "/bridge/clock"]
        return any(event.arguments[1] not in (120.0, 150.0) for event in clocks)

    until(tapped, "the tempo is the tapped one", PATIENCE_SECONDS)
    client.send("/bridge/halt")
    client.wait_for(
        lambda event: event.address == "/bridge/clock" and event.arguments[4] == 0,
        "the clock is stopped",
        after=seen,
    )


def test_a_change_of_the_source_is_a_remark_and_in_the_log(
    client: Client, daemon: DaemonProcess
) -> None:
    client.send("/bridge/clock", "midi")
    remark = client.wait_for(
        lambda event: event.address == "/bridge/remark" and "MIDI clock" in str(event.arguments[1]),
        "a remark",
    )
    assert remark.arguments[0] == "-"
    assert daemon.logged("remark", text=remark.arguments[1])
    client.send("/bridge/start")
    client.wait_for(
        lambda event: event.address == "/bridge/remark" and "/bridge/start" in str(event.arguments),
        "a remark that another source counts",
    )


def test_an_unknown_source_is_refused(client: Client) -> None:
    client.send("/bridge/clock", "sundial")
    refusal = client.wait("/bridge/error", "-", "bad-argument")
    assert "sundial" in str(refusal.arguments[2]) and "internal" in str(refusal.arguments[2])


@pytest.mark.parametrize("word", ["tap", "start", "halt", "clock"])
def test_a_shell_can_drive_it(daemon: DaemonProcess, word: str) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "bridge", "send", word, "--osc-port", str(daemon.port)],
        capture_output=True,
        text=True,
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert word != "clock" or result.stdout.startswith("/bridge/clock ")
