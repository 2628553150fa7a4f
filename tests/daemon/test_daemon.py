"""The daemon as its clients use it: melodies in, clips out, an answer to every message.

A tiny model with random weights replaces a real one: its clips are noise, everything else is real.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile

from bridge.config import Options
from bridge.control.packets import write_message
from bridge.daemon.daemon import NOTHING_RECORDED
from bridge.timing import Meter, bars_to_frames
from tests.peers.daemon import Client, DaemonProcess, running
from tests.peers.kills import kill_engine
from tests.processes import KILL, KILLED

HUM = "twinkle-hum-100bpm.wav"


@pytest.fixture(scope="module")
def shared(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    """A daemon without input, for tests that leave it unchanged."""
    clips = tmp_path_factory.mktemp("shared") / "Clips"
    with running(clips, "--model", str(model), "--sample-rate", "48000") as daemon:
        yield daemon.ready()


@pytest.fixture
def client(shared: DaemonProcess, request: pytest.FixtureRequest) -> Iterator[Client]:
    """A client with its own name, so that no id is another test's."""
    with Client(shared.port, request.node.name[-50:]) as client:
        yield client


@pytest.fixture
def hum(tmp_path: Path, melodies: Path) -> Path:
    """A copy of a hum, in a folder that messages may name."""
    return Path(shutil.copy(melodies / HUM, tmp_path / "my hum.wav"))


def test_a_hum_in_a_file_becomes_a_clip_of_the_exact_length(
    shared: DaemonProcess, client: Client, hum: Path
) -> None:
    id = client.name
    client.send("/bridge/capture/file", f"{id}-1", str(hum), "tempo_bpm", 100)
    client.send("/bridge/generate", f"{id}-2", *("bars", 2, "tempo_bpm", 93.7, "seed", 7))
    assert client.done(f"{id}-1") == []
    (clip,) = client.done(f"{id}-2")
    path = Path(str(clip.arguments[3]))
    assert clip.arguments[1:3] == (0, 1)
    assert path.parent == shared.clips and path.suffix == ".wav"
    assert clip.arguments[4] == 2 and clip.arguments[6] == 7
    assert np.float32(clip.arguments[5]) == np.float32(93.7)
    assert clip.arguments[8:] == (4, 4, 48_000, path.stem, "none")
    info = soundfile.info(path)
    frames = bars_to_frames(2, Meter(4, 4), Fraction("93.7"), 48_000)
    assert (info.frames, info.samplerate, info.channels) == (frames, 48_000, 2)
    sidecar = json.loads(path.with_suffix(".json").read_text())
    assert sidecar["melody"] == str(hum) and sidecar["request"] == f"{id}-2"
    assert sidecar["melody_tempo_bpm"] == 100 and sidecar["seed"] == 7
    shares = [event.arguments[1] for event in client.of(f"{id}-2") if "progress" in event.address]
    assert shares == sorted(shares) and len(shares) > 2  # type: ignore[type-var]


def test_a_raw_clip_has_the_models_frames_and_no_bars(client: Client, hum: Path) -> None:
    id = client.name
    client.send("/bridge/capture/file", f"{id}-1", str(hum), "tempo_bpm", 100)
    client.send("/bridge/generate", f"{id}-2", *("seconds", 0.5, "variations", 2, "seed", 7))
    client.send("/bridge/generate", f"{id}-3", *("max_new_tokens", 31, "seed", 7))
    client.send("/bridge/generate", f"{id}-4", *("max_new_tokens", 31, "bars", 2))
    clips = [*client.done(f"{id}-2"), *client.done(f"{id}-3")]
    # 31 tokens are 28 steps of 640 frames: the last three finish the delayed codebooks.
    for clip, frames in zip(clips, (16_000, 16_000, 17_920), strict=True):
        path = Path(str(clip.arguments[3]))
        info = soundfile.info(path)
        assert (info.frames, info.samplerate) == (frames, 32_000)
        assert clip.arguments[4] == 0 and clip.arguments[10] == 32_000
        assert json.loads(path.with_suffix(".json").read_text())["bars"] == 0
    assert client.failed(f"{id}-4")[0] == "bad-argument"


