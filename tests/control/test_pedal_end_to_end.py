"""Play and hit the pedal: a clip is made through a real MIDI port, with no OSC client at all."""

from __future__ import annotations

import json
import time
from fractions import Fraction
from itertools import accumulate
from pathlib import Path

import mido
import pytest
import soundfile

from bridge.audio import Waveform
from bridge.chroma import note_pitch_classes, pitch_classes, similarity
from bridge.config.presets import preset_names
from bridge.timing import Meter, Note, bars_to_frames
from tests.peers.daemon import DaemonProcess, running
from tests.peers.jack import LONG_PERIOD, JackServer
from tests.peers.midi import START, Timed, midi_clock, midi_file, sending
from tests.peers.timeline import Timeline

TUNE = (
    *((60, 1), (60, 1), (67, 1), (67, 1), (69, 1), (69, 1), (67, 2)),
    *((65, 1), (65, 1), (64, 1), (64, 1), (62, 1), (62, 1), (60, 2)),
)
"""Pitches and lengths in beats: four bars of 4/4."""
BARS = 4
PRESET = "lofi-keys"
MIDI_PORT = "Melody Bridge:in"
PORTS = ("keys", "clock")
TICKS_PER_BEAT = 480
LEAD_SECONDS = 1.0
SCORE_FLOOR = 0.7
"""Renderings of this tune with six seeds scored 0.89 to 0.95; other melodies score below 0.4."""


@pytest.fixture(scope="module")
def jack_period() -> int:
    return LONG_PERIOD


@pytest.fixture(autouse=True)
def own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The default map, whatever is in the user's folder."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def performance(path: Path, tempo_bpm: float, *, taps: int = 1) -> Path:
    """Write a standard MIDI file: a preset, the tune, and taps on the pedal right after it."""
    track = mido.MidiTrack()
    track.append(mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(tempo_bpm)))
    track.append(mido.Message("program_change", program=preset_names().index(PRESET)))
    rest = 0
    for pitch, beats in TUNE:
        # The last eighth of a beat is the way of the hand to the next key.
        held = round((beats - 1 / 8) * TICKS_PER_BEAT)
        track.append(mido.Message("note_on", note=pitch, velocity=90, time=rest))
        track.append(mido.Message("note_off", note=pitch, time=held))
        rest = TICKS_PER_BEAT // 8
    for value in (127, 0) * taps:
        track.append(mido.Message("control_change", control=64, value=value, time=rest))
        rest = TICKS_PER_BEAT // 6
    file = mido.MidiFile(ticks_per_beat=TICKS_PER_BEAT)
    file.tracks.append(track)
    file.save(path)
    return path


def logged(daemon: DaemonProcess) -> list[tuple[str, str]]:
    """What has become of the requests so far: the event and the id of each log line of theirs."""
    lines = [line for line in list(daemon.log) if str(line.get("id", "")).startswith("midi-")]
    return [(line["event"], line["id"]) for line in lines if line["event"] != "remark"]


def check_clip(daemon: DaemonProcess, tempo_bpm: float) -> None:
    """The only clip has exact bars of that tempo, and follows the tune."""
    (path,) = daemon.clips.glob("*.wav")
    sidecar = json.loads(path.with_suffix(".json").read_text())
    assert (sidecar["bars"], sidecar["tempo_bpm"], sidecar["preset"]) == (BARS, tempo_bpm, PRESET)
    tempo = Fraction(str(tempo_bpm))
    samples, rate = soundfile.read(path, dtype="float32")
    assert len(samples) == bars_to_frames(BARS, Meter(), tempo, rate)
    heard = pitch_classes(Waveform(samples, rate))
    starts = accumulate((beats for _, beats in TUNE), initial=0)
    notes = [
        Note(Fraction(start), Fraction(beats), pitch)
        for start, (pitch, beats) in zip(starts, TUNE, strict=False)
    ]
    tune = note_pitch_classes(notes, tempo, len(heard))
    score, other = similarity(heard, tune), similarity(heard, (tune + 6) % 12)
    print(f"at {tempo_bpm} bpm: {score:.2f}, a tritone away {other:.2f}")
    assert score >= SCORE_FLOOR > 2 * other


@pytest.mark.slow
def test_a_tune_and_a_tap_make_a_clip_without_any_clock(
    jack_server: JackServer, tmp_path: Path
) -> None:
    file = performance(tmp_path / "tune.mid", 120.0)
    with running(tmp_path / "Clips", midi="jack") as daemon, sending() as keyboard:
        daemon.ready()
        jack_server.connect(keyboard.ports[0], MIDI_PORT)
        keyboard.send(midi_file(file, time.perf_counter() + LEAD_SECONDS))
        daemon.logged("done", id="midi-2")
        assert logged(daemon) == [
            ("capture", "midi-1"),
            ("done", "midi-1"),
            ("clip", "midi-2"),
            ("done", "midi-2"),
        ]
        check_clip(daemon, 120.0)


@pytest.mark.slow
def test_a_tap_under_midi_clock_takes_the_bars_of_the_clock(
    jack_server: JackServer, tmp_path: Path
) -> None:
    tempo_bpm = 96.0
    file = performance(tmp_path / "tune.mid", tempo_bpm)
    with running(tmp_path / "Clips", midi="jack") as daemon, sending(ports=PORTS) as keyboard:
        daemon.ready()
        for port in keyboard.ports:
            jack_server.connect(port, MIDI_PORT)
        timeline = Timeline(time.perf_counter() + LEAD_SECONDS, (0, tempo_bpm))
        clock = midi_clock(timeline, 0, 4 * BARS + 8, port=1)
        keyboard.send([Timed(clock[0].seconds - 0.01, START, 1), *clock])
        # A bar of the clock passes first.
        keyboard.send(midi_file(file, timeline.seconds_of(4)))
        daemon.logged("done", id="midi-2")
        assert logged(daemon) == [
            ("capture", "midi-1"),
            ("done", "midi-1"),
            ("clip", "midi-2"),
            ("done", "midi-2"),
        ]
        check_clip(daemon, tempo_bpm)


def test_a_double_tap_revokes_the_request_of_its_first_tap(
    jack_server: JackServer, tmp_path: Path
) -> None:
    file = performance(tmp_path / "tune.mid", 160.0, taps=2)
    with running(tmp_path / "Clips", midi="jack") as daemon, sending() as keyboard:
        daemon.ready()
        jack_server.connect(keyboard.ports[0], MIDI_PORT)
        keyboard.send(midi_file(file, time.perf_counter() + LEAD_SECONDS))
        assert daemon.logged("error", id="midi-2")["code"] == "cancelled"
        # The take of the first tap may be over, or be cancelled too.
        assert logged(daemon)[:-1] in (
            [("capture", "midi-1"), ("done", "midi-1")],
            [("error", "midi-1")],
        )
    assert list(daemon.clips.glob("*.wav")) == []
