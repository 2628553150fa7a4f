"""The audio process: owns PortAudio, records an input, and plays on an output.

It waits for its devices without limit. Once a device runs, it never queries PortAudio again: a
lost device shows as callbacks that stop, and may block whoever closes it. So the parent watches
what the callbacks write, and ends this process.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Any

from bridge.errors import NoInput, NoOutput
from bridge.process.child import Line
from bridge.process.kept import Stop
from bridge.soundcard.channels import opened_channels, recorded_channels, selector
from bridge.soundcard.devices import Device, Kind, find_device, portaudio, read_devices
from bridge.soundcard.input import (
    InputFound,
    InputRequest,
    InputRunning,
    InputWaiting,
    recorder,
)
from bridge.soundcard.jack_cycle import cycle_age
from bridge.soundcard.output import (
    MOST_CHANNELS,
    OutputPlayer,
    OutputRequest,
    OutputRunning,
    OutputWaiting,
)
from bridge.soundcard.output_report import OutputReport
from bridge.soundcard.ring import Ring

RETRY_SECONDS = 0.5
FIRST_BLOCK_SECONDS = 5.0
"""Longest time from a device's start to its first block; Bluetooth takes two seconds."""
SWITCH_SECONDS = 0.0005
"""How long another thread of this process may hold the interpreter while an output waits."""
_ANSWER_SECONDS = 5.0
_TIDY_SECONDS = 0.5
"""How often clips that no longer play are freed."""


@dataclass(frozen=True)
class Apart:
    """Sent once if input and output are not one device: this process has the input alone."""


class _StoppedByParent(Exception):
    """`Stop` came before the devices ran."""


class _NotTogether(Exception):
    """The two requests need two processes."""


def run_audio(line: Line, input_: InputRequest | None, output: OutputRequest | None) -> None:
    """Record, or play, or both, until the parent sends `Stop`.

    A target for `bridge.process.kept.KeptChild`. With two requests it opens one stream if one
    device is both, so that both run on one clock. Otherwise it sends `Apart`, and goes on with the
    input: an output that fails in a process of its own does not cost the input.

    Its heartbeat's status is the time of this thread's last step, because PortAudio may hang while
    the heartbeat goes on.
    """
    last_step_seconds = time.perf_counter()
    line.start_heartbeat(lambda: last_step_seconds)
    last_reason = ""
    while True:
        last_step_seconds = time.perf_counter()
        try:
            _run_streams(line, input_, output)
            return
        except _StoppedByParent:
            return
        except _NotTogether:
            output = None
            line.send(Apart())
            continue
        except (NoInput, NoOutput) as reason:
            if str(reason) != last_reason:
                last_reason = str(reason)
                if input_ is not None:
                    line.send(InputWaiting(last_reason))
                if output is not None:
                    line.send(OutputWaiting(last_reason))
        if isinstance(line.receive(RETRY_SECONDS), Stop):
            return


@dataclass(frozen=True)
class _Input:
    """An input that is there, and what its stream calls."""

    device: Device
    channels: int
    ring: Ring
    record: Callable[..., None]


@dataclass(frozen=True)
class _Output:
    """An output that is there, and what plays on it."""

    device: Device
    channels: int
    player: OutputPlayer


def _run_streams(line: Line, input_: InputRequest | None, output: OutputRequest | None) -> None:
    """Run the streams until the parent sends `Stop`.

    Raises:
        NoInput, NoOutput: a device is not there, or does not run.
        _NotTogether: the input may run without the output.
        EOFError: the parent has closed the line.
    """
    with portaudio() as sounddevice, ExitStack() as stack:
        devices = read_devices(sounddevice)
        if input_ is not None and output is not None and not _are_one(devices, input_, output):
            raise _NotTogether
        source = None if input_ is None else _find_input(line, devices, input_, stack)
        sink = None if output is None else _find_output(devices, output, stack)
        try:
            stream = stack.enter_context(_stream(sounddevice, source, sink))
            _wait_for_first_blocks(source, sink)
        except (sounddevice.PortAudioError, TimeoutError) as error:
            raise _failure(source, sink, str(error)) from error
        if source is not None:
            line.send(InputRunning(source.device.name))
        if sink is not None:
            _keep_quick()
            line.send(_running(sink, stream))
        _serve(line, sink)


