"""`hum.sh` of docs/hosts.md, used as a person uses it: hum, reach for the key, press it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.peers.daemon import PATIENCE_SECONDS, running
from tests.peers.jack import LONG_PERIOD, SAMPLE_RATE, JackServer, playing, without_xruns
from tests.peers.wait import until

if sys.platform == "win32":
    pytest.skip("JACK and sh are POSIX's", allow_module_level=True)

HOSTS = Path(__file__).parents[2] / "docs" / "hosts.md"
PRESSED_AFTER_SECONDS = 3.0


@pytest.fixture(scope="module")
def jack_period() -> int:
    """A period that a busy machine seldom misses."""
    return LONG_PERIOD


def test_a_hum_is_whole_though_the_key_is_pressed_seconds_after_it(
    jack_server: JackServer, melodies: Path, tmp_path: Path
) -> None:
    (script,) = re.findall(r"```sh\n(#!/bin/sh\n.*?)```", HOSTS.read_text("utf-8"), re.DOTALL)
    hum, rate = soundfile.read(melodies / "saints-hum-120bpm.wav", dtype="float32", always_2d=True)
    assert (rate, len(hum)) == (SAMPLE_RATE, 8 * SAMPLE_RATE)
    key, program, clips = (tmp_path / name for name in ("hum.sh", "melody-bridge", "Clips"))
    key.write_text(script)

    def perform() -> None:
        with playing(np.repeat(hum, 2, axis=1), folder=tmp_path):
            pass
        pressed = time.perf_counter() + PRESSED_AFTER_SECONDS
        until(lambda: time.perf_counter() >= pressed, "the key is pressed")

    with running(clips, input="system") as daemon:
        daemon.logged("input", state="ready")
        daemon.ready()
        program.write_text(
            f'#!/bin/sh\nshift\nexec "{sys.executable}" -m bridge send '
            f'--osc-port {daemon.port} "$@"\n'
        )
        program.chmod(0o755)
        without_xruns(jack_server, perform)
        path = os.pathsep.join([str(tmp_path), os.environ["PATH"]])
        subprocess.run(
            ["sh", str(key)],
            check=True,
            timeout=PATIENCE_SECONDS,
            env={**os.environ, "PATH": path},
        )
    (sidecar,) = clips.glob("*.json")
    recipe = json.loads(sidecar.read_text("utf-8"))
    taken, _ = soundfile.read(recipe["melody"], dtype="float32", always_2d=True)
    first = int(np.flatnonzero(np.abs(taken[:, 0]) > 0.02)[0])
    start = int(np.flatnonzero(np.abs(hum[:, 0]) > 0.02)[0])
    assert first < 0.05 * SAMPLE_RATE
    heard, played = taken[first:, 0], hum[start:, 0]
    assert len(heard) >= len(played)
    assert np.array_equal(heard[: len(played)], played)
    assert not any("left out" in remark for remark in recipe["remarks"])
