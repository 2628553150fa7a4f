"""The state of the session, a fold over its events. Every screen draws it and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from bridge.commands import ClipSettings
from bridge.events import (
    NO_PITCH,
    BeatReached,
    CaptureChanged,
    ClientsChanged,
    ClipMarked,
    ClipReady,
    ClockChanged,
    DefaultsChanged,
    Done,
    EngineChanged,
    Event,
    Failed,
    InputChanged,
    InputOverflowed,
    LayerChanged,
    Level,
    LinkPeersChanged,
    Listening,
    LoopChanged,
    MetronomeChanged,
    MidiPortsChanged,
    NetworkChanged,
    OutputChanged,
    OutputUnderflowed,
    Pitch,
    Progress,
    QueueChanged,
    Remark,
    RequestBegun,
)
from bridge.soundcard.level import LOWEST_DB

MOST_CLIPS = 20
"""Clips that a screen can show; the clips folder has all of them."""
MOST_NOTICES = 8
CAPTURE = "capture"
"""The kind of a request for a melody."""
GENERATE = "generate"
"""The kind of a request for clips."""


@dataclass(frozen=True)
class OpenRequest:
    """A request under way.

    Attributes:
        kind: the kind of request, such as `"generate"`.
        state: its newest progress or capture event; None: none yet.
    """

    id: str
    kind: str
    state: Progress | CaptureChanged | None = None

    @property
    def fraction(self) -> float | None:
        """The share that is done, 0…1; None when not known."""
        return self.state.fraction if isinstance(self.state, Progress) else None


@dataclass
class Snapshot:
    """The newest of every kind of event.

    Attributes:
        port: the daemon's UDP port; 0: not yet open.
        clock, beat: the DAW's time; None before it is known.
        link_peers: other programs in the Ableton Link session.
        network: between the daemon and a remote engine.
        waiting: requests in the engine's queue.
        pitch: of the input; None: no voice is there, or nobody has subscribed.
        overflows: times that the input lost audio.
        output: None without an output.
        underflows: times that the output had no audio in time.
        layers: of the output that are or were in use, by number from 1.
        metronome: None without an output.
        loops: the live loops by id, without those that are silent and wait for nothing.
        defaults: the session's settings.
        clients: who subscribes, such as `"live1 (7772)"`.
        requests: under way, in the order they came.
        clips: made by this daemon, the newest first; their `mark` says which are kept or
            discarded.
        notices: the newest remarks and errors, the newest last.
    """

    port: int = 0
    engine: EngineChanged = field(default_factory=lambda: EngineChanged("loading", ""))
    network: NetworkChanged = field(default_factory=NetworkChanged)
    waiting: int = 0
    input: InputChanged = field(default_factory=lambda: InputChanged("none", "", 0))
    level: Level = field(default_factory=lambda: Level(LOWEST_DB, LOWEST_DB))
    pitch: Pitch | None = None
    overflows: int = 0
    output: OutputChanged | None = None
    underflows: int = 0
    layers: Mapping[int, LayerChanged] = field(default_factory=dict)
    metronome: MetronomeChanged | None = None
    loops: Mapping[str, LoopChanged] = field(default_factory=dict)
    midi: MidiPortsChanged = field(default_factory=lambda: MidiPortsChanged((), ()))
    clock: ClockChanged | None = None
    beat: int | None = None
    link_peers: int = 0
    defaults: ClipSettings = field(default_factory=ClipSettings)
    clients: tuple[str, ...] = ()
    requests: dict[str, OpenRequest] = field(default_factory=dict)
    clips: tuple[ClipReady, ...] = ()
    notices: tuple[Remark | Failed, ...] = ()

    def apply(self, event: Event) -> None:
        """Apply one event; ignore an event that does not change the state."""
        if isinstance(event, Remark | Failed):
            self.notices = (*self.notices, event)[-MOST_NOTICES:]
        match event:
            case Listening(port):
                self.port = port
            case EngineChanged():
                self.engine = event
            case NetworkChanged():
                self.network = event
            case QueueChanged(waiting):
                self.waiting = waiting
            case InputChanged():
                self.input = event
            case InputOverflowed(count):
                self.overflows = count
            case OutputChanged():
                self.output = event
            case OutputUnderflowed(count):
                self.underflows = count
            case LayerChanged(layer):
                self.layers = {**self.layers, layer: event}
            case MetronomeChanged():
                self.metronome = event
            case LoopChanged(id):
                others = {each: self.loops[each] for each in self.loops if each != id}
                is_idle = (event.sounding, event.coming) == ("off", "none") and not event.is_on
                self.loops = others if is_idle else {**others, id: event}
            case MidiPortsChanged():
                self.midi = event
            case Level():
                self.level = event
            case Pitch():
                self.pitch = None if event == NO_PITCH else event
            case ClockChanged():
                self.clock = event
            case BeatReached(beat):
                self.beat = beat
            case LinkPeersChanged(count):
                self.link_peers = count
            case DefaultsChanged(settings):
                self.defaults = settings
            case ClientsChanged(clients):
                self.clients = clients
            case RequestBegun(id, kind):
                # A new mapping: a screen may be drawing the old one in its own thread.
                self.requests = {**self.requests, id: OpenRequest(id, kind)}
            case Progress() | CaptureChanged():
                self._update(event)
            case ClipReady():
                self._add(event)
            case ClipMarked():
                # By its path: a list of clips has ids and indices of its own.
                self.clips = tuple(
                    replace(clip, mark=event.mark) if clip.path == event.path else clip
                    for clip in self.clips
                )
            case Done(id) | Failed(id):
                self.requests = {
                    open_id: request for open_id, request in self.requests.items() if open_id != id
                }

    def state_events(self) -> Iterator[Event]:
        """The events that bring a client that connects late up to date."""
        yield self.engine
        if self.network.is_known:
            yield self.network
        yield self.input
        if self.output is not None:
            yield self.output
        yield from self.layers.values()
        if self.defaults.values:
            yield DefaultsChanged(self.defaults)
        for request in self.requests.values():
            yield RequestBegun(request.id, request.kind)
            if request.state is not None:
                yield request.state
        if self.clock is not None:
            yield self.clock
        if self.metronome is not None:
            yield self.metronome
        yield from self.loops.values()

    def add_earlier(self, clip: ClipReady) -> None:
        """Add a clip of a list of earlier clips behind those that are known."""
        known = {each.path for each in self.clips}
        if clip.path not in known and len(self.clips) < MOST_CLIPS:
            self.clips = (*self.clips, clip)

    def _update(self, event: Progress | CaptureChanged) -> None:
        known = self.requests.get(event.id)
        if known is not None:
            changed = OpenRequest(event.id, known.kind, event)
            self.requests = {**self.requests, event.id: changed}

    def _add(self, clip: ClipReady) -> None:
        if any(_is_same(clip, known) for known in self.clips):
            # A replayed clip, or one that was restored, maybe under another name.
            self.clips = tuple(clip if _is_same(clip, known) else known for known in self.clips)
            return
        request = self.requests.get(clip.id)
        # A list of clips publishes old clips.
        if request is not None and request.kind == GENERATE:
            self.clips = (clip, *self.clips)[:MOST_CLIPS]


def _is_same(one: ClipReady, other: ClipReady) -> bool:
    return (one.id, one.index) == (other.id, other.index)