def test_variations_come_best_first_each_with_its_seed(client: Client, hum: Path) -> None:
    id = client.name
    client.send("/bridge/capture/file", f"{id}-1", str(hum))
    weights = Options(prompt="keys").rank_weights()
    off = [value for part in weights if part != "melody" for value in (f"rank_{part}", 0)]
    client.send("/bridge/generate", f"{id}-2", *("bars", 1, "variations", 3, "seed", 5), *off)
    clips = client.done(f"{id}-2")
    assert [clip.arguments[1:3] for clip in clips] == [(0, 3), (1, 3), (2, 3)]
    scores = [float(str(clip.arguments[7])) for clip in clips]
    assert scores == sorted(scores, reverse=True)
    assert sorted(str(clip.arguments[6]) for clip in clips) == ["5", "6", "7"]
    assert client.ended(f"{id}-2").arguments[1] == 3


def test_a_request_may_have_only_a_prompt_or_be_unconditional_but_not_be_empty(
    client: Client,
) -> None:
    id = client.name
    client.send("/bridge/generate", f"{id}-1", *("prompt", "warm rhodes", "bars", 1))
    client.send("/bridge/generate", f"{id}-2", *("melody", "none", "bars", 1))
    client.send("/bridge/generate", f"{id}-3", "bars", 1)
    (clip,) = client.done(f"{id}-1")
    assert clip.arguments[7] == -1, "there is no melody to compare with"
    (clip,) = client.done(f"{id}-2")
    sidecar = json.loads(Path(str(clip.arguments[3])).with_suffix(".json").read_text())
    assert sidecar["unconditional"] is True and sidecar["prompt"] is None
    code, message = client.failed(f"{id}-3")
    assert code == "bad-argument" and "nothing to go by" in message


def test_notes_add_up_until_a_request_renders_from_them(
    shared: DaemonProcess, client: Client
) -> None:
    id = client.name
    client.send("/bridge/set", "numerator", 3)
    client.send("/bridge/capture/notes", f"{id}-1", 2, 0, 60, 1, 1.5, 64, 0.5)
    client.send("/bridge/capture/notes", f"{id}-1", 2, 3, 67.0, 2)
    client.send("/bridge/generate", f"{id}-2", *("bars", 2, "tempo_bpm", 120))
    client.send("/bridge/unset", "numerator")
    (clip,) = client.done(f"{id}-2")
    assert clip.arguments[8:10] == (3, 4)
    assert client.ended(f"{id}-1").address == "/bridge/done"
    sidecar = json.loads(Path(str(clip.arguments[3])).with_suffix(".json").read_text())
    take = Path(sidecar["melody"])
    assert take.parent == shared.clips / "Takes"
    played = [message.note for message in mido.MidiFile(take) if message.type == "note_on"]
    assert played == [60, 64, 67]
    # Sent again, the capture is replayed; it gets no more notes.
    client.send("/bridge/capture/notes", f"{id}-1", 2, 3, 67.0, 2)
    client.sync()
    ends = [event for event in client.of(f"{id}-1") if event.address == "/bridge/done"]
    assert len(ends) == 2
    client.send("/bridge/capture/notes", f"{id}-1", 2, 0, 72, 1)
    client.sync()
    refused = client.of(f"{id}-1")[-1]
    assert refused.address == "/bridge/error" and "takes no more notes" in str(refused.arguments[2])


def test_stop_ends_a_capture_of_notes_and_one_without_notes_fails(client: Client) -> None:
    id = client.name
    client.send("/bridge/capture/notes", f"{id}-1", 1, 0, 60, 1)
    client.send("/bridge/capture/stop", f"{id}-1")
    client.send("/bridge/capture/notes", f"{id}-2", 1)
    client.send("/bridge/capture/stop", f"{id}-2")
    client.done(f"{id}-1")
    assert client.failed(f"{id}-2")[0] == "silent-melody"


def test_a_request_that_is_sent_twice_runs_once(
    shared: DaemonProcess, client: Client, hum: Path
) -> None:
    id = client.name
    client.send("/bridge/capture/file", f"{id}-1", str(hum))
    client.send("/bridge/capture/file", f"{id}-1", str(hum))
    for _ in range(3):
        client.send("/bridge/generate", f"{id}-2", *("bars", 1, "seed", 9))
    (clip,) = client.done(f"{id}-2")
    client.send("/bridge/generate", f"{id}-2", *("bars", 1, "seed", 9))
    client.sync()
    clips = [event for event in client.of(f"{id}-2") if event.address == "/bridge/clip"]
    assert [event.arguments for event in clips] == [clip.arguments] * 2
    of_request = [path for path in shared.clips.glob("*.wav") if path.stem.endswith("seed9")]
    assert len(of_request) == 1


