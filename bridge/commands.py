"""The commands that a control may give: frozen dataclasses.

OSC, MIDI and hotkeys make the same ones. Values are checked where a message becomes a command; here
they have their final types.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal, get_args

from bridge.timing import Meter, Note

PROTOCOL = 1
"""The version of the OSC protocol of these commands and events."""
LOOP_PREFIX = "loop:"
"""Begins the ids of a live loop's own requests, `loop:<loop id>.<number>`; no client may begin
such."""
LAYERS = 8
"""Layers of the output, each of which plays one clip."""
FROM_MELODY: Literal["auto"] = "auto"
"""In place of a tempo or a key: the melody's own."""
RANDOM_SEED = -1
"""The seed that asks for a random one."""

ClockSource = Literal["osc", "midi", "link", "jack", "internal"]
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
