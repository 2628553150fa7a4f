"""The commands `run`, `send` and `config`: on a terminal, in a pipe, and with their files."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bridge import cli
from bridge.control.osc import REQUESTS_A_SECOND
from tests.peers.daemon import ENVIRONMENT, Client, descendants
from tests.peers.wait import PATIENCE_SECONDS, until


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder, which is also the working folder."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_on_a_terminal_the_daemon_shows_its_status_and_restores_the_terminal(
    model: Path, home: Path
) -> None:
    if sys.platform == "win32":
        pytest.skip("terminals are POSIX's")
    import pty

    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "bridge", "run", "--osc-port", "0", "--input", "none"),
            *("--model", str(model), "--clips", "Clips"),
        ],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env={**os.environ, **ENVIRONMENT, "TERM": "xterm", "COLUMNS": "140", "LINES": "40"},
        start_new_session=True,
    )
    os.close(terminal)
    screen = Screen(controller)
    try:
        screen.until("engine     ready")
        port = re.search(r"127\.0\.0\.1:(\d+)", screen.plain)
        assert port is not None
        with Client(int(port[1]), "live1") as client:
            screen.until(f"live1 ({client.port})")
            client.send("/bridge/transport", 93.7, 0.0, 0, 7, 8)
            screen.until("93.7 bpm, 7/8, stopped")
            client.send("/bridge/generate", "live1-1", *("melody", "none", "bars", 1, "seed", 7))
            client.done("live1-1")
            screen.until("seed7.wav")
        children = descendants(process.pid)
        # A terminal sends Ctrl-C to the whole process group, children included.
        os.killpg(process.pid, signal.SIGINT)
        screen.until_closed()
        assert process.wait(PATIENCE_SECONDS) == 0
    finally:
        process.kill()
        process.wait()
        os.close(controller)
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children), "no child is left")
    assert "Traceback" not in screen.text
    assert "stopping: Ctrl-C" in screen.plain
    drawn, _, below = screen.text.rpartition("\x1b[?1049l")
    assert "\x1b[?1049h" in drawn, "it drew on a screen of its own"
    assert screen.text.rindex("\x1b[?25h") > screen.text.rindex("\x1b[?25l"), "the cursor is back"
    assert "seed7.wav" in below, "the last state stays"


class Screen:
    """The text that a terminal has received so far."""

    def __init__(self, controller: int) -> None:
        self._controller = controller
        self.text = ""

    @property
    def plain(self) -> str:
        """The text without colours and cursor movements."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.text)

    def until(self, expected: str) -> None:
        """Read until this text has come."""
        deadline = time.perf_counter() + PATIENCE_SECONDS
        while expected not in self.plain:
            assert time.perf_counter() < deadline, (expected, self.plain[-2000:])
            assert self._read(), (expected, self.plain[-2000:])

    def until_closed(self) -> None:
        """Read until the program's side is closed."""
        while self._read():
            pass

    def _read(self) -> bool:
        if not select.select([self._controller], [], [], PATIENCE_SECONDS)[0]:
            return False
        try:
            self.text += os.read(self._controller, 65_536).decode("utf-8", "replace")
        except OSError:  # On Linux: the other side is closed.
            return False
        return True


def test_plain_lines_go_to_stderr_when_there_is_no_terminal(model: Path, home: Path) -> None:
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "bridge", "run", "--osc-port", "0", "--input", "none"),
            *("--model", str(model), "--clips", "Clips"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **ENVIRONMENT},
    )
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if "engine ready" in line:
            process.send_signal(signal.SIGTERM)
    stdout, _ = process.communicate()
    assert process.returncode == 0 and stdout == ""
    assert all(re.match(r"\d\d:\d\d:\d\d \S", line) for line in lines)
    assert lines[-1].endswith(" stopped\n") and "\x1b" not in "".join(lines)


def test_the_daemon_works_and_stops_although_nobody_reads_its_log(model: Path, home: Path) -> None:
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "bridge", "run", "--osc-port", "0", "--input", "none"),
            *("--model", str(model), "--clips", "Clips", "--json-log"),
        ],
        stdout=subprocess.PIPE,
        env={**os.environ, **ENVIRONMENT},
    )
    assert process.stdout is not None
    try:
        with Client(json.loads(process.stdout.readline())["port"]) as client:
            # Each is half a kilobyte of log: together far more than a pipe holds.
            for number in range(400):
                id = f"me-{number}".ljust(60, "x")
                client.send("/bridge/capture/notes", id, 1, 0, 60, 1)
                client.send("/bridge/capture/stop", id)
                # Not for order, but for the rate: the daemon refuses more than it begins a second.
                time.sleep(1 / (0.8 * REQUESTS_A_SECOND))
            client.done(id)
        process.terminate()
        assert process.wait(PATIENCE_SECONDS) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_the_readmes_two_commands_make_a_clip(model: Path, home: Path, melodies: Path) -> None:
    (home / "config" / "melody-bridge").mkdir(parents=True)
    (home / "config" / "melody-bridge" / "config.toml").write_text(
        f"model = '{model}'\ninput = 'none'\nosc_port = 7791\nclips = '~/Clips'\n"
    )
    (home / "hum.wav").write_bytes((melodies / "twinkle-hum-100bpm.wav").read_bytes())
    daemon = subprocess.Popen(
        [sys.executable, "-m", "bridge", "run", "--json-log"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **ENVIRONMENT},
    )
    assert daemon.stdout is not None
    try:
        assert json.loads(daemon.stdout.readline())["port"] == 7791

        def send(*words: str) -> list[str]:
            done = subprocess.run(
                [sys.executable, "-m", "bridge", "send", *words],
                capture_output=True,
                text=True,
                check=True,
            )
            return done.stdout.splitlines()

        assert send("/bridge/capture/file", "me-1", f"{home}/hum.wav")[-1] == "/bridge/done me-1 0"
        lines = send("/bridge/generate", "me-2", "preset", "lofi-keys", "bars", "4", "seed", "7")
        assert lines[-1] == "/bridge/done me-2 1"
        (clip,) = (home / "Clips").glob("*.wav")
        assert any(str(clip) in line for line in lines)
    finally:
        daemon.terminate()
        daemon.communicate()
    assert daemon.returncode == 0


def test_config_writes_a_file_once_and_shows_and_checks_it(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = home / "config" / "melody-bridge" / "config.toml"
    assert cli.main(["config"]) == 0
    assert f"{path} (not there" in capsys.readouterr().out
    assert cli.main(["config", "--init"]) == 0
    assert capsys.readouterr().out == f"{path}\n"
    assert cli.main(["config", "--init"]) == 2
    assert "there already" in capsys.readouterr().err
    path.write_text("bars = 8\n")
    assert cli.main(["config"]) == 0
    assert capsys.readouterr().out.splitlines() == [str(path), "  bars = 8"]
    path.write_text("bars = 0\n")
    assert cli.main(["config"]) == 2
    assert "bars 0: the range is 1 to 1000" in capsys.readouterr().err
    assert cli.main(["config", "--init", "--config", str(home / "mine.toml")]) == 0
    assert (home / "mine.toml").exists()
