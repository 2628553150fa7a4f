"""From a pressed button to a clip in its slot: the device, the daemon with `pocket`, real UDP.

Live and Max are the model and the host of this folder; everything else is what a user has.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr
from scipy.signal import correlate

from bridge.timing import Meter, bars_to_frames
from tests.hummed import RATE, SCALE, hummed
from tests.peers.daemon import DaemonProcess
from tests.peers.live import CallFailed, Device, LiveSet, Ref, live_set
from tests.processes import KILL

EXACT_BEATS = 1e-6
BAR_SECONDS = 2.0
"""At 120 bpm in 4/4."""
OFF_SECONDS = 0.05
"""Largest distance of a recording from its bar line: well under a chroma step of 128 ms."""
TRACK_RATE = 48_000
"""Sample rate of Live in the host, in Hz."""
PATIENCE_SECONDS = 120.0
OWN_TRACK = "Melody Bridge"
CLIP_PROPERTIES = (
    *("name", "color", "warping", "looping", "loop_start", "loop_end", "length"),
    *("start_marker", "end_marker", "launch_quantization", "warp_markers"),
)


class DaemonKeeper:
    """The daemon of this module's tests. A test may kill it and start it again."""

    def __init__(self, clips: Path) -> None:
        self.clips = clips
        self.daemon = DaemonProcess(clips)

    def start(self, port: int) -> DaemonProcess:
        """Start another daemon on the port of the one that was killed."""
        self.daemon = DaemonProcess(self.clips, "--osc-port", str(port))
        return self.daemon

    def running(self) -> DaemonProcess:
        """The daemon, ready; a new one if a failed test has left none."""
        if self.daemon.process.poll() is not None:
            self.daemon = DaemonProcess(self.clips)
        return self.daemon.ready()


@pytest.fixture(scope="module")
def keeper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonKeeper]:
    keeper = DaemonKeeper(tmp_path_factory.mktemp("clips-live"))
    yield keeper
    assert keeper.daemon.stop() == 0, keeper.daemon.errors
    assert keeper.daemon.errors == []


@pytest.fixture
def daemon(keeper: DaemonKeeper) -> DaemonProcess:
    return keeper.running()


@pytest.fixture
def node(require_program: Callable[[str], str]) -> str:
    return require_program("node")


@contextmanager
def stage(node: str, port: int, **live: Any) -> Iterator[tuple[LiveSet, Ref, Device]]:
    """A set with a track for a voice, and a connected device on it."""
    with live_set(node, **live) as live_now:
        voice = live_now.add_track("Voice")
        yield live_now, voice, add_connected_device(live_now, "one", voice, port)


def add_connected_device(live: LiveSet, name: str, track: Ref, port: int) -> Device:
    """Add a device to that track, and wait until it is connected to the daemon."""
    device = live.add_device(name, track)
    device.set_value("Daemon Port", port)
    live.until(lambda: connected(device), f"{name} is connected", PATIENCE_SECONDS)
    live.until(lambda: len(device.items("preset_menu")) > 10, f"{name} lists the presets")
    return device


def connected(device: Device) -> bool:
    return device.text("state") != "not connected"


def select_hum(live: LiveSet, track: Ref, hum: Path) -> None:
    """Put a recorded hum on the track and select its clip."""
    clip = live.ref("live.song.addAudioClip", track, 0, {"path": str(hum), "warping": False})
    live.call("live.song.selectClip", clip)


def clips_on(live: LiveSet, name: str = OWN_TRACK) -> list[dict[str, Any] | None]:
    """The clips in the slots of the track of that name; None is an empty slot."""
    count = int(live.call("live.song.tracks.length"))
    for at in range(count):
        if live.call(f"live.song.tracks.{at}.name") == name:
            slots = range(int(live.call(f"live.song.tracks.{at}.slots.length")))
            return [_clip(live, f"live.song.tracks.{at}.slots.{slot}.clip") for slot in slots]
    return []


