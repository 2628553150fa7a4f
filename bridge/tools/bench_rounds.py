"""What the benches with a daemon share: their music, their arguments, and the rounds' beginning."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console, RenderableType

from bridge.config import read_value
from bridge.errors import BadArgument
from bridge.tools.bench_sound import READY, TEMPO_BPM
from bridge.tools.bench_stage import Stage, check_parts, running

BARS = 4
BAR_SECONDS = 4 * 60 / TEMPO_BPM
PROMPT = "electric piano, bass and drums"
LATEST_PRESS_SECONDS = 0.05
"""A message comes up to so long after the bar line that it means."""
MOST_ROUNDS = 500
MOST_AGAIN = 10
"""So many rounds are played again, where the server missed periods in them."""

Report = Callable[[str], None]
Figures = Mapping[str, Any]


def run(
    flag: str,
    measure: Callable[[Stage, int, Report], Figures],
    show: Callable[[Figures], Iterable[RenderableType]],
    *arguments: str,
    model: str | None,
    device: str | None,
    rounds: int,
    as_json: bool,
) -> int:
    """Measure on a stage and print; return 0.

    Args:
        flag: of `bench`, that asks for it.
        measure: plays so many rounds of each kind; returns figures in the order of `--json`.
        show: the figures for people.
        arguments: further ones for the daemon.
        model, device: as for `render`.
        rounds: of each kind, 1 or more.

    Raises:
        BadArgument: a value is out of its range.
        Unsupported: there is no JACK here.
        BenchFailed: a part did not start, or a round failed.
    """
    if not 1 <= rounds <= MOST_ROUNDS:
        raise BadArgument(f"--runs {rounds}: give 1 to {MOST_ROUNDS}")
    more = [*arguments, "--source", "sound"]
    if model is not None:
        more += ["--model", model]
    if device is not None:
        read_value("device", device)
        more += ["--device", device]
    check_parts(flag)
    console = Console(stderr=True)

    def report(line: str) -> None:
        console.print(line, highlight=False)

    with tempfile.TemporaryDirectory(prefix="melody-bridge-bench-") as folder:
        report(f"starting a JACK server, and a daemon with {model or 'pocket'}")
        with running(Path(folder), *more) as stage:
            figures = {**measure(stage, rounds, report), "callbacks": stage.callbacks()}
    if as_json:
        print(json.dumps({"model": model or "pocket", flag.removeprefix("--"): figures}))
    else:
        Console().print(*show(figures), _callbacks_line(figures), sep="\n", highlight=False)
    return 0


def begin(stage: Stage, rounds: int, report: Report) -> float:
    """Start the clock, and wait until there are bars to capture; return when it started."""
    report(f"{READY}: {rounds} rounds of each kind, and one to warm up")
    stage.send("/bridge/set", "tempo_bpm", TEMPO_BPM)
    begun_seconds = stage.send("/bridge/start")
    wait_until(begun_seconds + (BARS + 1) * BAR_SECONDS)
    return begun_seconds


def wait_until(seconds: float) -> None:
    """Sleep until that instant of `time.perf_counter`."""
    time.sleep(max(0.0, seconds - time.perf_counter()))


def _callbacks_line(figures: Figures) -> str:
    late_ms, took_ms = (figures["callbacks"][name] for name in ("late_ms", "took_ms"))
    return (
        f"callbacks of the output: 50 and 99 % at most {late_ms['p50']:.2f} and "
        f"{late_ms['p99']:.2f} ms late, taking {took_ms['p50']:.2f} and {took_ms['p99']:.2f} ms"
    )
