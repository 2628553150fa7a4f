"""What was heard of a set on a live loop: each clip in the recording, on its frame and bar line."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from bridge.delivery.playback import LATEST_SECONDS
from bridge.tools.bench_heard import FIRST_FRAMES, PIECE_FRAMES, entries
from tests.daemon.loop_stage import BAR_SECONDS
from tests.peers.daemon import Received
from tests.peers.jack import SAMPLE_RATE, XRUN_SECONDS
from tests.peers.timeline import Timeline

UNSETTLED_BARS = 3
"""After a change of tempo the clock needs some readings, and clips are stretched."""
MOST_OFF_SECONDS = 0.025
"""From the bar line to the frame, whose time the output estimates; measured 0.5 ms."""
MOST_SILENCE_SECONDS = 0.05
NEAR_FRAMES = SAMPLE_RATE // 2
"""A clip is searched for so near to where the one before was."""
LATE_SECONDS = 0.1
"""A message of the daemon comes so late at most."""
EVENTS_SECONDS = 4.0
"""What a loop published so long before a start belongs to it."""
SHOWN = ("/bridge/loop", "/bridge/remark", "/bridge/layer", "/bridge/output", "/bridge/error")
VOTERS = 12
"""So many of a set's first starts decide together where the recording begins."""


@dataclass(frozen=True)
class SetStart:
    """A clip that the output started at the clip's own tempo: a stretched one has other samples.

    Attributes:
        name: of the clip.
        begin: the index into the recording at which its first frame is, or would be.
        placed: by how many frames `begin` comes after the daemon's own number.
        seconds: when it started to sound.
        bar: the line it started on or just after, in bars from 1; it need not be whole.
        excused: whether an XRun is beside it.
        announced: bars that it may have been announced for; empty: it needed no announcement.
        events: what the loop published around it, with seconds from its start: a failure shows it.
    """

    name: str
    begin: int
    placed: int
    seconds: float
    bar: float
    excused: bool
    announced: Sequence[int]
    events: Sequence[str]


@dataclass(frozen=True)
class PlayedSet:
    """What was heard of a set.

    Attributes:
        starts: the clips that were found in the recording, in their order.
        missing: names of clips that were not found, though no XRun is beside them.
        silences: lengths of the silences in seconds, but for those beside an XRun.
        xruns: when the server missed periods.
        underflows: how many the daemon counted.
        kills: how often the engine was killed.
    """

    starts: Sequence[SetStart]
    missing: Sequence[str]
    silences: Sequence[float]
    xruns: Sequence[float]
    underflows: int
    kills: int

    def check(self) -> None:
        """Assert that all was in its place; what an XRun is beside does not count."""
        assert not self.missing, self.missing
        assert all(each < MOST_SILENCE_SECONDS for each in self.silences), self.silences
        assert self.underflows == 0 or self.xruns, "underflows without an XRun"
        off = [
            (before, after)
            for before, after in zip(self.starts, self.starts[1:], strict=False)
            if before.placed != after.placed and not self._xruns_between(before, after)
        ]
        assert not off, off
        for start in self.starts:
            if start.excused:
                continue
            off_seconds = abs(start.bar - round(start.bar)) * BAR_SECONDS
            assert off_seconds < MOST_OFF_SECONDS, start
            assert not start.announced or round(start.bar) in start.announced, start

    @property
    def compared(self) -> int:
        """How many starts have another one before them without an XRun between."""
        pairs = zip(self.starts, self.starts[1:], strict=False)
        return sum(not self._xruns_between(before, after) for before, after in pairs)

    def summary(self) -> str:
        """The figures, for who watches a soak."""
        return (
            f"{len(self.starts)} clips started, {self.compared} compared to the frame, "
            f"{sum(each.excused for each in self.starts)} beside an XRun; {len(self.xruns)} XRuns, "
            f"{self.underflows} underflows, {self.kills} kills"
        )

    def _xruns_between(self, before: SetStart, after: SetStart) -> bool:
        first = bisect_left(self.xruns, before.seconds - XRUN_SECONDS)
        return first < len(self.xruns) and self.xruns[first] < after.seconds + 1


