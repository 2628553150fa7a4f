"""What is played on a MIDI port is the melody: a keyboard in JACK, and the daemon as a user has it.

A tiny model with random weights replaces a real one.
"""

from __future__ import annotations

import json
import time
from fractions import Fraction
from pathlib import Path

import pytest

from bridge.melody import read_melody
from bridge.timing import Meter
from tests.peers.daemon import Client, running
from tests.peers.daw import Daw
from tests.peers.jack import JackServer, excusing_xruns
from tests.peers.midi import note, sending
from tests.peers.wait import until

TEMPO_BPM = 187.3
MELODY = ((0, 60), (1, 62), (2.5, 64), (3, 67), (4.5, 65), (5, 60))
"""Beats of two bars of 3/4, and pitches."""
LEAD_SECONDS = 1.5
NEAR_BEATS = 0.1
"""The DAW's messages are late by up to 30 ms, and the machine is busy."""


@pytest.mark.exclusive
def test_what_is_played_on_a_midi_port_is_the_melody_of_the_clip(
    model: Path, tmp_path: Path, jack_server: JackServer
) -> None:
    def attempt() -> None:
        with (
            running(tmp_path / "Clips", "--model", str(model), midi="jack") as daemon,
            sending() as keyboard,
            Client(daemon.port) as client,
        ):
            daemon.ready()
            jack_server.connect(keyboard.ports[0], "Melody Bridge:in")
            start = time.perf_counter() + LEAD_SECONDS
            with Daw(daemon.port, start_seconds=start, tempo_bpm=TEMPO_BPM, numerator=3) as daw:
                played = [
                    message
                    for beat, pitch in MELODY
                    for message in note(pitch, daw.seconds_of(3 + beat), 0.1, velocity=77)
                ]
                keyboard.sent(keyboard.send(played))
                until(lambda: time.perf_counter() >= daw.seconds_of(9.5), "the bars are over")
                client.send("/bridge/capture/last", "me-1", 2)
                client.done("me-1")
            client.send("/bridge/generate", "me-2", "bars", 2)
            (clip,) = client.done("me-2")
        sidecar = json.loads(Path(str(clip.arguments[3])).with_suffix(".json").read_text())
        take = read_melody(sidecar["melody"])
        assert isinstance(take.source, tuple)
        assert (take.tempo_bpm, take.meter) == (Fraction(str(TEMPO_BPM)), Meter(3, 4))
        assert take.length_beats == 6
        assert [each.pitch for each in take.source] == [pitch for _, pitch in MELODY]
        assert {each.velocity for each in take.source} == {77}
        for each, (beat, _) in zip(take.source, MELODY, strict=True):
            assert abs(float(each.start_beat) - beat) < NEAR_BEATS

    excusing_xruns(jack_server, attempt)
