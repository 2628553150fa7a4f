"""Whole requests through a remote engine, and through the one on this machine, in turn.

Both are used as the daemon uses them, by their `EngineHost`. What a request costs by the way over
the network is the difference of the two, where the same model runs on the same type of device. Each
request of one engine is compared with the other's beside it, so that a busy machine slows both.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from bridge.chroma import STEP_SECONDS, WINDOW_SECONDS, one_hot
from bridge.config import read_value
from bridge.config.engine_token import engine_token
from bridge.config.readers import LOCAL_ENGINE, MAX_VARIATIONS
from bridge.engine.process.host import EngineHost
from bridge.engine.process.remote import RemoteEngine
from bridge.engine.process.supervisor import Supervisor
from bridge.engine.request import Request
from bridge.errors import BadArgument

PROMPT = "electric piano, bass and drums, 120 bpm"
TOGETHER = 4
"""Requests that are submitted at once, to measure the throughput: the engine never waits."""
TOGETHER_ROUNDS = 3
_READY_SECONDS = 0.05


@dataclass(frozen=True)
class EngineBenchOptions:
    """What to measure.

    Attributes:
        url: the server's address.
        token_file: as the option `engine_token_file`.
        model, device: of the engine on this machine, as for `bridge.engine.load`.
        seconds: length of a piece, over 0, at most `WINDOW_SECONDS`.
        variations: of each request.
        runs: requests of each engine, 2 or more.

    Raises:
        BadArgument: a value is out of its range.
    """

    url: str
    token_file: Path | None
    model: str
    device: str | None
    seconds: float
    variations: int
    runs: int

    def __post_init__(self) -> None:
        if read_value("engine", self.url) == LOCAL_ENGINE:
            raise BadArgument(
                "--engine local: give the address of a server, such as http://box:8000"
            )
        if not 0 < self.seconds <= WINDOW_SECONDS:
            raise BadArgument(
                f"--seconds {self.seconds:g}: give over 0 and at most {WINDOW_SECONDS}"
            )
        if not 1 <= self.variations <= MAX_VARIATIONS:
            raise BadArgument(f"--variations {self.variations}: give 1 to {MAX_VARIATIONS}")
        if self.runs < 2:
            raise BadArgument(f"--runs {self.runs}: give 2 or more")


@dataclass(frozen=True)
class RequestTimes:
    """How long one request took.

    Attributes:
        first_seconds: until its first audio could be read.
        whole_seconds: until all of it could be read.
        processor_seconds: processor time of this process, without the engine's own.
    """

    first_seconds: float
    whole_seconds: float
    processor_seconds: float


def main(options: EngineBenchOptions, *, as_json: bool) -> int:
    """Measure and print; return 0.

    Raises:
        EngineDied: the server, or the engine on this machine, cannot be used.
        BridgeError: as `EngineHost.submit`, or the token cannot be read.
    """
    figures = asyncio.run(_measure(options, Console(stderr=True)))
    if as_json:
        print(json.dumps(figures))
    else:
        Console().print(as_table(figures))
    return 0


def as_table(figures: dict[str, Any]) -> Table:
    """The figures as a table, for people and for Markdown files."""
    local, remote = figures["local"], figures["remote"]
    title = f"{remote['model']} on {remote['device']} at {figures['url']}"
    table = Table("figure", "on this machine", "remote", title=title, box=box.MARKDOWN)
    for name, key in (
        ("request to first audio, ms", "first_ms"),
        ("request to clip, ms", "clip_ms"),
    ):
        for share in ("p50", "p95"):
            table.add_row(
                f"{name}, {share}", *(f"{each[key][share]:.1f}" for each in (local, remote))
            )
    for name, key in (
        ("processor time of the daemon's side, ms a request", "processor_ms"),
        ("times real time, requests one after the other", "realtime_factor"),
        (f"times real time, {TOGETHER} requests at once", "realtime_factor_together"),
    ):
        table.add_row(name, *(f"{each[key]:.4g}" for each in (local, remote)))
    network = remote["network"]
    table.add_row("round trip, ms", "", f"{network['round_trip_ms']:.1f}")
    table.add_row("rate of arrival, MB/s", "", f"{network['megabytes_per_second']:.3g}")
    if figures["overhead_ms"] is not None:
        for share in ("p50", "p95"):
            table.add_row(
                f"more a request, ms, {share}", "", f"{figures['overhead_ms'][share]:.1f}"
            )
        table.add_row("less throughput, %", "", f"{figures['throughput_loss_percent']:.1f}")
    return table


async def _measure(options: EngineBenchOptions, console: Console) -> dict[str, Any]:
    def report(line: str) -> None:
        console.print(line, highlight=False)

    # At once: a mistake in the address or the token shows before a model is loaded.
    remote = RemoteEngine(
        options.url,
        lambda state, detail: None,
        client=secrets.token_hex(8),
        token=engine_token(options.token_file),
        queue_size=TOGETHER,
        patience_seconds=0.0,
    )
    local = Supervisor(
        options.model, options.device, lambda state, detail: None, queue_size=TOGETHER
    )
    engines: dict[str, EngineHost] = {"local": local, "remote": remote}
    try:
        report(f"warming up {options.url}")
        await _timed(remote, _request(options, seed=0))
        local.start()
        report(f"loading {options.model}")
        await _timed(local, _request(options, seed=0))
        times: dict[str, list[RequestTimes]] = {"local": [], "remote": []}
        for run in range(options.runs):
            for name in _in_turn(engines, run):
                times[name].append(await _timed(engines[name], _request(options, seed=run + 1)))
            report(
                f"run {run + 1} of {options.runs}: local {times['local'][-1].whole_seconds:.3f} s, "
                f"remote {times['remote'][-1].whole_seconds:.3f} s"
            )
        together: dict[str, list[float]] = {"local": [], "remote": []}
        for round_ in range(TOGETHER_ROUNDS):
            for name in _in_turn(engines, round_):
                together[name].append(await _together(engines[name], options))
        return _figures(options, engines, times, together)
    finally:
        await remote.stop()
        await local.stop()


def _in_turn(engines: dict[str, EngineHost], run: int) -> list[str]:
    """The engines' names, the other one first each time."""
    return list(engines) if run % 2 else list(reversed(engines))


