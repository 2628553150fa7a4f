"""What the keys do: each action sends messages to the daemon, as snapshot and choice say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bridge.config import SketchOptions
from bridge.daemon.snapshot import CAPTURE, Snapshot
from bridge.events import (
    CaptureChanged,
    ClipMarked,
    ClipReady,
    Done,
    Event,
    Failed,
    PresetListed,
    Remark,
)
from bridge.timing import FALLBACK_TEMPO_BPM, MAX_TEMPO_BPM, MIN_TEMPO_BPM

LOOP = "sketch-loop"
"""The screen's live loop."""
LAYER = 1
"""The layer of the output that plays the chosen clip."""
MOST_BARS = 16
MOST_UNDONE = 32
KEPT, DISCARDED = "kept", "discarded"

ACTIONS = {
    "record": ("rec", "record, and end"),
    "last": ("last bars", "take the last bars"),
    "generate": ("make", "make clips of it"),
    "play": ("play", "play, or stop"),
    "next": ("next", "next clip"),
    "previous": ("before", "clip before"),
    "choose": ("variation", "choose a variation"),
    "keep": ("keep", "keep, or let go"),
    "discard": ("discard", "discard"),
    "undo": ("undo", "take back"),
    "presets": ("preset", "choose a preset"),
    "prompt": ("prompt", "edit the prompt"),
    "help": ("all keys", "show all keys"),
    "fewer_bars": ("less", "one bar less"),
    "more_bars": ("more", "one bar more"),
    "slower": ("slower", "1 bpm slower"),
    "faster": ("faster", "1 bpm faster"),
    "tap": ("tap", "tap the tempo"),
    "metronome": ("click", "click and count-in"),
    "loop": ("live loop", "live loop"),
    "freeze": ("freeze", "freeze the live loop"),
    "copy": ("copy", "copy the clip's path"),
    "open": ("open", "open its folder"),
    "panic": ("panic", "silence, cancel all"),
    "quit": ("quit", "quit"),
}
"""The label of each action in the footer, and in the list of all keys."""
Send = Callable[..., None]
"""Sends a message: the address without `/bridge/`, and the arguments."""


@dataclass(frozen=True)
class Say:
    """A sentence for the person at the screen."""

    text: str
    is_error: bool = False


NOTHING_SAID = Say("")


