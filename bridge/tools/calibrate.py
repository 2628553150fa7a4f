"""`melody-bridge calibrate`: the input latency, measured by playing sweeps and recording them.

The measure is the round trip: from when a frame is handed over to be played to when it is recorded,
both by the nominal times of the callbacks. A performance on the bridge's own input, played in time
with the sound from the output, is late by this time.

When the daemon itself plays, it hands its sound over early, so that it is heard in time. Such a
performance is late by the input's part alone. No measurement separates the two parts: the round
trip is divided in proportion to the latencies that the drivers state.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridge.audio import db_to_amplitude
from bridge.config import read_value
from bridge.config.files import config_path
from bridge.errors import NoInput, NoOutput, NotHeard
from bridge.soundcard.devices import Device, find_device, portaudio, read_devices
from bridge.soundcard.dll import DelayLockedLoop
from bridge.soundcard.input import recorder
from bridge.soundcard.ring import Ring

REPEATS = 5
MOST_SPREAD_MS = 2.0
LEAST_CORRELATION = 0.3
"""Least correlation of the recording with the sweep. Noise of the same band reaches 0.15."""

_SETTLING_SECONDS = 2.5
"""Wait before the first sweep: callback times are then known to a fraction of a millisecond."""
_SWEEP_SECONDS = 0.1
_FADE_SECONDS = 0.01
_LOWEST_HZ, _HIGHEST_HZ = 300.0, 6000.0
_AMPLITUDE = 0.25
_LONGEST_SECONDS = 0.5
"""Longest round trip that is searched for; wireless headphones come near it."""
_EARLY_SECONDS = 0.02
"""Possible error of a nominal time: the search begins this much before the sweep."""
_SPACING_SECONDS = _SWEEP_SECONDS + _LONGEST_SECONDS + 0.1
_SILENCE_DBFS = -80.0
_MOST_CHANNELS = 32
_PATIENCE_SECONDS = 5.0


@dataclass(frozen=True)
class Latency:
    """A measured round trip.

    Attributes:
        input, output: the devices' names.
        milliseconds: the median of the repeats.
        output_milliseconds: the output's part of it.
        spread_ms: from the shortest to the longest.
        repeats: number of sweeps.
        correlation: the lowest of all sweeps, 0…1.
    """

    input: str
    output: str
    milliseconds: float
    output_milliseconds: float
    spread_ms: float
    repeats: int
    correlation: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("--input", metavar="NAME|INDEX", help="as for run")
    parser.add_argument("--output", metavar="NAME|INDEX", help="what plays (the default one)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Measure, and print the result; return the exit status.

    Raises:
        BadArgument: a value cannot be a device's name.
        BridgeError: as `measure_latency`.
    """
    input_, output = (
        None if word is None else read_value("input", word)
        for word in (arguments.input, arguments.output)
    )
    return main(input_=input_, output=output, as_json=arguments.json)


def measure_latency(
    input_: str | int | None = None, output: str | int | None = None, *, repeats: int = REPEATS
) -> Latency:
    """Play sweeps on the output and find them on the input, through a cable or a microphone.

    It takes six seconds.

    Args:
        input_, output: as in `find_device`; None: the default.
        repeats: sweeps, 1 or more.

    Raises:
        NoInput, NoOutput: a device does not exist, or does not open.
        NotHeard: the sweeps are not recorded, not clearly, or not equally late.
    """
    with portaudio() as sounddevice:
        devices = read_devices(sounddevice)
        source = find_device(devices, input_, "input")
        sink = find_device(devices, output, "output")
        channels = min(source.input_channels, _MOST_CHANNELS)
        player = _Player(sink.sample_rate, repeats)
        ring = Ring.create(source.sample_rate, channels, 2 * player.seconds)
        ring.unlink()
        output_share = _play_and_record(sounddevice, source, sink, player, ring)
    sweeps = [_find_sweep(ring, played, source) for played in player.started_seconds]
    return _latency(sweeps, source, sink, output_share)