async def _timed(engine: EngineHost, request: Request) -> RequestTimes:
    # Until the process before is free: a remote one closes its connection.
    while engine.state == "busy":
        await asyncio.sleep(_READY_SECONDS)
    start, processor = time.perf_counter(), time.process_time()
    job = engine.submit(request)
    await job.beginning(1)
    first = time.perf_counter()
    await job.result()
    return RequestTimes(first - start, time.perf_counter() - start, time.process_time() - processor)


async def _together(engine: EngineHost, options: EngineBenchOptions) -> float:
    """Seconds for some requests that are submitted at once."""
    start = time.perf_counter()
    jobs = [engine.submit(_request(options, seed=seed)) for seed in range(TOGETHER)]
    await asyncio.gather(*(job.result() for job in jobs))
    return time.perf_counter() - start


def _request(options: EngineBenchOptions, *, seed: int) -> Request:
    """A request with a melody of random notes, half a second each, new with every seed."""
    length = round(options.seconds / STEP_SECONDS) + 1
    notes = np.random.default_rng(seed).integers(0, 12, -(-length // 4))
    return Request(
        prompt=PROMPT,
        melody=one_hot(np.repeat(notes, 4)),
        seconds=options.seconds,
        seed=seed,
        variations=options.variations,
    )


def _figures(
    options: EngineBenchOptions,
    engines: dict[str, EngineHost],
    times: dict[str, list[RequestTimes]],
    together: dict[str, list[float]],
) -> dict[str, Any]:
    """All figures, in the order in which they are printed."""
    facts = {name: engine.facts for name, engine in engines.items()}
    of_each: dict[str, dict[str, Any]] = {}
    for name, runs in times.items():
        of_engine, seconds = facts[name], options.seconds * options.variations
        assert of_engine is not None
        of_each[name] = {
            "model": of_engine.model_name,
            "device": of_engine.device,
            "first_ms": _percentiles([run.first_seconds for run in runs]),
            "clip_ms": _percentiles([run.whole_seconds for run in runs]),
            "processor_ms": 1000 * float(np.median([run.processor_seconds for run in runs])),
            "realtime_factor": seconds / float(np.median([run.whole_seconds for run in runs])),
            "realtime_factor_together": TOGETHER * seconds / float(np.median(together[name])),
        }
    network = engines["remote"].network
    assert network is not None
    of_each["remote"]["network"] = vars(network.as_event())
    local, remote = facts["local"], facts["remote"]
    assert local is not None and remote is not None
    is_same = (local.model_name, local.revision, local.device) == (
        remote.model_name,
        remote.revision,
        remote.device,
    )
    more = [
        there.whole_seconds - here.whole_seconds
        for here, there in zip(times["local"], times["remote"], strict=True)
    ]
    loss = 1 - float(np.median(np.divide(together["local"], together["remote"])))
    return {
        "url": options.url,
        "seconds": options.seconds,
        "variations": options.variations,
        "runs": options.runs,
        **of_each,
        "overhead_ms": _percentiles(more) if is_same else None,
        "throughput_loss_percent": 100 * loss if is_same else None,
    }


def _percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """Median and 95 % of some times, in milliseconds."""
    return {f"p{share}": 1000 * float(np.percentile(seconds, share)) for share in (50, 95)}