class Desk:
    """The choice of a clip, the take in work, and the actions of the keys.

    Attributes:
        name: the client's, which begins its ids.
        chosen: the path of the chosen clip; None: there is none.
        take: the id of the newest take, finished or not; empty: none.
        is_done: whether that take is complete.
        take_seconds: its length so far.
        is_followed: whether clips of it were asked for.
        presets: all of the daemon's, by name.
        said: the newest sentence for the person.
        is_frozen: whether the live loop was frozen from here.
    """

    def __init__(
        self, snapshot: Snapshot, options: SketchOptions, *, name: str, bars: int, send: Send
    ) -> None:
        """Args:
        name: the client's, which begins its ids.
        bars: length of takes and clips where the session says none.
        """
        self._snapshot, self._options = snapshot, options
        self.name, self._bars, self._send = name, bars, send
        self._count = 0
        self._undo: list[tuple[str, str, int]] = []
        self.chosen: str | None = None
        self.take, self.is_done, self.take_seconds = "", False, 0.0
        self.is_followed = False
        self.presets: tuple[str, ...] = ()
        self.said = NOTHING_SAID
        self.is_frozen = False
        self._lists: set[str] = set()

    @property
    def bars(self) -> int:
        """Length of takes and clips."""
        return int(self._snapshot.defaults.get("bars") or self._bars)

    @property
    def tempo_bpm(self) -> float:
        """The tempo of the next clip, as far as it is known here."""
        clock, chosen = self._snapshot.clock, self._snapshot.defaults.get("tempo_bpm")
        if clock is not None:
            return clock.tempo_bpm
        return float(chosen or FALLBACK_TEMPO_BPM)

    @property
    def is_recording(self) -> bool:
        """Whether the newest take is waiting for its first sound, or recording."""
        request = self._snapshot.requests.get(self.take)
        return request is not None and request.kind == CAPTURE

    @property
    def clips(self) -> Sequence[ClipReady]:
        """All clips: of the newest request first, and of each the best first."""
        order = {id: place for place, id in reversed([*enumerate(self._ids())])}
        return sorted(self._snapshot.clips, key=lambda clip: (order[clip.id], clip.index))

    @property
    def clip(self) -> ClipReady | None:
        """The chosen clip."""
        return next((clip for clip in self._snapshot.clips if clip.path == self.chosen), None)

    @property
    def has_click(self) -> bool:
        """Whether the metronome is on."""
        metronome = self._snapshot.metronome
        return metronome is not None and metronome.is_on

    @property
    def is_playing(self) -> bool:
        """Whether the chosen clip's layer plays, or will."""
        layer = self._snapshot.layers.get(LAYER)
        return layer is not None and bool(layer.clip or layer.coming) and layer.state != "stopping"

    def begin(self) -> None:
        """Ask for what a new screen shows: the presets and the newest clips."""
        for what in ("presets", "clips"):
            id = self._new_id()
            self._lists.add(id)
            self._send(what, id)

    def observe(self, event: Event) -> None:
        """Follow one event, after the snapshot."""
        match event:
            case PresetListed() if event.id in self._lists:
                self.presets = (*self.presets[: event.index], event.name)
            case ClipReady() if event.id in self._lists:
                self._snapshot.add_earlier(event)
                if self.chosen is None and event.mark != DISCARDED:
                    self.chosen = event.path
            case ClipReady(index=0) if self._is_own(event.id):
                self.chosen = event.path
            case ClipReady() if self.chosen is None:
                self.chosen = event.path
            case ClipMarked():
                self._marked(event)
            case CaptureChanged(id, state, seconds) if id == self.take:
                self.is_done, self.take_seconds = state == "done", seconds
            case Remark(id, text) if self._is_own(id):
                self.said = Say(text)
            case Failed(id, _, message) if self._is_own(id):
                self.said = Say(message, is_error=True)
                if id == self.take:
                    self.take = ""
            case Done(id, count) if count and id == self._own_render():
                self._autoplay(id)

    def do(self, action: str, number: int = 0) -> None:
        """Carry out an action of the daemon's.

        Args:
            action: the name of an option of keys, without `sketch_`.
            number: which of the option's keys it is, from 0.
        """
        self.said = NOTHING_SAID
        actions: dict[str, Callable[[], None]] = {
            "record": self._record,
            "last": self._last,
            "generate": self._generate,
            "presets": lambda: self._choose_preset(number),
            "play": self._play_or_stop,
            "next": lambda: self._step(1),
            "previous": lambda: self._step(-1),
            "choose": lambda: self._choose_variation(number),
            "keep": self._keep,
            "discard": self._discard,
            "undo": self._take_back,
            "fewer_bars": lambda: self._set_bars(self.bars - 1),
            "more_bars": lambda: self._set_bars(self.bars + 1),
            "slower": lambda: self._set_tempo(-1),
            "faster": lambda: self._set_tempo(1),
            "tap": lambda: self._send("tap"),
            "metronome": self._metronome,
            "loop": self._loop,
            "freeze": self._freeze,
            "panic": lambda: self._send("panic"),
        }
        actions[action]()

    def set_prompt(self, prompt: str) -> None:
        """Let clips sound like this; empty: as the preset says, or as the melody alone."""
        if prompt.strip():
            self._send("set", "prompt", prompt.strip())
        else:
            self._send("unset", "prompt")

    def choose(self, path: str) -> None:
        """Choose a clip; while one plays, this one takes its place."""
        was_playing = self.is_playing
        self.chosen = path
        if was_playing:
            self._play()

    def say(self, text: str, *, is_error: bool = False) -> None:
        """Show a sentence until the next key."""
        self.said = Say(text, is_error)

    def _ids(self) -> list[str]:
        return [clip.id for clip in self._snapshot.clips]

    def _new_id(self) -> str:
        self._count += 1
        return f"{self.name}-{self._count}"

    def _is_own(self, id: str) -> bool:
        return id in ("-", LOOP) or id.rpartition("-")[0] == self.name

    def _own_render(self) -> str:
        """The id of the newest clips, if they were made for this screen."""
        clips = self.clips
        return clips[0].id if clips and self._is_own(clips[0].id) else ""

    def _record(self) -> None:
        if self.is_recording:
            self._send("capture/stop", self.take)
        else:
            self._begin_take("capture/start")

    def _last(self) -> None:
        self._begin_take("capture/last", self.bars)

    def _begin_take(self, address: str, *arguments: int) -> None:
        self.take, self.is_done, self.take_seconds = self._new_id(), False, 0.0
        self.is_followed = False
        self._send(address, self.take, *arguments)

    def _generate(self) -> None:
        if self.is_recording:
            self._send("capture/stop", self.take)
        defaults = self._snapshot.defaults
        if not self.take and not (defaults.get("prompt") or defaults.get("preset")):
            self.say("hum a melody first, or choose a preset or a prompt")
            return
        self.is_followed = True
        melody = ("melody", self.take or "none")
        variations = ("variations", self._options.sketch_variations)
        self._send("generate", self._new_id(), *melody, *variations, "bars", self.bars)

    def _choose_preset(self, number: int) -> None:
        if number >= len(self.presets):
            self.say(f"there are {len(self.presets)} presets")
        elif self._snapshot.defaults.get("preset") == self.presets[number]:
            self._send("unset", "preset")
        else:
            self._send("set", "preset", self.presets[number])

    def _play_or_stop(self) -> None:
        if self.is_playing:
            self._send("stop", LAYER)
        else:
            self._play()

    def _play(self) -> None:
        clip = self._chosen_or_say()
        if clip is not None:
            self._send("play", clip.id, clip.index, LAYER)

    def _autoplay(self, id: str) -> None:
        output = self._snapshot.output
        is_audible = output is not None and output.state == "ready"
        if (
            self._options.sketch_autoplay
            and is_audible
            and not (self.is_playing or self.is_recording)
        ):
            self._send("play", id, 0, LAYER)

    def _step(self, by: int) -> None:
        clips = self.clips
        paths = [clip.path for clip in clips]
        place = paths.index(self.chosen) if self.chosen in paths else -by
        # Around the list, past those that are discarded.
        for away in range(1, len(clips) + 1):
            clip = clips[(place + by * away) % len(clips)]
            if clip.mark != DISCARDED:
                self.choose(clip.path)
                return
        if self.is_playing:
            self._send("stop", LAYER)
        self.chosen = None
        self.say("there is no clip yet")

    def _choose_variation(self, number: int) -> None:
        clip = self._chosen_or_say()
        if clip is None:
            return
        for other in self.clips:
            if other.id == clip.id and other.index == number:
                self.choose(other.path)
                return
        self.say(f"there is no variation {chr(ord('A') + number)}")

    def _keep(self) -> None:
        clip = self._chosen_or_say()
        if clip is not None:
            self._send("unkeep" if clip.mark == KEPT else "keep", clip.id, clip.index)

    def _discard(self) -> None:
        clip = self._chosen_or_say()
        if clip is not None:
            self._send("discard", clip.id, clip.index)

    def _marked(self, event: ClipMarked) -> None:
        """Remember what can be taken back, and leave a discarded clip for the next."""
        if event.mark == "none":
            kept = (KEPT, event.id, event.index)
            self._undo = [each for each in self._undo if each != kept]
            return
        self._undo = [*self._undo, (event.mark, event.id, event.index)][-MOST_UNDONE:]
        if event.mark == DISCARDED and event.path == self.chosen:
            self._step(1)

    def _take_back(self) -> None:
        if self._undo:
            mark, id, index = self._undo.pop()
            self._send("restore" if mark == DISCARDED else "unkeep", id, index)
        elif LOOP in self._snapshot.loops:
            self._send("loop/undo", LOOP)
        else:
            self.say("there is nothing to take back")

    def _set_bars(self, bars: int) -> None:
        self._send("set", "bars", min(max(bars, 1), MOST_BARS))

    def _set_tempo(self, by: int) -> None:
        tempo_bpm = min(max(round(self.tempo_bpm) + by, MIN_TEMPO_BPM), MAX_TEMPO_BPM)
        self._send("set", "tempo_bpm", tempo_bpm)

    def _metronome(self) -> None:
        """Click and count in, on the daemon's own clock unless another plays; or no more."""
        clock = self._snapshot.clock
        if self.has_click:
            self._send("metronome", 0)
            self._send("unset", "count_in_bars")
            if clock is not None and clock.source == "internal":
                self._send("halt")
        else:
            self._send("metronome", 1)
            self._send("set", "count_in_bars", 1)
            if clock is None or not clock.is_playing:
                self._send("start")

    def _loop(self) -> None:
        if LOOP in self._snapshot.loops:
            self._send("loop/stop", LOOP)
        else:
            self.is_frozen = False
            self._send("loop/start", LOOP, "bars", self.bars)

    def _freeze(self) -> None:
        if LOOP not in self._snapshot.loops:
            self.say("no live loop plays")
            return
        self.is_frozen = not self.is_frozen
        self._send("loop/freeze", LOOP, int(self.is_frozen))

    def _chosen_or_say(self) -> ClipReady | None:
        if self.clip is None:
            self.say("there is no clip yet")
        return self.clip
