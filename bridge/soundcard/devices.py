"""Which inputs and outputs there are, and which of them is meant by a name or a number.

PortAudio sees devices only when it starts, may hang on a broken one, and writes to stderr from C:
a list is made in a process of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import asdict, dataclass
from typing import Any, Literal

from bridge.errors import NoInput, NoOutput

Kind = Literal["input", "output"]
ANSWER_SECONDS = 15
"""A device that keeps PortAudio for longer has hung."""


@dataclass(frozen=True)
class Device:
    """An input, an output, or both.

    Attributes:
        index: PortAudio's number, which may change when devices come and go.
        name: as the system tells it.
        host_api: such as `"ALSA"`, `"Core Audio"` or `"JACK Audio Connection Kit"`.
        input_channels, output_channels: 0 when it is none.
        sample_rate: Hz, the default one.
        is_default_input, is_default_output: whether it is meant when none is named.
    """

    index: int
    name: str
    host_api: str
    input_channels: int
    output_channels: int
    sample_rate: int
    is_default_input: bool
    is_default_output: bool

    @property
    def full_name(self) -> str:
        """Its name and its host API, `"system, JACK Audio Connection Kit"`."""
        return f"{self.name}, {self.host_api}"


def list_devices() -> list[Device]:
    """All devices that PortAudio sees now, in its order.

    Raises:
        NoInput: PortAudio is not installed, or does not answer.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-m", "bridge.soundcard.devices"],
            capture_output=True,
            text=True,
            timeout=ANSWER_SECONDS,
        )
        answer = json.loads(done.stdout)
    except subprocess.TimeoutExpired as error:
        raise NoInput(
            f"PortAudio has not answered for {ANSWER_SECONDS} s: unplug the device that was "
            "plugged in last, or restart the audio server"
        ) from error
    except ValueError as error:
        raise NoInput("PortAudio ended without an answer: restart the audio server") from error
    if "error" in answer:
        raise NoInput(answer["error"])
    return [Device(**device) for device in answer["devices"]]


def main(*, as_json: bool) -> int:
    """Print all devices, one a line; the exit status.

    Raises:
        NoInput: PortAudio is not installed, or does not answer.
    """
    devices = list_devices()
    if as_json:
        print(json.dumps([asdict(device) for device in devices]))
        return 0
    if not devices:
        print("no devices: plug one in, or start the audio server")
    for device in devices:
        defaults = [
            word
            for word, is_default in (
                ("input", device.is_default_input),
                ("output", device.is_default_output),
            )
            if is_default
        ]
        print(
            f"{device.index:3} {device.full_name} ({device.input_channels} in, "
            f"{device.output_channels} out, {device.sample_rate} Hz)"
            + (f", default {' and '.join(defaults)}" if defaults else "")
        )
    return 0


def find_device(devices: Sequence[Device], selection: str | int | None, kind: Kind) -> Device:
    """The input or output that is meant.

    Args:
        selection: an index; a name, with its host API or without, or a part of one, in capitals
            or not; None: the default.

    Raises:
        NoInput, NoOutput: there is none, or more than one; it says which.
    """
    missing = NoInput if kind == "input" else NoOutput
    able = [device for device in devices if _channels(device, kind)]
    if selection is None:
        default = [device for device in able if _is_default(device, kind)]
        if not default:
            raise missing(f"there is no default {kind}: {_remedy(able, kind)}")
        return default[0]
    if isinstance(selection, int):
        meant = [device for device in able if device.index == selection]
    else:
        meant = _named(able, selection)
    if len(meant) == 1:
        return meant[0]
    if meant:
        names = "; ".join(f"{device.index} {device.full_name}" for device in meant)
        raise missing(f"{kind} {selection!r} may be any of {names}: write more of the name")
    raise missing(f"there is no {kind} {selection!r}: {_remedy(able, kind)}")


@contextmanager
def portaudio() -> Iterator[Any]:
    """PortAudio, started anew so that it sees what devices there are now: the module sounddevice.

    Inside, what C writes to stderr is dropped; what Python writes there still comes out.

    Raises:
        NoInput: it is not installed, or does not start.
    """
    # A server that is not there is a device that is not there, and nothing to be started.
    os.environ["JACK_NO_START_SERVER"] = "1"
    with _native_stderr_dropped():
        known = "sounddevice" in sys.modules
        try:
            import sounddevice
        except OSError as error:
            raise NoInput(_how_to_install()) from error
        if known:
            try:
                sounddevice._initialize()
            except sounddevice.PortAudioError as error:
                raise NoInput(f"PortAudio does not start: {error}; restart the system") from error
        try:
            yield sounddevice
        finally:
            # Not at the next start: JACK's part of it aborts when its server has gone meanwhile.
            sounddevice._terminate()


def read_devices(sounddevice: Any) -> list[Device]:
    """What `portaudio` sees, in its order."""
    host_apis = [host_api["name"] for host_api in sounddevice.query_hostapis()]
    default_input, default_output = (
        _default_index(sounddevice, kind) for kind in ("input", "output")
    )
    return [
        Device(
            index=device["index"],
            name=device["name"],
            host_api=host_apis[device["hostapi"]],
            input_channels=device["max_input_channels"],
            output_channels=device["max_output_channels"],
            sample_rate=round(device["default_samplerate"]),
            is_default_input=device["index"] == default_input,
            is_default_output=device["index"] == default_output,
        )
        for device in sounddevice.query_devices()
    ]


def _channels(device: Device, kind: Kind) -> int:
    return device.input_channels if kind == "input" else device.output_channels


def _is_default(device: Device, kind: Kind) -> bool:
    return device.is_default_input if kind == "input" else device.is_default_output


def _remedy(able: Sequence[Device], kind: Kind) -> str:
    if not able:
        return f"plug an {kind} in, or start the audio server"
    return "there are " + "; ".join(f"{device.index} {device.full_name}" for device in able)


def _named(devices: Sequence[Device], name: str) -> list[Device]:
    """Those of exactly that name, or else those that have it in their name."""
    wanted = " ".join(name.split()).casefold()
    exact = [
        device
        for device in devices
        if wanted in (device.name.casefold(), device.full_name.casefold())
    ]
    return exact or [device for device in devices if wanted in device.full_name.casefold()]


@contextmanager
def _native_stderr_dropped() -> Iterator[None]:
    sys.stderr.flush()
    saved = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        with open(saved, "w", buffering=1, closefd=False) as stderr, redirect_stderr(stderr):
            yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)


def _how_to_install() -> str:
    remedy = "apt install libportaudio2" if sys.platform == "linux" else "reinstall sounddevice"
    return f"PortAudio is not installed: {remedy}"


def _default_index(sounddevice: Any, kind: str) -> int:
    try:
        return int(sounddevice.query_devices(kind=kind)["index"])
    except sounddevice.PortAudioError:
        return -1


def _answer() -> dict[str, Any]:
    try:
        with portaudio() as sounddevice:
            return {"devices": [asdict(device) for device in read_devices(sounddevice)]}
    except NoInput as error:
        return {"error": str(error)}


if __name__ == "__main__":
    print(json.dumps(_answer()))
