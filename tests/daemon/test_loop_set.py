"""Two minutes of a live loop's set, as `make soak` plays it for half an hour; and a hung engine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.daemon.loop_set import perform
from tests.daemon.loop_stage import BAR_SECONDS, BARS, band, on_stage
from tests.peers.daemon import engine_pid
from tests.peers.jack import LONG_PERIOD, SAMPLE_RATE, JackServer, excusing_xruns
from tests.processes import stop

SET_SECONDS = 120.0
KILLS = 1
HUNG = "sent nothing for"


@pytest.fixture(scope="module")
def jack_period() -> int:
    """Long periods: a busy machine misses few of them."""
    return LONG_PERIOD


@pytest.mark.slow
def test_each_swap_of_a_set_is_on_its_frame_and_each_bar_is_announced(
    jack_server: JackServer, tmp_path: Path, model: Path
) -> None:
    with on_stage(tmp_path, "--model", str(model)) as daemon:
        daemon.ready()
        played = perform(
            jack_server,
            daemon,
            tmp_path,
            seconds=SET_SECONDS,
            kills=KILLS,
            most_bars=4,
            seed=14,
            loses_input=True,
        )
    print(played.summary())
    played.check()
    if not played.compared:
        pytest.skip("an XRun between all swaps: the machine is too busy")


@pytest.mark.slow
def test_an_engine_that_hangs_costs_a_repeat_and_the_loop_goes_on(
    jack_server: JackServer, tmp_path: Path, model: Path
) -> None:
    def attempt() -> None:
        with on_stage(tmp_path, "--model", str(model)) as daemon:
            daemon.ready()
            with band(daemon, tmp_path, bars=60) as (stage, recorded):
                stage.client.send("/bridge/loop/start", stage.id, "bars", BARS, "prompt", "keys")
                first = stage.state("playing", other_than="")
                hung = engine_pid(daemon)
                stop(hung)
                restarting = stage.client.wait("/bridge/engine", "restarting")
                assert HUNG in str(restarting.arguments[1])
                second = stage.state("playing", other_than=first)
                assert second and engine_pid(daemon) != hung
                samples = np.nan_to_num(recorded.samples())
            sounding = np.flatnonzero(np.abs(samples).max(axis=1) > 1e-4)
            assert np.diff(sounding).max() < 0.05 * SAMPLE_RATE, "what played goes on"
            assert len(sounding) > 4 * BARS * BAR_SECONDS * SAMPLE_RATE

    excusing_xruns(jack_server, attempt)
