"""From the message that asks for a clip to the clip, over OSC, in a real daemon on a JACK server.

A round takes the bars just played and renders them, as a pad does, and waits until the clip is
written. Rounds on an idle machine and beside a program that takes one core take turns. The times
between the daemon's events give the parts.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich import box
from rich.table import Table

from bridge.errors import NotEnoughBars
from bridge.tools import bench_rounds
from bridge.tools.bench_parts import PARTS, instants, medians, parts_ms, percentiles
from bridge.tools.bench_rounds import (
    BAR_SECONDS,
    BARS,
    LATEST_PRESS_SECONDS,
    MOST_AGAIN,
    PROMPT,
    Report,
    begin,
    wait_until,
)
from bridge.tools.bench_sound import TEMPO_BPM
from bridge.tools.bench_stage import BenchFailed, ReceivedEvent, Stage, program

KINDS = ("idle", "busy")
READY = "ready"
_SPIN = f"print({READY!r}, flush=True)\nwhile True: pass"


@dataclass(frozen=True)
class Round:
    """What one round measured, in milliseconds.

    Attributes:
        clip_ms: from the message until the clip is there.
        parts_ms: of it, by name; their sum.
    """

    clip_ms: float
    parts_ms: Mapping[str, float]


def run(*, model: str | None, device: str | None, rounds: int, as_json: bool) -> int:
    """Measure and print; return 0. Arguments and errors are those of `bench_rounds.run`."""
    return bench_rounds.run(
        "--trigger",
        _measured,
        lambda figures: (as_table(figures),),
        model=model,
        device=device,
        rounds=rounds,
        as_json=as_json,
    )


def as_table(figures: Mapping[str, Any]) -> Table:
    """The figures as a table, for people and for Markdown files."""
    title = f"{figures['bars']} bars at {figures['tempo_bpm']} bpm, ms"
    table = Table("from the message", *KINDS, title=title, box=box.MARKDOWN)
    for percent, name in (("p50", "to the clip, median"), ("p95", "the same, 95 %")):
        table.add_row(name, *(f"{figures[kind]['clip_ms'][percent]:.0f}" for kind in KINDS))
    for part in PARTS:
        name = f"of it {part}, median"
        table.add_row(name, *(f"{figures[kind]['parts_ms'][part]:.0f}" for kind in KINDS))
    return table


def _measured(stage: Stage, rounds: int, report: Report) -> dict[str, Any]:
    """Play the rounds; return the figures in the order in which they are printed."""
    begun_seconds = begin(stage, rounds, report)
    measured: dict[str, list[Round]] = {kind: [] for kind in KINDS}
    random, again = np.random.default_rng(1), 0
    # The first round of each kind imports, allocates and warms what the others use.
    for number in range(rounds + 1):
        for kind, of_kind in measured.items():
            made = None
            while made is None:
                with _spinning() if kind == "busy" else nullcontext():
                    line = int((time.perf_counter() - begun_seconds) / BAR_SECONDS) + 1
                    late_seconds = random.uniform(0, LATEST_PRESS_SECONDS)
                    wait_until(begun_seconds + line * BAR_SECONDS + late_seconds)
                    made = _round(stage, f"{kind}-{number}-{again}")
                if made is None:
                    again += 1
                    report(f"round {number}, {kind}: the input was interrupted")
                    if again > MOST_AGAIN:
                        raise BenchFailed("the machine is too busy: the input is not captured")
                    wait_until(time.perf_counter() + (BARS + 1) * BAR_SECONDS)
            if number:
                of_kind.append(made)
                report(f"round {number} of {rounds}, {kind}: clip after {made.clip_ms:.0f} ms")
    return {
        "bars": BARS,
        "tempo_bpm": TEMPO_BPM,
        "rounds": rounds,
        **{
            kind: {
                "clip_ms": percentiles([each.clip_ms for each in of_kind]),
                "parts_ms": medians([each.parts_ms for each in of_kind]),
            }
            for kind, of_kind in measured.items()
        },
    }


def _round(stage: Stage, id: str) -> Round | None:
    """Take the last bars, render them, and wait for the clip; None: the input was interrupted."""
    seen, take = len(stage.events()), f"{id}-take"
    pressed_seconds = stage.send("/bridge/capture/last", take, BARS)
    stage.send("/bridge/generate", id, "bars", BARS, "prompt", PROMPT, "melody", take)

    def ends(event: ReceivedEvent) -> bool:
        of_round = event.arguments[:1] in ((id,), (take,))
        return of_round and event.address in ("/bridge/error", "/bridge/clip")

    clip = stage.event(ends, f"the clip of {id}", seen)
    if clip.address == "/bridge/error":
        _, code, message = clip.arguments
        if code == NotEnoughBars.code:
            return None
        raise BenchFailed(f"{id}: {message}")
    times = instants(stage.events()[seen:], take, id)
    parts = parts_ms([pressed_seconds, *times, clip.seconds])
    return Round(1000 * (clip.seconds - pressed_seconds), parts)


@contextmanager
def _spinning() -> Iterator[None]:
    """Run a program that takes one core for as long as the block runs."""
    command = (sys.executable, "-c", _SPIN)
    with program(command, os.environ, stdout=subprocess.PIPE) as spinning:
        assert spinning.stdout is not None
        spinning.stdout.readline()
        yield
