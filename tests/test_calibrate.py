"""A loopback of known delay is measured; what is not clearly heard is refused with the remedy."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from bridge import calibrate
from bridge.calibrate import measure_latency
from bridge.errors import BridgeError, NoInput, NoOutput, NotHeard
from tests.peers.jack import SAMPLE_RATE, JackServer, loopback, without_xruns


@pytest.fixture(autouse=True)
def _settle_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    # This server's callbacks come so evenly that their times are known at once.
    monkeypatch.setattr(calibrate, "_SETTLING_SECONDS", 0.5)


@pytest.mark.parametrize(
    ("delay_frames", "gain", "noise"),
    [(441, 1.0, 0.0), (5000, -0.02, 0.001)],
    ids=["a cable", "inverted, quiet and noisy"],
)
def test_a_known_delay_is_measured(
    jack_server: JackServer, delay_frames: int, gain: float, noise: float
) -> None:
    with loopback(delay_frames=delay_frames, gain=gain, noise=noise) as name:
        latency = without_xruns(jack_server, lambda: measure_latency(name, name, repeats=3))
    # PortAudio hears in the same cycle what it played in the last: nothing else adds to the delay.
    assert latency.milliseconds == pytest.approx(1000 * delay_frames / SAMPLE_RATE, abs=1.0)
    assert latency.spread_ms < 1.0
    assert latency.repeats == 3
    assert (latency.input, latency.output) == (name, name)


def refused(measure: Callable[[], object]) -> str:
    with pytest.raises(BridgeError) as raised:
        measure()
    assert isinstance(raised.value, NotHeard)
    return str(raised.value)


def test_silence_and_noise_are_not_taken_for_the_sweeps(jack_server: JackServer) -> None:
    told = refused(lambda: measure_latency("system", "system", repeats=1))
    assert "system, JACK Audio Connection Kit hears nothing: connect it" in told
    with loopback(delay_frames=100, gain=0.0, noise=0.5) as name:
        told = refused(lambda: measure_latency(name, name, repeats=1))
    assert "hears something, but not the sweeps" in told and "turn up" in told


def test_repeats_that_disagree_are_no_measurement(jack_server: JackServer) -> None:
    with loopback(delay_frames=100, growth_frames=200) as name:
        told = refused(lambda: measure_latency(name, name, repeats=3))
    assert "ms late, and may differ by 2.0 ms: close other programs" in told


def test_a_device_that_is_not_there_is_refused_at_once(jack_server: JackServer) -> None:
    with pytest.raises(NoInput, match="there is no input 'nothing'"):
        measure_latency("nothing")
    with pytest.raises(NoOutput, match="there is no output 'nothing'"):
        measure_latency(None, "nothing")


def test_the_result_is_printed_as_a_line_of_the_configuration(
    jack_server: JackServer, capfd: pytest.CaptureFixture[str]
) -> None:
    with loopback(delay_frames=882) as name:
        status = without_xruns(
            jack_server, lambda: calibrate.main(input_=name, output=name, as_json=True)
        )
    assert status == 0
    told, errors = capfd.readouterr()
    assert json.loads(told.splitlines()[-1])["milliseconds"] == pytest.approx(20, abs=3)
    assert errors == ""
