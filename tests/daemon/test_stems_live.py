"""Stems through a real daemon: a hum under drums and bass in, a clip of the hum out.

Demucs is real, with few and random weights.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from bridge.audio import Waveform
from tests.engine.random_demucs import write_weights
from tests.melody.test_mixture import hum_and_mix
from tests.peers.daemon import Client, DaemonProcess, Received, engine_pid, running
from tests.processes import KILL

if sys.platform != "linux":
    pytest.skip("looks where Linux lists a process's libraries", allow_module_level=True)

LONG_REPEATS = 60
"""Of the mix of 6 s: far more than is separated before a test cancels or kills."""


def write_recordings(folder: Path) -> None:
    """`hum.wav`, `mix.wav`, and `long.wav`, the mix again and again."""
    made = next(each for number in range(60) if (each := hum_and_mix(number, 0.0)) is not None)
    hum, mix = made
    long = Waveform(np.tile(mix.samples, (LONG_REPEATS, 1)), mix.sample_rate)
    for name, sound in {"hum": hum, "mix": mix, "long": long}.items():
        soundfile.write(folder / f"{name}.wav", sound.samples, sound.sample_rate)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recordings")
    write_recordings(folder)
    return folder


@pytest.fixture(scope="module")
def daemon(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    weights = write_weights(tmp_path_factory.mktemp("hub"))
    clips = tmp_path_factory.mktemp("stems") / "Clips"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_CACHE", str(weights.parent))
        with running(clips, "--model", str(model)) as daemon:
            yield daemon.ready()


@pytest.fixture
def client(daemon: DaemonProcess, request: pytest.FixtureRequest) -> Iterator[Client]:
    with Client(daemon.port, request.node.name[-50:]) as client:
        yield client


def remarks(client: Client, id: str) -> str:
    return " ".join(str(e.arguments[1]) for e in client.of(id) if e.address == "/bridge/remark")


def shares(client: Client, id: str) -> list[float]:
    return [
        float(str(event.arguments[1]))
        for event in client.of(id)
        if event.address == "/bridge/progress"
    ]


def sidecar(clip: Received) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(
        Path(str(clip.arguments[3])).with_suffix(".json").read_text()
    )
    return fields


def separations(client: Client) -> int:
    """How often the engine has begun to separate."""
    said = [e.arguments[1] for e in client.events if e.address == "/bridge/engine"]
    return said.count("separating the melody")


def test_a_mix_is_separated_once_in_the_engines_process(
    daemon: DaemonProcess, client: Client, recordings: Path
) -> None:
    id = client.name
    client.send("/bridge/capture/file", f"{id}-1", str(recordings / "mix.wav"))
    client.send("/bridge/generate", f"{id}-2", "bars", 2, "seed", 1)
    (clip,) = client.done(f"{id}-2")
    assert "followed without its drums and bass" in remarks(client, f"{id}-2")
    fields = sidecar(clip)
    assert fields["separated"] is True and fields["stems"] == "auto"
    assert any("followed without its drums and bass" in each for each in fields["remarks"])
    seen = shares(client, f"{id}-2")
    assert seen == sorted(seen) and any(0 < share < 0.4 for share in seen), seen
    # The same take again, and the same file under another id: nothing is separated twice.
    before = separations(client)
    assert before >= 1
    client.send("/bridge/generate", f"{id}-3", "bars", 2, "seed", 1)
    assert sidecar(*client.done(f"{id}-3"))["separated"] is True
    client.send("/bridge/capture/file", f"{id}-4", str(recordings / "mix.wav"))
    client.send("/bridge/generate", f"{id}-5", "bars", 2, "seed", 2, "stems", "on")
    assert sidecar(*client.done(f"{id}-5"))["separated"] is True
    assert separations(client) == before
    maps = Path(f"/proc/{daemon.process.pid}/maps").read_text()
    assert "libtorch" not in maps


def test_auto_leaves_a_hum_alone_and_says_so(client: Client, recordings: Path) -> None:
    id = client.name
    client.send("/bridge/capture/file", f"{id}-1", str(recordings / "hum.wav"))
    client.send("/bridge/generate", f"{id}-2", "bars", 2)
    assert sidecar(*client.done(f"{id}-2"))["separated"] is False
    assert "hum.wav sounds alone" in remarks(client, f"{id}-2")
    assert separations(client) == 0


def test_the_request_wins_over_the_capture_and_that_over_the_session(
    client: Client, recordings: Path
) -> None:
    id = client.name

    def is_separated(number: int, of_capture: list[str], of_request: list[str]) -> bool:
        take, request = f"{id}-{number}", f"{id}-{number + 1}"
        client.send("/bridge/capture/file", take, str(recordings / "mix.wav"), *of_capture)
        client.send("/bridge/generate", request, "bars", 1, *of_request)
        (clip,) = client.done(request)
        return bool(sidecar(clip)["separated"])

    client.send("/bridge/set", "stems", "off")
    try:
        assert not is_separated(1, [], [])
        assert is_separated(3, ["stems", "on"], [])
        assert not is_separated(5, ["stems", "on"], ["stems", "off"])
        client.send("/bridge/set", "stems", "on")
        # What the session wants of recordings is no mistake of a request without one.
        client.send("/bridge/generate", f"{id}-7", *("melody", "none", "bars", 1))
        client.done(f"{id}-7")
        client.send("/bridge/generate", f"{id}-8", *("melody", "none", "bars", 1, "stems", "on"))
        code, message = client.failed(f"{id}-8")
        assert code == "bad-argument" and "no recording to separate" in message
    finally:
        client.send("/bridge/unset", "stems")
    client.send("/bridge/generate", f"{id}-9", "stems", "sometimes")
    code, message = client.failed(f"{id}-9")
    assert code == "bad-argument" and "sometimes" in message and "auto" in message


def wait_for_separation(client: Client, id: str, after: int = 0) -> Received:
    return client.wait_for(
        lambda event: (
            event.address == "/bridge/progress"
            and event.arguments[0] == id
            and 0 < float(str(event.arguments[1])) < 0.4
        ),
        f"{id} is being separated",
        after=after,
    )


def test_a_separation_is_cancelled_like_a_render(
    daemon: DaemonProcess, client: Client, recordings: Path
) -> None:
    id, engine = client.name, engine_pid(daemon)
    client.send("/bridge/capture/file", f"{id}-1", str(recordings / "long.wav"))
    client.send("/bridge/generate", f"{id}-2", "bars", 150)
    client.send("/bridge/generate", f"{id}-3", *("melody", "none", "bars", 1))
    wait_for_separation(client, f"{id}-2")
    client.send("/bridge/cancel", f"{id}-2")
    assert client.failed(f"{id}-2")[0] == "cancelled"
    client.done(f"{id}-3")
    assert engine_pid(daemon) == engine


def test_an_engine_killed_at_a_separation_does_it_once_more(
    daemon: DaemonProcess, client: Client, recordings: Path
) -> None:
    id = client.name
    client.send("/bridge/capture/file", f"{id}-1", str(recordings / "long.wav"))
    client.send("/bridge/generate", f"{id}-2", "bars", 151)
    wait_for_separation(client, f"{id}-2")
    os.kill(engine_pid(daemon), KILL)
    heard = client.wait("/bridge/remark", f"{id}-2")
    assert "second attempt" in str(heard.arguments[1])
    wait_for_separation(client, f"{id}-2", client.events.index(heard))
    client.send("/bridge/cancel", f"{id}-2")
    assert client.failed(f"{id}-2")[0] == "cancelled"


def test_without_demucs_on_is_an_error_and_auto_a_remark(
    model: Path, recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "demucs.py").write_text("raise ImportError('there is no Demucs here')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with (
        running(tmp_path / "Clips", "--model", str(model)) as daemon,
        Client(daemon.ready().port) as client,
    ):
        client.send("/bridge/capture/file", "me-1", str(recordings / "mix.wav"))
        client.send("/bridge/generate", "me-2", *("bars", 1, "stems", "on"))
        code, message = client.failed("me-2")
        assert code == "unsupported" and "melody-bridge[stems]" in message
        client.send("/bridge/generate", "me-3", "bars", 1)
        assert sidecar(*client.done("me-3"))["separated"] is False
        assert "it is followed as it is, because stems need Demucs" in remarks(client, "me-3")
        assert list((tmp_path / "Clips").glob("*.wav")) != []
