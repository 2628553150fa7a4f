"""Fixtures and rules that all tests share.

`make test` runs pytest twice: first all tests but the exclusive ones, in several processes, a test
file to a process; then the exclusive ones, one after another in one process. A test is exclusive

- if it uses the JACK server, by whatever fixture: it then gets the marker here;
- if its figures are times that a second test would spoil: it then has `@pytest.mark.exclusive`.

No test may need an idle machine: another program's load makes it slower, and never fails it.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path

# One thread: the models are so small that a second one only waits, and several tests may run at
# once. Set before torch is imported; the processes that tests start inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import pytest
from hypothesis import HealthCheck, settings

# Daemons of tests keep their logs there, not in the user's folder.
_STATE = tempfile.TemporaryDirectory()
os.environ["XDG_STATE_HOME"] = _STATE.name

# A slow machine fails no test. A landing is judged on the same examples each time; a developer's
# runs look for new ones.
settings.register_profile(
    "tests",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=bool(os.environ.get("CI")),
)
settings.load_profile("tests")

_PEERS = ("display", "jack", "link", "ardour")
pytest_plugins = [f"tests.peers.{name}" for name in _PEERS]

MELODIES = Path(__file__).parent / "melodies"
SLOW_TIMEOUT_SECONDS = 1800

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts background jobs with SIGINT ignored, and the processes that tests interrupt
    # would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what uses the JACK server as exclusive, and give slow tests more time."""
    for item in items:
        if "module_jack_server" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.exclusive)
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.timeout(SLOW_TIMEOUT_SECONDS))


@pytest.fixture(scope="session")
def melodies() -> Path:
    """The folder of tunes: hums as WAV and their notes as MIDI, the tempo in the name."""
    return MELODIES


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny stereo checkpoint of random weights, for `--model`."""
    from tests.checkpoints import write_checkpoint

    return write_checkpoint(tmp_path_factory.mktemp("model"), channels=2)


@pytest.fixture(scope="session")
def require_program() -> Callable[[str], str]:
    """A function that finds a program's path.

    Without the program it skips the test, or fails it where MELODY_BRIDGE_REQUIRE_ALL is set.
    """

    def require(name: str) -> str:
        path = shutil.which(name)
        if path is None:
            missing = f"{name} is not installed"
            if os.environ.get("MELODY_BRIDGE_REQUIRE_ALL"):
                pytest.fail(missing)
            pytest.skip(missing)
        return path

    return require
