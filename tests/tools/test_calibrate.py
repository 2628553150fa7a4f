"""`melody-bridge calibrate` on a loopback of known delay, and its errors with their remedies."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from bridge.config.files import config_path
from bridge.errors import BridgeError, NoInput, NoOutput, NotHeard
from bridge.tools import calibrate
from bridge.tools.calibrate import Latency, measure_latency
from tests.peers.jack import SAMPLE_RATE, JackServer, excusing_xruns, loopback, without_xruns


@pytest.fixture(autouse=True)
def _be_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    # This server's callbacks are so regular that their times are known at once.
    monkeypatch.setattr(calibrate, "_SETTLING_SECONDS", 0.5)
    monkeypatch.setattr(calibrate, "_LONGEST_SECONDS", 0.3)
    monkeypatch.setattr(calibrate, "_SPACING_SECONDS", 0.45)


# PortAudio records in one cycle what it played in the last one, and counts that as no time: the
# measure is the loopback's delay.


def test_a_cable_is_measured_and_printed_for_the_configuration(
    jack_server: JackServer, capfd: pytest.CaptureFixture[str]
) -> None:
    with loopback(delay_frames=882) as name:
        status = without_xruns(
            jack_server, lambda: calibrate.main(input_=name, output=name, as_json=False)
        )
    assert status == 0
    report, errors = capfd.readouterr()
    *_, measured, file, line, playing, input_line, output_line = report.splitlines()
    assert str(config_path()) in file
    assert measured.startswith("loopback to loopback: ") and "5 sweeps within" in measured
    name, value = line.split(" = ")
    assert name == "input_latency_ms"
    assert float(value) == pytest.approx(20.0, abs=1.0)
    # Both parts are the round trip again; the server states them.
    assert "--output" in playing
    parts = dict(each.split(" = ") for each in (input_line, output_line))
    assert set(parts) == {"input_latency_ms", "output_latency_ms"}
    assert sum(map(float, parts.values())) == pytest.approx(float(value), abs=0.15)
    assert all(float(part) >= 0 for part in parts.values())
    assert errors == ""


def test_an_inverted_quiet_and_noisy_loopback_is_measured(
    jack_server: JackServer, capfd: pytest.CaptureFixture[str]
) -> None:
    with loopback(delay_frames=5000, gain=-0.02, noise=0.001) as name:
        without_xruns(jack_server, lambda: calibrate.main(input_=name, output=name, as_json=True))
    latency = Latency(**json.loads(capfd.readouterr().out.splitlines()[-1]))
    assert latency.milliseconds == pytest.approx(1000 * 5000 / SAMPLE_RATE, abs=1.0)
    assert latency.spread_ms < 1.0
    # A sweep that is not inverted would fit nearly as well, half a wave off.
    assert latency.correlation > 0.95
    assert (latency.input, latency.output, latency.repeats) == ("loopback", "loopback", 5)


def refused(measure: Callable[[], object]) -> str:
    with pytest.raises(BridgeError) as raised:
        measure()
    assert isinstance(raised.value, NotHeard)
    return str(raised.value)


def test_silence_and_noise_are_not_mistaken_for_the_sweeps(jack_server: JackServer) -> None:
    def attempt() -> None:
        report = refused(lambda: measure_latency("system", "system", repeats=1))
        assert "system, JACK Audio Connection Kit hears nothing: connect it" in report
        with loopback(delay_frames=100, gain=0.0, noise=0.5) as name:
            report = refused(lambda: measure_latency(name, name, repeats=1))
        assert "hears something, but not the sweeps" in report and "turn up" in report

    excusing_xruns(jack_server, attempt)


def test_repeats_that_disagree_are_refused(jack_server: JackServer) -> None:
    def attempt() -> None:
        with loopback(delay_frames=100, growth_frames=200) as name:
            report = refused(lambda: measure_latency(name, name, repeats=3))
        assert "ms late, and may differ by 2.0 ms: close other programs" in report

    excusing_xruns(jack_server, attempt)


def test_an_unknown_device_is_refused_at_once(jack_server: JackServer) -> None:
    with pytest.raises(NoInput, match="there is no input 'nothing'"):
        measure_latency("nothing")
    with pytest.raises(NoOutput, match="there is no output 'nothing'"):
        measure_latency(None, "nothing")
