"""RtMidi by one of its two Python packages: python-rtmidi, or rtmidi2 where that is missing.

python-rtmidi has no wheels for Python 3.13, rtmidi2 has.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from bridge.midi.names import CLIENT_NAME

EXTRA = "MIDI needs a package: pip install 'melody-bridge[midi]'"
OnData = Callable[[Sequence[int], float], None]
"""Called in a thread of the driver with bytes, and the seconds since the port's last ones."""

_ALSA, _WINDOWS = "API_LINUX_ALSA", "API_WINDOWS_MM"
_SYSTEM_API = {"linux": _ALSA, "darwin": "API_MACOSX_CORE", "win32": _WINDOWS}
_ALSA_SEQUENCER = Path("/dev/snd/seq")


class NoMidi(Exception):
    """MIDI does not work here; the message says why, and the remedy."""


class RtMidi:
    """One of the system's MIDI interfaces.

    Attributes:
        has_virtual_ports: whether a program can make a port that other programs see.
    """

    def __init__(self, api: str | None = None) -> None:
        """Args:
        api: RtMidi's constant, such as `"API_UNIX_JACK"`; None: the system's.

        Raises:
            NoMidi: no package is installed, or the system has no MIDI.
        """
        api = api or _SYSTEM_API.get(sys.platform)
        if api is None:
            raise NoMidi(f"RtMidi has no MIDI for {sys.platform}")
        self._package = _package(api)
        if api == _ALSA:
            _check_alsa()
        self.has_virtual_ports = api != _WINDOWS
        # Kept open: a client that came and went at each look would disturb other programs.
        with self._errors():
            self._input_list, self._output_list = self._package.input(), self._package.output()

    def inputs(self) -> list[str]:
        """The system's names of all inputs.

        Raises:
            NoMidi: the system does not list them.
        """
        with self._errors():
            return self._package.names(self._input_list)

    def outputs(self) -> list[str]:
        """The system's names of all outputs.

        Raises:
            NoMidi: the system does not list them.
        """
        with self._errors():
            return self._package.names(self._output_list)

    def open_input(self, index: int | None, name: str, on_data: OnData) -> OpenPort:
        """Open an input by its place in the list; None: make a port of that name.

        Raises:
            NoMidi: it does not open, as when another program has it.
        """
        with self._errors():
            port = self._package.input()
            self._package.hear(port, on_data)
            self._package.open(port, index, name)
        return OpenPort(self._package, port)

    def open_output(self, index: int, name: str) -> OpenPort:
        """Open an output by its place in the list.

        Raises:
            NoMidi: it does not open, as when another program has it.
        """
        with self._errors():
            port = self._package.output()
            self._package.open(port, index, name)
        return OpenPort(self._package, port)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except self._package.error as error:
            raise NoMidi(str(error)) from error


class OpenPort:
    """An open input or output."""

    def __init__(self, package: _Package, port: Any) -> None:
        self._package, self._port = package, port

    def send(self, data: bytes) -> None:
        """Send one message; nothing when the port is gone."""
        with suppress(self._package.error):
            self._package.send(self._port, data)

    def close(self) -> None:
        """Close it for ever: RtMidi receives nothing on an object that is opened again."""
        self._package.close(self._port)


class _Package(Protocol):
    """What differs between the packages."""

    error: type[Exception]

    def input(self) -> Any: ...
    def output(self) -> Any: ...
    def names(self, port: Any) -> list[str]: ...
    def hear(self, port: Any, on_data: OnData) -> None: ...
    def open(self, port: Any, index: int | None, name: str) -> None: ...
    def send(self, port: Any, data: bytes) -> None: ...
    def close(self, port: Any) -> None: ...


class _PythonRtmidi:
    """The package python-rtmidi."""

    def __init__(self, api: str) -> None:
        # Another package has the name `rtmidi` too, but no `_rtmidi`.
        from rtmidi import _rtmidi

        self._rtmidi, self._api = _rtmidi, getattr(_rtmidi, api)
        self.error: type[Exception] = _rtmidi.RtMidiError

    def input(self) -> Any:
        return self._rtmidi.MidiIn(self._api, name=CLIENT_NAME)

    def output(self) -> Any:
        return self._rtmidi.MidiOut(self._api, name=CLIENT_NAME)

    def names(self, port: Any) -> list[str]:
        return list(port.get_ports())

    def hear(self, port: Any, on_data: OnData) -> None:
        # Without this, RtMidi drops sysex, clock and active sensing.
        port.ignore_types(sysex=False, timing=False, active_sense=False)
        port.set_callback(lambda event, _: on_data(*event))

    def open(self, port: Any, index: int | None, name: str) -> None:
        if index is None:
            port.open_virtual_port(name)
        else:
            port.open_port(index, name)

    def send(self, port: Any, data: bytes) -> None:
        port.send_message(data)

    def close(self, port: Any) -> None:
        port.close_port()
        port.delete()


class _Rtmidi2:
    """The package rtmidi2."""

    error: type[Exception] = RuntimeError

    def __init__(self, api: str) -> None:
        import rtmidi2

        self._rtmidi2, self._api = rtmidi2, getattr(rtmidi2, api)

    def input(self) -> Any:
        return self._rtmidi2.MidiIn(CLIENT_NAME, api=self._api)

    def output(self) -> Any:
        return self._rtmidi2.MidiOut(CLIENT_NAME, api=self._api)

    def names(self, port: Any) -> list[str]:
        return list(port.ports)

    def hear(self, port: Any, on_data: OnData) -> None:
        # Without this, RtMidi drops sysex, clock and active sensing.
        port.ignore_types(midi_sysex=False, midi_time=False, midi_sense=False)
        # It counts the arguments, so it needs a function of two.
        port.callback = lambda data, delta_seconds: on_data(data, delta_seconds)

    def open(self, port: Any, index: int | None, name: str) -> None:
        if index is None:
            port.open_virtual_port(name)
        else:
            port.open_port(index)

    def send(self, port: Any, data: bytes) -> None:
        port.send_raw(*data)

    def close(self, port: Any) -> None:
        port.callback = None
        port.close_port()


def _package(api: str) -> _Package:
    packages: tuple[Callable[[str], _Package], ...] = (_PythonRtmidi, _Rtmidi2)
    for package in packages:
        try:
            return package(api)
        except ImportError:
            continue
    raise NoMidi(EXTRA)


def _check_alsa() -> None:
    """Raise `NoMidi` with a remedy where ALSA would print lines of its own to stderr."""
    if not _ALSA_SEQUENCER.exists():
        raise NoMidi(f"there is no {_ALSA_SEQUENCER}: sudo modprobe snd-seq, or --midi jack")
    if not os.access(_ALSA_SEQUENCER, os.R_OK | os.W_OK):
        raise NoMidi(f"{_ALSA_SEQUENCER} is not yours to open: join the group audio")