def _are_one(devices: Sequence[Device], input_: InputRequest, output: OutputRequest) -> bool:
    """Whether one device is both. Where neither is there, both wait for it."""
    source = _index(devices, input_.selection, "input")
    return source == _index(devices, output.selection, "output")


def _index(devices: Sequence[Device], selection: str | int | None, kind: Kind) -> int | None:
    try:
        return find_device(devices, selection, kind).index
    except (NoInput, NoOutput):
        return None


def _find_input(
    line: Line, devices: Sequence[Device], request: InputRequest, stack: ExitStack
) -> _Input:
    device = find_device(devices, request.selection, "input")
    opened = opened_channels(device.input_channels, request.channels, device.full_name)
    line.send(InputFound(device.sample_rate, recorded_channels(opened, request.channels)))
    answer = line.receive(_ANSWER_SECONDS)
    if isinstance(answer, Stop):
        raise _StoppedByParent
    if not isinstance(answer, str):
        raise answer or NoInput("the daemon does not answer its audio process")
    ring = stack.enter_context(closing(Ring.attach(answer)))
    select = selector(opened, request.channels, device.sample_rate)
    age = stack.enter_context(cycle_age(device.host_api))
    return _Input(device, opened, ring, recorder(ring, select, age))


def _find_output(devices: Sequence[Device], request: OutputRequest, stack: ExitStack) -> _Output:
    device = find_device(devices, request.selection, "output")
    channels = min(device.output_channels, MOST_CHANNELS)
    report = stack.enter_context(closing(OutputReport.attach(request.report)))
    return _Output(device, channels, OutputPlayer(report, device.sample_rate, channels))


def _stream(sounddevice: Any, source: _Input | None, sink: _Output | None) -> Any:
    """Open the stream of one device; it is not started yet."""
    form: dict[str, Any] = {"dtype": "float32", "latency": "low"}
    if sink is None:
        assert source is not None
        return sounddevice.InputStream(
            samplerate=source.device.sample_rate,
            device=source.device.index,
            channels=source.channels,
            callback=source.record,
            **form,
        )
    play = sink.player.callback
    if source is None:
        return sounddevice.OutputStream(
            samplerate=sink.device.sample_rate,
            device=sink.device.index,
            channels=sink.channels,
            callback=play,
            **form,
        )
    record = source.record

    def both(recorded: Any, played: Any, frames: int, times: Any, status: Any) -> None:
        play(played, frames, times, status)
        record(recorded, frames, times, status)

    return sounddevice.Stream(
        samplerate=sink.device.sample_rate,
        device=(source.device.index, sink.device.index),
        channels=(source.channels, sink.channels),
        callback=both,
        **form,
    )


def _wait_for_first_blocks(source: _Input | None, sink: _Output | None) -> None:
    deadline = time.perf_counter() + FIRST_BLOCK_SECONDS
    while (source is not None and not source.ring.frames_written) or (
        sink is not None and not sink.player.has_played
    ):
        if time.perf_counter() > deadline:
            raise TimeoutError("it is open, but its driver asks for no audio")
        time.sleep(0.01)


def _failure(source: _Input | None, sink: _Output | None, reason: str) -> Exception:
    """The error for devices that do not open, or are open and do not run."""
    if source is None:
        assert sink is not None
        return NoOutput(f"{sink.device.full_name} does not play: {reason}")
    if sink is None:
        return NoInput(f"{source.device.full_name} does not record: {reason}")
    return _NotTogether()


def _running(sink: _Output, stream: Any) -> OutputRunning:
    latency = stream.latency
    latency_seconds = latency[1] if isinstance(latency, tuple) else latency
    return OutputRunning(
        sink.device.name, sink.device.sample_rate, sink.channels, float(latency_seconds)
    )


def _keep_quick() -> None:
    """Keep this process's other work from making the output's callback late."""
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.freeze()
    gc.disable()


def _serve(line: Line, sink: _Output | None) -> None:
    """Carry out the parent's messages until it sends `Stop`."""
    if sink is None:
        # Other messages are late answers to an earlier `InputFound`.
        while not isinstance(line.receive(), Stop):
            pass
        return
    while not isinstance(message := line.receive(_TIDY_SECONDS), Stop):
        answer = sink.player.handle(message)
        if answer is not None:
            line.send(answer)
