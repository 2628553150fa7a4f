"""Devices are listed as PortAudio sees them, and a selection finds one or is refused."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from bridge.errors import NoInput, NoOutput
from bridge.soundcard import devices as devices_module
from bridge.soundcard.devices import Device, describe, find_device, list_devices, portaudio
from tests.peers.jack import SAMPLE_RATE, JackServer, loopback

JACK = "JACK Audio Connection Kit"


def device(
    index: int, name: str, host_api: str = "ALSA", inputs: int = 2, outputs: int = 0
) -> Device:
    return Device(index, name, host_api, inputs, outputs, 48_000, index == 1, index == 3)


DEVICES = [
    device(0, "Scarlett 2i2 USB"),
    device(1, "Built-in Audio"),
    device(2, "USB Microphone", inputs=1),
    device(3, "Built-in Speaker", inputs=0, outputs=2),
    device(4, "Scarlett 2i2 USB", "JACK"),
    device(5, "USB"),
]


@pytest.mark.parametrize(
    ("selection", "index"),
    [
        (None, 1),
        (2, 2),
        ("Built-in Audio", 1),
        ("built-in  audio", 1),
        # An exact name wins over longer names that contain it.
        ("usb", 5),
        ("microphone", 2),
        ("scarlett 2i2 usb, jack", 4),
        ("JACK", 4),
    ],
)
def test_an_input_is_found_by_number_name_or_part_of_the_name(
    selection: str | int | None, index: int
) -> None:
    assert find_device(DEVICES, selection, "input").index == index


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        ("scarlett", "may be any of 0 Scarlett 2i2 USB, ALSA; 4 Scarlett 2i2 USB, JACK: write"),
        ("built-in speaker", "there is no input 'built-in speaker': there are 0 Scarlett"),
        (3, "there is no input 3: there are"),
        (-1, "there is no input -1"),
        ("", "may be any of"),
    ],
)
def test_a_selection_that_is_not_one_input_is_refused_with_the_choices(
    selection: str | int, message: str
) -> None:
    with pytest.raises(NoInput) as raised:
        find_device(DEVICES, selection, "input")
    assert message in str(raised.value)


def test_outputs_are_found_among_outputs_only() -> None:
    assert find_device(DEVICES, None, "output").index == 3
    with pytest.raises(NoOutput, match="there is no output 'usb'"):
        find_device(DEVICES, "usb", "output")
    with pytest.raises(NoOutput, match="no default output: plug an output in"):
        find_device([], None, "output")


def test_the_devices_of_a_server_are_listed(jack_server: JackServer) -> None:
    with loopback(delay_frames=0) as name:
        listed = list_devices()
    system = Device(0, "system", JACK, 2, 2, SAMPLE_RATE, True, True)
    assert listed == [system, Device(1, name, JACK, 1, 1, SAMPLE_RATE, False, False)]


def test_a_device_is_described_on_a_line(jack_server: JackServer) -> None:
    assert list(describe(list_devices())) == [
        f"  0 system, {JACK} (2 in, 2 out, {SAMPLE_RATE} Hz), default input and output"
    ]


def test_an_empty_list_says_what_to_do() -> None:
    assert list(describe([])) == ["no devices: plug one in, or start the audio server"]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("raise OSError('PortAudio library not found')", "apt install libportaudio2"),
        ("import os; os.abort()", "ended without an answer: restart the audio server"),
        ("import time; time.sleep(1000)", "has not answered for 1 s: unplug the device"),
    ],
    ids=["missing", "crashes", "hangs"],
)
def test_a_broken_portaudio_is_reported_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, message: str
) -> None:
    (tmp_path / "sounddevice.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    if "sleep" in code:
        monkeypatch.setattr(devices_module, "ANSWER_SECONDS", 1)
    with pytest.raises(NoInput) as raised:
        list_devices()
    assert message in str(raised.value)


def test_stderr_of_c_code_is_dropped_and_that_of_python_is_kept(
    jack_server: JackServer, capfd: pytest.CaptureFixture[str]
) -> None:
    with portaudio():
        os.write(2, b"ALSA lib pcm.c: Unknown PCM\n")
        print("a warning", file=sys.stderr)
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "a warning\nafter\n"
