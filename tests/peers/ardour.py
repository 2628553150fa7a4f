"""Ardour, on a JACK server and a display of its own: one at a time, started without a click.

Its session, its configuration and the scripts that a user would have added are files, written here
as Ardour 7.3 writes them.
"""

from __future__ import annotations

import base64
import math
import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from bridge.control.packets import write_message
from bridge.hosts.ardour.install import SCRIPTS, install
from bridge.timing import FALLBACK_METER, Meter
from tests.peers.display import Display
from tests.peers.jack import SAMPLE_RATE, JackServer
from tests.peers.wait import until
from tests.processes import KILL

OSC_PORT = 3819
"""Where Ardour's OSC surface listens; no configuration changes it."""
MASTER = ("ardour:Master/audio_out 1", "ardour:Master/audio_out 2")
SCREEN = "1280x800x24"
LIBRARY = Path("/usr/lib/ardour7")
BINARY = "ardour-7*"
SIGNALS = 49
TIMER_SIGNAL = 47
"""LuaTimerDS, ten times a second, of 49 signals (gtk2_ardour/luasignal_syms.h)."""
HUM_ACTION, SELECTION_ACTION, TEST_ACTION = 1, 2, 3
"""The slots of the action scripts: what takes a hum, what takes a selection, and the tests' own."""
HUM_BARS = 2
"""What a user has entered as the action's *Bars*."""

_CONFIG = """<?xml version="1.0" encoding="UTF-8"?>
<Ardour>
  <Config/>
  <TransportMasters current="JACK Transport">
    <TransportMaster type="Engine" name="JACK Transport" collect="1" removeable="0"/>
    <TransportMaster type="MTC" name="MTC" collect="1" removeable="0"/>
    <TransportMaster type="LTC" name="LTC" collect="1" removeable="0"/>
    <TransportMaster type="MIDIClock" name="MIDI Clock" collect="1" removeable="0"/>
  </TransportMasters>
</Ardour>
"""
"""By default the master is MIDI Clock, and play does nothing."""
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
SUPERCLOCKS = 282_240_000
"""Ardour's units of time in a second."""


class Passage(NamedTuple):
    """A part of the session's timeline.

    Attributes:
        bars: its length; the last passage has no end.
        tempo_bpm: at its start.
        end_bpm: at its end, where the tempo changes evenly; None: it is constant.
    """

    bars: int
    tempo_bpm: float
    meter: Meter = FALLBACK_METER
    end_bpm: float | None = None


class Section(NamedTuple):
    """A passage, and where it begins.

    Attributes:
        clock: in Ardour's units of time.
        bar: from 0.
        beat: in quarter notes.
        omega: the rate of its change of tempo, as Ardour counts it.
    """

    passage: Passage
    clock: int
    bar: int
    beat: float
    omega: float

    @property
    def frame(self) -> float:
        """The frame of the transport at which it begins."""
        return self.clock * SAMPLE_RATE / SUPERCLOCKS

    @property
    def bar_frames(self) -> float:
        """The length of a bar at the tempo at its start."""
        beats = float(self.passage.meter.beats_per_bar)
        return beats * 60 / self.passage.tempo_bpm * SAMPLE_RATE


def sections(passages: Sequence[Passage]) -> list[Section]:
    """The passages one after the other (`TempoPoint` in Ardour 7.3's libs/temporal/tempo.cc)."""
    found: list[Section] = []
    clock, bar, beat = 0, 0, 0.0
    for passage in passages:
        beats = float(passage.bars * passage.meter.beats_per_bar)
        quarter = SUPERCLOCKS * 60 / passage.tempo_bpm
        omega, length = 0.0, beats * quarter
        if passage.end_bpm is not None:
            omega = (passage.end_bpm / passage.tempo_bpm - 1) / (quarter * beats)
            length = math.log1p(quarter * omega * beats) / omega
        found.append(Section(passage, clock, bar, beat, omega))
        clock, bar, beat = clock + round(length), bar + passage.bars, beat + beats
    return found


