"""A JACK server with a dummy sound card, and programs that play into its inputs.

The server has a name of its own, which the processes that a test starts find in their environment.
On a busy machine it misses periods now and then. `xruns` gives the times, so that a test can
discard such a passage and play it again.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
from numpy.typing import NDArray

from bridge.errors import BridgeError
from tests.peers.programs import close, start
from tests.peers.wait import until
from tests.processes import KILL

SAMPLE_RATE = 44_100
PERIOD = 512
LONG_PERIOD = 2048
"""A busy machine misses few periods of this length. A test module asks for it: `jack_period`."""
ATTEMPTS = 10
INPUT_PORTS = ("PortAudio:in_0", "PortAudio:in_1")
"""The ports of the only input stream that a process has open through PortAudio."""
OUTPUT_PORTS = ("PortAudio:out_0", "PortAudio:out_1")
"""The ports of the only output stream that a process has open through PortAudio."""
XRUN_SECONDS = 3.0
"""After an XRun the server's clock is wrong for this long."""
Result = TypeVar("Result")


class PlayerDropped(AssertionError):
    """The server stopped calling a player before all was played."""


class PeerLate(AssertionError):
    """A program of the test was not ready at its instant: the attempt shows nothing."""


class JackServer:
    """A server with a sound card of two outputs. Make it with the fixture `jack_server`.

    Attributes:
        name: the server's name, which clients take from JACK_DEFAULT_SERVER.
    """

    def __init__(self, name: str, period: int = PERIOD) -> None:
        self.name, self._period = name, period
        self._server: subprocess.Popen[bytes] | None = None
        self._monitor: subprocess.Popen[str] | None = None

    def start(self, inputs: int = 2) -> None:
        """Start the server, and wait until it accepts clients.

        Args:
            inputs: of the sound card.
        """
        assert self._server is None
        self._server = subprocess.Popen(
            # The server ends when this process is killed, and frees its place: JACK has eight.
            f"setpriv --pdeathsig TERM jackd -r -n {self.name} "
            f"-d dummy -r {SAMPLE_RATE} -p {self._period} -C {inputs} -P 2".split(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        # The monitor is ready once it is a client: so the server accepts clients.
        self._monitor = start("tests.peers.jack_monitor")
        assert self._monitor.stdout is not None
        assert self._monitor.stdout.readline() == "ready\n"

    def stop(self) -> None:
        """Stop the server as a user does; do nothing if it is stopped."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill the server."""
        self._end(KILL)

    @property
    def running(self) -> bool:
        """Whether the server has been started and not stopped."""
        return self._server is not None

    @property
    def pid(self) -> int:
        """The server's process number."""
        assert self._server is not None
        return self._server.pid

    def xruns(self) -> list[float]:
        """When the server missed a period since its start, in `time.perf_counter` seconds."""
        assert self._monitor is not None and self._monitor.stdin and self._monitor.stdout
        self._monitor.stdin.write("\n")
        self._monitor.stdin.flush()
        return [float(word) for word in self._monitor.stdout.readline().split()]

    def ports(self) -> list[str]:
        """The names of all ports."""
        names: list[str] = []

        def listed() -> bool:
            # A busy server refuses a client now and then.
            asked = subprocess.run(["jack_lsp"], capture_output=True, text=True)
            names[:] = asked.stdout.splitlines()
            return asked.returncode == 0

        until(listed, "the server lists its ports")
        return names

    def forget_inputs(self) -> None:
        """Wait until the server has noticed that earlier input streams are gone.

        Until then the ports of the next stream have other names than `INPUT_PORTS`.
        """
        self.forget(INPUT_PORTS)

    def forget_outputs(self) -> None:
        """Wait until the server has noticed that earlier output streams are gone."""
        self.forget(OUTPUT_PORTS)

    def forget(self, ports: tuple[str, ...]) -> None:
        """Wait until the server has noticed that a program with these ports is gone."""
        until(lambda: not set(ports) & set(self.ports()), f"{', '.join(ports)} are forgotten")

    def connect(self, output: str, input_: str) -> None:
        """Wait for two ports, and connect them."""
        try:
            until(lambda: {output, input_} <= set(self.ports()), f"{output} and {input_} are there")
        except AssertionError as error:
            raise AssertionError(f"{error}; there are {self.ports()}") from error
        connect = ["jack_connect", output, input_]
        until(lambda: subprocess.run(connect).returncode == 0, f"{output} plays into {input_}")

    def _end(self, number: int) -> None:
        if self._server is not None:
            self._server.send_signal(number)
            self._server.wait()
        if self._monitor is not None:
            # After the server, which waits up to six seconds for a client that was killed.
            close(self._monitor)
        self._monitor = self._server = None
        # Clients that were killed leave these files.
        for left in Path("/dev/shm").glob(f"jack_*{self.name}_*"):
            left.unlink()


@contextmanager
def playing(
    samples: NDArray[np.float32],
    ports: tuple[str, ...] = INPUT_PORTS,
    *,
    at_seconds: float = 0.0,
    work_seconds: float = 0.0,
    to_the_end: bool = True,
    folder: Path,
) -> Iterator[subprocess.Popen[str]]:
    """Play as a sound card would: the sound of a period comes in the cycle after it.

    Args:
        samples: `[frames, channels]`, a channel for each port.
        at_seconds: when the first frame sounds, in `time.perf_counter` seconds, a second or more
            from now; 0: as soon as possible. After an XRun the server's clock, and so the player,
            is wrong by some milliseconds for `XRUN_SECONDS`.
        work_seconds: how long the player works in each cycle before its sound is there.
        to_the_end: the end of the block waits until all is played; otherwise it ends the player.
        folder: where the player finds the samples.

    Raises:
        PeerLate: the player was not ready at `at_seconds`.
    """
    path = folder / "playing.npy"
    np.save(path, samples)
    numbers = map(repr, (at_seconds, work_seconds))
    player = start("tests.peers.jack_player", str(path), *numbers, *ports)
    try:
        assert player.stdout is not None
        begun = player.stdout.readline()
        if begun == "late\n":
            raise PeerLate("the player was not ready at its instant: the machine is too slow")
        assert begun == "ready\n"
        yield player
        if to_the_end and player.stdout.readline() != "done\n":
            raise PlayerDropped("JACK dropped the player: the machine is too busy")
    finally:
        close(player)


@contextmanager
def playing_file(
    server: JackServer, path: Path, ports: tuple[str, ...] = INPUT_PORTS
) -> Iterator[None]:
    """Play a stereo file with sndfile-jackplay. The end of the block waits until it is played."""
    player = subprocess.Popen(
        ["sndfile-jackplay", "--wait", str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        for number, port in enumerate(ports, start=1):
            server.connect(f"jackplay:out_{number}", port)
        assert player.stdin is not None
        player.stdin.write("\n")
        player.stdin.flush()
        yield
        assert player.wait() == 0
    finally:
        close(player)


@contextmanager
def loopback(
    *, delay_frames: int, gain: float = 1.0, noise: float = 0.0, growth_frames: int = 0
) -> Iterator[str]:
    """Start a device whose input repeats its output after a delay, and give its name.

    Args:
        gain: factor from output to input.
        noise: amplitude of added white noise.
        growth_frames: growth of the delay, twice a second.
    """
    arguments = map(str, (delay_frames, gain, noise, growth_frames))
    client = start("tests.peers.jack_loopback", *arguments)
    try:
        assert client.stdout is not None
        assert client.stdout.readline() == "ready\n"
        yield "loopback"
    finally:
        close(client)


class JackRecording:
    """What a recorder has heard so far. Make it with `recording`."""

    def __init__(self, process: subprocess.Popen[str], path: Path) -> None:
        self._process, self._path = process, path

    def samples(self) -> NDArray[np.float32]:
        """All samples by the server's frames, from the first one recorded on: `[frames, ports]`.

        NaN where the server missed periods.
        """
        return self.samples_and_transport()[0]

    def samples_and_transport(self) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """All samples, as `samples` gives them, and the frame of the JACK transport at each."""
        starts, _, transport, cycles = self._saved()
        frames = starts[-1] + cycles.shape[1]
        samples = np.full((frames, cycles.shape[2]), np.nan, np.float32)
        positions = np.full(frames, -1, np.int64)
        for first, position, cycle in zip(starts, transport, cycles, strict=True):
            samples[first : first + len(cycle)] = cycle
            positions[first : first + len(cycle)] = position + np.arange(len(cycle))
        return samples, positions

    def seconds_at(self, frames: NDArray[np.int64]) -> NDArray[np.float64]:
        """When the cycles of those frames of `samples` had them, on `time.perf_counter`."""
        starts, seconds, _, _ = self._saved()
        cycle = np.searchsorted(starts, frames, side="right") - 1
        times: NDArray[np.float64] = seconds[cycle] + (frames - starts[cycle]) / SAMPLE_RATE
        return times

    def _saved(
        self,
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64], NDArray[np.float32]]:
        """The first frame, time, frame of the transport, and samples of each cycle."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "saved\n"
        with np.load(self._path) as saved:
            starts = saved["starts"] - saved["starts"][0]
            return starts, saved["seconds"], saved["transport"].astype(np.int64), saved["samples"]


@contextmanager
def recording(folder: Path, ports: tuple[str, ...] = OUTPUT_PORTS) -> Iterator[JackRecording]:
    """Record ports, from before this returns.

    Args:
        folder: where the recorder saves the samples.
    """
    path = folder / "recorded.npz"
    recorder = start("tests.peers.jack_recorder", str(path), *ports)
    try:
        assert recorder.stdout is not None
        assert recorder.stdout.readline() == "ready\n"
        yield JackRecording(recorder, path)
    finally:
        close(recorder)


def without_xruns(server: JackServer, attempt: Callable[[], Result]) -> Result:
    """Repeat an attempt until the server misses no period in it; return or raise its result.

    Repeats it too after a `PeerLate`. Skips the test after `ATTEMPTS` such attempts: the machine is
    too busy.
    """
    return _attempted(server, attempt, xruns_fail=True)


def excusing_xruns(
    server: JackServer, attempt: Callable[[], Result], *, fresh: bool = False
) -> Result:
    """Repeat an attempt that fails while the server misses a period; return or raise its result.

    Repeats it too after a `PeerLate`. Skips the test after `ATTEMPTS` such failures: the machine is
    too busy.

    Args:
        fresh: each further attempt has a server that was started anew.
    """
    return _attempted(server, attempt, xruns_fail=False, fresh=fresh)


def _attempted(
    server: JackServer, attempt: Callable[[], Result], *, xruns_fail: bool, fresh: bool = False
) -> Result:
    late = 0
    for number in range(ATTEMPTS):
        if number and fresh:
            server.stop()
            server.start()
        before = server.xruns()
        try:
            result = attempt()
        except PeerLate:
            late += 1
        except (AssertionError, BridgeError):
            if server.xruns() == before:
                raise
        else:
            if not xruns_fail or server.xruns() == before:
                return result
    pytest.skip(f"{ATTEMPTS} attempts: a late program in {late}, an XRun in the others")


@pytest.fixture
def jack_server(module_jack_server: JackServer) -> JackServer:
    """A running server, in the environment of what the test starts; the test may stop or kill it.

    A module's tests share one. After them no client of it is left.
    """
    if not module_jack_server.running:
        module_jack_server.start()
    return module_jack_server


@pytest.fixture(scope="module")
def jack_period() -> int:
    """The frames in a period of this module's server; a module may override it."""
    return PERIOD


@pytest.fixture(scope="module")
def module_jack_server(
    require_program: Callable[[str], str], jack_period: int
) -> Iterator[JackServer]:
    """The server of `jack_server`, for a module's own fixtures."""
    for program in ("setpriv", "jackd", "jack_lsp", "jack_connect", "sndfile-jackplay"):
        require_program(program)
    pytest.importorskip("jack")
    # Before the environment names the server: the tracker lives as long as this process, and
    # must not count as a client that is left.
    resource_tracker.ensure_running()
    server = JackServer(f"melody-bridge-{os.getpid()}", jack_period)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JACK_DEFAULT_SERVER", server.name)
        patch.setenv("JACK_NO_START_SERVER", "1")
        server.start()
        try:
            yield server
        finally:
            # A killed server keeps its place until one of the same name frees it.
            if not server.running:
                server.start()
            server.stop()
        until(lambda: not processes_with(server.name), "every client has ended")


def processes_with(server_name: str) -> list[int]:
    """Processes other than this one that have the server's name in their environment."""
    variable = f"JACK_DEFAULT_SERVER={server_name}".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            environment = (entry / "environ").read_bytes().split(b"\0")
        except OSError:  # The process is another user's, or gone.
            continue
        if variable in environment and int(entry.name) != os.getpid():
            found.append(int(entry.name))
    return found
