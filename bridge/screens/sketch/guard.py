"""The process around the screen: it owns the terminal and the daemon, and cleans both up.

`melody-bridge sketch` starts a daemon, or joins one, and forks the screen. Whichever of the three
processes dies, by whatever signal: the terminal gets its own modes back, and no process stays.

- The screen dies: the guard restores the terminal, and ends the daemon by closing its stdin.
- The daemon dies: the guard starts another; after a mistake, or too often, it ends the screen.
- The guard dies: a pipe of the screen and the daemon's stdin end, and both leave in good order.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress

from bridge.control.client import HOST, DaemonSilent, OscClient
from bridge.control.ports import holder
from bridge.errors import BridgeError

POLL_SECONDS = 0.2
LEAVE_SECONDS = 5.0
"""How long screen and daemon may take to end in good order, each."""
MOST_RESTARTS = 3
RESTART_SECONDS = 60.0
"""A daemon that died more than `MOST_RESTARTS` times in this time is not started again."""
MOST_ERROR_BYTES = 4096
RESET = (
    "\x1b[<u\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1015l\x1b[?1016l\x1b[?1004l"
    "\x1b[?2004l\x1b[?2048l\x1b[?2026l\x1b[?7h\x1b[0m\x1b[?1049l\x1b[?25h"
)
"""Undoes what the screen sets: keyboard protocol, mouse, focus and paste reports, size reports,
synchronized output, no line wrap, colours, the second screen, the hidden cursor."""


class DaemonEnded(BridgeError):
    """The daemon has ended by itself."""

    exit_status = 1


class Daemon:
    """A daemon that ends with this process.

    Attributes:
        port: the UDP port that it listens on, or will.
    """

    def __init__(self, port: int, arguments: Sequence[str]) -> None:
        """Start it.

        Args:
            arguments: of `melody-bridge run`, without the port.
        """
        self.port = port or _free_port()
        self._arguments = arguments
        self._restarts: list[float] = []
        self._start()

    def check(self) -> None:
        """Start it again if it was killed.

        Raises:
            DaemonEnded: it has ended for a reason of its own, or dies again and again.
        """
        status = self._process.poll()
        if status is None:
            return
        said = self._said()
        now = time.monotonic()
        self._restarts = [each for each in self._restarts if now - each < RESTART_SECONDS]
        if status >= 0 or len(self._restarts) >= MOST_RESTARTS:
            raise DaemonEnded(said or f"the daemon has ended with status {status}: see its log")
        self._restarts.append(now)
        self._start()

    def forget_in_child(self) -> None:
        """Close what a forked process must not hold: the daemon's stdin."""
        for stream in (self._process.stdin, self._process.stderr):
            if stream is not None:
                os.close(stream.fileno())

    def stop(self) -> None:
        """End it in good order, else at once."""
        process = self._process
        if process.stdin is not None:
            with suppress(OSError):
                process.stdin.close()
        try:
            process.wait(LEAVE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _start(self) -> None:
        # Of a session of its own: what a terminal sends to its programs does not reach it.
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "bridge", "run", "--until-stdin-ends", "--json-log"),
                *("--osc-port", str(self.port), *self._arguments),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=sys.platform != "win32",
        )

    def _said(self) -> str:
        """The last line of its stderr, without the program's name."""
        assert self._process.stderr is not None
        if sys.platform != "win32":
            # Its children may hold the pipe a little longer: only what is there is read.
            os.set_blocking(self._process.stderr.fileno(), False)
        text = (self._process.stderr.read(MOST_ERROR_BYTES) or b"").decode(errors="replace")
        lines = [line for line in text.splitlines() if line.strip()]
        return lines[-1].partition(": ")[2] if lines else ""


def find_or_start(port: int, arguments: Sequence[str]) -> Daemon | None:
    """Start a daemon, unless one answers on the port.

    Returns:
        None: one is there already.

    Raises:
        DaemonSilent: another program has the port.
    """
    if port and not _is_free(port):
        client = OscClient(port, f"sketch{os.getpid()}")
        try:
            client.subscribe()
        except DaemonSilent as error:
            by = holder(port) or "another program"
            raise DaemonSilent(
                f"UDP port {port} is taken by {by}, which is no daemon that answers: end that, or "
                "choose another port with --osc-port"
            ) from error
        finally:
            client.close()
        return None
    return Daemon(port, arguments)


def guarded(screen: Callable[[int | None], int], daemon: Daemon | None) -> int:
    """Run the screen in a process of its own; return the exit status.

    Args:
        screen: runs until the person leaves, or the pipe ends whose descriptor it is given;
            returns the exit status.

    Raises:
        DaemonEnded: the daemon has ended by itself.
    """
    if sys.platform == "win32":
        try:
            return screen(None)
        finally:
            if daemon is not None:
                daemon.stop()
    import termios

    terminal = sys.stdin.fileno()
    modes = termios.tcgetattr(terminal)
    leaving, leave = os.pipe()
    ended, alive = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(leave)
        os.close(ended)
        if daemon is not None:
            daemon.forget_in_child()
        _become_screen(screen, leaving)
    os.close(leaving)
    os.close(alive)
    left: list[int] = []
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, lambda number, frame: left.append(number))
    failure: DaemonEnded | None = None
    try:
        while not left and not select.select([ended], [], [], POLL_SECONDS)[0]:
            if daemon is not None:
                daemon.check()
    except DaemonEnded as error:
        failure = error
    status = _end_screen(pid, leave, ended)
    with suppress(termios.error):
        termios.tcsetattr(terminal, termios.TCSANOW, modes)
    if status != 0:
        with suppress(OSError):
            os.write(sys.stderr.fileno(), RESET.encode())
    if daemon is not None:
        daemon.stop()
    if failure is not None:
        raise failure
    return 128 + left[0] if left else status


def _become_screen(screen: Callable[[int | None], int], leaving: int) -> None:
    """Run the screen in this forked process, and end it."""
    status = 1
    try:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.default_int_handler)
        status = screen(leaving)
    except KeyboardInterrupt:
        status = 128 + signal.SIGINT
    except OSError as error:
        print(f"melody-bridge: {error}", file=sys.stderr)
    except Exception:
        traceback.print_exc()
    finally:
        # Not through the interpreter's end, which would run what the guard has to do.
        os._exit(status)


def _end_screen(pid: int, leave: int, ended: int) -> int:
    """Wait for the screen's end, and see to it; return its status."""
    if sys.platform == "win32":
        raise NotImplementedError("needs POSIX")
    os.close(leave)
    select.select([ended], [], [], LEAVE_SECONDS)
    deadline = time.monotonic() + LEAVE_SECONDS
    while time.monotonic() < deadline:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(POLL_SECONDS / 10)
    os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