def test_every_client_gets_its_own_clip_and_the_events_of_all(
    shared: DaemonProcess, hum: Path, melodies: Path
) -> None:
    other = Path(shutil.copy(melodies / "saints-hum-120bpm.wav", hum.parent / "saints.wav"))
    with Client(shared.port, "ann") as ann, Client(shared.port, "bob") as bob:
        ann.send("/bridge/capture/file", "ann-1", str(hum))
        bob.send("/bridge/capture/file", "bob-1", str(other))
        ann.send("/bridge/generate", "ann-2", "bars", 1)
        bob.send("/bridge/generate", "bob-2", "bars", 1)
        (of_ann,) = ann.done("ann-2")
        (of_bob,) = bob.done("bob-2")
        for clip, melody in ((of_ann, hum), (of_bob, other)):
            sidecar = json.loads(Path(str(clip.arguments[3])).with_suffix(".json").read_text())
            assert sidecar["melody"] == str(melody)
        assert ann.done("bob-2")[0].arguments == of_bob.arguments
        assert bob.done("ann-2")[0].arguments == of_ann.arguments


def test_defaults_are_weaker_than_a_request_and_with_a_lock_stronger_than_the_daws_time(
    shared: DaemonProcess, tmp_path: Path
) -> None:
    with running(tmp_path, *shared_model(shared)) as daemon, Client(daemon.port) as client:
        client.send("/bridge/transport", 93.7, 0.0, 0, 7, 8)
        client.send("/bridge/generate", "me-1", *("melody", "none", "bars", 1))
        client.send("/bridge/set", *("bars", 2, "seed", 11, "tempo_bpm", 240, "denominator", 4))
        remark = str(client.wait("/bridge/remark", "-").arguments[1])
        assert "93.7 bpm and 7/8 count" in remark and "tempo_lock 1" in remark
        client.send("/bridge/generate", "me-4", *("melody", "none", "bars", 1))
        client.send("/bridge/set", "tempo_lock", 1)
        client.send("/bridge/set", "prompt", "the preset that comes next replaces it")
        client.send("/bridge/set", "preset", "lofi-keys")
        client.send("/bridge/generate", "me-2")
        client.send("/bridge/generate", "me-3", *("bars", 1, "seed", -1, "prompt", "my own"))
        ((by_daw,), (by_defaults,), (by_request,), (by_daw_too,)) = (
            client.done(f"me-{number}") for number in (1, 2, 3, 4)
        )
    assert by_daw_too.arguments[8:10] == (7, 8)
    sidecar = json.loads(Path(str(by_daw_too.arguments[3])).with_suffix(".json").read_text())
    assert any("93.7 bpm and 7/8 count" in remark for remark in sidecar["remarks"])
    assert np.float32(by_daw_too.arguments[5]) == np.float32(93.7)
    assert by_daw.arguments[8:10] == (7, 8)
    frames = bars_to_frames(1, Meter(7, 8), Fraction("93.7"), 44_100)
    assert soundfile.info(str(by_daw.arguments[3])).frames == frames
    assert by_defaults.arguments[4:7] == (2, 240.0, 11) and by_defaults.arguments[8:10] == (7, 4)
    assert "lofi-keys" in str(by_defaults.arguments[11])
    sidecar = json.loads(Path(str(by_defaults.arguments[3])).with_suffix(".json").read_text())
    assert "replaces it" not in sidecar["prompt"]
    assert by_request.arguments[4] == 1 and by_request.arguments[6] != 11
    sidecar = json.loads(Path(str(by_request.arguments[3])).with_suffix(".json").read_text())
    assert sidecar["prompt"].startswith("my own") and sidecar["preset"] is None


def shared_model(shared: DaemonProcess) -> list[str]:
    """The arguments that name the same model."""
    arguments = list(map(str, shared.process.args))  # type: ignore[arg-type]
    at = arguments.index("--model")
    return arguments[at : at + 2]


