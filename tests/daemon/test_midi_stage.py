"""What comes from real stages through a MIDI port: the daemon goes on, and hears each note once."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from bridge.melody import read_melody
from tests.peers.daemon import Client, DaemonProcess, memory_bytes, running
from tests.peers.jack import LONG_PERIOD, JackServer, without_xruns
from tests.peers.midi import ACTIVE_SENSING, MidiSender, Timed, note, sending

MIDI_PORT = "Melody Bridge:in"
TUNE = (60, 64, 67, 72, 65, 62)
NOTE_SECONDS = 0.3
REST_SECONDS = 2.5
"""A rest of 2 s begins another phrase."""
RANDOM_BYTES = 100_000
MESSAGES_PER_SECOND = 5_000
FLOOD_SECONDS = 3.0
MOST_GROWN_BYTES = 48 << 20
"""It grew by 34 MB in one run of the whole suite, for a reason that is not known, and by less
than 30 in others. The messages themselves are 0.1 MB."""


@pytest.fixture(scope="module")
def jack_period() -> int:
    return LONG_PERIOD


@pytest.fixture(scope="module")
def daemon(
    module_jack_server: JackServer, model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DaemonProcess]:
    """A daemon that nobody's clock moves, so that a capture takes the last phrase."""
    folder = tmp_path_factory.mktemp("stage")
    with pytest.MonkeyPatch.context() as patch:
        # The default map, whatever is in the user's folder.
        patch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
        options = "--model", str(model), "--clock", "osc"
        with running(folder / "Clips", *options, midi="jack") as daemon:
            # The first clip loads modules, which tests of the memory are not to count.
            with Client(daemon.ready().port) as client:
                client.send("/bridge/generate", "me-1", *("melody", "none", "bars", 1))
                client.done("me-1")
            yield daemon


@pytest.fixture
def client(daemon: DaemonProcess, request: pytest.FixtureRequest) -> Iterator[Client]:
    with Client(daemon.port, request.node.name[-40:]) as client:
        yield client


def tune(start_seconds: float, pitches: Sequence[int] = TUNE, port: int = 0) -> list[Timed]:
    """Notes of one length, one after the other."""
    return [
        message._replace(port=port)
        for index, pitch in enumerate(pitches)
        for message in note(pitch, start_seconds + index * NOTE_SECONDS, 0.8 * NOTE_SECONDS)
    ]


def captured(client: Client) -> list[int]:
    """Capture the last phrase of notes; its pitches, in the order in which they begin."""
    id = f"{client.name}-{time.monotonic_ns()}"
    client.send("/bridge/capture/last", id, 4, "source", "midi")
    client.done(id)
    client.send("/bridge/generate", f"{id}-clip", *("melody", id, "bars", 1))
    (clip,) = client.done(f"{id}-clip")
    sidecar = json.loads(Path(str(clip.arguments[3])).with_suffix(".json").read_text())
    take = read_melody(sidecar["melody"])
    assert isinstance(take.source, tuple)
    return [each.pitch for each in sorted(take.source, key=lambda each: each.start_beat)]


def silence(keyboard: MidiSender) -> float:
    """End all notes of all channels; when a new phrase may begin."""
    return keyboard.play(*(bytes([0xB0 | channel, 123, 0]) for channel in range(16))) + REST_SECONDS


def random_messages(count: int, seed: int) -> list[bytes]:
    """Events of that many bytes in all: half have a message's form, the others have none."""
    chance, messages, length = random.Random(seed), [], 0
    while length < count:
        data = chance.randbytes(min(chance.choice((1, 2, 3, 3, 3, 20, 200)), count - length))
        if chance.random() < 0.5:
            status = chance.choice((0x80, 0x90, 0xA0, 0xB0, 0xC0, 0xD0, 0xE0, 0xF0))
            data = bytes([status | data[0] & 0x0F, *(byte & 0x7F for byte in data[1:])])
        messages.append(data)
        length += len(data)
    return messages


def test_a_hundred_thousand_random_bytes_harm_nothing(
    daemon: DaemonProcess, client: Client, jack_server: JackServer
) -> None:
    messages = random_messages(RANDOM_BYTES, seed=13)
    assert sum(map(len, messages)) == RANDOM_BYTES
    already, before = len(daemon.log), memory_bytes(daemon.process.pid)

    def attempt() -> list[int]:
        with sending() as keyboard:
            jack_server.connect(keyboard.ports[0], MIDI_PORT)
            keyboard.play(*messages)
            client.sync()
            keyboard.sent(keyboard.send(tune(silence(keyboard))))
            return captured(client)

    assert without_xruns(jack_server, attempt) == list(TUNE)
    assert memory_bytes(daemon.process.pid) - before < MOST_GROWN_BYTES
    lines = [line["message"] for line in daemon.log[already:]]
    assert [line for line in lines if "not understood" in line or "defect" in line] == []
    assert daemon.process.poll() is None


def test_two_devices_with_sensing_nrpn_and_a_stuck_note_are_one_melody(
    daemon: DaemonProcess, client: Client, jack_server: JackServer
) -> None:
    # NRPN 64 of value 64, as sliders send it: CC 64 is the pedal, CC 6 and 38 are its data.
    nrpn = [bytes([0xB0, number, 64]) for number in (99, 98, 6, 38)]
    already = len(daemon.log)

    def attempt() -> list[int]:
        with sending("keys") as keys, sending("pads") as pads:
            for device in (keys, pads):
                jack_server.connect(device.ports[0], MIDI_PORT)
            start = max(silence(keys), silence(pads))
            sensing = [Timed(start + 0.3 * number, ACTIVE_SENSING) for number in range(8)]
            slider = [Timed(start + 0.1 * number, data) for number, data in enumerate(nrpn * 4)]
            # In the gaps of the first tune; its last note is never released.
            stuck = tune(start + NOTE_SECONDS / 2, TUNE[::-1])[:-1]
            sent = [keys.send(tune(start) + sensing + slider), pads.send(stuck + sensing)]
            keys.sent(sent[0]), pads.sent(sent[1])
            return captured(client)

    pitches = without_xruns(jack_server, attempt)
    assert pitches == [pitch for pair in zip(TUNE, TUNE[::-1], strict=True) for pitch in pair]
    assert [line for line in daemon.log[already:] if str(line.get("id")).startswith("midi-")] == []


def test_five_thousand_messages_a_second_cost_no_note(
    daemon: DaemonProcess, client: Client, jack_server: JackServer
) -> None:
    already, before = len(daemon.log), memory_bytes(daemon.process.pid)

    def attempt() -> list[int]:
        with sending("keys") as keys, sending("fader") as fader:
            for device in (keys, fader):
                jack_server.connect(device.ports[0], MIDI_PORT)
            start = silence(keys)
            count = round(FLOOD_SECONDS * MESSAGES_PER_SECOND)
            flood = [
                Timed(start - 0.5 + number / MESSAGES_PER_SECOND, bytes([0xB0, 7, number % 128]))
                for number in range(count)
            ]
            sent = fader.send(flood)
            keys.sent(keys.send(tune(start)))
            fader.sent(sent)
            client.sync()
            return captured(client)

    assert without_xruns(jack_server, attempt) == list(TUNE)
    assert memory_bytes(daemon.process.pid) - before < MOST_GROWN_BYTES
    assert [line for line in daemon.log[already:] if line.get("level") == "error"] == []
