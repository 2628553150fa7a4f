"""Failures of the device or the audio process are reported in time, and recording comes back.

The listener must notice within 1.5 s; the tests allow five times that, for busy machines.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import bridge
from bridge.events import InputChanged
from bridge.process import kept
from tests.peers.jack import SAMPLE_RATE, JackServer, playing
from tests.peers.wait import until
from tests.soundcard.observed_listener import ObservedListener, observed_listener

if sys.platform == "win32":
    pytest.skip("JACK and signals are POSIX's", allow_module_level=True)

NOTICED_SECONDS = 5 * 1.5


def test_without_a_server_it_says_so_and_records_once_there_is_one(jack_server: JackServer) -> None:
    jack_server.stop()

    async def appears() -> None:
        async with observed_listener() as observed:
            await observed.until(lambda: observed.changes, "report of the input")
            assert observed.changes[0][1] == InputChanged("none", "", 0)
            assert "plug an input in" in observed.listener.detail
            assert observed.listener.ring is None
            jack_server.start()
            await observed.ready()
            assert observed.changes[-1][1] == InputChanged("ready", "system", SAMPLE_RATE)
            assert observed.ring.channels == 2
            await observed.receives_audio()
            assert observed.states == ["none", "ready"]

    asyncio.run(appears())


async def check_recorded(observed: ObservedListener, value: float, folder: Path) -> None:
    """Play a constant, and wait until it is in the ring."""
    samples = np.full((SAMPLE_RATE // 10, 2), value, np.float32)
    start = observed.ring.frames_written
    with playing(samples, folder=folder):
        pass
    await observed.until(
        lambda: (
            observed.ring.read(start, observed.ring.frames_written) == np.float32(value)
        ).any(),
        f"{value} in the ring",
    )


def test_a_server_that_dies_is_reported_and_recorded_again_once_it_is_back(
    jack_server: JackServer, tmp_path: Path
) -> None:
    async def dies() -> None:
        async with observed_listener() as observed:
            await observed.ready()
            await check_recorded(observed, 0.25, tmp_path)
            before = observed.ring
            jack_server.kill()
            assert await observed.seconds_until_lost(time.perf_counter()) < NOTICED_SECONDS
            assert observed.changes[-1][1] == InputChanged("lost", "system", SAMPLE_RATE)
            # The old ring stays until there is a new one, and after that while it is referenced.
            assert observed.listener.ring is before
            assert (before.read(0, before.frames_written) == np.float32(0.25)).any()
            jack_server.start()
            await observed.ready(times=2)
            assert observed.ring is not before
            await check_recorded(observed, 0.5, tmp_path)
            assert (before.read(0, before.frames_written) == np.float32(0.25)).any()
            assert observed.states == ["ready", "lost", "ready"]

    asyncio.run(dies())


@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGSTOP])
def test_an_audio_process_that_dies_or_stops_is_replaced(
    jack_server: JackServer, signal_number: signal.Signals
) -> None:
    async def replaced() -> None:
        async with observed_listener() as observed:
            await observed.ready()
            before, frames, pid = observed.ring, observed.ring.frames_written, observed.listener.pid
            assert pid is not None
            os.kill(pid, signal_number)
            assert await observed.seconds_until_lost(time.perf_counter()) < NOTICED_SECONDS
            assert before.read(0, frames).shape == (frames, 2)
            await observed.ready(times=2)
            assert observed.listener.pid != pid
            assert not Path(f"/proc/{pid}").exists()
            await observed.receives_audio()

    asyncio.run(replaced())


def test_the_restart_delay_grows_when_processes_die_at_once(jack_server: JackServer) -> None:
    async def delays() -> list[float]:
        delays = []
        async with observed_listener() as observed:
            for _ in range(2):
                await observed.until(lambda: observed.listener.pid, "a process")
                assert observed.listener.pid is not None
                os.kill(observed.listener.pid, signal.SIGKILL)
                await observed.until(lambda: observed.listener.pid is None, "its end")
                died_seconds = time.perf_counter()
                await observed.until(lambda: observed.listener.pid, "another process")
                delays.append(time.perf_counter() - died_seconds)
        return delays

    first, second = asyncio.run(delays())
    assert first > 0.45 and second > 0.9


def test_a_missing_device_is_reported_with_those_that_exist(jack_server: JackServer) -> None:
    async def unknown() -> None:
        async with observed_listener("the other microphone") as observed:
            await observed.until(lambda: observed.changes, "report of the input")
            assert observed.states == ["none"]
            assert "there is no input 'the other microphone'" in observed.listener.detail
            assert "system, JACK Audio Connection Kit" in observed.listener.detail

    asyncio.run(unknown())


def test_a_part_of_the_name_in_any_case_selects_the_input(jack_server: JackServer) -> None:
    async def named() -> None:
        async with observed_listener("SYST") as observed:
            await observed.ready()
            assert observed.listener.device == "system"

    asyncio.run(named())


def test_stopping_leaves_no_process_and_no_shared_memory(jack_server: JackServer) -> None:
    async def stops() -> tuple[int | None, str]:
        async with observed_listener() as observed:
            await observed.ready()
            # Without a name, no process can attach it and nothing of it can be left.
            assert not Path("/dev/shm", observed.ring.name).exists()
            pid, name = observed.listener.pid, observed.ring.name
        assert observed.listener.ring is None
        return pid, name

    pid, name = asyncio.run(stops())
    assert not Path(f"/proc/{pid}").exists()
    assert name not in Path("/proc/self/maps").read_text()


DAEMON = """
import asyncio, sys
from bridge.soundcard.listener import Listener

