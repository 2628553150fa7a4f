"""Hotkeys of a real daemon: keys pressed on an X server, a tone on a sound card, clips on disk."""

from __future__ import annotations

import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bridge import cli
from bridge.hotkeys.repeats import DEBOUNCE_SECONDS
from tests.peers.daemon import Client, DaemonProcess, Received, running
from tests.peers.display import Display
from tests.peers.jack import (
    SAMPLE_RATE,
    JackRecording,
    JackServer,
    excusing_xruns,
    playing,
    recording,
)
from tests.peers.wait import until

if sys.platform != "linux":
    pytest.skip("X is Linux's", allow_module_level=True)

HEARD_FRAMES = 4 * 512


@contextmanager
def desk(folder: Path, model: Path, *arguments: str, config: str = "") -> Iterator[DaemonProcess]:
    """Run a daemon with hotkeys, the sound card as input and output, and clips that come at once.

    Args:
        config: lines of its configuration.
    """
    path = folder / "config.toml"
    path.write_text(f"output_latency_ms = 0\nbars = 1\nvariations = 2\n{config}")
    more = ("--config", str(path), "--model", str(model), "--output", "system", "--hotkeys")
    with running(folder / "Clips", *more, *arguments, input="system") as daemon:
        daemon.logged("input", state="ready")
        daemon.logged("output", state="ready")
        yield daemon.ready()


def remarked(daemon: DaemonProcess, words: str) -> None:
    """Wait until the daemon's log has a remark with these words."""
    until(lambda: any(words in line["message"] for line in list(daemon.log)), words)


def tone(seconds: float) -> NDArray[np.float32]:
    """A tone of two channels."""
    wave = 0.3 * np.sin(2 * np.pi * 220 / SAMPLE_RATE * np.arange(round(seconds * SAMPLE_RATE)))
    return np.repeat(wave.astype(np.float32)[:, np.newaxis], 2, axis=1)


def sounds(recorded: JackRecording) -> bool:
    return bool(np.nan_to_num(recorded.samples()[-HEARD_FRAMES:]).any())


