"""The commands that a control may give and the events that the daemon publishes.

They are frozen dataclasses. OSC, MIDI and hotkeys make the same commands, and every client receives
the same events. Values are checked where a message becomes a command; here they have their final
types.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal, get_args

from bridge.errors import BridgeError
from bridge.timing import Meter, Note

PROTOCOL = 1
"""The version of the OSC protocol of these commands and events."""
LAYERS = 8
"""Layers of the output, each of which plays one clip."""
FROM_MELODY: Literal["auto"] = "auto"
"""In place of a tempo or a key: the melody's own."""
RANDOM_SEED = -1
"""The seed that asks for a random one."""

EngineState = Literal["loading", "ready", "busy", "restarting", "failed"]
InputState = Literal["ready", "lost", "none"]
CaptureState = Literal["waiting", "recording", "done"]
ClockSource = Literal["osc", "midi", "link", "jack", "internal"]
LayerState = Literal["off", "playing", "stopping"]
LoopSounding = Literal["off", "playing", "stopping"]
LoopComing = Literal["none", "armed", "capturing", "rendering", "queued", "slipped"]
LoopDelivery = Literal["output", "live"]
"""What plays a loop: the daemon's output, or a DAW that reports what it plays."""
MelodySource = Literal["sound", "midi", "auto"]
MelodyFrom = Literal["raw", "notes", "auto"]
"""What of a recording leads: its own chroma, or the notes that were meant."""
Stems = Literal["auto", "on", "off"]
"""Whether a melody is followed without its drums and bass; `auto`: where it is a mix."""
Precision = Literal["exact", "int8"]
"""How the decoder's steps are computed: as transformers does, or with weights of 8 bits."""
HotkeyAction = Literal["capture", "last", "play", "next", "keep", "panic"]
HOTKEY_ACTIONS: tuple[HotkeyAction, ...] = get_args(HotkeyAction)
"""The actions that a hotkey may have."""
ClipMark = Literal["none", "kept", "discarded"]


@dataclass(frozen=True, init=False)
class ClipSettings:
    """The settings of a clip that were given.

    Attributes:
        values: by the name of an option that OSC may set (`bridge.config.options_in("osc")`), of
            its final type; also `numerator` and `denominator` of the meter. `seed` may be
            `RANDOM_SEED`. The session's settings may also have `tempo_lock`, `source` and
            `count_in_bars`. No value is None.
    """

    values: Mapping[str, Any]

    def __init__(self, **values: Any) -> None:
        """Keep the values that are not None."""
        given = {name: value for name, value in values.items() if value is not None}
        object.__setattr__(self, "values", given)

    def get(self, name: str) -> Any:
        """The value of that name; None: not given."""
        return self.values.get(name)

    def without(self, *names: str) -> ClipSettings:
        """All values but those."""
        return ClipSettings(
            **{name: self.values[name] for name in self.values if name not in names}
        )

    def text(self) -> str:
        """The names and values, such as `"bars 8, tempo_bpm 93.7"`."""
        return ", ".join(f"{name} {value_text(value)}" for name, value in self.values.items())

    def over(self, other: ClipSettings) -> ClipSettings:
        """These values, and the other settings' values for the rest."""
        return ClipSettings(**{**other.values, **self.values})


def value_text(value: Any) -> str:
    """A value as people write it."""
    if isinstance(value, Fraction):
        return f"{float(value):g}"
    return str(int(value) if isinstance(value, bool) else value)


@dataclass(frozen=True)
class Subscribe:
    """Send every event to this port of this machine, for 30 s."""

    port: int
    client: str = ""


@dataclass(frozen=True)
class Unsubscribe:
    """Send no more events to this port."""

    port: int


@dataclass(frozen=True)
class Ping:
    """Answer to this port, and renew its subscription for 30 s."""

    port: int


@dataclass(frozen=True)
class Transport:
    """The DAW's clock at one moment.

    Attributes:
        tempo_bpm: the decimal that was meant.
        beat: quarter notes from the start of the song; may be negative in a count-in.
        is_playing: whether the playhead moves.
        meter: the time signature at the playhead.
        bar: number of the bar that the playhead is in, as the DAW counts; None: not sent.
        beat_in_bar: quarter notes since that bar's line, 0 on it; None: not sent.
        received_seconds: when the message arrived, on `time.perf_counter`.
    """

    tempo_bpm: Fraction
    beat: float
    is_playing: bool
    meter: Meter
    bar: int | None = None
    beat_in_bar: float | None = None
    received_seconds: float = 0.0


