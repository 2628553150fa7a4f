"""What the hotkeys do: each action becomes commands, by what is recorded and played just now."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from bridge.commands import (
    LOOP_PREFIX,
    CaptureLast,
    CaptureStart,
    CaptureStop,
    ClipSettings,
    Command,
    Generate,
    HotkeyAction,
    Keep,
    Panic,
    Play,
    StopPlaying,
)
from bridge.control.control import OnCommand
from bridge.errors import BridgeError, UnknownId
from bridge.events import (
    ClipMarked,
    ClipReady,
    ClockChanged,
    DefaultsChanged,
    Done,
    Event,
    Failed,
    LayerChanged,
    RequestBegun,
)

CLIENT = "hotkeys"
"""The client in the ids of its requests."""
LAYER = 1
"""The layer of the output that is played on."""
HOLD_SECONDS = 0.4
"""A key that is held for longer records until it is let go; else until it is pressed again."""
NO_CLIP = "no clip is there yet: record something first"


class HotkeyActions:
    """Carries out the actions of hotkeys, by the client `hotkeys`. For the event loop's thread."""

    def __init__(
        self,
        *,
        bars: int,
        say: Callable[[str, bool], None],
        refuse: Callable[[BridgeError], None],
        lead_seconds: float = 0.0,
    ) -> None:
        """Args:
        bars: how many `last` takes, until `/bridge/set` sets another number.
        say: called with a sentence for each action, and whether all is well.
        refuse: called with the error of what was refused after its press.
        lead_seconds: how long a recording that no clock begins waits, so that it does not hear
            what `say` does.
        """
        self._configured_bars = self._bars = bars
        self._say, self._refuse, self._lead_seconds = say, refuse, lead_seconds
        self.on_command: OnCommand = _ignore
        self._count = 0
        self._clock_plays = self._plays = False
        self._capture = ""
        self._pressed_seconds: float | None = None
        self._starting: asyncio.TimerHandle | None = None
        self._renders = ""
        self._clips = _Clips()

    def press(self, action: HotkeyAction, seconds: float) -> None:
        """Do what an action's key does when it goes down.

        Args:
            seconds: when it did, on `time.perf_counter`.

        Raises:
            BridgeError: the daemon refuses it, or there is no clip that it could be about.
        """
        match action:
            case "capture" if self._capture:
                self._end_capture()
            case "capture":
                self._begin_capture(seconds)
            case "last":
                take = self._new_id()
                self.on_command(CaptureLast(take, self._bars))
                self._generate(take)
                self._say(f"the last {self._bars} bars: a clip is being made", True)
            case "play" if self._plays:
                self.on_command(StopPlaying(LAYER))
                self._say("stops", True)
            case "play" | "next" | "keep" if not self._clips.names:
                raise UnknownId(NO_CLIP)
            case "play":
                self._play()
            case "next":
                self._clips.step()
                self._play()
            case "keep":
                self.on_command(Keep(self._clips.id, self._clips.index))
                self._say(f"keeps {self._clips.text}", True)
            case "panic":
                self.on_command(Panic())
                self._say("silence", True)

    def release(self, action: HotkeyAction, seconds: float) -> None:
        """Do what an action's key does when it goes up.

        Raises:
            BridgeError: the daemon refuses it.
        """
        if action != "capture" or self._pressed_seconds is None:
            return
        held_seconds, self._pressed_seconds = seconds - self._pressed_seconds, None
        if self._capture and held_seconds >= HOLD_SECONDS:
            self._end_capture()

    def publish(self, event: Event) -> None:
        """Keep what the actions need to know."""
        match event:
            case DefaultsChanged(settings):
                self._bars = settings.get("bars") or self._configured_bars
            case ClockChanged():
                self._clock_plays = event.is_playing
            case LayerChanged(layer) if layer == LAYER:
                self._plays = event.state == "playing" or bool(event.coming)
                self._clips.playing(event.coming or event.clip)
            # The clips of live loops play by themselves.
            case RequestBegun(id, "generate") if not id.startswith(LOOP_PREFIX):
                self._clips.begun(id)
            case ClipReady():
                self._clips.add(event)
            case ClipMarked(id, index, "discarded"):
                self._clips.discard(id, index)
            case Done(id, count):
                self._done(id, count)
            case Failed(id) if id and id in (self._capture, self._renders, self._clips.id):
                self._capture = "" if id == self._capture else self._capture
                self._renders = "" if id == self._renders else self._renders
                self._say(event.message, False)

    def close(self) -> None:
        """Begin nothing more."""
        if self._starting is not None:
            self._starting.cancel()

    def _begin_capture(self, seconds: float) -> None:
        id = self._new_id()
        if self._clock_plays or not self._lead_seconds:
            self.on_command(CaptureStart(id))
        else:
            loop = asyncio.get_running_loop()
            self._starting = loop.call_later(self._lead_seconds, self._start_capture)
        self._capture, self._pressed_seconds = id, seconds
        when = "from the next bar line" if self._clock_plays else "from the first sound"
        self._say(f"records {when} on", True)

    def _start_capture(self) -> None:
        self._starting = None
        if not self._done_later(partial(self.on_command, CaptureStart(self._capture))):
            self._capture = ""

    def _end_capture(self) -> None:
        """End the recording; its clip is asked for once it has ended, however it does."""
        if self._starting is not None:
            self._starting.cancel()
            self._starting, self._capture = None, ""
            self._say("records nothing: it was let go at once", False)
        else:
            self.on_command(CaptureStop(self._capture))
            self._say("recorded: a clip is being made", True)

    def _done(self, id: str, count: int) -> None:
        if id and id == self._capture:
            self._capture = ""
            # Later: the others have not had this event yet.
            render = partial(self._done_later, partial(self._generate, id))
            asyncio.get_running_loop().call_soon(render)
        elif id and id == self._renders:
            self._renders = ""
            self._say("the clip is ready" if count == 1 else f"{count} clips are ready", True)

    def _done_later(self, act: Callable[[], None]) -> bool:
        """Do what a press asked for before; False: it was refused, which the user hears."""
        try:
            act()
        except BridgeError as error:
            self._refuse(error)
            return False
        return True

    def _generate(self, take: str) -> None:
        id = self._new_id()
        self.on_command(Generate(id, ClipSettings(), melody=take))
        self._renders = id

    def _play(self) -> None:
        self.on_command(Play(self._clips.id, self._clips.index, LAYER))
        self._say(f"plays {self._clips.text}", True)

    def _new_id(self) -> str:
        self._count += 1
        return f"{CLIENT}-{self._count}"


