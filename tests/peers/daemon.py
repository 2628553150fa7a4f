"""A daemon in a process of its own, started as a user does, and OSC clients with sockets."""

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
"""Long enough for a model to be loaded and a clip to be rendered on a busy machine."""
RETRY_SECONDS = 1.0
"""After this time without an answer a ping counts as lost: UDP drops what a full buffer gets."""
HELLO_SECONDS = 10.0
"""After this time without a hello a subscription counts as lost."""
RENEWAL_SECONDS = 5.0
"""A subscription lasts 30 s, and a ping renews it: also while a test waits for something else."""
MARK = "/test/mark"
"""A client sends this to itself; the daemon has no such address."""
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}


class Received(NamedTuple):
    """An event, and when a client received it."""

    address: str
    arguments: tuple[Argument, ...]
    seconds: float


class DaemonProcess:
    """`melody-bridge run --json-log` on a free port, without MIDI unless a test wants it.

    Attributes:
        clips: the folder of its clips.
        log: the lines of its log so far, parsed from JSON.
        errors: the lines on its stderr so far.
        port: the UDP port that it listens on.
        process: the process itself.
    """

    def __init__(
        self, clips: Path, *arguments: str, input: str = "none", midi: str = "none"
    ) -> None:
        self.clips = clips
        self.log: list[dict[str, Any]] = []
        self.errors: list[str] = []
        self._ended = False
        self._grown = threading.Condition()
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "bridge", "run", "--osc-port", "0", "--json-log"),
                *("--clips", str(clips), "--input", input, "--midi", midi, *arguments),
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
        """Wait for a log line of that event with those fields, and return the first one.

        Args:
            after: how many lines to ignore at the beginning of the log.
        """

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
        """Wait until the model is loaded, and return the daemon."""
        self.logged("engine", state="ready")
        return self

    def children(self) -> list[int]:
        """The process numbers of its children and of their descendants."""
        return descendants(self.process.pid)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, wait until the daemon and its children have ended, return its status."""
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
def running(
    clips: Path, *arguments: str, input: str = "none", midi: str = "none"
) -> Iterator[DaemonProcess]:
    """Start a daemon; at the end of the block stop it and check that it had no errors."""
    daemon = DaemonProcess(clips, *arguments, input=input, midi=midi)
    try:
        yield daemon
    except BaseException:
        daemon.stop(KILL)
        print(*daemon.log[-20:], *daemon.errors, sep="\n")
        raise
    assert daemon.stop() == 0, daemon.errors
    assert daemon.errors == []


class Client:
    """An OSC client with a socket of its own, subscribed under a name.

    Attributes:
        events: the events received so far, without levels, pitches and pongs.
        levels: how many levels have been received.
        pitches: the notes of the pitches received so far; -1 where a voice ended.
        port: the UDP port that it receives on.
    """

    def __init__(self, daemon_port: int, name: str = "me") -> None:
        self.name = name
        self.events: list[Received] = []
        self.levels = 0
        self.pitches: list[int] = []
        self._marks = 0
        self._daemon = ("127.0.0.1", daemon_port)
        self._grown = threading.Condition()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(RENEWAL_SECONDS)
        self.port = int(self._socket.getsockname()[1])
        self._open = True
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        until(self._subscribed, "the daemon says hello", PATIENCE_SECONDS)

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
        """Send a datagram, valid or not."""
        self._socket.sendto(datagram, self._daemon)

    def wait(
        self,
        address: str,
        *first: Argument,
        after: int = 0,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> Received:
        """Wait for an event of that address whose first arguments are these; return the first."""
        return self.wait_for(
            lambda event: event.address == address and event.arguments[: len(first)] == first,
            f"{address} {first}",
            after=after,
            patience_seconds=patience_seconds,
        )

    def wait_for(
        self,
        matches: Callable[[Received], bool],
        what: str,
        *,
        after: int = 0,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> Received:
        """Wait for an event that matches, and return the first one.

        Args:
            what: names the event in the AssertionError if none comes.
            after: how many events to ignore at the beginning of `events`.
            patience_seconds: from now, or from the newest event of any kind.
        """
        begun = time.perf_counter()
        found: Received | None = None
        # As long as events come, the daemon is at work, however slow the machine.
        while found is None and time.perf_counter() < begun + patience_seconds:
            with self._grown:
                begun = max([begun, *(event.seconds for event in self.events[-1:])])
                found = next((event for event in self.events[after:] if matches(event)), None)
                if found is None:
                    self._grown.wait(1.0)
        assert found is not None, (what, self.events[-10:])
        return found

    def ended(self, id: str, patience_seconds: float = PATIENCE_SECONDS) -> Received:
        """Wait for a request's `/bridge/done` or `/bridge/error`, and return it."""
        return self.wait_for(
            lambda event: (
                event.address in ("/bridge/done", "/bridge/error") and event.arguments[0] == id
            ),
            f"the end of {id}",
            patience_seconds=patience_seconds,
        )

    def done(self, id: str, *, patience_seconds: float = PATIENCE_SECONDS) -> list[Received]:
        """Wait for a request's `/bridge/done`, and return its clips or presets."""
        end = self.ended(id, patience_seconds)
        assert end.address == "/bridge/done", end
        results = ("/bridge/clip", "/bridge/preset")
        return [event for event in self.of(id) if event.address in results]

    def failed(self, id: str) -> tuple[str, str]:
        """Wait for a request's `/bridge/error`, and return its code and message."""
        end = self.ended(id)
        assert end.address == "/bridge/error", end
        return str(end.arguments[1]), str(end.arguments[2])

    def of(self, id: str) -> list[Received]:
        """The events of one request."""
        return [event for event in list(self.events) if event.arguments[:1] == (id,)]

    def sync(self) -> None:
        """Wait until the daemon has read all that was sent, and all its answers are in `events`."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
            # The daemon reads in order. A pong on a new port answers a ping of this call.
            own.bind(("127.0.0.1", 0))
            own.settimeout(RETRY_SECONDS)
            ping = write_message("/bridge/ping", [int(own.getsockname()[1])])

            def answered() -> bool:
                own.sendto(ping, self._daemon)
                try:
                    own.recv(65_536)
                except TimeoutError:
                    return False
                return True

            until(answered, "the daemon answers a ping", PATIENCE_SECONDS)
            # The answers are in this client's socket before that pong: a mark behind them shows
            # that all are read.
            mark = self._marks + 1

            def marked() -> bool:
                own.sendto(write_message(MARK, [mark]), ("127.0.0.1", self.port))
                with self._grown:
                    return self._grown.wait_for(lambda: self._marks >= mark, RETRY_SECONDS)

            until(marked, "the client has read its socket", PATIENCE_SECONDS)

    def _subscribed(self) -> bool:
        self.send("/bridge/subscribe", self.port, self.name)
        with self._grown:
            return self._grown.wait_for(
                lambda: any(event.address == "/bridge/hello" for event in self.events),
                HELLO_SECONDS,
            )

    def _read(self) -> None:
        renewed = time.perf_counter()
        while self._open:
            now = time.perf_counter()
            if now > renewed + RENEWAL_SECONDS:
                renewed = now
                self.send("/bridge/ping", self.port)
            try:
                datagram = self._socket.recv(65_536)
            except TimeoutError:
                continue
            if not datagram:
                continue
            assert len(datagram) < 4096
            now = time.perf_counter()
            with self._grown:
                for address, arguments in read_packet(datagram):
                    if address == "/bridge/level":
                        self.levels += 1
                    elif address == "/bridge/pitch":
                        self.pitches.append(int(str(arguments[0])))
                    elif address == MARK:
                        self._marks = max(self._marks, int(str(arguments[0])))
                    elif address != "/bridge/pong":
                        self.events.append(Received(address, arguments, now))
                self._grown.notify_all()


def descendants(pid: int) -> list[int]:
    """The processes that this one started, and those that they started."""
    found: list[int] = []
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += [int(child), *descendants(int(child))]
    except OSError:
        pass
    return found


def alive(pid: int) -> bool:
    """Whether a process runs: it is neither gone nor a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def memory_bytes(pid: int) -> int:
    """The resident memory of a process without what it shares."""
    if sys.platform != "linux":
        raise NotImplementedError("needs Linux")
    pages = Path(f"/proc/{pid}/statm").read_text().split()
    return (int(pages[1]) - int(pages[2])) * os.sysconf("SC_PAGE_SIZE")


def engine_pid(daemon: DaemonProcess) -> int:
    """The engine's process: the child that has loaded torch."""
    return _with_library(daemon.children(), "libtorch_cpu")


def audio_pid(daemon: DaemonProcess) -> int:
    """The audio input's process: the child that has loaded PortAudio."""
    return _with_library(daemon.children(), "libportaudio")


def _with_library(pids: Sequence[int], library: str) -> int:
    found: list[int] = []

    def loaded() -> bool:
        found[:] = [pid for pid in pids if library in _maps(pid)]
        return bool(found)

    until(loaded, f"a process has loaded {library}")
    return found[0]


def _maps(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/maps").read_text()
    except OSError:
        return ""