@pytest.mark.parametrize(
    ("address", "arguments", "code"),
    [
        ("/bridge/generate", ("bars", 0), "bad-argument"),
        ("/bridge/generate", ("bars", 4, "speed", 3), "bad-argument"),
        ("/bridge/generate", ("preset", "nobody has this"), "unknown-preset"),
        ("/bridge/generate", ("melody", "nobody-1"), "unknown-melody"),
        ("/bridge/generate", ("prompt", "x", "bars", 400), "unsupported"),
        ("/bridge/capture/file", ("/etc/passwd",), "path-refused"),
        ("/bridge/capture/file", ("/etc/nothing.wav",), "path-refused"),
        ("/bridge/capture/start", (), "no-input"),
        ("/bridge/capture/last", (4,), "no-input"),
        ("/bridge/capture/stop", (), "unknown-melody"),
        ("/bridge/cancel", (), "unknown-id"),
        ("/bridge/discard", (), "unknown-id"),
        ("/bridge/restore", (), "unknown-id"),
        ("/bridge/loop/start", (), "unsupported"),
        ("/bridge/loop/stop", (), "unknown-id"),
        ("/bridge/play", (), "unsupported"),
    ],
)
def test_a_message_that_cannot_be_carried_out_gets_an_error_code_and_writes_nothing(
    shared: DaemonProcess,
    client: Client,
    address: str,
    arguments: tuple[int | str, ...],
    code: str,
) -> None:
    before = sorted(shared.clips.rglob("*"))
    client.send(address, f"{client.name}-1", *arguments)
    assert client.failed(f"{client.name}-1")[0] == code
    assert sorted(shared.clips.rglob("*")) == before


@pytest.mark.parametrize(
    ("address", "arguments", "code"),
    [
        ("/bridge/nothing", (1,), "unknown-address"),
        ("/bridge/stop", (), "unsupported"),
        ("/bridge/set", ("bars", 0), "bad-argument"),
        ("/bridge/set", ("preset", "nosuch"), "unknown-preset"),
        ("/bridge/unset", ("nosuch",), "bad-argument"),
        ("/bridge/transport", (5000, 0, 1, 4, 4), "bad-argument"),
    ],
)
def test_an_error_of_a_message_without_an_id_has_none(
    client: Client, address: str, arguments: tuple[int | str, ...], code: str
) -> None:
    before = len(client.events)
    client.send(address, *arguments)
    client.wait("/bridge/error", "-", code, after=before)


def test_the_chosen_melody_is_followed_and_a_failed_one_fails_its_requests(
    client: Client, hum: Path
) -> None:
    id = client.name
    client.send("/bridge/capture/file", f"{id}-1", str(hum))
    client.send("/bridge/capture/file", f"{id}-2", str(hum.with_name("missing.wav")))
    client.send("/bridge/generate", f"{id}-3", "bars", 1)
    client.send("/bridge/generate", f"{id}-4", *("bars", 1, "melody", f"{id}-1"))
    assert client.failed(f"{id}-2")[0] == "unreadable-file"
    assert client.failed(f"{id}-3") == client.failed(f"{id}-2")
    assert len(client.done(f"{id}-4")) == 1


def test_part_of_a_file_is_followed(client: Client, melodies: Path, tmp_path: Path) -> None:
    id = client.name
    midi = Path(shutil.copy(melodies / "twinkle-100bpm.mid", tmp_path))
    part = ("start_seconds", 2.4, "length_seconds", 2.4)
    client.send("/bridge/capture/file", f"{id}-1", str(midi), *part)
    client.send("/bridge/generate", f"{id}-2", "bars", 1)
    (clip,) = client.done(f"{id}-2")
    sidecar = json.loads(Path(str(clip.arguments[3])).with_suffix(".json").read_text())
    assert sidecar["melody_start_seconds"] == pytest.approx(2.4, abs=1e-6)
    assert sidecar["tempo_bpm"] == 100, "the MIDI file's own, where no other is set"
    client.send("/bridge/capture/file", f"{id}-3", str(midi), "start_seconds", 4000)
    assert client.failed(f"{id}-3")[0] == "bad-argument"


