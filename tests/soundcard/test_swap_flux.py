"""Swaps of real clips, offline: no listener hears a click, as the spectral flux shows."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import ExitStack
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from bridge.soundcard.fades import FADE_SECONDS
from bridge.soundcard.mixer import Mixer, Start
from tests.soundcard.clip_material import CLIPS, RATE, clip_memory, spectral_flux

FADE = round(FADE_SECONDS * RATE)
HOP, WINDOW = 128, 256
"""Of `spectral_flux`."""
LOWEST_HZ = 2000.0
"""A click is in every part of the spectrum; below, the music's own attacks hide it."""
PERCENTILE = 99
BLOCK = 512


@pytest.fixture(scope="module")
def loops(melodies: Path, tmp_path_factory: pytest.TempPathFactory) -> list[NDArray[np.float32]]:
    """Three loops of two bars that pocket made of one melody, `[frames, 2]` each."""
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "bridge", "render", str(melodies / "saints-hum-120bpm.wav")),
            *("--prompt", "electric piano, bass and drums", "--tempo", "120", "--bars", "2"),
            *("--variations", "3", "--seed", "14", "--json"),
            *("--out", str(tmp_path_factory.mktemp("loops"))),
        ],
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    paths = [clip["path"] for clip in json.loads(ran.stdout)["clips"]]
    return [soundfile.read(path, dtype="float32", always_2d=True)[0] for path in paths]


def swapped(
    before: NDArray[np.float32], after: NDArray[np.float32], at: int
) -> NDArray[np.float32]:
    """What the output plays when a loop takes another's place at a frame."""
    out = np.zeros((at + len(after), 2), np.float32)
    with ExitStack() as stack:
        one, two = (stack.enter_context(clip_memory(each)) for each in (before, after))
        mixer = Mixer(RATE, 2, CLIPS)
        mixer.give(Start(0, one.number, 0))
        for first in range(0, len(out), BLOCK):
            if first == BLOCK:
                mixer.give(Start(0, two.number, at))
            mixer.render(out[first : first + BLOCK], first)
    return out


def flux_in(samples: NDArray[np.float32], first: int, last: int) -> float:
    """The highest flux of windows between two frames."""
    flux = spectral_flux(samples, LOWEST_HZ)
    # Value k is the growth from the window at k * HOP to the next one.
    return float(flux[-(-first // HOP) : (last - WINDOW - HOP) // HOP + 1].max())


def usual(loop: NDArray[np.float32]) -> float:
    """The 99th percentile of a loop's own flux, as it plays again and again."""
    return float(np.percentile(spectral_flux(np.tile(loop, (2, 1)), LOWEST_HZ), PERCENTILE))


@pytest.mark.parametrize("share", [1, 2, 2.25], ids=["loop", "two loops", "in the middle"])
def test_the_flux_at_each_swap_is_within_the_loops_own(
    loops: list[NDArray[np.float32]], share: float
) -> None:
    for before, after in permutations(loops, 2):
        at = round(share * len(before))
        limit = max(usual(before), usual(after))
        first, last = at - FADE - WINDOW, at + 4 * HOP
        # The loop's own first beat is an attack: after the loop itself, and after silence. It is
        # at the same frame, since its flux depends on where the windows cut it.
        own = np.tile(after, (3, 1))[-at:]
        attack = max(
            flux_in(np.concatenate([each, after]), first, last)
            for each in (own, np.zeros_like(own))
        )
        # Where both loops have an attack in the cross-fade, a listener hears both.
        others = flux_in(np.tile(before, (4, 1)), first, last)
        out = swapped(before, after, at)
        assert flux_in(out, first, last) <= max(limit, attack + others)


def test_the_flux_of_a_hard_cut_is_above_that(loops: list[NDArray[np.float32]]) -> None:
    for loop in loops:
        first = len(loop) // 8
        peak = first + int(np.abs(loop[first:-first].mean(axis=1)).argmax())
        hard = loop.copy()
        hard[peak:] *= -1
        assert flux_in(hard, peak - 2 * WINDOW, peak + 2 * WINDOW) > usual(loop)
