"""Whoever leads JACK's transport, a take is cut on its bar lines: klick, jack_transport, hardour.

What sounds is klick: a click on each bar line, in the cycles of the leader's own position.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from bridge.timing import Meter
from tests.peers.ardour import hardour
from tests.peers.ardour_home import Passage
from tests.peers.daemon import Client, running
from tests.peers.jack import INPUT_PORTS, SAMPLE_RATE, JackServer, excusing_xruns
from tests.peers.takes import click_starts, recorded
from tests.peers.transport import KLICK_PORT, TransportLeader, jack_transport, klick, leading
from tests.peers.wait import until

PERIOD = 1024
BARS = 4
MOST_OFF_MS = 1.0
CLICK_FRAMES = SAMPLE_RATE // 10
"""More than a click lasts, and less than a bar."""
BAR_LINES_ONLY = "-v", "1,0"
"""The volumes of the first beat of a bar and of the others."""
FOLLOWING = "-j", *BAR_LINES_ONLY


class Stage(NamedTuple):
    """What a leader has.

    Attributes:
        playhead: starts, stops and locates, and does not lead.
        folder: an empty one.
        require_program: finds a program's path.
    """

    server: JackServer
    playhead: TransportLeader
    tempo_bpm: float
    meter: Meter
    folder: Path
    require_program: Callable[[str], str]


@contextmanager
def by_klick(stage: Stage) -> Iterator[tuple[str, ...]]:
    yield *BAR_LINES_ONLY, "-T", str(stage.meter), str(stage.tempo_bpm)


@contextmanager
def by_jack_transport(stage: Stage) -> Iterator[tuple[str, ...]]:
    with jack_transport(stage.require_program("jack_transport")) as say:
        # It takes a new tempo, and a new place, while the transport is stopped. While it rolls,
        # JACK 1.9.21 gives it a place without meaning.
        for command in ("master", "tempo 120", f"tempo {stage.tempo_bpm}", "locate 480000"):
            say(command)
        until(lambda: stage.playhead.where()[1] == 480_000, "the playhead is moved")
        yield FOLLOWING


@contextmanager
def by_hardour(stage: Stage) -> Iterator[tuple[str, ...]]:
    passages = [Passage(0, stage.tempo_bpm, stage.meter)]
    home = stage.folder / "hardour"
    home.mkdir()
    with hardour(
        home, stage.server, passages, lambda: stage.playhead.given_bpm() == stage.tempo_bpm
    ):
        yield FOLLOWING


Leader = Callable[[Stage], AbstractContextManager[tuple[str, ...]]]
"""Leads while its block lasts; gives the words for the klick that clicks."""
STAGES: tuple[tuple[Leader, str, float, Meter], ...] = (
    (by_klick, "klick", 187.0, Meter(3, 4)),
    (by_klick, "klick", 187.0, Meter(7, 8)),
    # By its own ticks: it adds 72 in a period, and loses what is less than one.
    (by_jack_transport, "jack_transport", 96.9, Meter(4, 4)),
    # Of Ardour's ticks in 7/8, which count quarter notes, klick makes bar lines that are none.
    (by_hardour, "ardour7-new_session", 135.0, Meter(3, 4)),
)


@pytest.fixture(scope="module")
def jack_period() -> int:
    """Longer than usual, as a busy machine misses fewer."""
    return PERIOD


@pytest.mark.exclusive
@pytest.mark.parametrize(("leader", "program", "tempo_bpm", "meter"), STAGES)
def test_a_take_is_cut_on_the_leaders_bar_lines(
    leader: Leader,
    program: str,
    tempo_bpm: float,
    meter: Meter,
    model: Path,
    jack_server: JackServer,
    tmp_path_factory: pytest.TempPathFactory,
    require_program: Callable[[str], str],
) -> None:
    require_program(program)
    metronome = require_program("klick")
    bar_frames = float(meter.beats_per_bar) * 60 / tempo_bpm * SAMPLE_RATE

    def attempt() -> None:
        folder = tmp_path_factory.mktemp("cut")
        options = "--model", str(model), "--clock", "jack"
        with (
            running(folder / "Clips", *options, input="system") as daemon,
            Client(daemon.port) as client,
            leading(tempo_bpm, unit="none") as playhead,
        ):
            daemon.ready().logged("input", state="ready")
            stage = Stage(jack_server, playhead, tempo_bpm, meter, folder, require_program)
            with leader(stage) as words, klick(metronome, *words):
                samples = _captured(stage, client, bar_frames)
        assert len(samples) == round(BARS * bar_frames)
        starts = click_starts(samples)
        # A click goes up and down. The first one began before the take.
        is_first = np.diff(starts, prepend=0) > CLICK_FRAMES
        # The daemon takes what a cycle brings for the sound of the period before, as of a sound
        # card.
        lines = starts[is_first] + PERIOD
        off_ms = (lines - np.arange(1, len(lines) + 1) * bar_frames) / SAMPLE_RATE * 1000
        print(f"{leader.__name__} {meter}: {np.abs(off_ms).max(initial=0):.3f} ms off the bar line")
        assert len(lines) == BARS
        assert np.abs(off_ms).max() < MOST_OFF_MS

    excusing_xruns(jack_server, attempt)


def _captured(stage: Stage, client: Client, bar_frames: float) -> NDArray[np.float32]:
    """Play, and capture the bars that were just played."""
    playhead = stage.playhead
    stage.server.connect(KLICK_PORT, INPUT_PORTS[0])
    beats_bpm = stage.tempo_bpm * stage.meter.denominator / 4
    tempi = pytest.approx(stage.tempo_bpm), pytest.approx(beats_bpm)
    until(lambda: playhead.given_bpm() in tempi, "the leader gives its tempo")
    playhead.start()
    first_bar = math.ceil(playhead.where()[1] / bar_frames)
    over = (first_bar + BARS + 0.3) * bar_frames
    until(lambda: playhead.where()[1] > over, "the bars are over")
    id = f"cut-{time.monotonic_ns()}"
    client.send("/bridge/capture/last", id, BARS, "source", "sound")
    client.done(id)
    playhead.stop()
    samples, _ = recorded(client, id, BARS)
    return samples