def test_the_estimated_time_left_is_close_to_the_time_taken(tmp_path: Path) -> None:
    with running(tmp_path, "--model", "pocket") as daemon, Client(daemon.port) as client:
        daemon.ready()
        ratios: list[float] = []
        # A fast machine reports each request less often.
        for number in range(30):
            if number >= 3 and len(ratios) > 10:
                break
            id = f"me-{number}"
            # A new prompt each time: the cache of the last one must not help.
            client.send("/bridge/generate", id, *("prompt", f"bells {number}", "bars", 4))
            (clip,) = client.done(id)
            event = [each for each in client.of(id) if each.address == "/bridge/progress"]
            for _, (_, share, eta_seconds), seconds in event:
                assert isinstance(share, float) and isinstance(eta_seconds, float)
                # Unknown until the engine's second report, and never again; the daemon's own two
                # come before.
                assert (eta_seconds == -1) == (share <= float(str(event[2].arguments[1])))
                if 1 / 3 <= share < 0.9:
                    ratios.append(eta_seconds / (clip.seconds - seconds))
    # Other programs' load comes and goes; with a clock of its own `test_eta` is stricter.
    assert len(ratios) > 10
    assert 1 / 3 < np.median(ratios) < 3


def test_requests_can_be_cancelled_while_they_run_and_while_they_wait(client: Client) -> None:
    id = client.name
    for number in (1, 2):
        client.send("/bridge/generate", f"{id}-{number}", *("melody", "none", "bars", 12))
    client.send("/bridge/cancel", f"{id}-2")
    client.wait_for(
        lambda event: (
            event.address == "/bridge/progress"
            and event.arguments[0] == f"{id}-1"
            and float(str(event.arguments[1])) > 0
        ),
        "progress",
    )
    client.send("/bridge/cancel", f"{id}-1")
    for number in (1, 2):
        assert client.failed(f"{id}-{number}")[0] == "cancelled"
    before = len(client.events)
    client.send("/bridge/cancel", f"{id}-1")
    client.sync()
    again = [event for event in client.events[before:] if event.arguments[:1] == (f"{id}-1",)]
    assert [event.arguments for event in again] == [client.ended(f"{id}-1").arguments]
    client.send("/bridge/generate", f"{id}-3", *("melody", "none", "bars", 1))
    assert len(client.done(f"{id}-3")) == 1


def test_a_bundle_that_generates_and_cancels_is_answered(client: Client) -> None:
    """Both are read at once, so the request is cancelled before its first step."""
    id = f"{client.name}-1"
    messages = (
        write_message("/bridge/generate", [id, "melody", "none"]),
        write_message("/bridge/cancel", [id]),
    )
    parts = b"".join(struct.pack(">i", len(message)) + message for message in messages)
    client.send_bytes(b"#bundle\0" + bytes(8) + parts)
    assert client.failed(id)[0] == "cancelled"


def test_panic_cancels_every_request_and_keeps_the_clips(
    shared: DaemonProcess, client: Client
) -> None:
    id = client.name
    client.send("/bridge/generate", f"{id}-1", *("melody", "none", "bars", 1))
    client.done(f"{id}-1")
    clips = sorted(shared.clips.glob("*.wav"))
    for number in (2, 3):
        client.send("/bridge/generate", f"{id}-{number}", *("melody", "none", "bars", 12))
    client.send("/bridge/capture/notes", f"{id}-4", 1, 0, 60, 1)
    client.send("/bridge/panic")
    for number in (2, 3, 4):
        assert client.failed(f"{id}-{number}")[0] == "cancelled"
    assert sorted(shared.clips.glob("*.wav")) == clips


def test_presets_are_listed_with_their_prompts(client: Client) -> None:
    client.send("/bridge/presets", f"{client.name}-1")
    presets = client.done(f"{client.name}-1")
    names = [str(preset.arguments[3]) for preset in presets]
    assert "lofi-keys" in names and names == sorted(names)
    assert [preset.arguments[1] for preset in presets] == list(range(len(presets)))
    assert all(preset.arguments[2] == len(presets) and preset.arguments[4] for preset in presets)


