"""The events that the daemon publishes: frozen dataclasses. Every client receives the same ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bridge.commands import ClipSettings, ClockSource, LoopDelivery
from bridge.errors import BridgeError

EngineState = Literal["loading", "ready", "busy", "restarting", "failed"]
InputState = Literal["ready", "lost", "none"]
CaptureState = Literal["waiting", "recording", "done"]
LayerState = Literal["off", "playing", "stopping"]
LoopSounding = Literal["off", "playing", "stopping"]
LoopComing = Literal["none", "armed", "capturing", "rendering", "queued", "slipped"]
ClipMark = Literal["none", "kept", "discarded"]


@dataclass(frozen=True)
class Hello:
    """The answer to a subscription, sent to its port alone.

    Attributes:
        client: the subscriber's name, as it was sent.
        takes: the folder that clients write their recordings to, and the daemon reads from. It
            exists; the path is absolute, with forward slashes. Empty when it cannot be made.
    """

    version: str
    protocol: int
    engine_state: EngineState
    model: str
    client: str
    takes: str


@dataclass(frozen=True)
class Pong:
    """The answer to a ping, sent to its port alone."""

    engine_state: EngineState


@dataclass(frozen=True)
class EngineChanged:
    """The engine's state, and a sentence about it."""

    state: EngineState
    detail: str


@dataclass(frozen=True)
class NetworkChanged:
    """How far away a remote engine is, as its requests have shown.

    Attributes:
        round_trip_ms: from a request to its first answer; -1: not known, such as of an engine on
            this machine.
        megabytes_per_second: at which audio arrives; 0: not known.
    """

    round_trip_ms: float = -1.0
    megabytes_per_second: float = 0.0

    @property
    def is_known(self) -> bool:
        """Whether anything was measured."""
        return self.round_trip_ms >= 0

    def text(self) -> str:
        """The figures for people; empty: none are known."""
        if not self.is_known:
            return ""
        rate = self.megabytes_per_second
        return f"{self.round_trip_ms:.1f} ms away and back" + (f", {rate:.3g} MB/s" if rate else "")


@dataclass(frozen=True)
class InputChanged:
    """The input's state and device.

    Attributes:
        sample_rate: Hz; 0 without a device.
        detail: one line for people.
    """

    state: InputState
    device: str
    sample_rate: int
    detail: str = ""


@dataclass(frozen=True)
class MidiPortsChanged:
    """The MIDI ports that are open; OSC does not carry it.

    Attributes:
        inputs, outputs: their names.
        detail: a sentence about them, for people.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    detail: str = ""


@dataclass(frozen=True)
class LinkPeersChanged:
    """The number of peers in the Ableton Link session; OSC does not carry it."""

    count: int


@dataclass(frozen=True)
class OutputChanged:
    """The output's state and device.

    Attributes:
        sample_rate: Hz; 0 without a device.
        detail: one line for people.
    """

    state: InputState
    device: str
    sample_rate: int
    detail: str = ""


@dataclass(frozen=True)
class OutputUnderflowed:
    """The number of times that the output had no audio in time; OSC does not carry it."""

    count: int


@dataclass(frozen=True)
class LayerChanged:
    """What a layer of the output plays.

    Attributes:
        layer: 1 to `LAYERS`.
        clip: the name of what sounds; empty: nothing does.
        coming: the name of what starts on the next line of the grid; empty: nothing does.
        gain_db: 0: as the clip is.
    """

    layer: int
    state: LayerState
    clip: str
    coming: str
    gain_db: float
    is_muted: bool


@dataclass(frozen=True)
class MetronomeChanged:
    """Whether the metronome clicks all the time, and the level of a click's peak."""

    is_on: bool
    gain_db: float


@dataclass(frozen=True)
class LoopChanged:
    """The state of a live loop.

    Attributes:
        sounding: what is heard of it.
        coming: what is to come: `armed` waits for a clock that plays, `capturing` until the take's
            last bar line, and `rendering`, `queued` or `slipped` until the clip enters.
        layer: that the next clip is for, 1 to `LAYERS`; 0: the output does not play it.
        bar: the bar at whose line it happens, from 1; 0: not known.
        clip: the name of what sounds on its newest layer; empty: nothing does.
        is_on: it has been started, and not stopped since.
        deliver: what plays it.
        next: the clip that what plays it is to start next, if that is not the output; empty: none.
        next_path: its file, absolute, with forward slashes.
        next_bars, next_numerator, next_denominator: its length in bars, and its meter.
    """

    id: str
    sounding: LoopSounding
    coming: LoopComing
    layer: int
    bar: int
    clip: str
    is_on: bool = False
    deliver: LoopDelivery = "output"
    next: str = ""
    next_path: str = ""
    next_bars: int = 0
    next_numerator: int = 0
    next_denominator: int = 0


@dataclass(frozen=True)
class CaptureChanged:
    """A capture's state: length so far, and highest peak in dBFS, −120 when silent.

    Attributes:
        bar: the bar that is being recorded, from 1; 0: not known.
        bars: how many were asked for; 0: open, or not known.
    """

    id: str
    state: CaptureState
    seconds: float
    peak_db: float
    bar: int = 0
    bars: int = 0