def _clip(live: LiveSet, path: str) -> dict[str, Any] | None:
    # The device may delete a clip between two of its properties.
    try:
        return {name: live.call(f"{path}.{name}") for name in ("file_path", *CLIP_PROPERTIES)}
    except CallFailed:
        return None


def is_exact_loop(clip: dict[str, Any] | None, beats: float) -> bool:
    """Whether the clip is a loop of that many beats by Live's own count."""
    return (
        clip is not None
        and clip["warping"]
        and clip["looping"]
        and abs(clip["loop_start"]) < EXACT_BEATS
        and abs(clip["loop_end"] - beats) < EXACT_BEATS
        and abs(clip["length"] - beats) < EXACT_BEATS
        and abs(clip["start_marker"]) < EXACT_BEATS
        and abs(clip["end_marker"] - beats) < EXACT_BEATS
    )


def filled(live: LiveSet, name: str = OWN_TRACK) -> list[dict[str, Any]]:
    return [clip for clip in clips_on(live, name) if clip is not None]


def wait_for_clips(live: LiveSet, device: Device, count: int, beats: float) -> list[dict[str, Any]]:
    """The clips on the device's own track, once there are that many and each is exact."""

    def are_there() -> bool:
        assert "not" not in device.text("status"), device.text("status")
        clips = filled(live)
        return len(clips) == count and all(is_exact_loop(clip, beats) for clip in clips)

    live.until(are_there, f"{count} clips of {beats} beats", PATIENCE_SECONDS)
    return filled(live)


def sidecar(clip: dict[str, Any]) -> dict[str, Any]:
    """The daemon's record of how the clip was made."""
    loaded = json.loads(Path(clip["file_path"]).with_suffix(".json").read_text(encoding="utf-8"))
    assert isinstance(loaded, dict)
    return loaded


@pytest.mark.parametrize("warps", [True, False], ids=["warped", "unwarped"])
def test_a_hum_becomes_a_loop_in_the_next_free_slot(
    node: str, daemon: DaemonProcess, melodies: Path, warps: bool
) -> None:
    with stage(node, daemon.port, warpNewClips=warps) as (live, voice, device):
        select_hum(live, voice, melodies / "twinkle-hum-100bpm.wav")
        device.choose("preset_menu", "lofi-keys")
        device.set_value("Bars", 2)
        device.set_value("Launch Quantization", 5)
        device.press("From Clip")
        device.press("Generate")
        (clip,) = wait_for_clips(live, device, 1, 8.0)
        path = Path(clip["file_path"])
        assert path.parent == daemon.clips and "lofi-keys 120bpm 2bars" in path.name
        # The name of the file without its date.
        assert path.stem.endswith(clip["name"]) and clip["name"].startswith("lofi-keys 120bpm")
        # The device sets it last, once it has read back that the loop is exact.
        live.until(lambda: filled(live)[0]["launch_quantization"] == 5, "the launch quantization")
        red, blue = clip["color"] >> 16, clip["color"] & 0xFF
        assert red > 0xE0 and blue < 0x80
        info = soundfile.info(path)
        assert info.frames == bars_to_frames(2, Meter(4, 4), Fraction(120), info.samplerate)
        assert info.channels == 2
        assert sidecar(clip)["melody_similarity"] > 0.5
        live.until(lambda: device.text("time_left").strip() == "", "the request is over")
        # A port that another program has is no fault: the device takes the next one.
        assert [line for line in device.console() if "EADDRINUSE" not in line] == []


def test_a_clip_in_an_odd_meter_at_an_odd_tempo_is_exact(node: str, daemon: DaemonProcess) -> None:
    odd = {"tempo": 93.7, "numerator": 7, "denominator": 8}
    with stage(node, daemon.port, **odd) as (live, _, device):
        device.set_value("Bars", 2)
        device.press("Generate")
        (clip,) = wait_for_clips(live, device, 1, 7.0)
        recorded = sidecar(clip)
        assert (recorded["tempo_bpm"], recorded["meter"], recorded["bars"]) == (93.7, "7/8", 2)


