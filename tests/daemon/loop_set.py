"""A set on a live loop: minutes of seeded commands, tempo changes and kills of the engine.

What the output played is recorded. Each clip must begin there on the frame that the daemon names,
on the bar line that was announced. A period that the server misses excuses what is beside it.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.daemon.heard_set import PlayedSet, heard_set
from tests.daemon.loop_stage import BAR_SECONDS, TEMPO_BPM, Stage, tune
from tests.peers.daemon import Client, DaemonProcess, audio_pid, engine_pid
from tests.peers.daw import Daw
from tests.peers.jack import JackServer, playing, recording
from tests.peers.kills import INPUT_LOST_SECONDS
from tests.peers.wait import until
from tests.processes import KILL

CHANGES = ((48.0, 156.0), (96.0, 144.0), (144.0, float(TEMPO_BPM)))
"""Beats at which the tempo changes; at each end of a set it is the first again."""
LEAD_SECONDS = 6.0
"""Time for the recorder and the player to start, also on a slow machine: no set is repeated."""
PROMPTS = ("keys", "strings", "drums and bass")


def perform(
    server: JackServer,
    daemon: DaemonProcess,
    folder: Path,
    *,
    seconds: float,
    kills: int,
    most_bars: int,
    seed: int,
    loses_input: bool = False,
) -> PlayedSet:
    """Play a set, and listen to it.

    Args:
        seconds: its length.
        kills: of the engine, spread over the set.
        most_bars: of a loop.
        seed: decides the commands.
        loses_input: kill the audio process after the recorded part; what played comes back.
    """
    start = time.perf_counter() + LEAD_SECONDS
    already, xruns_before = len(daemon.log), len(server.xruns())
    bars = int(seconds / BAR_SECONDS)
    with (
        Client(daemon.port, f"set{seed}") as client,
        Daw(daemon.port, start_seconds=start, tempo_bpm=TEMPO_BPM, changes=CHANGES) as daw,
    ):
        stage = Stage(client, f"set-{seed}")
        with (
            recording(folder) as recorded,
            playing(tune(bars), at_seconds=start, folder=folder),
        ):
            until(lambda: time.perf_counter() > daw.seconds_of(4.5), "a bar is played")
            client.send("/bridge/loop/start", stage.id, "bars", 1, "prompt", PROMPTS[0])
            stage.state("playing", other_than="")
            _command(daemon, stage, start + seconds - BAR_SECONDS, kills, most_bars, seed)
            samples = np.nan_to_num(recorded.samples()[:, 0])
            at_seconds: Callable[[NDArray[np.int64]], NDArray[np.float64]] = recorded.seconds_at
            xruns = server.xruns()[xruns_before:]
            lines = daemon.log[already:]
            events = list(client.events)
            played = heard_set(
                daemon.clips, lines, events, samples, at_seconds, daw.timeline, xruns, kills
            )
        if loses_input:
            _lose_input(daemon, client)
        client.send("/bridge/loop/clear", stage.id)
        client.sync()
    return played


def _command(
    daemon: DaemonProcess, stage: Stage, end: float, kills: int, most_bars: int, seed: int
) -> None:
    """Send seeded commands, and kill the engine now and then, until an instant."""
    dice, begun = random.Random(seed), time.perf_counter()
    killed, is_frozen = 0, False
    while (now := time.perf_counter()) < end:
        if killed < kills and now > begun + (end - begun) * (killed + 1) / (kills + 1):
            os.kill(engine_pid(daemon), KILL)
            killed += 1
        match dice.choice(("undo", "redo", "bars", "prompt", "take", "freeze")):
            case "bars":
                settings: tuple[str | int, ...] = ("bars", dice.randint(1, most_bars))
                stage.client.send("/bridge/loop/set", stage.id, *settings)
            case "prompt":
                stage.client.send("/bridge/loop/set", stage.id, "prompt", dice.choice(PROMPTS))
            case "take":
                stage.client.send("/bridge/loop/start", stage.id)
                is_frozen = False
            case "freeze":
                is_frozen = not is_frozen
                stage.client.send("/bridge/loop/freeze", stage.id, int(is_frozen))
            case step:
                stage.client.send(f"/bridge/loop/{step}", stage.id)
        _wait_until(min(end, now + dice.uniform(1.0, 6.0)))


def _wait_until(seconds: float) -> None:
    until(lambda: time.perf_counter() >= seconds, "the next command")


def _lose_input(daemon: DaemonProcess, client: Client) -> None:
    """Kill the audio process: input and output come back, and so does what played."""
    lines, already = len(daemon.log), len(client.events)
    killed = time.perf_counter()
    os.kill(audio_pid(daemon), KILL)
    lost = client.wait("/bridge/input", "lost", after=already)
    assert lost.seconds - killed < INPUT_LOST_SECONDS
    client.wait("/bridge/input", "ready", after=client.events.index(lost))
    daemon.logged("start", after=lines)
