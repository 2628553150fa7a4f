"""The stage of a bench: a daemon with its engine, as a user runs it, on a JACK server of its own.

The server has a dummy sound card, so that nothing is heard and no other program is disturbed. All
processes end with the block, and with this process whatever ends it.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from bridge.control.packets import Argument, InvalidPacket, read_packet, write_message
from bridge.errors import BridgeError, Unsupported
from bridge.process import signals
from bridge.tools.bench_heard import Heard, read_heard
from bridge.tools.bench_sound import READY, SAMPLE_RATE, SAVED

PERIOD = 512
PATIENCE_SECONDS = 120.0
"""Long enough for a model to be loaded and a clip to be rendered on a busy machine."""
_RENEW_SECONDS = 5.0
_END_SECONDS = 20.0
_PR_SET_PDEATHSIG = 1
"""Linux's prctl option: the signal that a process gets when its parent dies."""

Found = TypeVar("Found")


class BenchFailed(BridgeError):
    """A part of the stage did not start, or ended."""

    code = "bench-failed"
    exit_status = 1


@dataclass(frozen=True)
class ReceivedEvent:
    """An event of the daemon, and when it was received, on `time.perf_counter`."""

    address: str
    arguments: tuple[Argument, ...]
    seconds: float


class _Growing:
    """A list that one thread adds to while another waits for what it looks for."""

    def __init__(self) -> None:
        self.items: list[Any] = []
        self._ended = ""
        self._grown = threading.Condition()

    def add(self, item: Any) -> None:
        with self._grown:
            self.items.append(item)
            self._grown.notify_all()

    def end(self, why: str) -> None:
        with self._grown:
            self._ended = self._ended or why
            self._grown.notify_all()

    def wait_for(self, find: Callable[[Any], Found | None], what: str, after: int = 0) -> Found:
        """The first result of `find` on an item; `after`: so many are left out."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        with self._grown:
            while True:
                for item in self.items[after:]:
                    after += 1
                    if (found := find(item)) is not None:
                        return found
                left_seconds = deadline - time.monotonic()
                if self._ended or left_seconds < 0:
                    raise BenchFailed(self._ended or f"{what}: not in {PATIENCE_SECONDS:g} s")
                self._grown.wait(left_seconds)


class Stage:
    """A running daemon, what it says, and what it plays. Make it with `running`."""

    def __init__(
        self, daemon: subprocess.Popen[str], sound: subprocess.Popen[str], recorded: Path
    ) -> None:
        self._process, self._sound, self._recorded = daemon, sound, recorded
        self._log, self._events = _Growing(), _Growing()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._is_open = True
        self._threads = [
            threading.Thread(target=work, args=arguments, daemon=True)
            for work, arguments in (
                (self._read_log, (daemon,)),
                (self._renew, ()),
                (self._receive, ()),
            )
        ]
        self._threads[0].start()
        listening = self.logged("listening", "the daemon listens")
        self._daemon = ("127.0.0.1", int(listening["port"]))

    def start(self) -> None:
        """Wait until all parts of the daemon are ready."""
        for thread in self._threads[1:]:
            thread.start()
        for name in ("input", "output", "engine"):
            self.logged(name, f"the {name} is ready", state="ready")
        assert self._sound.stdout is not None
        if self._sound.stdout.readline().strip() != READY:
            raise BenchFailed("the JACK client of the bench has ended: its error is above")

    def callbacks(self) -> dict[str, Any]:
        """End the daemon; return how late its output's callbacks came, and how long they took."""
        lines = len(self.log())
        self._process.terminate()
        logged = self.logged("callbacks", "the daemon ends", lines)
        return {name: logged[name] for name in ("count", "late_ms", "took_ms")}

    def send(self, address: str, *arguments: int | float | str) -> float:
        """Send a message; return when."""
        seconds = time.perf_counter()
        self._socket.sendto(write_message(address, arguments), self._daemon)
        return seconds

    def event(
        self, matches: Callable[[ReceivedEvent], bool], what: str, after: int = 0
    ) -> ReceivedEvent:
        """Wait for an event; `what` names it in an error, `after` leaves out the first ones."""

        def found(event: ReceivedEvent) -> ReceivedEvent | None:
            return event if matches(event) else None

        return self._events.wait_for(found, what, after=after)

    def events(self) -> Sequence[ReceivedEvent]:
        """All events so far."""
        return tuple(self._events.items)

    def logged(self, event: str, what: str, after: int = 0, **values: Any) -> dict[str, Any]:
        """Wait for a line of the daemon's log with these fields."""

        def found(line: Mapping[str, Any]) -> dict[str, Any] | None:
            fits = line.get("event") == event and values.items() <= line.items()
            return dict(line) if fits else None

        return self._log.wait_for(found, what, after=after)

    def log(self) -> Sequence[Mapping[str, Any]]:
        """All lines of the daemon's log so far."""
        return tuple(self._log.items)

    def heard(self) -> Heard:
        """What the output has played lately."""
        assert self._sound.stdin is not None and self._sound.stdout is not None
        self._sound.stdin.write("\n")
        self._sound.stdin.flush()
        if self._sound.stdout.readline().strip() != SAVED:
            raise BenchFailed("the JACK client of the bench has ended: its error is above")
        return read_heard(self._recorded)

    def close(self) -> None:
        """Stop listening to the daemon."""
        self._is_open = False
        # Wakes the thread that receives.
        self._socket.sendto(b"", self._socket.getsockname())
        self._threads[-1].join()
        self._socket.close()

    def _read_log(self, daemon: subprocess.Popen[str]) -> None:
        assert daemon.stdout is not None
        for line in daemon.stdout:
            self._log.add(json.loads(line))
        for growing in (self._log, self._events):
            growing.end("the daemon has ended: its error is above")

    def _renew(self) -> None:
        while self._is_open:
            self.send("/bridge/subscribe", self._socket.getsockname()[1], "bench")
            time.sleep(_RENEW_SECONDS)

    def _receive(self) -> None:
        while self._is_open:
            datagram = self._socket.recv(65_536)
            seconds = time.perf_counter()
            try:
                messages = read_packet(datagram) if datagram else []
            except InvalidPacket:
                continue
            for address, arguments in messages:
                if address != "/bridge/level":
                    self._events.add(ReceivedEvent(address, arguments, seconds))


