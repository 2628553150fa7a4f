"""Ardour, on a JACK server and a display of its own: one at a time, started without a click.

The scripts that a user would have added are a file, written here as Ardour 7.3 writes it.
"""

from __future__ import annotations

import base64
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bridge.control.packets import write_message
from bridge.hosts.ardour.install import SCRIPTS, install
from tests.peers.ardour_home import ArdourHome, Passage
from tests.peers.display import Display
from tests.peers.jack import JackServer
from tests.peers.wait import until
from tests.processes import KILL

OSC_PORT = 3819
"""Where Ardour's OSC surface listens; no configuration changes it."""
MASTER = ("ardour:Master/audio_out 1", "ardour:Master/audio_out 2")
SCREEN = "1280x800x24"
SIGNALS = 49
TIMER_SIGNAL = 47
"""LuaTimerDS, ten times a second, of 49 signals (gtk2_ardour/luasignal_syms.h)."""
HUM_ACTION, SELECTION_ACTION, TEST_ACTION = 1, 2, 3
"""The slots of the action scripts: what takes a hum, what takes a selection, and the tests' own."""
HUM_BARS = 2
"""What a user has entered as the action's *Bars*."""

_TEST_ACTION = """ardour { ["type"] = "EditorAction", name = "Test" }
function factory () return function ()
	local file = io.open (%s)
	if not file then
		return
	end
	local text = file:read ("a")
	file:close ()
	os.remove (%s)
	local done, result = pcall (function () return assert (load (text)) () end)
	local answer = io.open (%s, "w")
	answer:write ((done and "" or "error: ") .. tostring (result))
	answer:close ()
	os.rename (%s, %s)
end end
"""
"""Runs the Lua of a file once, and puts what it returns into another."""
_HALTED = "JACK HALTED"
"""What Ardour prints when it has lost its JACK server. Ardour 7.3 does so at some starts: its main
thread asks to lead the transport while its thread "autoconnect" names the port of the virtual
keyboard, and their requests mix on one socket. The name is kept for the next start."""
_MOST_STARTS = 4
_TIED = ("setpriv", "--pdeathsig", "KILL")
"""The program ends with this process."""


class Ardour:
    """A running Ardour with a session of its own. Make it with the fixture `start_ardour`.

    Attributes:
        screen: the display that it draws on.
        sections: of the session's timeline.
    """

    def __init__(
        self,
        home: Path,
        screen: Display,
        server: JackServer,
        *,
        passages: Sequence[Passage],
        daemon_port: int,
        inbox: Path,
    ) -> None:
        """Write configuration and session, install the scripts, and start.

        Args:
            home: an empty folder.
            server: a running one, that of the environment.
            passages: of the session's timeline; one or more.
            daemon_port, inbox: for the scripts.
        """
        self._home = ArdourHome(home, passages)
        self.screen, self.sections = screen, self._home.sections
        self._server, self._log_path, self._log_start = server, home / "ardour.log", 0
        self._process: subprocess.Popen[bytes] | None = None
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        configuration = self._home.configuration
        install([configuration], osc_port=daemon_port, inbox=inbox)
        scripts = [(configuration / "scripts" / name).read_text() for name in SCRIPTS]
        self._question, self._answer = home / "question.lua", home / "answer"
        unfinished = home / "unfinished"
        paths = (self._question, self._question, unfinished, unfinished, self._answer)
        scripts.append(_TEST_ACTION % tuple(_lua_text(str(path)) for path in paths))
        (configuration / "ui_scripts").write_text(_ui_scripts(*scripts))
        self.start()

    def start(self) -> None:
        """Start the program, and wait until its editor and its outputs are there."""
        for _ in range(_MOST_STARTS):
            self._launch()
            if not self._is_halted():
                return
            self.kill()
        raise AssertionError(f"{_MOST_STARTS} starts, and each time Ardour loses JACK")

    def _launch(self) -> None:
        # Ardour registers no port while another client has its name.
        self._server.forget(MASTER)
        self._log_start = len(self.log())
        self._home.restore_session()
        with self._log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [*_TIED, self._home.program, "-n", "-a", "-d", self._home.session],
                stdout=log,
                stderr=log,
                env=self._home.environment | {"DISPLAY": self.screen.name},
                cwd=self._home.path,
            )
        self._ask("return 0")
        until(lambda: self._is_halted() or self._is_ready(), "Ardour answers")

    def _ask(self, text: str) -> None:
        """Put a question where the test action finds it."""
        self._answer.unlink(missing_ok=True)
        # An action that was sent during the start may run now.
        written = self._question.with_suffix(".part")
        written.write_text(text)
        written.replace(self._question)

    def _is_halted(self) -> bool:
        return _HALTED in self.log()[self._log_start :]

    def _is_ready(self) -> bool:
        if not self._answer.exists():
            self.act(TEST_ACTION)
        return self._answer.exists() and set(MASTER) <= set(self._server.ports())

    def kill(self) -> None:
        """Kill the program."""
        self._end(KILL)

    def stop(self) -> None:
        """End the program."""
        # On SIGTERM it asks whether to save the session.
        self._end(KILL)

    def close(self) -> None:
        """End the program and free what this holds."""
        self.stop()
        self._socket.close()

    def send(self, address: str, *arguments: int | float | str) -> None:
        """Send a message to its OSC surface."""
        self._socket.sendto(write_message(address, arguments), ("127.0.0.1", OSC_PORT))

    def act(self, slot: int) -> None:
        """Run the action script in a slot, as its key does."""
        self.send("/access_action", f"LuaAction/script-{slot}")

    def lua(self, text: str) -> str:
        """Run Lua in its editor, and return what it returns, as a text."""
        self._ask(text)
        self.act(TEST_ACTION)
        until(self._answer.exists, "Ardour has run a test's Lua")
        answer = self._answer.read_text()
        assert not answer.startswith("error: "), answer
        return answer

    def playhead(self) -> int:
        """The frame of the transport."""
        return int(self.lua("return Session:transport_sample ()"))

    def log(self) -> str:
        """What it has printed."""
        return self._log_path.read_text(errors="replace") if self._log_path.exists() else ""

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait()
        self._process = None