def test_four_variations_go_to_four_free_slots(
    node: str, daemon: DaemonProcess, melodies: Path
) -> None:
    with stage(node, daemon.port, scenes=3) as (live, _, device):
        own = live.add_track(OWN_TRACK)
        mine = melodies / "saints-hum-120bpm.wav"
        for slot in (0, 2):
            live.ref("live.song.addAudioClip", own, slot, {"path": str(mine)})
        device.set_value("Bars", 1)
        device.set_value("Variations", 4)
        device.press("Generate")

        def new() -> list[dict[str, Any]]:
            return [clip for clip in filled(live) if clip["file_path"] != str(mine)]

        live.until(
            lambda: len(new()) == 4 and all(is_exact_loop(clip, 4.0) for clip in new()),
            "four clips",
            PATIENCE_SECONDS,
        )
        in_slots = clips_on(live)
        assert [clip is not None and clip["file_path"] == str(mine) for clip in in_slots] == [
            *(True, False, True, False, False, False)
        ]
        assert len({clip["color"] for clip in new()}) == 4
        seeds = [sidecar(clip)["seed"] for clip in new()]
        assert sorted(seeds) == list(range(min(seeds), min(seeds) + 4))

        # A discarded clip leaves its slot, and its file moves to the folder Discarded.
        gone = Path(str(in_slots[1]["file_path"] if in_slots[1] else ""))
        device.press("Discard A")
        live.until(lambda: len(new()) == 3, "it is out of its slot")
        live.until(lambda: not gone.exists(), "its file has moved")
        assert (daemon.clips / "Discarded" / gone.name).is_file()


def test_a_prompt_arrives_as_it_was_typed(node: str, daemon: DaemonProcess) -> None:
    prompt = 'warm "rhodes", lo-fi; café, 90, $1 {tempo} bpm'
    with stage(node, daemon.port) as (live, _, device):
        device.type("prompt_text", prompt)
        device.set_value("Bars", 1)
        device.press("Generate")
        (clip,) = wait_for_clips(live, device, 1, 4.0)
        assert sidecar(clip)["prompt"] == prompt.replace("{tempo}", "120")


def test_a_tempo_change_during_a_request_does_not_change_its_clip(
    node: str, daemon: DaemonProcess
) -> None:
    with stage(node, daemon.port) as (live, _, device):
        device.set_value("Bars", 2)
        device.press("Generate")
        live.call("live.song.setTempo", 77)
        (clip,) = wait_for_clips(live, device, 1, 8.0)
        assert "120bpm" in clip["name"]
        seconds = clip["warp_markers"][1]["sample_time"]
        assert seconds == pytest.approx(4.0, abs=1e-4)


def test_two_devices_make_their_clips_at_once(
    node: str, daemon: DaemonProcess, melodies: Path
) -> None:
    with stage(node, daemon.port) as (live, _, one):
        other = add_connected_device(live, "two", live.add_track("Guitar"), daemon.port)
        for device, bars in ((one, 1), (other, 2)):
            device.set_value("Bars", bars)
            device.press("Generate")

        def both() -> bool:
            beats = sorted(clip["length"] for clip in filled(live))
            return len(beats) == 2 and np.allclose(beats, [4.0, 8.0], atol=EXACT_BEATS)

        live.until(both, "both clips are there", PATIENCE_SECONDS)
        assert one.text("status").strip() == other.text("status").strip() == ""


