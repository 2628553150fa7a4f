"""From the message that starts a live loop to the first sound, in a real daemon on a JACK server.

A round starts a loop a moment after a bar line, as a performer does, and waits until its clip is
heard. Rounds of whole clips and of *quick* ones take turns, so that a busy machine slows both. The
times between the daemon's events give the parts; the captured output gives the sound.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from rich import box
from rich.table import Table

from bridge.tools import bench_parts, bench_rounds
from bridge.tools.bench_heard import FIRST_FRAMES, PIECE_FRAMES, Heard, entries
from bridge.tools.bench_parts import medians, percentiles
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
from bridge.tools.bench_sound import SAMPLE_RATE, TEMPO_BPM
from bridge.tools.bench_stage import BenchFailed, ReceivedEvent, Stage

QUANTUM = "1/4 beat"
"""The finest grid: what is measured is the bridge, not the wait for a bar line."""
PARTS = (*bench_parts.PARTS, "output")
SOUND_SECONDS = 5.0
NEAR_LINE_SECONDS = 0.02
"""A start so near to a bar line is on it: clock, output and recording are timed to milliseconds."""
_AGAIN_SECONDS = 0.05


@dataclass(frozen=True)
class Round:
    """What one round measured.

    Attributes:
        clip_ms: from the message until the first clip is there.
        sound_ms: until the output's first frame that is not silent.
        parts_ms: of `sound_ms`, by name; their sum.
    """

    clip_ms: float
    sound_ms: float
    parts_ms: Mapping[str, float]


@dataclass(frozen=True)
class _Placed:
    """Where a clip was heard.

    Attributes:
        seconds: when it started, on `time.perf_counter`.
        frames: by how many frames it comes after the published frame, wherever it is found.
    """

    seconds: float
    frames: Sequence[int]


@dataclass
class _Figures:
    """What was measured so far.

    Attributes:
        rounds: of whole clips, and of quick ones.
        swaps: starts and swaps of clips.
        placed: of each start, how often the server had missed a period by then, and by how many
            frames the captured start comes after the one that the output published. That is the
            same number each time, where each is on its frame and no period is missed. A start so
            near to the next bar line that its clip may be anchored again there is left out.
    """

    rounds: dict[str, list[Round]] = field(default_factory=lambda: {"whole": [], "quick": []})
    swaps: int = 0
    placed: list[tuple[int, Sequence[int]]] = field(default_factory=list)


def run(*, model: str | None, device: str | None, rounds: int, as_json: bool) -> int:
    """Measure and print; return 0. Arguments and errors are those of `bench_rounds.run`."""
    return bench_rounds.run(
        "--loop",
        _measured,
        lambda figures: (*as_tables(figures), _counts(figures)),
        *("--quantum", QUANTUM),
        model=model,
        device=device,
        rounds=rounds,
        as_json=as_json,
    )


def as_tables(figures: Mapping[str, Any]) -> tuple[Table, Table]:
    """The figures as tables, for people and for Markdown files."""
    title = f"{figures['bars']} bars at {figures['tempo_bpm']} bpm, grid {figures['quantum']}, ms"
    times = Table("from the message", "median", "95 %", title=title, box=box.MARKDOWN)
    for name, figure in (
        ("to the whole clip", "trigger_to_clip_ms"),
        ("to its sound", "trigger_to_sound_ms"),
        ("to a quick clip", "trigger_to_clip_quick_ms"),
        ("to its sound", "trigger_to_sound_quick_ms"),
    ):
        times.add_row(name, *(f"{value:.0f}" for value in figures[figure].values()))
    parts = Table("part, median", *figures["parts_ms"], box=box.MARKDOWN)
    for part in PARTS:
        parts.add_row(part, *(f"{of[part]:.0f}" for of in figures["parts_ms"].values()))
    return times, parts


def _counts(figures: Mapping[str, Any]) -> str:
    return (
        f"{figures['swaps']} starts and swaps, {figures['swaps_off_the_frame']} off the frame; "
        f"{figures['underflows']} underflows, {figures['xruns']} periods missed by the server"
    )


def _measured(stage: Stage, rounds: int, report: Report) -> dict[str, Any]:
    """Play the rounds; return the figures in the order in which they are printed."""
    begun_seconds = begin(stage, rounds, report)
    figures, random = _Figures(), np.random.default_rng(1)
    heard, again = stage.heard(), 0
    # The first round of each kind imports, allocates and warms what the others use.
    for number in range(rounds + 1):
        for kind, of_kind in figures.rounds.items():
            measured = None
            while measured is None:
                press_seconds = _next_line(begun_seconds) + random.uniform(0, LATEST_PRESS_SECONDS)
                wait_until(press_seconds)
                id, xruns = f"{kind}-{number}-{again}", heard.xruns
                measured, heard, placed = _round(stage, id, is_quick=kind == "quick")
                if measured is None:
                    again += 1
                    report(f"{id}: no clip was heard; {heard.xruns - xruns} periods were missed")
                    if heard.xruns == xruns or again > MOST_AGAIN:
                        raise BenchFailed(f"{id}: the output did not play what was rendered")
            if number == 0:
                continue
            of_kind.append(measured)
            figures.swaps += len(placed)
            figures.placed += [
                (heard.xruns, start.frames)
                for start in placed
                if not is_cut_by_a_bar_line(start.seconds - begun_seconds)
            ]
            report(
                f"round {number} of {rounds}, {kind}: clip after {measured.clip_ms:.0f} ms, "
                f"sound after {measured.sound_ms:.0f} ms"
            )
    whole, quick = figures.rounds["whole"], figures.rounds["quick"]
    off = _off_the_frame(figures.placed)
    if off:
        skips = sum(line.get("event") == "skip" for line in stage.log())
        report(
            f"{off} starts off the frame, {skips} corrections for skipped periods; missed periods "
            f"and places of each start: {figures.placed}"
        )
    return {
        "bars": BARS,
        "tempo_bpm": TEMPO_BPM,
        "quantum": QUANTUM,
        "rounds": rounds,
        "trigger_to_clip_ms": percentiles([each.clip_ms for each in whole]),
        "trigger_to_sound_ms": percentiles([each.sound_ms for each in whole]),
        "trigger_to_clip_quick_ms": percentiles([each.clip_ms for each in quick]),
        "trigger_to_sound_quick_ms": percentiles([each.sound_ms for each in quick]),
        "parts_ms": {
            kind: medians([each.parts_ms for each in of]) for kind, of in figures.rounds.items()
        },
        "swaps": figures.swaps,
        "swaps_off_the_frame": off,
        "underflows": max(
            (int(line["underflows"]) for line in stage.log() if line.get("event") == "underflow"),
            default=0,
        ),
        "xruns": heard.xruns,
    }


def _off_the_frame(placed: Sequence[tuple[int, Sequence[int]]]) -> int:
    """How many starts are not on the frame that most are on, between the same missed periods.

    A clip is found again where it is repeated, and where it resembles itself; one of the places is
    on the frame, or the start is off it.
    """
    between: dict[int, list[Sequence[int]]] = {}
    for xruns, places in placed:
        between.setdefault(xruns, []).append(places)
    off = 0
    for starts in between.values():
        counted = Counter(place for places in starts for place in set(places))
        off += len(starts) - max(counted.values())
    return off


def is_cut_by_a_bar_line(seconds: float) -> bool:
    """Whether a bar line comes before the end of the piece that is searched for.

    Args:
        seconds: from a bar line to the clip's start.
    """
    left_seconds = BAR_SECONDS - seconds % BAR_SECONDS
    return NEAR_LINE_SECONDS < left_seconds < (FIRST_FRAMES + PIECE_FRAMES) / SAMPLE_RATE


def _round(stage: Stage, id: str, *, is_quick: bool) -> tuple[Round | None, Heard, list[_Placed]]:
    """Start a loop, wait until all its clips are heard, and clear it.

    Returns:
        What was measured, what was heard, and where each clip was placed; None and no places where
        a clip was not heard.
    """
    seen, lines = len(stage.events()), len(stage.log())
    settings = ("bars", BARS, "prompt", PROMPT, "quick", int(is_quick))
    pressed_seconds = stage.send("/bridge/loop/start", id, *settings)

    def clip_of(event: ReceivedEvent, *, quick: bool) -> bool:
        made = str(event.arguments[0]) if event.arguments else ""
        is_ours = event.address == "/bridge/clip" and made.startswith(f"loop:{id}.")
        return is_ours and made.endswith("quick") == quick

    first = stage.event(lambda event: clip_of(event, quick=is_quick), f"a clip of {id}", seen)
    clips = [first]
    if is_quick:
        clips.append(stage.event(lambda event: clip_of(event, quick=False), f"{id}, whole", seen))
    paths = [Path(str(clip.arguments[3])) for clip in clips]
    starts = [stage.logged("start", f"{path.stem} plays", lines, clip=path.stem) for path in paths]
    heard, placed = _placed(stage, starts, paths, pressed_seconds)
    stage.send("/bridge/loop/clear", id)
    if not placed:
        return None, heard, placed
    sound_seconds = heard.first_sound_seconds(pressed_seconds)
    assert sound_seconds is not None, "a clip was found in what was heard"
    instants = [
        pressed_seconds,
        *bench_parts.instants(stage.events()[seen:], f"loop:{id}.", str(first.arguments[0])),
        first.seconds,
        sound_seconds,
    ]
    parts = bench_parts.parts_ms(instants, PARTS)
    clip_ms, sound_ms = (1000 * (each - pressed_seconds) for each in (first.seconds, sound_seconds))
    return Round(clip_ms, sound_ms, parts), heard, placed


def _placed(
    stage: Stage,
    starts: Sequence[Mapping[str, Any]],
    paths: Sequence[Path],
    pressed_seconds: float,
) -> tuple[Heard, list[_Placed]]:
    """What was heard, and where; nowhere, if a clip was not heard within `SOUND_SECONDS`."""
    clips = [soundfile.read(path, dtype="float32", always_2d=True)[0][:, 0] for path in paths]
    # Until then only what resembles the last clip may have been heard: the quick one before it.
    heard_until = time.perf_counter() + (FIRST_FRAMES + PIECE_FRAMES) / SAMPLE_RATE
    deadline = time.monotonic() + SOUND_SECONDS
    while True:
        heard = stage.heard()
        from_index = heard.index_at(pressed_seconds)
        found = [entries(heard.samples[from_index:, 0], clip) for clip in clips]
        if heard.end_seconds >= heard_until and all(len(each) for each in found):
            break
        if time.monotonic() > deadline:
            return heard, []
        time.sleep(_AGAIN_SECONDS)
    first = heard.first_frame + from_index
    return heard, [
        _Placed(
            heard.start_seconds + (from_index + int(indices[0]) + start["position"]) / SAMPLE_RATE,
            [first + int(index) - (start["frame"] - start["position"]) for index in indices],
        )
        for indices, start in zip(found, starts, strict=True)
    ]


def _next_line(begun_seconds: float) -> float:
    """The next bar line but one: what sounded before has ended by then."""
    bars = int((time.perf_counter() - begun_seconds) / BAR_SECONDS) + 2
    return begun_seconds + bars * BAR_SECONDS
