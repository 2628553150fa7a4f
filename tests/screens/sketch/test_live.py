"""A person at a terminal: hum, keys, and the clip that is heard, in tmux and through JACK."""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from scipy.signal import correlate

from tests.peers.jack import SAMPLE_RATE, JackServer, excusing_xruns, playing, recording
from tests.peers.terminal import PATIENCE_SECONDS, Pane
from tests.peers.wait import until
from tests.screens.sketch.program import EVENT_TYPES, started

LIKE = 0.99
"""Two sounds that correlate so are the same."""


@pytest.fixture
def pane(
    jack_server: JackServer, require_program: Callable[[str], str], model: Path, tmp_path: Path
) -> Iterator[Pane]:
    """The real program, with the server's input and output."""
    jack_server.forget_inputs()
    jack_server.forget_outputs()
    (tmp_path / "config.toml").touch()
    command = [
        *(sys.executable, "-m", "bridge", "sketch", "--config", str(tmp_path / "config.toml")),
        *("--osc-port", "0", "--midi", "none", "--clips", str(tmp_path / "Clips")),
        *("--model", str(model)),
    ]
    line = f"{shlex.join(command)}; echo STATUS $?; stty -a; exec sleep 1000"
    pane = Pane(require_program("tmux"), line)
    try:
        yield pane
    finally:
        pane.close()


def hum(melodies: Path) -> NDArray[np.float32]:
    """The first two bars of a hummed tune, on both channels."""
    samples, rate = soundfile.read(melodies / "twinkle-hum-100bpm.wav", dtype="float32")
    assert rate == SAMPLE_RATE
    mono = samples if samples.ndim == 1 else samples[:, 0]
    return np.repeat(mono[: round(4.8 * rate), None], 2, axis=1)


def test_from_a_hum_to_a_kept_clip_that_is_heard(
    pane: Pane, jack_server: JackServer, melodies: Path, tmp_path: Path
) -> None:
    def attempt() -> None:
        pane.wait("ready  ")
        pane.wait("system")
        with recording(tmp_path) as heard:
            with playing(hum(melodies), folder=tmp_path):
                pane.wait(" ¢")
                pane.wait("▄")
            pane.press("l")
            pane.wait("enter makes clips that follow the take")
            pane.press("Enter")
            pane.wait("▶A")
            best = best_clip(tmp_path)
            clip, _ = soundfile.read(best, dtype="float32")
            until(lambda: is_heard(clip, heard.samples()), "the clip is heard", PATIENCE_SECONDS)
        pane.press("k")
        pane.wait("★")
        assert json.loads(best.with_suffix(".json").read_text())["kept"] is True
        pane.press("p")
        pane.press("q")
        pane.wait("STATUS 0")
        assert " echo " in pane.text() and " icanon " in pane.text()

    excusing_xruns(jack_server, attempt)


def test_a_take_of_a_held_key_is_what_was_hummed_meanwhile(
    jack_server: JackServer, melodies: Path, tmp_path: Path
) -> None:
    """tmux passes no releases on: this is a terminal that does."""
    press, release = "\x1b[32;;32u", "\x1b[32;1:3u"
    jack_server.forget_inputs()

    def attempt() -> None:
        with started(tmp_path, "--input", "default") as program:
            program.wait("ready")
            program.wait("system")
            until(lambda: program.keyboard_flags & EVENT_TYPES, "it asks", PATIENCE_SECONDS)
            place = program.press(press)
            program.wait("● waits for sound", place)
            with playing(hum(melodies), folder=tmp_path):
                program.wait("● rec", place)
            place = program.press(release)
            program.wait("makes clips that follow the take", place)
            found = re.search(r"take (\d+\.\d) s", program.text())
            assert found is not None and 4.0 < float(found[1]) < 4.0 + PATIENCE_SECONDS

    excusing_xruns(jack_server, attempt)


def best_clip(folder: Path) -> Path:
    """The clip of index 0."""
    sidecars = (folder / "Clips").glob("*.json")
    (best,) = (path for path in sidecars if json.loads(path.read_text())["index"] == 0)
    return best.with_suffix(".wav")


def is_heard(clip: NDArray[np.float32], heard: NDArray[np.float32]) -> bool:
    """Whether a second of the clip is in what was heard."""
    piece = clip[:SAMPLE_RATE, 0]
    sound = np.nan_to_num(heard[:, 0])
    if len(sound) < len(piece):
        return False
    start = int(np.argmax(correlate(sound, piece, mode="valid")))
    found = sound[start : start + len(piece)]
    norm = float(np.linalg.norm(found) * np.linalg.norm(piece))
    return norm > 0 and float(found @ piece) / norm > LIKE