def main(*, input_: str | int | None, output: str | int | None, as_json: bool) -> int:
    """Measure, print the result and the lines for the configuration; return the exit status.

    Raises:
        BridgeError: as `measure_latency`.
    """
    latency = measure_latency(input_, output)
    if as_json:
        print(json.dumps(asdict(latency)))
    else:
        print(
            f"{latency.output} to {latency.input}: {latency.milliseconds:.1f} ms, "
            f"{latency.repeats} sweeps within {latency.spread_ms:.1f} ms"
        )
        print(f"Write this line into {config_path()}, in place of one that is there:")
        print(f"input_latency_ms = {latency.milliseconds:.1f}")
        print("Where the daemon plays itself (--output), write these two lines instead:")
        print(f"input_latency_ms = {latency.milliseconds - latency.output_milliseconds:.1f}")
        print(f"output_latency_ms = {latency.output_milliseconds:.1f}")
    return 0


class _Player:
    """An output stream's callback that plays sweeps and records when each began.

    Attributes:
        seconds: from its start to the end of the last sweep's echo.
        started_seconds: the nominal time of the first frame of each sweep that was played.
    """

    def __init__(self, sample_rate: int, repeats: int) -> None:
        self.seconds = _SETTLING_SECONDS + repeats * _SPACING_SECONDS
        self.started_seconds: list[float] = []
        self._sample_rate = sample_rate
        self._starts = [
            round((_SETTLING_SECONDS + number * _SPACING_SECONDS) * sample_rate)
            for number in range(repeats)
        ]
        self._samples = np.zeros(round(self.seconds * sample_rate), np.float32)
        sweep = _sweep(sample_rate)
        for start in self._starts:
            self._samples[start : start + len(sweep)] = _AMPLITUDE * sweep
        self._loop = DelayLockedLoop(sample_rate)
        self._position = 0
        self._last_frames = 0

    @property
    def done(self) -> bool:
        """Whether all sweeps were played."""
        return self._position >= len(self._samples)

    def __call__(self, block: NDArray[np.float32], frames: int, _: Any, status: Any) -> None:
        now = time.perf_counter()
        # From one callback to the next, the device played the last block.
        seconds = self._loop.update(
            now, self._last_frames or frames, frames_lost=status.output_underflow
        )
        self._last_frames = frames
        piece = self._samples[self._position : self._position + frames]
        block[: len(piece)] = piece[:, np.newaxis]
        block[len(piece) :] = 0
        for start in self._starts:
            if self._position <= start < self._position + frames:
                self.started_seconds.append(seconds + (start - self._position) / self._sample_rate)
        self._position += frames


def _play_and_record(
    sounddevice: Any, source: Device, sink: Device, player: _Player, ring: Ring
) -> float:
    """Play all sweeps while the input is recorded.

    Returns:
        The output's share of the latencies that the drivers state, 0…1.
    """
    form = {"dtype": "float32", "latency": "low"}
    try:
        listening = sounddevice.InputStream(
            device=source.index,
            samplerate=source.sample_rate,
            channels=ring.channels,
            callback=recorder(ring),
            **form,
        )
    except sounddevice.PortAudioError as error:
        raise NoInput(f"{source.full_name} does not open: {error}") from error
    with listening:
        try:
            playing = sounddevice.OutputStream(
                device=sink.index,
                samplerate=sink.sample_rate,
                channels=min(sink.output_channels, 2),
                callback=player,
                **form,
            )
        except sounddevice.PortAudioError as error:
            raise NoOutput(f"{sink.full_name} does not open: {error}") from error
        with playing:
            deadline = time.perf_counter() + player.seconds + _PATIENCE_SECONDS
            while not player.done:
                if time.perf_counter() > deadline:
                    raise NotHeard(f"{sink.full_name} takes no audio: choose another output")
                time.sleep(0.05)
            stated_seconds = listening.latency + playing.latency
            return float(playing.latency / stated_seconds) if stated_seconds > 0 else 0.5


@dataclass(frozen=True)
class _FoundSweep:
    milliseconds: float
    correlation: float