def test_clips_outlive_the_daemon_and_a_discarded_one_moves_away(
    shared: DaemonProcess, tmp_path: Path
) -> None:
    model = shared_model(shared)
    with running(tmp_path, *model) as daemon, Client(daemon.port) as client:
        client.send("/bridge/generate", "me-1", *("melody", "none", "bars", 1, "variations", 2))
        first = client.done("me-1")
        client.send("/bridge/generate", "me-2", *("melody", "none", "bars", 1))
        (second,) = client.done("me-2")
    with running(tmp_path, *model) as daemon, Client(daemon.port, "you") as client:
        client.send("/bridge/clips", "you-1")
        listed = client.done("you-1")
        paths = [event.arguments[3] for event in (second, *first)]
        assert [event.arguments[3] for event in listed] == paths
        assert [event.arguments[1:3] for event in listed] == [(0, 3), (1, 3), (2, 3)]
        client.send("/bridge/discard", "me-1", 0)
        client.send("/bridge/discard", "me-1", 0)
        end = client.wait("/bridge/done", "me-1")
        assert end.arguments[1] == 1
        # The last clip in the list.
        client.send("/bridge/discard", "you-1", 2)
        client.wait_for(lambda event: event[:2] == ("/bridge/done", ("you-1", 1)), "a second end")
        client.send("/bridge/clips", "you-2")
        assert [event.arguments[3] for event in client.done("you-2")] == paths[:1]
    assert len(list((tmp_path / "Discarded").glob("*.wav"))) == 2
    assert len(list((tmp_path / "Discarded").glob("*.json"))) == 2
    assert [str(path) for path in tmp_path.glob("*.wav")] == paths[:1]


def test_hostile_paths_are_refused_without_writing_or_blocking(
    shared: DaemonProcess, client: Client, tmp_path: Path
) -> None:
    (tmp_path / "out.wav").symlink_to("/etc/passwd")
    (tmp_path / "noise.wav").symlink_to("/dev/zero")
    subprocess.run(["mkfifo", str(tmp_path / "pipe.wav")], check=True)
    paths = [
        *("../../etc/passwd", f"{tmp_path}/../../../etc/x.wav", "//server/share/x.wav"),
        *("\\\\server\\share\\x.wav", "/dev/zero", "/dev/stdin", f"{tmp_path}/{'x' * 300}.wav"),
        *(f"{tmp_path}/\u202evaw.x.wav", f"{tmp_path}/out.wav", f"{tmp_path}/noise.wav"),
        *(f"{tmp_path}/pipe.wav", str(tmp_path), "", "/" + "x/" * 1500 + "x.wav"),
    ]
    before = sorted(shared.clips.rglob("*"))
    for number, path in enumerate(paths):
        client.send("/bridge/capture/file", f"{client.name}-{number}", path)
    for number, _ in enumerate(paths):
        assert client.failed(f"{client.name}-{number}")[0] in ("path-refused", "unreadable-file")
    assert sorted(shared.clips.rglob("*")) == before


def test_the_shared_memory_of_a_killed_daemon_and_engine_is_removed(
    shared: DaemonProcess, tmp_path: Path
) -> None:
    daemon = DaemonProcess(tmp_path, *shared_model(shared)).ready()
    with Client(daemon.port) as client:
        client.send("/bridge/generate", "me-1", *("melody", "none", "bars", 14))
        client.wait_for(
            lambda event: (
                event.address == "/bridge/progress"
                and event.arguments[0] == "me-1"
                and float(str(event.arguments[1])) > 0
            ),
            "progress",
        )
        # The process that would clean up is killed too.
        processes = [daemon.process.pid, *daemon.children()]
        names = {name for pid in processes for name in shared_memory(pid)}
        assert len(names) == 1
        for pid in processes:
            os.kill(pid, KILL)
        assert daemon.stop(KILL) == KILLED
    assert [name for name in names if Path(name).exists()] == []