class Ardour:
    """A running Ardour with a session of its own. Make it with the fixture `start_ardour`.

    Attributes:
        home: the home folder that it has for itself; its log is `ardour.log` in there.
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
        self.home, self.screen, self.sections = home, screen, sections(passages)
        self._server, self._log_start = server, 0
        self._process: subprocess.Popen[bytes] | None = None
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        configuration = home / ".config" / "ardour7"
        configuration.mkdir(parents=True)
        (configuration / ".a7").touch()
        (configuration / "instant.xml").write_text("<instant><no-memory-warning/></instant>\n")
        (configuration / "config").write_text(_CONFIG)
        install([configuration], osc_port=daemon_port, inbox=inbox)
        scripts = [(configuration / "scripts" / name).read_text() for name in SCRIPTS]
        self._question, self._answer = home / "question.lua", home / "answer"
        unfinished = home / "unfinished"
        paths = (self._question, self._question, unfinished, unfinished, self._answer)
        scripts.append(_TEST_ACTION % tuple(_lua_text(str(path)) for path in paths))
        (configuration / "ui_scripts").write_text(_ui_scripts(*scripts))
        self._write_backends()
        self._session = home / "session"
        self._new_session(_tempo_map(self.sections))
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
        # A saved session has the surface twice, the second time switched off.
        shutil.copy(self.home / "session.ardour", self._session / "session.ardour")
        # What it saves by itself every two minutes: after a kill it asks what to do with it.
        (self._session / "session.pending").unlink(missing_ok=True)
        (binary,) = LIBRARY.glob(BINARY)
        with (self.home / "ardour.log").open("ab") as log:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", binary, "-n", "-a", "-d", str(self._session)],
                stdout=log,
                stderr=log,
                env=self._environment(),
                cwd=self.home,
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
        path = self.home / "ardour.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait()
        self._process = None

    def _environment(self) -> dict[str, str]:
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("XDG_")
        }
        return environment | {
            "HOME": str(self.home),
            "DISPLAY": self.screen.name,
            "XDG_RUNTIME_DIR": str(self.home),
            "GTK_PATH": f"/etc/ardour7:{LIBRARY}",
            "LD_LIBRARY_PATH": str(LIBRARY),
            "ARDOUR_DATA_PATH": "/usr/share/ardour7",
            "ARDOUR_CONFIG_PATH": "/etc/ardour7",
            "ARDOUR_SURFACES_PATH": str(LIBRARY / "surfaces"),
            "ARDOUR_DLL_PATH": str(self.home / "library"),
        }

    def _write_backends(self) -> None:
        """A library folder whose only backend is JACK: with a choice, Ardour asks."""
        library = self.home / "library"
        library.mkdir()
        for entry in LIBRARY.iterdir():
            if entry.name != "backends":
                (library / entry.name).symlink_to(entry)
        (library / "backends").mkdir()
        jack = "libjack_audiobackend.so"
        (library / "backends" / jack).symlink_to(LIBRARY / "backends" / jack)

    def _new_session(self, tempo_map: str) -> None:
        subprocess.run(
            # The name is the folder's: else Ardour asks.
            ["ardour7-new_session", "-s", str(SAMPLE_RATE), self._session, self._session.name],
            check=True,
            capture_output=True,
            env=self._environment(),
        )
        file = self._session / f"{self._session.name}.ardour"
        text = file.read_text()
        text = re.sub(r"<TempoMap.*?</TempoMap>", tempo_map, text, flags=re.DOTALL)
        text = re.sub(r"<EngineHints.*?/>", "", text)
        text = text.replace('"external-sync" value="0"', '"external-sync" value="1"')
        surface = 'name="Open Sound Control (OSC)" active='
        text = text.replace(f'{surface}"0"', f'{surface}"1"')
        (self.home / file.name).write_text(text)


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


def _tempo_map(timeline: Sequence[Section]) -> str:
    """A session's tempo and meter (`TempoPoint::get_state` in Ardour 7.3's libs/temporal)."""
    tempi, meters = "", ""
    for passage, clock, bar, beat, omega in timeline:
        place = (
            f'sclock="{clock}" quarters="{int(beat)}:{round(beat % 1 * 1920)}" bbt="{bar + 1}|1|0"'
        )
        kind = "Ramped" if omega else "Constant"
        end_bpm = passage.tempo_bpm if passage.end_bpm is None else passage.end_bpm
        tempi += (
            f'<Tempo npm="{passage.tempo_bpm}" enpm="{end_bpm}" note-type="4" '
            f'type="Tempo::{kind}" active="1" locked-to-meter="0" continuing="0" {place} '
            f'omega="{omega!r}"/>'
        )
        meters += (
            f'<Meter note-value="{passage.meter.denominator}" '
            f'divisions-per-bar="{passage.meter.numerator}" {place}/>'
        )
    return (
        f'<TempoMap superclocks-per-second="{SUPERCLOCKS}"><Tempos>{tempi}</Tempos>'
        f"<Meters>{meters}</Meters><MusicTimes/></TempoMap>"
    )


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