@contextmanager
def hardour(
    path: Path, server: JackServer, passages: Sequence[Passage], leads: Callable[[], bool]
) -> Iterator[None]:
    """Run Ardour without a window, which leads the transport of the server in the environment.

    Args:
        path: an empty folder for its home; its log is `hardour.log` in there.
        passages: of its session's timeline.
        leads: whether the transport has the session's time, and not another.
    """
    home, log = ArdourHome(path, passages), path / "hardour.log"
    for _ in range(_MOST_STARTS):
        home.restore_session()
        server.forget(MASTER)
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*_TIED, home.headless_program, home.session, home.session.name],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=home.environment,
                cwd=path,
            )
        try:
            until(lambda: _HALTED in log.read_text() or leads(), "hardour leads the transport")
            if _HALTED not in log.read_text():
                yield
                return
        finally:
            process.kill()
            process.wait()
            server.forget(MASTER)
    raise AssertionError(f"{_MOST_STARTS} starts, and each time hardour loses JACK")


def _ui_scripts(hook: str, *actions: str) -> str:
    """The file in which Ardour keeps the scripts that a user has added."""
    bits = "".join("1" if signal == TIMER_SIGNAL else "0" for signal in reversed(range(SIGNALS)))
    callback = _encoded(f"s = {{}} {_entry('s', 'Melody Bridge', hook)}")
    parameters = {HUM_ACTION: f'["bars"] = "{HUM_BARS}"'}
    slots = [
        f"scripts[{number}] = {{}} "
        + _entry(f"scripts[{number}]", f"action {number}", action, parameters.get(number, ""))
        for number, action in enumerate(actions, 1)
    ]
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<UIScripts>\n'
        f'<ActionScript lua="Lua 5.3">{_encoded(" ".join(["scripts = {}", *slots]))}'
        "</ActionScript>\n<ActionHooks>"
        f'<LuaCallback lua="Lua 5.3" id="9001" name="Melody Bridge" signals="{bits}">{callback}'
        "</LuaCallback></ActionHooks>\n</UIScripts>\n"
    )


def _entry(table: str, name: str, script: str, parameters: str = "") -> str:
    """A script in the table of Ardour's script manager: as its source, not as bytecode.

    Args:
        parameters: what a user has entered for it, in a Lua table; others have their defaults.
    """
    # Ardour calls what it loads with the parameters, and keeps the function that this returns.
    source = f"function ardour () end\n{script}\nreturn factory (...)"
    fields = {"n": name, "s": script, "f": source}
    texts = " ".join(f'{table}["{field}"] = {_lua_text(text)}' for field, text in fields.items())
    return f'{texts} {table}["a"] = {{{parameters}}} '


def _lua_text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\\n")
    return f'"{escaped}"'


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.fixture(scope="module")
def start_ardour(
    module_jack_server: JackServer,
    require_program: Callable[[str], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[..., Ardour]]:
    """A function that starts Ardour, one at a time; it ends with the module's tests."""
    for program in ("ardour7-new_session", "Xvfb", "setpriv"):
        require_program(program)
    screen = Display(SCREEN)
    running: list[Ardour] = []

    def start(**arguments: Any) -> Ardour:
        end()
        home = tmp_path_factory.mktemp("ardour")
        running.append(Ardour(home, screen, module_jack_server, **arguments))
        return running[-1]

    def end() -> None:
        while running:
            running.pop().close()
            # A server that ends waits six seconds for a client that it has not yet missed.
            module_jack_server.forget(MASTER)

    try:
        yield start
    finally:
        end()
        screen.stop()
