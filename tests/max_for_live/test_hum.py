"""A hum and a hit on the pad become a clip: a sound card (JACK), the daemon, the device."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from scipy.signal import correlate

from tests.max_for_live.test_live import (
    BAR_SECONDS,
    OFF_SECONDS,
    add_connected_device,
    sidecar,
    wait_for_clips,
)
from tests.peers.daemon import DaemonProcess, running
from tests.peers.jack import SAMPLE_RATE, JackServer, PeerLate, excusing_xruns, playing
from tests.peers.live import live_set
from tests.peers.wait import until

LEAD_SECONDS = 2.0
MOST_LATE_SECONDS = 0.03
"""A song that starts this long after the hum starts again, with the hum."""
BARS = 2


@pytest.fixture(scope="module")
def daemon(
    module_jack_server: JackServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DaemonProcess]:
    with running(tmp_path_factory.mktemp("clips-hum"), input="system") as process:
        process.logged("input", state="ready")
        yield process.ready()


def offset_seconds(take: NDArray[np.float32], hum: NDArray[np.float32]) -> float:
    """Position in the hum at which a take begins, in seconds."""
    likeness = correlate(hum, take, mode="valid", method="fft")
    return float(np.argmax(likeness)) / SAMPLE_RATE


def test_the_bars_that_were_just_hummed_become_a_clip(
    daemon: DaemonProcess,
    jack_server: JackServer,
    require_program: Callable[[str], str],
    melodies: Path,
    tmp_path: Path,
) -> None:
    hum, rate = soundfile.read(melodies / "saints-hum-120bpm.wav", dtype="float32", always_2d=True)
    assert rate == SAMPLE_RATE
    stereo = np.repeat(hum[:, :1], 2, axis=1)

    def attempt() -> None:
        with live_set(require_program("node")) as live:
            device = add_connected_device(live, "one", live.add_track("Voice"), daemon.port)
            device.set_value("Bars", BARS)
            start = time.perf_counter() + LEAD_SECONDS
            with playing(stereo, at_seconds=start, folder=tmp_path):
                until(lambda: time.perf_counter() >= start, "the first beat")
                live.call("live.song.play")
                if time.perf_counter() - start > MOST_LATE_SECONDS:
                    raise PeerLate("the song started after the hum: the machine is too busy")
                # Early in the third bar.
                pressed = start + (BARS + 0.3) * BAR_SECONDS
                until(lambda: time.perf_counter() >= pressed, "the pad is hit")
                device.call("hitNote", "Hum to Clip")
                (clip,) = wait_for_clips(live, device, 1, BARS * 4.0)
                print(
                    f"the clip is in its slot {time.perf_counter() - pressed:.1f} s after the hit"
                )
        recorded = sidecar(clip)
        take, take_rate = soundfile.read(recorded["melody"], dtype="float32", always_2d=True)
        assert (take_rate, len(take)) == (SAMPLE_RATE, round(BARS * BAR_SECONDS * SAMPLE_RATE))
        # The song and the hum began together, so they have the same bar lines.
        late = offset_seconds(take[:, 0], stereo[:, 0])
        print(f"the take begins {late * 1000:.1f} ms after the bar line")
        assert abs(late) < OFF_SECONDS
        assert recorded["melody_similarity"] > 0.5

    excusing_xruns(jack_server, attempt)