class _Clips:
    """The variations of the newest request for clips, whoever made it.

    Attributes:
        id: the request's; empty: none has made a clip.
        index: of the variation that is meant.
        names: of the variations that are not discarded, by index.
    """

    def __init__(self) -> None:
        self.id, self.index = "", 0
        self.names: dict[int, str] = {}
        self._newest = ""

    @property
    def text(self) -> str:
        """The variation that is meant, for people."""
        name = self.names.get(self.index, "")
        return f"{name}, variation {self.index + 1} of {len(self.names)}"

    def begun(self, id: str) -> None:
        """Take in that a request is under way: its clips count, once it has any."""
        self._newest = id

    def add(self, clip: ClipReady) -> None:
        """Add a clip of the newest request, or one that was restored."""
        if clip.id not in (self.id, self._newest) or clip.mark == "discarded":
            return
        if clip.id != self.id:
            self.id, self.index, self.names = clip.id, 0, {}
        self.names[clip.index] = clip.name

    def discard(self, id: str, index: int) -> None:
        """Take in that a clip is discarded."""
        if id == self.id:
            self.names.pop(index, None)
            if self.names and self.index not in self.names:
                self.step()

    def playing(self, name: str) -> None:
        """Take in which clip the layer plays: it is the one that is meant."""
        self.index = next((each for each in self.names if self.names[each] == name), self.index)

    def step(self) -> None:
        """Mean the next variation; after the last one the first."""
        indices = sorted(self.names)
        self.index = next((each for each in indices if each > self.index), indices[0])


def _ignore(command: Command) -> None:
    """Take commands before the start."""