@dataclass(frozen=True)
class SelectClock:
    """Choose the source of time, and answer with `ClockChanged`.

    Attributes:
        source: `"auto"`: the one that moves; None: only answer.
    """

    source: ClockSource | Literal["auto"] | None = None


@dataclass(frozen=True)
class Tap:
    """A tap of the tempo, for the internal clock.

    Attributes:
        received_seconds: when it came, on `time.perf_counter`.
    """

    received_seconds: float = 0.0


@dataclass(frozen=True)
class StartClock:
    """Start the internal clock.

    Attributes:
        received_seconds: when it came, on `time.perf_counter`.
    """

    received_seconds: float = 0.0


@dataclass(frozen=True)
class HaltClock:
    """Stop the internal clock."""


@dataclass(frozen=True)
class SetDefaults:
    """Use these values where a request leaves them open."""

    settings: ClipSettings


@dataclass(frozen=True)
class UnsetDefaults:
    """Forget these values of the session.

    Attributes:
        keys: names of values that `SetDefaults` may set; a value that is not set is ignored.
    """

    keys: tuple[str, ...]


@dataclass(frozen=True)
class ResetDefaults:
    """Forget all values of the session."""


@dataclass(frozen=True)
class CaptureStart:
    """Record from the next bar line, or from the first onset when the DAW is stopped.

    Attributes:
        bars: length of the recording; None: until `CaptureStop`.
        source: what is recorded; None: as the session is set.
        count_in_bars: bars before it; None: those of the session, unless a DAW plays.
        stems: what clips of it do with a mix, unless they say so themselves.
    """

    id: str
    bars: int | None = None
    source: MelodySource | None = None
    count_in_bars: int | None = None
    stems: Stems | None = None


@dataclass(frozen=True)
class CaptureStop:
    """End that capture: at the bar line when the DAW plays."""

    id: str


@dataclass(frozen=True)
class CaptureLast:
    """Take the bars that end at the last bar line.

    Attributes:
        source: what they are taken from; None: as the session is set.
        stems: what clips of it do with a mix, unless they say so themselves.
    """

    id: str
    bars: int
    source: MelodySource | None = None
    stems: Stems | None = None


@dataclass(frozen=True)
class CaptureFile:
    """Take a file, or part of one, as the melody.

    Attributes:
        path: as it was sent, not yet checked.
        start_seconds: where the melody begins in the file, 0 or more.
        length_seconds: length of the part, over 0; None: to the end.
        tempo_bpm, meter: the melody's own; None: unknown, or the MIDI file's.
        wrap: a part that goes past the file's end continues at its start.
        track: name or number of a MIDI file's track; None: all.
        stems: what clips of it do with a mix, unless they say so themselves.
    """

    id: str
    path: str
    start_seconds: float = 0.0
    length_seconds: float | None = None
    tempo_bpm: Fraction | None = None
    meter: Meter | None = None
    wrap: bool = False
    track: str | None = None
    stems: Stems | None = None


@dataclass(frozen=True)
class CaptureNotes:
    """Take these notes as the melody; a message with the same id adds notes.

    With the id of a recording, they replace the notes that were heard in it; no notes: these count
    again.

    Attributes:
        bars: length of the melody.
    """

    id: str
    bars: int
    notes: tuple[Note, ...]


@dataclass(frozen=True)
class Generate:
    """Render clips.

    Attributes:
        melody: a capture's id; `"none"`: no melody; None: the client's newest capture.
        continue_from: the id of the request, or the path of the clip, to go on from; None: a new
            beginning.
    """

    id: str
    settings: ClipSettings
    melody: str | None = None
    continue_from: str | None = None


@dataclass(frozen=True)
class Cancel:
    """Cancel that request."""

    id: str


@dataclass(frozen=True)
class Discard:
    """Move that request's clips, or one of them, to `Discarded`.

    Attributes:
        index: the clip's, from 0; None: all.
    """

    id: str
    index: int | None = None


@dataclass(frozen=True)
class Restore:
    """Move that request's discarded clips, or one of them, back to the clips folder.

    Attributes:
        index: the clip's, from 0; None: all.
    """

    id: str
    index: int | None = None


@dataclass(frozen=True)
class Keep:
    """Mark that request's clips, or one of them, as kept; or take the mark away.

    A kept clip is not discarded, and its take stays.

    Attributes:
        index: the clip's, from 0; None: all.
        is_kept: False takes the mark away.
    """

    id: str
    index: int | None = None
    is_kept: bool = True


@dataclass(frozen=True)
class ListPresets:
    """List all presets."""

    id: str


@dataclass(frozen=True)
class ListClips:
    """List the newest clips."""

    id: str