@dataclass(frozen=True)
class Level:
    """The input's peak and RMS over the last tenth of a second, in dBFS, −120 when silent."""

    peak_db: float
    rms_db: float


@dataclass(frozen=True)
class Pitch:
    """The pitch that the input sounds at, ten a second while a voice is there, and once it ends.

    Attributes:
        note: MIDI's, 0…127, 69 is A4; −1: the voice has ended.
        cents: how far above the note, −50…50.
        confidence: how periodic the sound is, 0…1.
    """

    note: int
    cents: float = 0.0
    confidence: float = 0.0


NO_PITCH = Pitch(-1)
"""The voice has ended."""


@dataclass(frozen=True)
class Progress:
    """A request's progress: the share done, 0…1, and the seconds left, −1 when not known."""

    id: str
    fraction: float
    eta_seconds: float


@dataclass(frozen=True)
class ClipReady:
    """A clip that is complete on disk.

    Attributes:
        index: from 0, best first.
        count: the request's number of clips.
        path: absolute, with forward slashes.
        bars: 0: a raw clip, which has none.
        score: melody similarity 0…1; −1 without a melody.
        name: the file's name without its suffix.
        mark: whether somebody has kept or discarded it.
    """

    id: str
    index: int
    count: int
    path: str
    bars: int
    tempo_bpm: float
    seed: int
    score: float
    numerator: int
    denominator: int
    sample_rate: int
    name: str
    mark: ClipMark = "none"


@dataclass(frozen=True)
class ClipMarked:
    """A clip was kept or discarded, or that was undone.

    Attributes:
        id, index: as in the command.
        path: the clip's path in its `ClipReady`.
    """

    id: str
    index: int
    mark: ClipMark
    path: str


@dataclass(frozen=True)
class PresetListed:
    """One preset; the placeholders of its prompt are not filled in."""

    id: str
    index: int
    count: int
    name: str
    prompt: str


@dataclass(frozen=True)
class NoteListed:
    """One note of a capture.

    Attributes:
        id: the capture's.
        index: from 0, in the order of the notes.
        count: the capture's number of notes.
        start_beat: quarter notes from the melody's first bar line.
        pitch: MIDI note number, 0…127.
        length_beats: quarter notes, positive.
        confidence: 0…1: how sure the pitch is; 1 for notes that were played or corrected.
        velocity: 1…127; of a recording's notes from their level.
    """

    id: str
    index: int
    count: int
    start_beat: float
    pitch: int
    length_beats: float
    confidence: float
    velocity: int


@dataclass(frozen=True)
class Remark:
    """A sentence that a person should know of a request: what was assumed, cut or moved.

    Attributes:
        id: `"-"` where no request can be named.
    """

    id: str
    text: str


@dataclass(frozen=True)
class Done:
    """The request is done; `count` clips or presets were published."""

    id: str
    count: int


@dataclass(frozen=True)
class Failed:
    """The request ends with an error: a code of the protocol, and a sentence.

    Attributes:
        id: `"-"` where no request can be named.
    """

    id: str
    code: str
    message: str

    @classmethod
    def of(cls, id: str, error: BridgeError) -> Failed:
        """The event for an error that ended a request."""
        return cls(id, error.code, str(error))


@dataclass(frozen=True)
class ClockChanged:
    """The session's time has changed.

    Attributes:
        source: where the time comes from.
        tempo_bpm: beats per minute.
        numerator, denominator: of the meter.
        is_playing: whether the playhead moves.
    """

    source: ClockSource
    tempo_bpm: float
    numerator: int
    denominator: int
    is_playing: bool


@dataclass(frozen=True)
class DefaultsChanged:
    """The session's settings have changed."""

    settings: ClipSettings


@dataclass(frozen=True)
class BeatReached:
    """The playhead has reached this whole beat of the song."""

    beat: int


@dataclass(frozen=True)
class RequestBegun:
    """A request is under way.

    Attributes:
        kind: the kind of request, such as `"generate"` or `"capture"`.
    """

    id: str
    kind: str


@dataclass(frozen=True)
class QueueChanged:
    """The number of requests that wait for the engine."""

    waiting: int


@dataclass(frozen=True)
class ClientsChanged:
    """The subscribers to the events, such as `"live1 (7772)"`; OSC does not carry it."""

    clients: tuple[str, ...]


@dataclass(frozen=True)
class InputOverflowed:
    """The number of times that the input has lost audio so far; OSC does not carry it."""

    count: int


@dataclass(frozen=True)
class Listening:
    """The daemon receives OSC on this UDP port; OSC does not carry it."""

    port: int


Event = (
    Hello
    | Pong
    | EngineChanged
    | NetworkChanged
    | InputChanged
    | MidiPortsChanged
    | LinkPeersChanged
    | OutputChanged
    | OutputUnderflowed
    | LayerChanged
    | LoopChanged
    | MetronomeChanged
    | CaptureChanged
    | Level
    | Pitch
    | Progress
    | ClipReady
    | ClipMarked
    | PresetListed
    | NoteListed
    | Remark
    | Done
    | Failed
    | ClockChanged
    | DefaultsChanged
    | BeatReached
    | RequestBegun
    | QueueChanged
    | ClientsChanged
    | InputOverflowed
    | Listening
)