async def listen():
    ready = asyncio.Event()
    listener = Listener(None, lambda change: change.state == "ready" and ready.set())
    listener.start()
    await ready.wait()
    print(listener.pid, listener.ring.name, flush=True)
    await asyncio.Event().wait()

if __name__ == "__main__":
    asyncio.run(listen())
"""


@pytest.mark.parametrize("audio", ["running", "stopped"])
def test_a_daemon_that_is_killed_leaves_no_process_and_no_shared_memory(
    jack_server: JackServer, tmp_path: Path, audio: str
) -> None:
    script = tmp_path / "daemon.py"
    script.write_text(DAEMON)
    daemon = subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(bridge.__file__).parents[1])},
    )
    assert daemon.stdout is not None
    pid, name = daemon.stdout.readline().split()
    if audio == "stopped":
        os.kill(int(pid), signal.SIGSTOP)
    daemon.kill()
    _, errors = daemon.communicate()
    until(lambda: not Path(f"/proc/{pid}").exists(), "the audio process has ended")
    assert not Path("/dev/shm", name).exists()
    assert errors == ""


def install_sounddevice(folder: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Install a fake sounddevice that runs `code`; a spawned process imports it too."""
    (folder / "sounddevice.py").write_text(code)
    monkeypatch.syspath_prepend(folder)


def test_a_missing_portaudio_is_reported_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_sounddevice(tmp_path, monkeypatch, "raise OSError('PortAudio library not found')")

    async def missing() -> None:
        async with observed_listener() as observed:
            await observed.until(lambda: observed.changes, "report of the input")
            assert observed.changes[0][1] == InputChanged("none", "", 0)
            assert (
                "PortAudio is not installed: apt install libportaudio2" in observed.listener.detail
            )

    asyncio.run(missing())


def test_a_process_that_a_device_blocks_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It hangs outside Python while its heartbeat goes on."""
    install_sounddevice(
        tmp_path,
        monkeypatch,
        "import time\n"
        "class PortAudioError(Exception): pass\n"
        "def query_hostapis(): time.sleep(1000)\n",
    )
    monkeypatch.setattr(kept, "STUCK_SECONDS", 2.0)

    async def hangs() -> None:
        async with observed_listener() as observed:
            await observed.until(lambda: observed.listener.pid, "a process")
            pid = observed.listener.pid
            await observed.until(
                lambda: observed.listener.pid not in (None, pid), "another process"
            )
            assert "a device does not answer" in observed.listener.detail
            assert not Path(f"/proc/{pid}").exists()

    asyncio.run(hangs())


def test_a_process_that_is_stopped_while_it_waits_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_sounddevice(tmp_path, monkeypatch, "raise OSError('PortAudio library not found')")

    async def stopped() -> None:
        async with observed_listener() as observed:
            await observed.until(lambda: observed.changes, "report of the input")
            # Not before: the start of a process may take longer on a slow machine.
            monkeypatch.setattr(kept, "QUIET_SECONDS", 1.5)
            pid = observed.listener.pid
            assert pid is not None
            os.kill(pid, signal.SIGSTOP)
            await observed.until(
                lambda: observed.listener.pid not in (None, pid), "another process"
            )
            assert "the audio process does not answer" in observed.listener.detail
            assert not Path(f"/proc/{pid}").exists()

    asyncio.run(stopped())


def test_overflows_of_earlier_rings_still_count(jack_server: JackServer) -> None:
    async def counted() -> None:
        async with observed_listener() as observed:
            await observed.ready()
            observed.ring.count_overflow()
            before = observed.listener.overflows
            assert before >= 1 and observed.listener.pid is not None
            os.kill(observed.listener.pid, signal.SIGKILL)
            await observed.ready(times=2)
            assert observed.listener.overflows >= before

    asyncio.run(counted())
