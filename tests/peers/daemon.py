"""A daemon as a user starts it, in a process of its own, and OSC clients with their own sockets."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from bridge.control.packets import Argument, read_packet, write_message
from tests.peers.wait import until
from tests.processes import KILL

PATIENCE_SECONDS = 120.0
"""For a model to be loaded and a clip to be rendered beside a busy test run."""
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}


class Told(NamedTuple):
    """An event as a client got it, and when."""

    address: str
    arguments: tuple[Argument, ...]
    seconds: float


class DaemonProcess:
    """`melody-bridge run --json-log` on a free port.

    Attributes:
        log: its lines so far, as JSON.
        port: where it listens.
        process: itself.
    """

    def __init__(self, clips: Path, *arguments: str, input: str = "none") -> None:
        self.clips = clips
        self.log: list[dict[str, Any]] = []
        self.errors: list[str] = []
        self._ended = False
        self._grown = threading.Condition()
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "bridge", "run", "--osc-port", "0", "--json-log"),
                *("--clips", str(clips), "--input", input, *arguments),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **ENVIRONMENT},
        )
        self._readers = [
            threading.Thread(target=self._read_log, daemon=True),
            threading.Thread(target=self._read_errors, daemon=True),
        ]
        for reader in self._readers:
            reader.start()
        try:
            self.port = int(self.logged("listening")["port"])
        except AssertionError:
            self.stop(KILL)
            raise

    def logged(self, event: str, after: int = 0, **fields: Any) -> dict[str, Any]:
        """The first log line of that event with those fields, once it is there."""

        def found() -> dict[str, Any] | None:
            for line in self.log[after:]:
                if line.get("event") == event and fields.items() <= line.items():
                    return line
            return None

        with self._grown:
            self._grown.wait_for(lambda: found() or self._ended, PATIENCE_SECONDS)
            line = found()
        assert line is not None, (event, fields, self.log[-5:], self.errors)
        return line

    def ready(self) -> DaemonProcess:
        """Itself, once the model is loaded."""
        self.logged("engine", state="ready")
        return self

    def children(self) -> list[int]:
        """Its child processes, and theirs."""
        return descendants(self.process.pid)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, and return the exit status; nothing of it is left then."""
        children = self.children()
        if self.process.poll() is None:
            self.process.send_signal(number)
        status = self.process.wait(PATIENCE_SECONDS)
        for reader in self._readers:
            reader.join()
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()
        until(lambda: not any(map(alive, children)), "every child has ended")
        return status

    def _read_log(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._grown:
                self.log.append(json.loads(line))
                self._grown.notify_all()
        with self._grown:
            self._ended = True
            self._grown.notify_all()

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        self.errors.extend(self.process.stderr)


@contextmanager
def running(clips: Path, *arguments: str, input: str = "none") -> Iterator[DaemonProcess]:
    """A daemon, which ends well and quietly when the block is left."""
    daemon = DaemonProcess(clips, *arguments, input=input)
    try:
        yield daemon
    except BaseException:
        daemon.stop(KILL)
        print(*daemon.log[-20:], *daemon.errors, sep="\n")
        raise
    assert daemon.stop() == 0, daemon.errors
    assert daemon.errors == []


class Client:
    """An OSC client: a socket, subscribed under a name.

    Attributes:
        events: all that it has got so far, but for levels and pongs.
    """

    def __init__(self, daemon_port: int, name: str = "me") -> None:
        self.name = name
        self.events: list[Told] = []
        self.levels = 0
        self._pings = self._pongs = 0
        self._daemon = ("127.0.0.1", daemon_port)
        self._grown = threading.Condition()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self._open = True
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.send("/bridge/subscribe", self.port, name)
        self.wait("/bridge/hello")

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *error: object) -> None:
        self._open = False
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waking:
            waking.sendto(b"", ("127.0.0.1", self.port))
        self._reader.join()
        self._socket.close()

    def send(self, address: str, *arguments: int | float | str) -> None:
        """Send a message."""
        self._socket.sendto(write_message(address, arguments), self._daemon)

    def send_bytes(self, datagram: bytes) -> None:
        """Send whatever this is."""
        self._socket.sendto(datagram, self._daemon)

    def wait(
        self,
        address: str,
        *first: Argument,
        after: int = 0,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> Told:
        """The first event of that address that begins with these arguments, once it is there."""
        return self.wait_for(
            lambda told: told.address == address and told.arguments[: len(first)] == first,
            f"{address} {first}",
            after=after,
            patience_seconds=patience_seconds,
        )

    def wait_for(
        self,
        wanted: Callable[[Told], bool],
        what: str,
        *,
        after: int = 0,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> Told:
        """The first event that is wanted, once it is there."""
        deadline = time.perf_counter() + patience_seconds
        found: Told | None = None
        while found is None and time.perf_counter() < deadline:
            with self._grown:
                found = next((told for told in self.events[after:] if wanted(told)), None)
                if found is None:
                    self._grown.wait(5.0)
            if found is None:
                # A subscription lasts 30 s.
                self._ping()
        assert found is not None, (what, self.events[-10:])
        return found

    def ended(self, id: str, patience_seconds: float = PATIENCE_SECONDS) -> Told:
        """How that request ended, once it has."""
        return self.wait_for(
            lambda told: (
                told.address in ("/bridge/done", "/bridge/error") and told.arguments[0] == id
            ),
            f"the end of {id}",
            patience_seconds=patience_seconds,
        )

    def done(self, id: str, *, patience_seconds: float = PATIENCE_SECONDS) -> list[Told]:
        """The clips or presets of a request that has to end well."""
        end = self.ended(id, patience_seconds)
        assert end.address == "/bridge/done", end
        return [told for told in self.of(id) if told.address in ("/bridge/clip", "/bridge/preset")]

    def failed(self, id: str) -> tuple[str, str]:
        """Code and message of a request that has to end with an error."""
        end = self.ended(id)
        assert end.address == "/bridge/error", end
        return str(end.arguments[1]), str(end.arguments[2])

    def of(self, id: str) -> list[Told]:
        """The events of one request."""
        return [told for told in list(self.events) if told.arguments[:1] == (id,)]

    def asked(self) -> None:
        """All that was sent before has been read by the daemon once this returns."""
        # It answers in order, and to each ping.
        wanted = self._ping()
        with self._grown:
            assert self._grown.wait_for(lambda: self._pongs >= wanted, PATIENCE_SECONDS)

    def _ping(self) -> int:
        """Ask for a pong, and return which one it is."""
        self._pings += 1
        self.send("/bridge/ping", self.port)
        return self._pings

    def _read(self) -> None:
        while self._open:
            datagram = self._socket.recv(65_536)
            if not datagram:
                continue
            assert len(datagram) < 4096
            now = time.perf_counter()
            with self._grown:
                for address, arguments in read_packet(datagram):
                    if address == "/bridge/level":
                        self.levels += 1
                    elif address == "/bridge/pong":
                        self._pongs += 1
                    else:
                        self.events.append(Told(address, arguments, now))
                self._grown.notify_all()


def descendants(pid: int) -> list[int]:
    """Processes that were started by this one, or by those."""
    found: list[int] = []
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += [int(child), *descendants(int(child))]
    except OSError:
        pass
    return found


def alive(pid: int) -> bool:
    """Whether it runs: neither gone nor only left to be waited for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def memory_bytes(pid: int) -> int:
    """What a process has of its own, without what it shares."""
    if sys.platform != "linux":
        raise NotImplementedError("needs Linux")
    pages = Path(f"/proc/{pid}/statm").read_text().split()
    return (int(pages[1]) - int(pages[2])) * os.sysconf("SC_PAGE_SIZE")


def engine_pid(daemon: DaemonProcess) -> int:
    """The engine's process: of the children the one that has torch in memory."""
    return _with_library(daemon.children(), "libtorch_cpu")


def audio_pid(daemon: DaemonProcess) -> int:
    """The audio input's process: of the children the one that has PortAudio in memory."""
    return _with_library(daemon.children(), "libportaudio")


def _with_library(pids: Sequence[int], library: str) -> int:
    found: list[int] = []

    def looked() -> bool:
        found[:] = [pid for pid in pids if library in _maps(pid)]
        return bool(found)

    until(looked, f"a process has {library}")
    return found[0]


def _maps(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/maps").read_text()
    except OSError:
        return ""