def shared_memory(pid: int) -> set[str]:
    """The paths of a process's open shared memory."""
    lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    return {line.split()[5] for line in lines if "/dev/shm/melody-" in line}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_a_signal_stops_the_daemon_in_good_order_and_fails_open_requests(
    shared: DaemonProcess, tmp_path: Path, number: signal.Signals
) -> None:
    daemon = DaemonProcess(tmp_path / "Clips", *shared_model(shared)).ready()
    with Client(daemon.port) as client:
        client.send("/bridge/generate", "me-1", *("melody", "none", "bars", 14))
        client.wait("/bridge/progress", "me-1")
        # A terminal and a service manager send it to the whole process group.
        for child in daemon.children():
            os.kill(child, number)
        assert daemon.stop(number) == 0
        assert client.failed("me-1")[0] == "cancelled"
    assert daemon.errors == []
    assert not [line for line in daemon.log if line.get("state") == "restarting"]
    assert daemon.logged("error", id="me-1")["code"] == "cancelled"
    assert daemon.log[-1]["event"] == "stopped"
    assert list(tmp_path.rglob("*.wav")) == []


def test_a_daemon_that_is_killed_leaves_no_process(shared: DaemonProcess, tmp_path: Path) -> None:
    daemon = DaemonProcess(tmp_path, *shared_model(shared)).ready()
    with Client(daemon.port) as client:
        client.send("/bridge/generate", "me-1", *("melody", "none", "bars", 14))
        client.wait("/bridge/progress", "me-1")
        assert len(daemon.children()) >= 1
        # `stop` asserts that its children end.
        assert daemon.stop(KILL) == KILLED
    left = [path.name for path in tmp_path.rglob("*") if path.is_file()]
    assert [name for name in left if not name.endswith(".json")] == []


def test_an_engine_that_is_killed_costs_one_request(shared: DaemonProcess, client: Client) -> None:
    kill_engine(shared, client)


def test_a_new_client_gets_the_state_of_engine_and_input(
    shared: DaemonProcess, client: Client
) -> None:
    hello = client.wait("/bridge/hello").arguments
    assert hello[1] == 1 and hello[4] == client.name and str(hello[3]) in shared_model(shared)
    assert hello[5] == (shared.clips / "Takes").as_posix() and (shared.clips / "Takes").is_dir()
    assert client.wait("/bridge/input").arguments == ("none", "", 0, NOTHING_RECORDED)
    state, detail = client.wait("/bridge/engine").arguments
    # Other tests may have killed the engine before; the log has the same state.
    assert state in ("ready", "busy", "restarting") and hello[2] in ("ready", "busy", "restarting")
    assert shared.logged("engine", state=state, detail=detail)


def test_clients_can_subscribe_although_the_takes_folder_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "Takes").write_text("a file is in its place")
    with running(tmp_path) as daemon, Client(daemon.port) as client:
        assert client.wait("/bridge/hello").arguments[5] == ""


def refused(*arguments: str) -> str:
    """The error line of a daemon that does not start."""
    done = subprocess.run(
        [sys.executable, "-m", "bridge", "run", *arguments], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    return done.stderr.splitlines()[-1]


def test_mistakes_at_the_start_are_one_line_and_status_2(tmp_path: Path) -> None:
    clips = ("--clips", str(tmp_path / "Clips"), "--input", "none")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = str(taken.getsockname()[1])
        line = refused("--osc-port", port, *clips)
        assert port in line and "--osc-port" in line
    line = refused("--osc-port", "0", *clips, "--model", "no/such/folder/at all")
    assert "no/such/folder/at all" in line
    (tmp_path / "file").write_text("not a folder")
    line = refused("--osc-port", "0", "--input", "none", "--clips", str(tmp_path / "file"))
    assert "file" in line
    line = refused("--osc-port", "0", "--input", "none", "--clips", str(tmp_path / "x.wav"))
    assert "x.wav" in line and "folder" in line
    (tmp_path / "bad.toml").write_text("osc_port = 'x'")
    line = refused("--config", str(tmp_path / "bad.toml"))
    assert "bad.toml" in line and "osc_port" in line
    assert not (tmp_path / "Clips").exists()


def test_the_daemon_listens_on_loopback_only(shared: DaemonProcess) -> None:
    inodes = set()
    for link in Path(f"/proc/{shared.process.pid}/fd").iterdir():
        try:
            inodes.add(str(link.readlink()))
        except OSError:
            continue
    listening = [
        columns[1]
        for table in ("udp", "udp6", "tcp", "tcp6")
        for columns in map(str.split, Path(f"/proc/net/{table}").read_text().splitlines()[1:])
        if f"socket:[{columns[9]}]" in inodes
    ]
    assert listening == [f"0100007F:{shared.port:04X}"]
