"""A Live set with our devices: the model of Live and of Max in tests/max_for_live, in Node."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.peers.wait import PATIENCE_SECONDS, until

_ROOT = Path(__file__).parents[2]
_HOST_PROCESS = _ROOT / "tests" / "max_for_live" / "host_process.js"
PATCHER = _ROOT / "max_for_live" / "Melody Bridge.maxpat"


class CallFailed(AssertionError):
    """The call threw an error, which the device's user would have seen."""


class Ref(NamedTuple):
    """A reference to an object in the model: a track, a slot, a clip."""

    number: int

    def path(self, *names: str) -> str:
        """The path of a member, for a call."""
        return ".".join((f"${self.number}", *names))


class LiveSet:
    """A process with the model, and calls into it.

    Attributes:
        events: the events so far: `{"event": "shown", "host", "name", "text"}` and
            `{"event": "clip", "track", "slot", "name"}`.
        errors: the lines on its stderr so far.
        process: the process itself.
    """

    def __init__(self, node: str, live: Mapping[str, Any]) -> None:
        self.events: list[dict[str, Any]] = []
        self.errors: list[str] = []
        self._answers: dict[int, dict[str, Any]] = {}
        self._asked = 0
        self._ended = False
        self._grown = threading.Condition()
        self.process = subprocess.Popen(
            [node, str(_HOST_PROCESS), json.dumps({"live": live})],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        self._readers = [
            threading.Thread(target=self._read_lines, daemon=True),
            threading.Thread(target=self._read_errors, daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def call(self, path: str, *arguments: object) -> Any:
        """Call a method or read a member by its dotted path, and return the result.

        Raises:
            CallFailed: the method threw an error.
        """
        return self._ask(path, arguments, ref=False)

    def ref(self, path: str, *arguments: object) -> Ref:
        """Like `call`, for a result that is not JSON: return a reference to it."""
        return Ref(self._ask(path, arguments, ref=True)["$ref"])

    def add_track(self, name: str, kind: str = "audio", **more: object) -> Ref:
        """Add a track at the end of the set."""
        return self.ref("live.song.addTrack", {"name": name, "kind": kind, **more})

    def add_device(
        self,
        name: str,
        track: Ref,
        patcher: Path = PATCHER,
        parameters: Mapping[str, Any] | None = None,
    ) -> Device:
        """Drag a device onto a track; with `parameters`: open a set that was saved with it."""
        device = self.ref("live.addDevice", track)
        options: dict[str, object] = {"patcherPath": str(patcher), "device": device}
        if parameters is not None:
            options["parameters"] = dict(parameters)
        self.call("addHost", name, options)
        return Device(self, name)

    def until(
        self,
        reached: Callable[[], object],
        what: str,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        """Wait until a condition is true; `what` names it in the error."""
        until(reached, what, patience_seconds)

    def close(self) -> int:
        """End the process, and return its exit status: 0 if no device failed."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        status = self.process.wait(PATIENCE_SECONDS)
        self._join()
        return status

    def kill(self) -> None:
        """Kill the process."""
        self.process.kill()
        self.process.wait(PATIENCE_SECONDS)
        self._join()

    def _ask(self, path: str, arguments: tuple[object, ...], *, ref: bool) -> Any:
        assert self.process.stdin is not None
        self._asked += 1
        number = self._asked
        request = {"id": number, "call": path, "args": _as_json(arguments), "ref": ref}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        with self._grown:
            self._grown.wait_for(lambda: number in self._answers or self._ended, PATIENCE_SECONDS)
            answer = self._answers.pop(number, None)
        assert answer is not None, (path, arguments, self.errors)
        if "error" in answer:
            raise CallFailed(f"{path}: {answer['error']}")
        return answer["result"]

    def _join(self) -> None:
        for reader in self._readers:
            reader.join()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()

    def _read_lines(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            message = json.loads(line)
            with self._grown:
                if "event" in message:
                    self.events.append(message)
                else:
                    self._answers[message["id"]] = message
                self._grown.notify_all()
        with self._grown:
            self._ended = True
            self._grown.notify_all()

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        self.errors.extend(self.process.stderr)


class Device:
    """A device as its user sees it. A control has the name of its parameter or of its box."""

    def __init__(self, live: LiveSet, name: str) -> None:
        self.live = live
        self.name = name

    def call(self, method: str, *arguments: object) -> Any:
        """Call any other method of the host."""
        return self.live.call(f"hosts.{self.name}.{method}", *arguments)

    def press(self, button: str) -> None:
        """Click on a button or a switch."""
        self.call("press", button)

    def set_value(self, control: str, value: float) -> None:
        """Drag or type a number."""
        self.call("setValue", control, value)

    def type(self, field: str, text: str) -> None:
        """Replace a field's text, key by key."""
        self.call("type", field, text)

    def choose(self, menu: str, item: str | int) -> None:
        """Choose an item of a menu."""
        self.call("choose", menu, item)

    def text(self, box: str) -> str:
        """The text that a box shows."""
        return str(self.call("text", box))

    def value(self, control: str) -> float:
        """The number that a control shows."""
        return float(self.call("value", control))

    def items(self, menu: str) -> list[str]:
        """The items of a menu."""
        return list(self.call("items", menu))

    def console(self) -> list[str]:
        """The lines of Max's console."""
        return list(self.call("console"))

    def hear(self, wav: Path, *, in_song: bool = False, loop: bool = False) -> None:
        """Play a file into the track from now on, or in time with the song from beat 0."""
        how = "followSong" if in_song else "play"
        self.live.call(f"inputs.{self.name}.{how}", str(wav), {"loop": loop})

    def save(self) -> dict[str, Any]:
        """The device's parameters, as Live writes them into the set."""
        return dict(self.call("save"))

    def remove(self) -> None:
        """Delete the device from its track.

        Raises:
            CallFailed: the device's script had failed.
        """
        self.live.call("removeHost", self.name)


@contextmanager
def live_set(node: str, **live: Any) -> Iterator[LiveSet]:
    """Open a Live set; at the end of the block close it and check that no device failed.

    Args:
        node: the program.
        live: options for `createLive` in tests/max_for_live/live_model.js.
    """
    running = LiveSet(node, live)
    try:
        yield running
    except BaseException:
        running.kill()
        print(*running.events[-20:], *running.errors, sep="\n")
        raise
    status = running.close()
    assert status == 0, running.errors


def _as_json(value: object) -> Any:
    if isinstance(value, Ref):
        return {"$ref": value.number}
    if isinstance(value, dict):
        return {name: _as_json(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_as_json(one) for one in value]
    return value