@dataclass(frozen=True)
class ListNotes:
    """List the notes of that capture."""

    id: str


@dataclass(frozen=True)
class Play:
    """Play a clip of that request in a loop, from the next line of the grid on.

    Attributes:
        index: the clip's, from 0.
        layer: 1 to `LAYERS`.
    """

    id: str
    index: int = 0
    layer: int = 1


@dataclass(frozen=True)
class StopPlaying:
    """Stop a layer, on the next line of the grid.

    Attributes:
        layer: 1 to `LAYERS`; None: all.
    """

    layer: int | None = None


@dataclass(frozen=True)
class SetLayerGain:
    """Change a layer's gain.

    Attributes:
        layer: 1 to `LAYERS`.
        gain_db: 0: as the clip is.
    """

    layer: int
    gain_db: float


@dataclass(frozen=True)
class MuteLayer:
    """Mute or unmute a layer, 1 to `LAYERS`; it goes on silently."""

    layer: int
    is_muted: bool


@dataclass(frozen=True)
class SetMetronome:
    """Let the metronome click, or not.

    Attributes:
        gain_db: of a click's peak; None: as it is.
    """

    is_on: bool
    gain_db: float | None = None


@dataclass(frozen=True)
class Hotkey:
    """Do what the hotkey of an action does."""

    action: HotkeyAction


@dataclass(frozen=True)
class LoopStart:
    """Take the bars just played, loop a clip of them, and again with what is played meanwhile.

    A loop that is known takes at once, with these settings over its own.

    Attributes:
        settings: of its clips; `bars` is the length of its takes too.
        layer: of the output, 1 to `LAYERS`; None: a free one, or the one that the loop has.
        follow: whether it takes again and again; else it varies its first melody.
        quick: whether a short clip plays until the first whole one is there.
        deliver: what plays it; None: the output, or what plays it already.
    """

    id: str
    settings: ClipSettings
    layer: int | None = None
    follow: bool | None = None
    quick: bool | None = None
    deliver: LoopDelivery | None = None


@dataclass(frozen=True)
class LoopStop:
    """Stop a loop at the next line of the grid, or now; its clips stay."""

    id: str
    now: bool = False


@dataclass(frozen=True)
class LoopUndo:
    """Go back to what the loop played before."""

    id: str


@dataclass(frozen=True)
class LoopRedo:
    """Go forward again to what was undone."""

    id: str


@dataclass(frozen=True)
class LoopFreeze:
    """Keep what the loop plays, or let it follow again."""

    id: str
    is_frozen: bool = True


@dataclass(frozen=True)
class LoopOverdub:
    """Take the bars just played for another layer of the loop."""

    id: str


@dataclass(frozen=True)
class LoopClear:
    """Stop a loop now, and forget it; its clips stay on disk."""

    id: str


@dataclass(frozen=True)
class LoopSet:
    """Change a loop's settings, from its next clip on.

    Attributes:
        settings, follow, quick: as for `LoopStart`; None: as it is.
    """

    id: str
    settings: ClipSettings
    follow: bool | None = None
    quick: bool | None = None


@dataclass(frozen=True)
class LoopPlaying:
    """What a DAW plays of a loop that is delivered to it.

    Attributes:
        clip: the name of the clip that sounds; None: none does.
        next: the name of the clip that `LoopChanged` asks for and that waits for its start, or that
            the DAW cannot play; None: none does.
        at_beat: the beat of the song at which it starts; negative: the DAW cannot play it.
    """

    id: str
    clip: str | None
    next: str | None = None
    at_beat: float = -1.0


LoopCommand = (
    LoopStart
    | LoopStop
    | LoopUndo
    | LoopRedo
    | LoopFreeze
    | LoopOverdub
    | LoopClear
    | LoopSet
    | LoopPlaying
)


@dataclass(frozen=True)
class Panic:
    """Silence the output and cancel every request, now."""


Command = (
    Subscribe
    | Unsubscribe
    | Ping
    | Transport
    | SelectClock
    | Tap
    | StartClock
    | HaltClock
    | SetDefaults
    | UnsetDefaults
    | ResetDefaults
    | CaptureStart
    | CaptureStop
    | CaptureLast
    | CaptureFile
    | CaptureNotes
    | Generate
    | Cancel
    | Discard
    | Restore
    | Keep
    | ListPresets
    | ListClips
    | ListNotes
    | Play
    | StopPlaying
    | SetLayerGain
    | MuteLayer
    | SetMetronome
    | Hotkey
    | LoopCommand
    | Panic
)


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
