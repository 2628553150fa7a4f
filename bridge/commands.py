"""What control may ask, and what the daemon tells: frozen dataclasses.

OSC, MIDI and hotkeys all make the same commands, and every client hears the same events. Values are
checked where a command is made from a message; here they have their final types.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Literal

from bridge.timing import Meter, Note

PROTOCOL = 1
"""The version of the OSC protocol that these commands and events are of."""
RANDOM_SEED = -1
"""What a seed is when one is to be drawn."""

EngineState = Literal["loading", "ready", "busy", "restarting", "failed"]
InputState = Literal["ready", "lost", "none"]
CaptureState = Literal["waiting", "recording", "done"]


@dataclass(frozen=True)
class ClipSettings:
    """What a clip should be, as far as it was said; None is left to the session's defaults.

    Attributes:
        prompt, preset, key: text.
        bars: 1…1000.
        tempo_bpm: 20…999.
        numerator, denominator: of the meter.
        guidance_scale, temperature, top_k, variations, sample_rate: as in `config.Options`.
        seed: 0…16777215, or −1: drawn.
    """

    prompt: str | None = None
    preset: str | None = None
    bars: int | None = None
    tempo_bpm: Fraction | None = None
    numerator: int | None = None
    denominator: int | None = None
    key: str | None = None
    guidance_scale: float | None = None
    temperature: float | None = None
    top_k: int | None = None
    seed: int | None = None
    variations: int | None = None
    sample_rate: int | None = None

    def over(self, other: ClipSettings) -> ClipSettings:
        """This where it says something, and the other where it does not."""
        return ClipSettings(
            **{
                field.name: getattr(other, field.name)
                if getattr(self, field.name) is None
                else getattr(self, field.name)
                for field in fields(self)
            }
        )


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
    """Answer to this port; a subscription of it goes on for 30 s."""

    port: int


@dataclass(frozen=True)
class Transport:
    """The DAW's clock, as one message tells it.

    Attributes:
        tempo_bpm: the decimal that was meant.
        beat: quarter notes from the start of the song; may be negative in a count-in.
        is_playing: whether the playhead moves.
        meter: the time signature at the playhead.
        bar: number of the bar that the playhead is in, counted as the DAW counts; None: not told.
        beat_in_bar: quarter notes since that bar's line, 0 on it; None: not told.
        received_seconds: when it arrived, on `time.perf_counter`.
    """

    tempo_bpm: Fraction
    beat: float
    is_playing: bool
    meter: Meter
    bar: int | None = None
    beat_in_bar: float | None = None
    received_seconds: float = 0.0


@dataclass(frozen=True)
class SetDefaults:
    """Use these values where a request says nothing."""

    sound: ClipSettings


@dataclass(frozen=True)
class CaptureStart:
    """Record from the next bar line, or from the first onset when the DAW stands.

    Attributes:
        bars: how many; None: until told to stop.
    """

    id: str
    bars: int | None = None


@dataclass(frozen=True)
class CaptureStop:
    """End that capture: at the bar line when the DAW plays."""

    id: str


@dataclass(frozen=True)
class CaptureLast:
    """Take the bars that end at the last bar line."""

    id: str
    bars: int


@dataclass(frozen=True)
class CaptureFile:
    """Take a file, or part of one, as the melody.

    Attributes:
        path: as it was sent, not yet judged.
        start_seconds: where the melody begins in the file, 0 or more.
        length_seconds: how much of it, over 0; None: to the end.
        tempo_bpm, meter: the melody's own; None: unknown, or a MIDI file's.
        wrap: what lies past the file's end goes on from its start.
    """

    id: str
    path: str
    start_seconds: float = 0.0
    length_seconds: float | None = None
    tempo_bpm: Fraction | None = None
    meter: Meter | None = None
    wrap: bool = False


@dataclass(frozen=True)
class CaptureNotes:
    """Take these notes as the melody; the same id again adds to them.

    Attributes:
        bars: how long the melody is.
    """

    id: str
    bars: int
    notes: tuple[Note, ...]


@dataclass(frozen=True)
class Generate:
    """Render clips.

    Attributes:
        melody: a capture's id; `"none"`: without; None: the client's newest.
    """

    id: str
    sound: ClipSettings
    melody: str | None = None


@dataclass(frozen=True)
class Cancel:
    """Give that request up."""

    id: str


@dataclass(frozen=True)
class Discard:
    """Move that request's clips, or one of them, out of the way.

    Attributes:
        index: which, from 0; None: all.
    """

    id: str
    index: int | None = None


@dataclass(frozen=True)
class ListPresets:
    """Tell all presets."""

    id: str


@dataclass(frozen=True)
class ListClips:
    """Tell the newest clips."""

    id: str


@dataclass(frozen=True)
class NotBuilt:
    """Something that the protocol has and this version has not.

    Attributes:
        id: the request's; `"-"` where it has none.
        address: what was asked.
    """

    id: str
    address: str


@dataclass(frozen=True)
class Panic:
    """Stop everything now."""


Command = (
    Subscribe
    | Unsubscribe
    | Ping
    | Transport
    | SetDefaults
    | CaptureStart
    | CaptureStop
    | CaptureLast
    | CaptureFile
    | CaptureNotes
    | Generate
    | Cancel
    | Discard
    | ListPresets
    | ListClips
    | NotBuilt
    | Panic
)


@dataclass(frozen=True)
class Hello:
    """Answers a subscription, to its port alone.

    Attributes:
        client: what the subscriber called itself.
        takes: a folder, absolute and with forward slashes, that is there and that the daemon reads
            from: where a client writes what it has recorded. Empty when it cannot be made.
    """

    version: str
    protocol: int
    engine_state: EngineState
    model: str
    client: str
    takes: str


@dataclass(frozen=True)
class Pong:
    """Answers a ping, to its port alone."""

    engine_state: EngineState


@dataclass(frozen=True)
class EngineChanged:
    """What the engine does now, and a sentence about it."""

    state: EngineState
    detail: str


@dataclass(frozen=True)
class InputChanged:
    """What is heard, and on which device; the rate is 0 when none."""

    state: InputState
    device: str
    sample_rate: int


@dataclass(frozen=True)
class CaptureChanged:
    """How far a capture is: its length so far, and its highest peak in dBFS, −120 when silent."""

    id: str
    state: CaptureState
    seconds: float
    peak_db: float


@dataclass(frozen=True)
class Level:
    """The input's peak and RMS over the last tenth of a second, in dBFS, −120 when silent."""

    peak_db: float
    rms_db: float


@dataclass(frozen=True)
class Progress:
    """The share of a request that is done, 0…1, and the seconds left, −1 when not known."""

    id: str
    fraction: float
    eta_seconds: float


@dataclass(frozen=True)
class ClipReady:
    """A clip that is complete on disk.

    Attributes:
        index: from 0, best melody similarity first.
        count: how many the request has.
        path: absolute, with forward slashes.
        score: melody similarity 0…1; −1 without a melody.
        name: the file's name without its suffix.
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


@dataclass(frozen=True)
class PresetListed:
    """One preset, its placeholders not filled in."""

    id: str
    index: int
    count: int
    name: str
    prompt: str


@dataclass(frozen=True)
class Done:
    """The request is done, and this many clips or presets were told."""

    id: str
    count: int


@dataclass(frozen=True)
class Failed:
    """The request ends with an error: one of the protocol's codes, and a sentence.

    Attributes:
        id: `"-"` where no request can be named.
    """

    id: str
    code: str
    message: str


Event = (
    Hello
    | Pong
    | EngineChanged
    | InputChanged
    | CaptureChanged
    | Level
    | Progress
    | ClipReady
    | PresetListed
    | Done
    | Failed
)
