"""`melody-bridge doctor`: checks of everything that the daemon needs, each with a remedy."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import secrets
import shutil
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from bridge import __version__
from bridge.commands import Precision
from bridge.config import NO_INPUT, NO_OUTPUT, RunOptions
from bridge.config.engine_token import engine_token
from bridge.config.flags import add_config_flag, add_flags, run_options
from bridge.config.readers import LOCAL_ENGINE
from bridge.errors import BridgeError, EngineDied, EngineHung, LimitReached, QueueFull, TooLate
from bridge.events import MidiPortsChanged
from bridge.midi import MidiPorts, names
from bridge.rendering import outputs

Verdict = Literal["ok", "warning", "failure"]

LISTENING_SECONDS = 1.0
OPENING_SECONDS = 5.0
TRIAL_PROMPT, TRIAL_SECONDS = "electric piano", 10.0
"""A remote engine is asked for a second of sound within this time."""
LITTLE_ROOM_BYTES = 1 << 30
"""A clip of 8 s at 44.1 kHz takes 2 MB."""
PACKAGES = ("torch", "transformers", "numpy", "sounddevice", "soundfile", "soxr", "mido", "rich")


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes:
        about: the thing that was checked.
        found: the result of the check.
        remedy: what to do about it; empty when all is well.
    """

    about: str
    verdict: Verdict
    found: str
    remedy: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the daemon's options: the doctor checks what they name."""
    add_flags(parser, "run")
    add_config_flag(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Check, and print the report; return the exit status."""
    return main(run_options(arguments), as_json=arguments.json)


def examine(options: RunOptions) -> Iterator[Finding]:
    """Check everything that the daemon needs, one thing after the other, in a few seconds."""
    yield from _versions()
    yield _port(options.osc_port)
    yield _clips(options.clips or outputs.clips_folder())
    yield _log_file()
    yield from _sound(options)
    yield from _midi(options)
    if options.engine != LOCAL_ENGINE:
        yield check_engine(options)
    yield check_model(options.model)
    if options.decoder is not None:
        yield check_model(options.decoder, "decoder")
    yield _device(options.device)
    if options.precision != "exact":
        yield _precision(options.precision)
    yield _stems()


def main(options: RunOptions, *, as_json: bool) -> int:
    """Print the report; return 1 when a check fails, else 0."""
    findings = []
    for finding in examine(options):
        findings.append(finding)
        if not as_json:
            print(f"{finding.verdict:8} {finding.about}: {finding.found}", flush=True)
            if finding.remedy:
                print(f"{'':8} {finding.remedy}", flush=True)
    failed = any(finding.verdict == "failure" for finding in findings)
    if as_json:
        verdict = "failure" if failed else "ok"
        print(
            json.dumps({"verdict": verdict, "findings": [asdict(finding) for finding in findings]})
        )
    return int(failed)


def _versions() -> Iterator[Finding]:
    python = platform.python_version()
    system = f"Melody Bridge {__version__}, Python {python}, {platform.system()}"
    if (3, 11) <= sys.version_info[:2] <= (3, 13):
        yield Finding("program", "ok", system)
    else:
        yield Finding("program", "warning", system, "it is made for Python 3.11 to 3.13")
    found, missing = [], []
    for name in PACKAGES:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        remedy = f"pip install {' '.join(missing)}"
        yield Finding("packages", "failure", f"{', '.join(missing)} missing", remedy)
    else:
        yield Finding("packages", "ok", ", ".join(found))


def _port(port: int) -> Finding:
    about = f"OSC port {port}"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            from bridge.control.ports import holder

            by = holder(port)
            return Finding(
                about,
                "warning",
                f"taken ({error.strerror})" + (f" by {by}" if by else ""),
                "a daemon may be running already; else `melody-bridge run --osc-port N`",
            )
    return Finding(about, "ok", "free")


def _clips(folder: Path) -> Finding:
    try:
        outputs.clip_folder(folder)
    except BridgeError as error:
        return Finding("clips folder", "failure", str(error), "choose another with --clips")
    existing = next(each for each in (folder, *folder.parents) if each.exists())
    free = shutil.disk_usage(existing).free
    found = f"{folder}, {free / 1e9:.1f} GB free"
    if free < LITTLE_ROOM_BYTES:
        return Finding("clips folder", "warning", found, "free some space, or choose another disk")
    return Finding("clips folder", "ok", found)


def _log_file() -> Finding:
    from bridge.daemon.logs import log_path

    path = log_path()
    existing = next(each for each in (path, *path.parents) if each.exists())
    if os.access(existing, os.W_OK) and not path.is_dir():
        return Finding("log file", "ok", str(path))
    remedy = "give yourself the right to write there; without it, tracebacks are lost"
    return Finding("log file", "warning", f"{path} cannot be written", remedy)


def _sound(options: RunOptions) -> Iterator[Finding]:
    from bridge.soundcard.devices import list_devices

    try:
        devices = list_devices()
    except BridgeError as error:
        yield Finding("sound", "failure", str(error), "or run with --input none")
        return
    for kind, channels in (("inputs", "input_channels"), ("outputs", "output_channels")):
        named = [
            f"{device.index} {device.name} ({device.host_api}, {device.sample_rate:g} Hz)"
            for device in devices
            if getattr(device, channels)
        ]
        if named:
            yield Finding(kind, "ok", "; ".join(named))
        else:
            remedy = "connect one; without, `--input none` and melodies from files work"
            yield Finding(kind, "warning", "none", remedy)
    if options.input != NO_INPUT and any(device.input_channels for device in devices):
        yield _microphone(options)
    if options.output != NO_OUTPUT:
        yield _output(options)


def _microphone(options: RunOptions) -> Finding:
    """Record the input for a second, as the daemon does."""
    from bridge.soundcard.level import LOWEST_DB
    from bridge.soundcard.permission import silence_remedy

    about = "microphone" if options.input is None else f"input {options.input}"
    recorded = asyncio.run(_record(options))
    if recorded.peak_db is None:
        remedy = "`melody-bridge devices` lists the inputs; --input chooses one"
        return Finding(about, "failure", recorded.detail, remedy)
    if recorded.peak_db <= LOWEST_DB:
        return Finding(about, "warning", f"{recorded.detail}, exactly zero", silence_remedy())
    return Finding(about, "ok", f"{recorded.detail}, peak {recorded.peak_db:.0f} dBFS")


@dataclass(frozen=True)
class _Recorded:
    detail: str
    peak_db: float | None


async def _record(options: RunOptions) -> _Recorded:
    from bridge.soundcard.level import peak_db
    from bridge.soundcard.listener import Listener

    settled = asyncio.Event()
    listener = Listener(
        options.input, lambda change: settled.set(), channels=options.input_channels
    )
    listener.start()
    try:
        with suppress(TimeoutError):
            await asyncio.wait_for(settled.wait(), OPENING_SECONDS)
        if listener.ring is None or listener.state != "ready":
            return _Recorded(listener.detail or "no audio arrived", None)
        await asyncio.sleep(LISTENING_SECONDS)
        ring = listener.ring
        samples = ring.read(ring.oldest_frame, ring.frames_written)
        detail = f"{listener.device}, {ring.sample_rate} Hz, {ring.channels} channels"
        return _Recorded(detail, peak_db(samples))
    finally:
        await listener.stop()


def _midi(options: RunOptions) -> Iterator[Finding]:
    """Open the selected MIDI ports, as the daemon does."""
    if options.midi == options.midi_out == names.NONE:
        return
    opened = asyncio.run(_open_midi(options))
    missing = (options.midi not in (names.AUTO, names.NONE) and not opened.inputs) or (
        options.midi_out != names.NONE and not opened.outputs
    )
    if missing:
        remedy = "`melody-bridge devices` lists the ports; --midi and --midi-out choose"
        yield Finding("MIDI", "warning", opened.detail, remedy)
    else:
        yield Finding("MIDI", "ok", opened.detail)


async def _open_midi(options: RunOptions) -> MidiPortsChanged:
    opened: asyncio.Future[MidiPortsChanged] = asyncio.get_running_loop().create_future()

    def note(change: MidiPortsChanged) -> None:
        if not opened.done():
            opened.set_result(change)

    ports = MidiPorts(options.midi, lambda messages: None, note, output=options.midi_out)
    ports.start()
    try:
        return await asyncio.wait_for(opened, OPENING_SECONDS)
    except TimeoutError:
        return MidiPortsChanged((), (), "the MIDI process does not answer")
    finally:
        await ports.stop()


def _output(options: RunOptions) -> Finding:
    """Play silence on the output for a second, as the daemon does."""
    about = "output" if options.output is None else f"output {options.output}"
    played = asyncio.run(_play_silence(options))
    if not played.is_ready:
        remedy = "`melody-bridge devices` lists the outputs; --output chooses one"
        return Finding(about, "failure", played.detail, remedy)
    if played.underflows:
        remedy = "close other programs: the machine is too busy to play without gaps"
        return Finding(about, "warning", f"{played.detail}, {played.underflows} underflows", remedy)
    return Finding(about, "ok", played.detail)


@dataclass(frozen=True)
class _Played:
    detail: str
    is_ready: bool
    underflows: int


async def _play_silence(options: RunOptions) -> _Played:
    from bridge.soundcard.player import Player

    settled = asyncio.Event()
    player = Player(options.output, settled.set)
    player.start()
    try:
        with suppress(TimeoutError):
            await asyncio.wait_for(settled.wait(), OPENING_SECONDS)
        if player.state != "ready":
            return _Played(player.detail, is_ready=False, underflows=0)
        before = player.underflows
        await asyncio.sleep(LISTENING_SECONDS)
        latency_ms = 1000 * player.latency_seconds
        detail = f"{player.detail}, {latency_ms:.0f} ms latency"
        return _Played(detail, player.state == "ready", player.underflows - before)
    finally:
        await player.stop()


def check_model(model: str, kind: str = "model") -> Finding:
    """Check a checkpoint's files without torch, as `melody-bridge model show` does.

    Args:
        model: as for `--model`.
        kind: what it is used as, `model` or `decoder`.
    """
    from bridge.engine.checkpoint import check_transformers, find
    from bridge.engine.description import describe

    about = f"{kind} {model}"
    try:
        check_transformers()
        location = find(model, fetch=False)
        describe(location)
    except BridgeError as error:
        remote = "/" in model and not Path(model).expanduser().exists()
        return Finding(about, "warning" if remote else "failure", str(error))
    return Finding(about, "ok", str(location.folder))


def check_engine(options: RunOptions) -> Finding:
    """Have a remote engine make a second of sound, as the daemon does."""
    about = f"engine {options.engine}"
    try:
        return Finding(about, "ok", asyncio.run(_try_engine(options)))
    except EngineDied as error:
        falls_back = options.engine_fallback == LOCAL_ENGINE
        remedy = "see whether `melody-bridge serve` runs there, and whether a firewall is between"
        return Finding(about, "warning" if falls_back else "failure", str(error), remedy)
    except (QueueFull, TooLate, LimitReached) as error:
        return Finding(about, "warning", str(error), "other players use it: try again later")
    except BridgeError as error:
        return Finding(about, "failure", str(error))


async def _try_engine(options: RunOptions) -> str:
    """What a second of sound shows of the remote engine and of the network.

    Raises:
        EngineDied: the server cannot be reached.
        EngineHung: the sound does not come.
        BridgeError: it refuses the request, or has no time for it.
    """
    from bridge.engine.process.remote import RemoteEngine
    from bridge.engine.request import Request

    engine = RemoteEngine(
        options.engine,
        lambda state, detail: None,
        client=secrets.token_hex(8),
        token=engine_token(options.engine_token_file),
        patience_seconds=0.0,
        refuses_late=True,
    )
    try:
        start = time.perf_counter()
        request = Request(prompt=TRIAL_PROMPT, seconds=1.0)
        async with asyncio.timeout(2 * TRIAL_SECONDS):
            await engine.submit(request, due_seconds=start + TRIAL_SECONDS).result()
        seconds = time.perf_counter() - start
    except TimeoutError as error:
        raise EngineHung(f"a second of sound is not there after {2 * TRIAL_SECONDS:g} s") from error
    finally:
        await engine.stop()
    facts, network = engine.facts, engine.network
    assert facts is not None and network is not None
    figures = network.as_event().text()
    return f"{facts.model_name} on {facts.device}, {figures}, a second of sound in {seconds:.1f} s"


def _device(device: str) -> Finding:
    from bridge.engine.device import describe_device

    try:
        return Finding("device", "ok", describe_device(device))
    except BridgeError as error:
        return Finding("device", "failure", str(error))


def _precision(precision: Precision) -> Finding:
    from bridge.engine.precision import check_precision

    try:
        check_precision(precision)
    except BridgeError as error:
        return Finding("precision", "failure", str(error))
    return Finding("precision", "ok", f"{precision}, in ONNX Runtime")


def _stems() -> Finding:
    try:
        version = metadata.version("demucs")
    except metadata.PackageNotFoundError:
        return Finding("stems", "ok", "no Demucs: a melody that is a mix is followed as it is")
    from bridge.engine.stems import weights_file

    try:
        return Finding("stems", "ok", f"demucs {version}, {weights_file(fetch=False)}")
    except BridgeError as error:
        remedy = "with a network, render any recording once with --stems on"
        return Finding("stems", "warning", f"demucs {version}; {error}", remedy)