def check_parts(flag: str) -> None:
    """Check that a JACK server can be started here.

    Args:
        flag: of `bench`, that needs it.

    Raises:
        Unsupported: a part is not installed.
    """
    if shutil.which("jackd") is None:
        raise Unsupported(
            f"{flag} plays on a JACK server of its own, and there is no jackd here: install JACK "
            "(Debian and Ubuntu: apt install jackd2)"
        )
    try:
        import jack  # noqa: F401
    except (ImportError, OSError) as error:
        raise Unsupported(
            f"{flag} needs the extra: pip install 'melody-bridge[jack]' ({error})"
        ) from error


@contextmanager
def running(folder: Path, *arguments: str) -> Iterator[Stage]:
    """Start server, daemon and sound; wait until all is ready; end all after the block.

    Args:
        folder: for clips, settings and recordings; an empty one.
        arguments: further ones for `run`.

    Raises:
        BenchFailed: a part does not start.
        signals.Interrupted: Ctrl-C or SIGTERM came; all processes have ended.
    """
    config = folder / "config.toml"
    config.write_text("output_latency_ms = 0\n", encoding="utf-8")
    recorded = folder / "heard.npz"
    python = (sys.executable, "-m")
    environment = {
        **os.environ,
        "JACK_DEFAULT_SERVER": f"melody-bridge-bench-{os.getpid()}",
        "JACK_NO_START_SERVER": "1",
        "XDG_STATE_HOME": str(folder),
        "PYTHONUNBUFFERED": "1",
    }
    with signals.raised(), ExitStack() as stack:

        def start(command: Sequence[str], **more: Any) -> subprocess.Popen[str]:
            return stack.enter_context(program(command, environment, **more))

        name = environment["JACK_DEFAULT_SERVER"]
        start(
            f"jackd -r -n {name} -d dummy -r {SAMPLE_RATE} -p {PERIOD} -C 2 -P 2".split(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _await_server(environment)
        daemon = start(
            (
                *(*python, "bridge", "run", "--json-log", "--config", str(config)),
                *("--osc-port", "0", "--clips", str(folder / "Clips"), "--midi", "none"),
                *("--input", "system", "--output", "system", "--clock", "internal", *arguments),
            ),
            stdout=subprocess.PIPE,
        )
        sound = start(
            (*python, "bridge.tools.bench_sound", str(recorded)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        stage = Stage(daemon, sound, recorded)
        stack.callback(stage.close)
        stage.start()
        yield stage


def _await_server(environment: Mapping[str, str]) -> None:
    """Wait until the server accepts clients, which takes it a moment."""
    script = "import jack; jack.Client('bench', no_start_server=True).close()"
    for _ in range(20):
        asked = subprocess.run(
            [sys.executable, "-c", script], env=dict(environment), capture_output=True
        )
        if asked.returncode == 0:
            return
        time.sleep(0.2)
    raise BenchFailed(
        "the JACK server does not start: stop other servers (JACK has places for eight), and free "
        "some room in /dev/shm"
    )


@contextmanager
def program(
    command: Sequence[str], environment: Mapping[str, str], **more: Any
) -> Iterator[subprocess.Popen[str]]:
    """Run a program for as long as the block runs."""
    process = subprocess.Popen(
        command,
        env=dict(environment),
        text=True,
        # Ctrl-C is for this process, which ends the others in order.
        start_new_session=True,
        preexec_fn=_end_with_parent if sys.platform == "linux" else None,
        **more,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