def _find_sweep(ring: Ring, played_seconds: float, source: Device) -> _FoundSweep:
    """Find the sweep that was played at a time in the recording.

    Raises:
        NotHeard: the recording is silent there, or has ended.
    """
    sweep = _sweep(ring.sample_rate)
    reach = round((_EARLY_SECONDS + _LONGEST_SECONDS) * ring.sample_rate)
    try:
        start = max(0, round(ring.frame_at(played_seconds - _EARLY_SECONDS)))
        recorded = ring.read(start, start + reach + len(sweep))
    except (LookupError, ValueError) as error:
        raise NotHeard(f"{source.full_name} gives no more audio: choose another input") from error
    peak = float(np.abs(recorded).max())
    if peak < db_to_amplitude(_SILENCE_DBFS):
        raise NotHeard(
            f"{source.full_name} hears nothing: connect it to the output by a cable, or put the "
            "microphone to the speaker, and turn both up"
        )
    correlation = np.stack([_correlation(channel, sweep) for channel in recorded.T])
    lag = int(correlation.max(axis=0).argmax())
    late_seconds = ring.seconds_at(start + lag) - played_seconds
    return _FoundSweep(1000 * late_seconds, float(correlation[:, lag].max()))


def _correlation(recorded: NDArray[np.float32], sweep: NDArray[np.float32]) -> NDArray[np.float64]:
    """Correlation of the sweep with the recording at each lag, 0…1, either polarity.

    Returns:
        float64 `[lags]`.
    """
    from scipy.signal import correlate

    product = correlate(recorded.astype(np.float64), sweep.astype(np.float64), mode="valid")
    energy = np.concatenate([[0.0], np.cumsum(recorded.astype(np.float64) ** 2)])
    window = energy[len(sweep) :] - energy[: -len(sweep)]
    # Energy far below the loudest is rounding error: do not divide by it.
    window = np.maximum(window, 1e-6 * window.max() + 1e-20)
    result: NDArray[np.float64] = np.abs(product) / np.sqrt(window * float(sweep @ sweep))
    return result


def _latency(
    sweeps: Sequence[_FoundSweep], source: Device, sink: Device, output_share: float
) -> Latency:
    correlation = min(sweep.correlation for sweep in sweeps)
    if correlation < LEAST_CORRELATION:
        raise NotHeard(
            f"{source.full_name} hears something, but not the sweeps of {sink.full_name} "
            f"(correlation {correlation:.2f}, {LEAST_CORRELATION} is needed): turn up, "
            "or use a cable"
        )
    milliseconds = [sweep.milliseconds for sweep in sweeps]
    spread_ms = max(milliseconds) - min(milliseconds)
    if spread_ms > MOST_SPREAD_MS:
        raise NotHeard(
            f"the sweeps came back {min(milliseconds):.1f} to {max(milliseconds):.1f} ms late, "
            f"and may differ by {MOST_SPREAD_MS} ms: close other programs, and measure again"
        )
    return Latency(
        source.name,
        sink.name,
        round(median(milliseconds), 2),
        round(max(0.0, output_share * median(milliseconds)), 2),
        round(spread_ms, 2),
        len(sweeps),
        round(correlation, 3),
    )


def _sweep(sample_rate: int) -> NDArray[np.float32]:
    """A linear sine sweep of amplitude 1 with faded ends, float32 `[frames]`."""
    highest = min(_HIGHEST_HZ, 0.4 * sample_rate)
    seconds = np.arange(round(_SWEEP_SECONDS * sample_rate)) / sample_rate
    rise = (highest - _LOWEST_HZ) / (2 * _SWEEP_SECONDS)
    from_end = np.minimum(seconds, _SWEEP_SECONDS - seconds)
    fade = np.sin(np.pi / 2 * np.clip(from_end / _FADE_SECONDS, 0, 1)) ** 2
    sweep: NDArray[np.float64] = np.sin(2 * np.pi * (_LOWEST_HZ + rise * seconds) * seconds) * fade
    return sweep.astype(np.float32)
