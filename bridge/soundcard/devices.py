"""List the inputs and outputs, and find one by its name or number.

PortAudio sees devices only when it starts, may hang on a broken one, and writes to stderr from C.
So a separate process makes the list.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Literal

from bridge.errors import NoInput, NoOutput
from bridge.process.answer import answer_of
from bridge.process.native_stderr import native_stderr_dropped

Kind = Literal["input", "output"]
ANSWER_SECONDS = 15
"""A device that blocks PortAudio for longer has hung."""


@dataclass(frozen=True)
class Device:
    """An input, an output, or both.

    Attributes:
        index: PortAudio's number, which may change when devices come and go.
        name: the system's name.
        host_api: such as `"ALSA"`, `"Core Audio"` or `"JACK Audio Connection Kit"`.
        input_channels, output_channels: 0 when it is no input, or no output.
        sample_rate: its default rate in Hz.
        is_default_input, is_default_output: whether it is used when no device is named.
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
    """List all devices that PortAudio sees now, in its order.

    Raises:
        NoInput: PortAudio is not installed, or does not answer.
    """
    try:
        answer = answer_of("bridge.soundcard.devices", ANSWER_SECONDS)
    except TimeoutError as error:
        raise NoInput(
            f"PortAudio has not answered for {ANSWER_SECONDS} s: unplug the device that was "
            "plugged in last, or restart the audio server"
        ) from error
    except ValueError as error:
        raise NoInput("PortAudio ended without an answer: restart the audio server") from error
    if "error" in answer:
        raise NoInput(answer["error"])
    return [Device(**device) for device in answer["devices"]]


def describe(devices: Sequence[Device]) -> Iterator[str]:
    """A line for each device, or one that says what to do."""
    if not devices:
        yield "no devices: plug one in, or start the audio server"
    for device in devices:
        defaults = [
            word
            for word, is_default in (
                ("input", device.is_default_input),
                ("output", device.is_default_output),
            )
            if is_default
        ]
        yield (
            f"{device.index:3} {device.full_name} ({device.input_channels} in, "
            f"{device.output_channels} out, {device.sample_rate} Hz)"
            + (f", default {' and '.join(defaults)}" if defaults else "")
        )


def find_device(devices: Sequence[Device], selection: str | int | None, kind: Kind) -> Device:
    """Find the selected input or output.

    Args:
        selection: an index; a name or part of one, with or without the host API, in any case;
            None for the default.

    Raises:
        NoInput, NoOutput: no device matches, or more than one; the message lists them.
    """
    error_type = NoInput if kind == "input" else NoOutput
    candidates = [device for device in devices if _channels(device, kind)]
    if selection is None:
        default = [device for device in candidates if _is_default(device, kind)]
        if not default:
            raise error_type(f"there is no default {kind}: {_remedy(candidates, kind)}")
        return default[0]
    if isinstance(selection, int):
        matching = [device for device in candidates if device.index == selection]
    else:
        matching = _named(candidates, selection)
    if len(matching) == 1:
        return matching[0]
    if matching:
        names = "; ".join(f"{device.index} {device.full_name}" for device in matching)
        raise error_type(f"{kind} {selection!r} may be any of {names}: write more of the name")
    raise error_type(f"there is no {kind} {selection!r}: {_remedy(candidates, kind)}")


@contextmanager
def portaudio() -> Iterator[Any]:
    """Restart PortAudio so that it sees the current devices; yield the module sounddevice.

    Inside, what C code writes to stderr is dropped; what Python writes there still comes out.

    Raises:
        NoInput: PortAudio is not installed, or does not start.
    """
    # JACK's client would start a server that is not running; here that is just a missing device.
    os.environ["JACK_NO_START_SERVER"] = "1"
    with native_stderr_dropped():
        is_loaded = "sounddevice" in sys.modules
        try:
            import sounddevice
        except OSError as error:
            raise NoInput(_install_hint()) from error
        if is_loaded:
            try:
                sounddevice._initialize()
            except sounddevice.PortAudioError as error:
                raise NoInput(f"PortAudio does not start: {error}; restart the system") from error
        try:
            yield sounddevice
        finally:
            # Now rather than at the next start: its JACK part aborts if the server ends in between.
            sounddevice._terminate()


def read_devices(sounddevice: Any) -> list[Device]:
    """List what `portaudio` sees, in its order."""
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


def _remedy(candidates: Sequence[Device], kind: Kind) -> str:
    if not candidates:
        return f"plug an {kind} in, or start the audio server"
    return "there are " + "; ".join(f"{device.index} {device.full_name}" for device in candidates)


def _named(devices: Sequence[Device], name: str) -> list[Device]:
    """Return the devices of exactly that name, or else those whose name contains it."""
    text = " ".join(name.split()).casefold()
    exact = [
        device
        for device in devices
        if text in (device.name.casefold(), device.full_name.casefold())
    ]
    return exact or [device for device in devices if text in device.full_name.casefold()]


def _install_hint() -> str:
    remedy = "apt install libportaudio2" if sys.platform == "linux" else "reinstall sounddevice"
    return f"PortAudio is not installed: {remedy}"


def _default_index(sounddevice: Any, kind: str) -> int:
    try:
        return int(sounddevice.query_devices(kind=kind)["index"])
    except sounddevice.PortAudioError:
        return -1


def _list_as_json() -> dict[str, Any]:
    try:
        with portaudio() as sounddevice:
            return {"devices": [asdict(device) for device in read_devices(sounddevice)]}
    except NoInput as error:
        return {"error": str(error)}


if __name__ == "__main__":
    print(json.dumps(_list_as_json()))