class Watch:
    """A client that waits for what the keys do."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self._seen = 0

    def next(self, address: str, *first: str | int) -> Received:
        """The next event of that address and first arguments, after that of the last call."""
        event = self.client.wait(address, *first, after=self._seen)
        self._seen = self.client.events.index(event, self._seen) + 1
        return event


def test_every_key_does_its_action(
    jack_server: JackServer, display: Display, tmp_path: Path, model: Path
) -> None:
    with (
        desk(tmp_path, model, config='hotkey_answer = "none"\n') as daemon,
        Client(daemon.port, "watch") as client,
        recording(tmp_path) as recorded,
    ):
        watch = Watch(client)
        remarked(daemon, "hotkeys: capture <ctrl>+<alt>+c, last <ctrl>+<alt>+b")
        display.keys("key", "ctrl+alt+k")
        assert "no clip is there yet" in str(watch.next("/bridge/error", "-").arguments[2])
        # A tap records until the next one.
        with playing(tone(60.0), to_the_end=False, folder=tmp_path):
            display.keys("key", "ctrl+alt+c")
            watch.next("/bridge/capture", "hotkeys-1", "recording")
            display.keys("key", "ctrl+alt+c")
            watch.next("/bridge/capture", "hotkeys-1", "done")
            watch.next("/bridge/done", "hotkeys-2")
            # Held, it records until it is let go.
            with display.held("ctrl", "alt", "c"):
                held = watch.next("/bridge/capture", "hotkeys-3", "recording")
                until(
                    lambda: any(
                        float(str(event.arguments[2])) > 0.8
                        for event in client.of("hotkeys-3")
                        if event.address == "/bridge/capture"
                    ),
                    "it records while the key is held",
                )
            done = watch.next("/bridge/capture", "hotkeys-3", "done")
            assert done.seconds - held.seconds < 5 * 2.0
            watch.next("/bridge/done", "hotkeys-4")
        display.keys("key", "ctrl+alt+b")
        watch.next("/bridge/done", "hotkeys-5")
        watch.next("/bridge/done", "hotkeys-6")
        assert len(client.of("hotkeys-6")) >= 3
        assert not sounds(recorded)
        display.keys("key", "ctrl+alt+p")
        watch.next("/bridge/done", "hotkeys-6", 1)
        until(lambda: sounds(recorded), "the clip is heard")
        display.keys("key", "ctrl+alt+n")
        watch.next("/bridge/done", "hotkeys-6", 1)
        display.keys("key", "ctrl+alt+k")
        mark = watch.next("/bridge/mark", "hotkeys-6", 1, "kept")
        assert Path(str(mark.arguments[3])).exists()
        display.keys("key", "ctrl+alt+p")
        released_seconds = time.monotonic()
        until(lambda: not sounds(recorded), "play stops what plays")
        # Sooner, it would count as the same press.
        until(
            lambda: time.monotonic() - released_seconds > 2 * DEBOUNCE_SECONDS,
            "the key counts as released",
        )
        display.keys("key", "ctrl+alt+p")
        watch.next("/bridge/done", "hotkeys-6", 1)
        until(lambda: sounds(recorded), "and plays it again")
        display.keys("key", "ctrl+alt+x")
        until(lambda: not sounds(recorded), "panic")


def test_a_click_on_the_output_answers_each_key(
    jack_server: JackServer, display: Display, tmp_path: Path, model: Path
) -> None:
    with (
        desk(tmp_path, model, config='hotkey_answer = "sound"\n') as daemon,
        recording(tmp_path) as recorded,
    ):
        remarked(daemon, "hotkeys: capture")

        def answers(key: str) -> None:
            until(lambda: not sounds(recorded), "silence")
            frames = len(recorded.samples())
            display.keys("key", f"ctrl+alt+{key}")
            until(
                lambda: np.nan_to_num(recorded.samples()[frames:]).any(),
                f"a click answers {key}",
                30.0,
            )

        def attempt() -> None:
            for key in ("k", "x", "n"):
                answers(key)

        excusing_xruns(jack_server, attempt)


def test_a_notification_answers_each_key_and_where_there_is_none_it_says_so_once(
    jack_server: JackServer,
    display: Display,
    tmp_path: Path,
    model: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown = tmp_path / "shown"
    # In place of the program of a desktop, which needs a desktop.
    program = tmp_path / "bin" / "notify-send"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nfor last; do :; done\necho "$last" >> {shown}\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    with desk(tmp_path, model) as daemon:
        remarked(daemon, "hotkeys: capture")
        display.keys("key", "ctrl+alt+k")
        until(shown.exists, "a notification")
        display.keys("key", "ctrl+alt+x")
        until(lambda: shown.read_text().splitlines()[-1] == "silence", "the next one")
        assert shown.read_text().startswith("no clip is there yet")
        program.write_text("#!/bin/sh\nexit 3\n")
        # Other keys: one that is pressed again within 80 ms counts as held.
        display.keys("key", "ctrl+alt+n")
        remarked(daemon, "notify-send failed (3)")
        display.keys("key", "ctrl+alt+k")
        with Client(daemon.port, "watch") as client:
            client.sync()
        assert sum("notify-send failed" in line["message"] for line in daemon.log) == 1


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"WAYLAND_DISPLAY": "wayland-0"}, "Wayland gives no program the keys of another"),
        ({"WAYLAND_DISPLAY": "", "DISPLAY": ""}, "there is no display"),
        ({"WAYLAND_DISPLAY": "", "DISPLAY": ":4711"}, "the display does not open"),
    ],
)
def test_without_keys_the_daemon_runs_and_a_message_does_what_a_key_would(
    tmp_path: Path,
    model: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    variables: dict[str, str],
    says: str,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with running(tmp_path, "--model", str(model), "--hotkeys") as daemon:
        remarked(daemon, f"hotkeys: {says}")

        def send(action: str) -> int:
            return cli.main(["send", "hotkey", action, "--osc-port", str(daemon.port)])

        assert send("panic") == 0
        assert send("keep") == 1
        assert "no clip is there yet" in capsys.readouterr().out
        assert send("nothing") == 1
        assert "send capture, last, play, next, keep or panic" in capsys.readouterr().out
