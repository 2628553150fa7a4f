"""Hum to clip in a daemon: what was meant leads, and its notes are listed and corrected."""

from __future__ import annotations

import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import soundfile

from bridge.melody import read_melody
from bridge.timing import Meter, Note
from tests.hummed import SCALE, hummed
from tests.peers.daemon import Client, DaemonProcess, Received, running

PITCHES = [pitch for pitch, _ in SCALE]
STARTS = [0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 7.0]


@pytest.fixture(scope="module")
def daemon(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    """A daemon without input."""
    clips = tmp_path_factory.mktemp("notes") / "Clips"
    with running(clips, "--model", str(model)) as daemon:
        yield daemon.ready()


@pytest.fixture
def client(daemon: DaemonProcess, request: pytest.FixtureRequest) -> Iterator[Client]:
    with Client(daemon.port, request.node.name[-40:]) as client:
        yield client


@pytest.fixture
def hum(daemon: DaemonProcess, client: Client, request: pytest.FixtureRequest) -> Path:
    """A hum 45 cents flat in the folder for takes, as the Live device writes it."""
    path = daemon.clips / "Takes" / f"{request.node.name}.wav"
    path.parent.mkdir(parents=True, exist_ok=True)
    flat = hummed(cents=-45)
    soundfile.write(path, flat.samples, flat.sample_rate, subtype="FLOAT")
    return path


def captured(client: Client, hum: Path) -> str:
    id = f"{client.name}-1"
    client.send("/bridge/capture/file", id, str(hum), "tempo_bpm", 120)
    client.done(id)
    return id


def rendered(client: Client, id: str, *settings: int | float | str) -> Path:
    """The path of a clip of two bars that is rendered now."""
    client.send("/bridge/generate", id, "bars", 2, *settings)
    (clip,) = client.done(id)
    return Path(str(clip.arguments[3]))


def sidecar(client: Client, id: str, *settings: int | float | str) -> dict[str, Any]:
    """The sidecar of a clip that is rendered now."""
    fields: dict[str, Any]
    fields = json.loads(rendered(client, id, *settings).with_suffix(".json").read_text())
    return fields


def listed(client: Client, id: str) -> list[Received]:
    """The notes of a capture as the daemon lists them now."""
    client.sync()
    after = len(client.events)
    client.send("/bridge/notes", id)
    client.wait("/bridge/done", id, after=after)
    return [event for event in client.events[after:] if event.address == "/bridge/note"]


def test_a_flat_hum_leads_to_the_notes_that_were_meant(client: Client, hum: Path) -> None:
    capture = captured(client, hum)
    fields = sidecar(client, f"{client.name}-2", "key", "auto", "prompt", "keys, {key}")
    assert [note["pitch"] for note in fields["notes"]] == PITCHES
    starts = [note["start_beat"] for note in fields["notes"]]
    assert starts == pytest.approx(STARTS, abs=0.15)
    assert fields["notes_corrected"] is False
    assert "C major" in fields["prompt"]
    notes = listed(client, capture)
    assert [event.arguments[4] for event in notes] == PITCHES
    assert [event.arguments[1:3] for event in notes] == [(i, len(PITCHES)) for i in range(7)]
    velocities = [event.arguments[7] for event in notes]
    assert velocities == [note["velocity"] for note in fields["notes"]]
    take = read_melody(hum.with_suffix(".notes.mid"))
    assert [note.pitch for note in take.source if isinstance(note, Note)] == PITCHES  # type: ignore[union-attr]
    assert float(take.tempo_bpm or 0) == 120


def test_corrected_notes_lead_the_next_clip(client: Client, hum: Path) -> None:
    capture = captured(client, hum)
    client.send("/bridge/capture/notes", capture, 2, 0, 61, 1)
    client.send("/bridge/capture/notes", capture, 2, 4, 66, 2.5, "velocity", 33)
    clip = rendered(client, f"{client.name}-2")
    fields = json.loads(clip.with_suffix(".json").read_text())
    assert fields["notes_corrected"] is True
    assert [note["velocity"] for note in fields["notes"]] == [100, 33]
    corrected = [
        (note["start_beat"], note["pitch"], note["length_beats"]) for note in fields["notes"]
    ]
    assert corrected == [(0, 61, 1), (4, 66, 2.5)]
    assert [event.arguments[3:] for event in listed(client, capture)] == [
        (0.0, 61, 1.0, 1.0, 100),
        (4.0, 66, 2.5, 1.0, 33),
    ]
    # The clip's own notes go where it goes.
    notes = clip.with_suffix(".notes.mid")
    in_file = read_melody(notes)
    assert in_file.source == (
        Note(Fraction(0), Fraction(1), 61),
        Note(Fraction(4), Fraction(5, 2), 66, 33),
    )
    assert (in_file.tempo_bpm, in_file.meter) == (Fraction(120), Meter(4, 4))
    assert in_file.end_beats == 8
    client.send("/bridge/discard", f"{client.name}-2")
    client.wait("/bridge/mark", f"{client.name}-2")
    assert not notes.exists() and (clip.parent / "Discarded" / notes.name).is_file()
    # Without a note, what was heard counts again.
    client.send("/bridge/capture/notes", capture, 2)
    client.send("/bridge/capture/stop", capture)
    fields = sidecar(client, f"{client.name}-3")
    assert fields["notes_corrected"] is False
    assert [note["pitch"] for note in fields["notes"]] == PITCHES


def test_raw_leads_by_the_recording_itself(client: Client, hum: Path) -> None:
    captured(client, hum)
    clip = rendered(client, f"{client.name}-2", "melody_from", "raw")
    assert json.loads(clip.with_suffix(".json").read_text())["notes"] is None
    assert not clip.with_suffix(".notes.mid").exists()
    assert not hum.with_suffix(".notes.mid").exists()


def test_notes_of_what_is_no_capture_are_an_error(client: Client) -> None:
    client.send("/bridge/notes", f"{client.name}-9")
    assert client.failed(f"{client.name}-9")[0] == "unknown-melody"


def test_the_tempo_of_a_session_is_a_number(client: Client) -> None:
    client.send("/bridge/set", "tempo_bpm", "auto")
    assert "tempo_bpm 'auto'" in str(client.wait("/bridge/error", "-").arguments[2])
