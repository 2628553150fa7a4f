"""Whatever happens to the device or to the audio process is told in time, and capture comes back.

What the issue wants within 1.5 s is given five times as long, for machines that are busy.
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
from bridge.commands import InputChanged
from bridge.soundcard import listener as listener_module
from tests.peers.jack import SAMPLE_RATE, JackServer, playing
from tests.peers.wait import until
from tests.soundcard.listening import Listening, listening

if sys.platform == "win32":
    pytest.skip("JACK and signals are POSIX's", allow_module_level=True)

NOTICED_SECONDS = 5 * 1.5


def test_without_a_server_it_says_so_and_hears_once_there_is_one(jack_server: JackServer) -> None:
    jack_server.stop()

    async def appears() -> None:
        async with listening() as ear:
            await ear.until(lambda: ear.changes, "word of the input")
            assert ear.changes[0][1] == InputChanged("none", "", 0)
            assert "plug an input in" in ear.listener.detail
            assert ear.listener.ring is None
            jack_server.start()
            await ear.ready()
            assert ear.changes[-1][1] == InputChanged("ready", "system", SAMPLE_RATE)
            assert ear.ring.channels == 2
            await ear.goes_on()
            assert ear.states == ["none", "ready"]

    asyncio.run(appears())


async def heard(ear: Listening, value: float, folder: Path) -> None:
    """Play a constant, and see that it is in the ring."""
    samples = np.full((SAMPLE_RATE // 10, 2), value, np.float32)
    start = ear.ring.frames_written
    with playing(samples, folder=folder):
        pass
    await ear.until(
        lambda: (ear.ring.read(start, ear.ring.frames_written) == np.float32(value)).any(),
        f"{value} in the ring",
    )


def test_a_server_that_dies_is_noticed_and_heard_again_once_it_is_back(
    jack_server: JackServer, tmp_path: Path
) -> None:
    async def dies() -> None:
        async with listening() as ear:
            await ear.ready()
            await heard(ear, 0.25, tmp_path)
            before = ear.ring
            jack_server.kill()
            assert await ear.lost_after(time.perf_counter()) < NOTICED_SECONDS
            assert ear.changes[-1][1] == InputChanged("lost", "system", SAMPLE_RATE)
            # What was captured is kept until there is something new, and longer for who holds it.
            assert ear.listener.ring is before
            assert (before.read(0, before.frames_written) == np.float32(0.25)).any()
            jack_server.start()
            await ear.ready(times=2)
            assert ear.ring is not before
            await heard(ear, 0.5, tmp_path)
            assert (before.read(0, before.frames_written) == np.float32(0.25)).any()
            assert ear.states == ["ready", "lost", "ready"]

    asyncio.run(dies())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_an_audio_process_that_dies_or_stops_is_replaced(
    jack_server: JackServer, number: signal.Signals
) -> None:
    async def replaced() -> None:
        async with listening() as ear:
            await ear.ready()
            before, frames, pid = ear.ring, ear.ring.frames_written, ear.listener.pid
            assert pid is not None
            os.kill(pid, number)
            assert await ear.lost_after(time.perf_counter()) < NOTICED_SECONDS
            assert before.read(0, frames).shape == (frames, 2)
            await ear.ready(times=2)
            assert ear.listener.pid != pid
            assert not Path(f"/proc/{pid}").exists()
            await ear.goes_on()

    asyncio.run(replaced())


def test_processes_that_die_at_once_are_started_ever_later(jack_server: JackServer) -> None:
    async def delays() -> list[float]:
        delays = []
        async with listening() as ear:
            for _ in range(2):
                await ear.until(lambda: ear.listener.pid, "a process")
                assert ear.listener.pid is not None
                os.kill(ear.listener.pid, signal.SIGKILL)
                await ear.until(lambda: ear.listener.pid is None, "its end")
                died_seconds = time.perf_counter()
                await ear.until(lambda: ear.listener.pid, "another process")
                delays.append(time.perf_counter() - died_seconds)
        return delays

    first, second = asyncio.run(delays())
    assert first > 0.45 and second > 0.9


def test_a_device_that_is_not_there_is_told_with_those_that_are(jack_server: JackServer) -> None:
    async def unknown() -> None:
        async with listening("the other microphone") as ear:
            await ear.until(lambda: ear.changes, "word of the input")
            assert ear.states == ["none"]
            assert "there is no input 'the other microphone'" in ear.listener.detail
            assert "system, JACK Audio Connection Kit" in ear.listener.detail

    asyncio.run(unknown())


def test_a_part_of_the_name_in_any_case_is_enough(jack_server: JackServer) -> None:
    async def named() -> None:
        async with listening("SYST") as ear:
            await ear.ready()
            assert ear.listener.device == "system"

    asyncio.run(named())


def test_stopping_leaves_no_process_and_no_shared_memory(jack_server: JackServer) -> None:
    async def stops() -> tuple[int | None, str]:
        async with listening() as ear:
            await ear.ready()
            # Nobody can attach it any more, and so nothing can be left of it.
            assert not Path("/dev/shm", ear.ring.name).exists()
            pid, name = ear.listener.pid, ear.ring.name
        assert ear.listener.ring is None
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


def stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """A sounddevice that does what a broken one does; a spawned process finds it too."""
    (folder / "sounddevice.py").write_text(code)
    monkeypatch.syspath_prepend(folder)


def test_without_portaudio_the_remedy_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, monkeypatch, "raise OSError('PortAudio library not found')")

    async def missing() -> None:
        async with listening() as ear:
            await ear.until(lambda: ear.changes, "word of the input")
            assert ear.changes[0][1] == InputChanged("none", "", 0)
            assert "PortAudio is not installed: apt install libportaudio2" in ear.listener.detail

    asyncio.run(missing())


def test_a_process_that_a_device_does_not_let_go_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It hangs outside Python, and its heart beats."""
    stand_in(
        tmp_path,
        monkeypatch,
        "import time\n"
        "class PortAudioError(Exception): pass\n"
        "def query_hostapis(): time.sleep(1000)\n",
    )
    monkeypatch.setattr(listener_module, "STUCK_SECONDS", 2.0)

    async def hangs() -> None:
        async with listening() as ear:
            await ear.until(lambda: ear.listener.pid, "a process")
            pid = ear.listener.pid
            await ear.until(lambda: ear.listener.pid not in (None, pid), "another process")
            assert "a device does not answer" in ear.listener.detail
            assert not Path(f"/proc/{pid}").exists()

    asyncio.run(hangs())


def test_a_process_that_is_stopped_while_it_waits_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, monkeypatch, "raise OSError('PortAudio library not found')")
    monkeypatch.setattr(listener_module, "QUIET_SECONDS", 1.5)

    async def stopped() -> None:
        async with listening() as ear:
            await ear.until(lambda: ear.changes, "word of the input")
            pid = ear.listener.pid
            assert pid is not None
            os.kill(pid, signal.SIGSTOP)
            await ear.until(lambda: ear.listener.pid not in (None, pid), "another process")
            assert "the audio process does not answer" in ear.listener.detail
            assert not Path(f"/proc/{pid}").exists()

    asyncio.run(stopped())


def test_overflows_of_earlier_rings_are_counted_on(jack_server: JackServer) -> None:
    async def counted() -> None:
        async with listening() as ear:
            await ear.ready()
            ear.ring.count_overflow()
            before = ear.listener.overflows
            assert before >= 1 and ear.listener.pid is not None
            os.kill(ear.listener.pid, signal.SIGKILL)
            await ear.ready(times=2)
            assert ear.listener.overflows >= before

    asyncio.run(counted())