def test_a_request_is_finished_by_the_daemon_that_replaces_a_killed_one(
    node: str, keeper: DaemonKeeper, daemon: DaemonProcess, melodies: Path
) -> None:
    with stage(node, daemon.port) as (live, voice, device):
        select_hum(live, voice, melodies / "twinkle-hum-100bpm.wav")
        device.press("From Clip")
        device.set_value("Bars", 4)
        device.press("Generate")
        live.until(lambda: float(device.value("progress")) > 0, "the request is running")
        daemon.stop(KILL)
        assert filled(live) == []
        live.until(lambda: not connected(device), "the device has noticed that the daemon is gone")
        keeper.start(daemon.port)
        (clip,) = wait_for_clips(live, device, 1, 16.0)
        assert sidecar(clip)["melody_similarity"] > 0.5


def test_capture_records_the_track_and_a_clip_follows_it(
    node: str, daemon: DaemonProcess, melodies: Path, tmp_path: Path
) -> None:
    samples, sample_rate = soundfile.read(melodies / "saints-hum-120bpm.wav", dtype="float32")
    hum = tmp_path / "hum.wav"
    soundfile.write(hum, soxr.resample(samples, sample_rate, TRACK_RATE), TRACK_RATE, "FLOAT")
    with stage(node, daemon.port) as (live, voice, device):
        live.call(f"{voice.path('setMonitoring')}", 0)
        device.hear(hum, in_song=True, loop=True)
        device.set_value("Bars", 2)
        live.call("live.song.play")
        device.press("Capture")
        live.until(lambda: device.text("melody").startswith("2 bars"), "two bars are captured")
        message = next(
            sent["values"]
            for sent in device.call("sent")
            if sent["address"] == "/bridge/capture/file"
        )
        options = dict(zip(message[2::2], message[3::2], strict=True))
        samples, _ = soundfile.read(message[1], dtype="float32", always_2d=True)
        assert samples.shape[1] == 2 and options["length_seconds"] == pytest.approx(2 * BAR_SECONDS)
        first = round(options["start_seconds"] * TRACK_RATE)
        bars = samples[first : first + round(options["length_seconds"] * TRACK_RATE), 0]
        # The hum loops in the song's time, so each bar line of the song is one of the hum.
        played = soundfile.read(hum, dtype="float32")[0]
        likeness = correlate(np.concatenate([played, played]), bars, mode="valid", method="fft")
        at_bars = float(np.argmax(likeness)) / TRACK_RATE / BAR_SECONDS
        assert abs(at_bars - round(at_bars)) * BAR_SECONDS < OFF_SECONDS
        device.press("Generate")
        (clip,) = wait_for_clips(live, device, 1, 8.0)
        assert sidecar(clip)["melody_similarity"] > 0.5


def test_the_device_shows_an_error_of_the_daemon(node: str, daemon: DaemonProcess) -> None:
    with stage(node, daemon.port) as (live, _, device):
        # This daemon has no input.
        device.press("Last Bars")
        live.until(lambda: device.text("status").strip() != "", "the error is shown")
        assert "input" in device.text("status")
        assert device.text("melody") == "no melody"


def test_the_notes_of_a_flat_hum_are_in_a_midi_clip_before_any_audio(
    node: str, daemon: DaemonProcess, tmp_path: Path
) -> None:
    hum = tmp_path / "hum.wav"
    soundfile.write(hum, hummed(cents=-45).samples, RATE)
    with stage(node, daemon.port) as (live, voice, device):
        select_hum(live, voice, hum)
        device.press("From Clip")
        device.press("To MIDI")
        path = "live.song.tracks.{}.slots.0.clip"

        def notes() -> list[Any]:
            count = int(live.call("live.song.tracks.length"))
            try:
                return list(live.call(f"{path.format(count - 1)}.notes"))
            except CallFailed:
                return []

        live.until(lambda: notes(), "the notes are in a clip", PATIENCE_SECONDS)
        last = int(live.call("live.song.tracks.length")) - 1
        assert live.call(f"live.song.tracks.{last}.name") == "Melody Bridge MIDI"
        assert [note["pitch"] for note in notes()] == [pitch for pitch, _ in SCALE]
        # Two bars.
        assert live.call(f"{path.format(last)}.length") == 8