def heard_set(
    clips: Path,
    lines: Sequence[dict[str, Any]],
    events: Sequence[Received],
    samples: NDArray[np.float32],
    at_seconds: Callable[[NDArray[np.int64]], NDArray[np.float64]],
    timeline: Timeline,
    xruns: Sequence[float],
    kills: int,
) -> PlayedSet:
    """Find each clip that the daemon names in what was heard."""
    starts: list[SetStart] = []
    missing: list[str] = []
    named = _named(clips, lines)
    placed = _first_placed(samples, named)
    for each in named:
        if each.own + placed + each.piece_end > len(samples):
            # The recording ends before the piece that is searched for.
            continue
        begin = _found(samples, each, placed)
        index = (each.own + placed if begin is None else begin) + each.position
        index = min(len(samples) - 1, max(0, index))
        seconds = float(at_seconds(np.array([index]))[0])
        beat = timeline.beat_at(seconds)
        if not _is_settled(timeline, beat, each.name):
            continue
        excused = any(-XRUN_SECONDS < xrun - seconds < 1 for xrun in xruns)
        if begin is None:
            if not excused:
                missing.append(f"{each.name} at bar {beat / 4 + 1:.3f}")
            continue
        placed = begin - each.own
        announced = _announced(events, each.name, seconds) if each.is_new and starts else ()
        around = [
            f"{event.seconds - seconds:+.3f} {event.address} {event.arguments}"
            for event in events
            if -EVENTS_SECONDS < event.seconds - seconds < 1 and event.address in SHOWN
        ]
        # What enters just after its line is as far as if it had started on it.
        late_beats = each.late_frames / SAMPLE_RATE * timeline.tempo_at(beat) / 60
        bar = (beat - late_beats) / 4 + 1
        starts.append(SetStart(each.name, begin, placed, seconds, bar, excused, announced, around))
    sounding = np.flatnonzero(np.abs(samples) > 1e-4)
    gaps = np.diff(sounding)
    silences = [
        gaps[number] / SAMPLE_RATE
        for number in np.flatnonzero(gaps > MOST_SILENCE_SECONDS * SAMPLE_RATE)
        if not any(
            -XRUN_SECONDS < xrun - seconds < 1
            for xrun in xruns
            for seconds in at_seconds(sounding[number : number + 1])
        )
    ]
    underflows = [line["underflows"] for line in lines if line.get("event") == "underflow"]
    return PlayedSet(starts, missing, silences, xruns, max(underflows, default=0), kills)


@dataclass(frozen=True)
class _Named:
    """A start as the daemon's log names it.

    Attributes:
        clip: `[frames]`, one channel of its file.
        own: the output's frame at which the clip's first frame is, or would be.
        position: the clip's frame at which it started.
        is_new: whether it started from its beginning, and another clip sounded before.
    """

    name: str
    clip: NDArray[np.float32]
    own: int
    position: int
    is_new: bool

    @property
    def late_frames(self) -> int:
        """How long after its line it entered."""
        return self.position if self.position < LATEST_SECONDS * SAMPLE_RATE else 0

    @property
    def first(self) -> int:
        """The clip's frame from which a piece of it is searched for."""
        return self.position + FIRST_FRAMES

    @property
    def piece_end(self) -> int:
        """The clip's frame with which that piece ends."""
        return self.first + PIECE_FRAMES


def _named(clips: Path, lines: Sequence[dict[str, Any]]) -> list[_Named]:
    """The starts that the daemon names, of clips that sound long enough to be found.

    A button that is pressed just after a line replaces what has started on it at once.
    """
    named = []
    sounded = ""
    started = [line for line in lines if line.get("event") == "start"]
    ends = [*(line["frame"] for line in started[1:]), math.inf]
    for line, end in zip(started, ends, strict=True):
        name, position = str(line["clip"]), int(line["position"])
        clip = soundfile.read(clips / f"{name}.wav", dtype="float32", always_2d=True)[0][:, 0]
        is_new = position == 0 and name != sounded
        start = _Named(name, clip, int(line["frame"]) - position, position, is_new)
        if start.piece_end <= len(clip) and start.own + start.piece_end <= end:
            named.append(start)
        sounded = name
    return named


def _first_placed(samples: NDArray[np.float32], named: Sequence[_Named]) -> int:
    """By how many frames the recording's numbers come after the daemon's, at the first starts.

    A clip is found again wherever it is repeated, and a repetition may be moved by some frames. So
    the starts vote; of equal votes the earliest place counts, as repetitions come later.
    """
    counted = Counter(
        int(begin) - each.own
        for each in named[:VOTERS]
        for begin in entries(samples, each.clip, each.first)
    )
    assert counted, "none of the clips is in the recording"
    return min(counted, key=lambda placed: (-counted[placed], placed))


def _found(samples: NDArray[np.float32], start: _Named, placed: int) -> int | None:
    """Where the clip's first frame is in what was heard; None: it is not there."""
    expected = start.own + placed
    low = max(0, expected + start.first - NEAR_FRAMES)
    near = samples[low : expected + start.piece_end + NEAR_FRAMES]
    if len(near) <= PIECE_FRAMES:
        return None
    found = entries(near, start.clip, start.first) + low
    return int(found[np.argmin(np.abs(found - expected))]) if len(found) else None


def _is_settled(timeline: Timeline, beat: float, name: str) -> bool:
    """Whether a clip of that name plays unstretched at a beat, on bar lines that are known."""
    tempo_bpm = timeline.tempo_at(beat)
    changes = [at for at, _ in timeline.tempi[1:]]
    is_near = any(-1 < beat - at < 4 * UNSETTLED_BARS for at in changes)
    return not is_near and f" {tempo_bpm:g}bpm " in name


def _announced(events: Sequence[Received], name: str, seconds: float) -> tuple[int, ...]:
    """The bars that a clip may have been announced for, which started at an instant.

    The last one long before it, and those around it: a message may be late, and the bar of a clip
    that replaces this one may be announced when this one can no longer be held back.
    """
    bars: list[int] = []
    for event in events:
        if event.address != "/bridge/loop":
            continue
        is_near = event.seconds > seconds - LATE_SECONDS
        if event.seconds > seconds + LATE_SECONDS or (is_near and event.arguments[5] == name):
            break
        if event.arguments[2] in ("queued", "slipped"):
            bar = int(str(event.arguments[4]))
            bars = [*bars, bar] if is_near else [bar]
    return tuple(bars)
