"""The table of options: one entry defines an option, and the places where it may be set.

An entry is a field of `Options` (one request for clips) or of `RunOptions` (the daemon). Flags and
their help, the configuration file, presets, OSC keys, the engine's request, the sidecar and the
table in docs/cli.md all follow from it. Nothing here touches the file system.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, get_args

from bridge.audio import LONGEST_DELAY, TOKENS_A_SECOND
from bridge.chroma import LONGEST_SECONDS, MOST_TOKENS
from bridge.commands import (
    FROM_MELODY,
    HOTKEY_ACTIONS,
    HotkeyAction,
    MelodyFrom,
    MelodySource,
    Precision,
    Stems,
)
from bridge.config.chords import Chord, read_chord
from bridge.config.entry import POSITIONAL, Option, Place
from bridge.config.entry import option as _option
from bridge.config.readers import (
    CHORD,
    DEFAULT_DEVICE,
    DEVICE,
    ENGINE,
    FOLDERS,
    INPUT,
    INPUT_CHANNELS,
    KEY,
    LOCAL_ENGINE,
    MAX_SEED,
    MAX_VARIATIONS,
    METER,
    MIDI,
    MIDI_OUTPUT,
    NO_CHORD,
    NO_OUTPUT,
    OUTPUT,
    PART_LENGTH,
    PART_START,
    PATH,
    PICTURE,
    PROMPT,
    QUANTUM,
    SWITCH,
    TEMPO,
    TEMPO_OR_AUTO,
    ints,
    numbers,
    one_of,
    text,
)
from bridge.config.sketch_options import SketchOptions
from bridge.errors import BadArgument
from bridge.timing import ONE_BAR, Lead, Meter, Quantum

DEFAULT_OSC_PORT = 7771
MAX_RANK_WEIGHT = 10
RAW_LENGTHS = ("seconds", "max_new_tokens")
"""The options that say how long a clip is and make it raw; a request has one of them, or bars."""
FITTED = ("bars", "sample_rate")
"""The options that a raw clip leaves open."""
RANK_PREFIX = "rank_"
"""Begins the names of the options that weigh a part of a clip's score."""
HOTKEY_PREFIX = "hotkey_"
"""Begins the names of the options for the chord of an action."""


def _rank_weight(default: float, help: str) -> Any:
    """The entry for the weight of one part of a clip's score: `rank_` and the part's name."""
    return _option(
        numbers(0, MAX_RANK_WEIGHT),
        default,
        help,
        places=("render", "file", "preset", "osc"),
        metavar="X",
        group="order of the variations, by weights (0: ignore)",
    )


def _shared(name: str) -> Any:
    """The entry of that name in `Options`, as a field of `RunOptions` too."""
    (shared,) = (each for each in fields(Options) if each.name == name)
    return field(default=shared.default, metadata=shared.metadata)


def _hotkey(default: str, help: str) -> Any:
    """The entry for the chord of one hotkey: `hotkey_` and the action's name."""
    chord = read_chord(default)
    return _option(CHORD, chord, f"the hotkey that {help}", places=("file",), example=f'"{chord}"')


@dataclass(frozen=True)
class Options:
    """One request for clips, checked as far as that needs no file.

    Raises:
        BadArgument: a value is out of its range, or two values contradict each other.
    """

    melody: Path | None = _option(
        PATH,
        None,
        "an audio or MIDI file to follow",
        places=("render",),
        flag=POSITIONAL,
        metavar="MELODY",
        default_text="text only",
    )
    prompt: str | None = _option(
        PROMPT,
        None,
        "what it sounds like; {tempo} and {key} are filled in, or added",
        places=("render", "preset", "osc"),
        metavar="TEXT",
        default_text="melody only",
        group="music",
    )
    preset: str | None = _option(
        text(80),
        None,
        "a named sound; `melody-bridge presets` lists them",
        places=("render", "osc"),
        metavar="NAME",
        default_text="none",
        group="music",
        in_sidecar=True,
    )
    bars: int = _option(
        ints(1, 1000),
        4,
        "length of a clip in bars",
        places=("render", "file", "preset", "osc"),
        metavar="N",
        group="music",
    )
    seconds: float | None = _option(
        numbers(1 / TOKENS_A_SECOND, LONGEST_SECONDS),
        None,
        "length of a raw clip: what the model makes, cut, and not fitted to bars",
        places=("render", "request"),
        metavar="S",
        default_text="a length in bars",
        group="music",
        in_sidecar=True,
    )
    max_new_tokens: int | None = _option(
        # Of fewer tokens transformers' `generate` makes no music: it leaves the delays out.
        ints(2 * LONGEST_DELAY, MOST_TOKENS),
        None,
        "the same in tokens, as transformers counts them: 50 a second, and 3",
        places=("render", "request"),
        metavar="N",
        default_text="a length in bars",
        group="music",
        in_request=True,
        in_sidecar=True,
    )
    continue_from: Path | None = _option(
        PATH,
        None,
        "a clip to go on from: the new one has its bars first, and --bars in all",
        places=("render",),
        flag="--continue",
        metavar="CLIP",
        default_text="a new beginning",
        group="music",
    )
    tempo_bpm: Fraction | Literal["auto"] | None = _option(
        TEMPO_OR_AUTO,
        None,
        "tempo of the clip in beats per minute; auto: the melody's own",
        places=("render", "osc"),
        flag="--tempo",
        metavar="BPM",
        default_text="the DAW's or the MIDI file's, else 120",
        group="music",
    )
    meter: Meter | None = _option(
        METER,
        None,
        "time signature of the clip",
        places=("render",),
        metavar="N/D",
        default_text="the DAW's or the MIDI file's, else 4/4",
        group="music",
    )
    melody_tempo_bpm: Fraction | None = _option(
        TEMPO,
        None,
        "the melody's own tempo, where the clip's is another",
        places=("render",),
        flag="--melody-tempo",
        metavar="BPM",
        default_text="the clip's",
        group="music",
    )
    track: str | None = _option(
        text(80),
        None,
        "the track of a MIDI file that leads, by name or number",
        places=("render",),
        metavar="NAME|N",
        default_text="the highest note of all tracks",
        group="music",
        in_sidecar=True,
    )
    lead: Lead = _option(
        one_of(*get_args(Lead)),
        "highest",
        "which of several notes at a time is the melody",
        places=("render", "file", "preset", "osc"),
        metavar="NOTE",
        group="music",
        in_sidecar=True,
    )
    melody_from: MelodyFrom = _option(
        one_of(*get_args(MelodyFrom)),
        "auto",
        "what of a recording leads: its strongest pitch class at each step, or the notes that were "
        "meant; auto: the notes where it is a single voice",
        places=("render", "file", "preset", "osc"),
        metavar="WHAT",
        group="music",
        in_sidecar=True,
    )
    quantize: float = _option(
        numbers(0, 1),
        0.0,
        "how far the onsets of a recording's notes are pulled to the sixteenth grid; 1: onto it",
        places=("render", "file", "preset", "osc"),
        metavar="X",
        group="music",
        in_sidecar=True,
    )
    melody_start: str | None = _option(
        PART_START,
        None,
        "where the melody begins in its file",
        places=("render",),
        flag="--start",
        metavar="TIME",
        default_text="its first bar line",
        group="music",
        in_sidecar=True,
    )
    melody_length: str | None = _option(
        PART_LENGTH,
        None,
        "how much of the file is the melody",
        places=("render",),
        flag="--length",
        metavar="TIME",
        default_text="to its end",
        group="music",
        in_sidecar=True,
    )
    trim: bool = _option(
        SWITCH,
        False,
        "begin with the melody's first sound",
        places=("render",),
        default_text="silence in front is a rest",
        group="music",
        in_sidecar=True,
    )
    stems: Stems = _option(
        one_of(*get_args(Stems)),
        "auto",
        "leave drums and bass out of a melody that is a mix; needs the extra stems",
        places=("render", "osc"),
        metavar="WHEN",
        group="music",
        in_sidecar=True,
    )
    key: str | None = _option(
        KEY,
        None,
        "key and mode, for the prompt and a recording's doubtful notes; auto: the melody's own",
        places=("render", "osc"),
        metavar="KEY",
        default_text="none",
        group="music",
        in_sidecar=True,
    )
    model: str = _option(
        text(4096),
        "pocket",
        "the checkpoint: pocket, a folder, or a Hugging Face id",
        places=("render", "run", "file"),
        metavar="MODEL",
        group="model",
    )
    decoder: str | None = _option(
        text(4096),
        None,
        "a decoder that was trained apart, in place of the model's own: a folder or a Hugging Face "
        "id",
        places=("render", "run", "file"),
        metavar="MODEL",
        default_text="the model's",
        example='"~/Models/my-decoder"',
        group="model",
        in_sidecar=True,
    )
    precision: Precision = _option(
        one_of(*get_args(Precision)),
        "exact",
        "how a CPU computes the decoder's steps: exact: transformers' codes; int8: weights of 8 "
        "bits, faster, and not the same codes; needs the extra fast",
        places=("render", "run", "file"),
        metavar="HOW",
        group="model",
        in_sidecar=True,
    )
    engine: str = _option(
        ENGINE,
        LOCAL_ENGINE,
        "where clips are made: on this machine, or by a server that `melody-bridge serve` runs",
        places=("render", "run", "file"),
        metavar="URL|local",
        group="model",
    )
    engine_token_file: Path | None = _option(
        PATH,
        None,
        "a file that holds the token for a remote engine, and that only you can read; the variable "
        "MELODY_BRIDGE_ENGINE_TOKEN comes before it",
        places=("render", "run", "file"),
        metavar="FILE",
        default_text="no token",
        example='"~/.config/melody-bridge/engine.token"',
        group="model",
    )
    seed: int | None = _option(
        ints(0, MAX_SEED),
        None,
        "seed of the first variation; the next takes the next",
        places=("render", "osc"),
        metavar="N",
        default_text="drawn",
        group="model",
    )
    variations: int = _option(
        ints(1, MAX_VARIATIONS),
        1,
        "number of clips, best first",
        places=("render", "file", "preset", "osc"),
        metavar="N",
        group="model",
        in_request=True,
    )
    guidance_scale: float = _option(
        numbers(1, 20),
        3.0,
        "how strictly it follows; 1: no guidance, half the work",
        places=("render", "file", "preset", "osc"),
        metavar="X",
        group="model",
        in_request=True,
        in_sidecar=True,
    )
    temperature: float = _option(
        numbers(0.01, 10),
        1.0,
        "how freely it chooses",
        places=("render", "file", "preset", "osc"),
        metavar="X",
        group="model",
        in_request=True,
        in_sidecar=True,
    )
    top_k: int = _option(
        ints(0, 65_536),
        250,
        "choose from the likeliest N codes; 0: from all",
        places=("render", "file", "preset", "osc"),
        metavar="N",
        group="model",
        in_request=True,
        in_sidecar=True,
    )
    top_p: float | None = _option(
        numbers(0.001, 1),
        None,
        "choose from the likeliest codes that add up to this share",
        places=("render", "file", "preset", "osc"),
        metavar="X",
        default_text="the checkpoint's, usually all",
        example="0.95",
        group="model",
        in_request=True,
        in_sidecar=True,
    )
    greedy: bool = _option(
        SWITCH,
        False,
        "always take the likeliest code",
        places=("render",),
        default_text="sampling",
        group="model",
        in_sidecar=True,
    )
    unconditional: bool = _option(
        SWITCH,
        False,
        "follow neither melody nor prompt",
        places=("render",),
        default_text="off",
        group="model",
        in_sidecar=True,
    )
    due_bars: int = _option(
        ints(0, 1000),
        0,
        "bars from the melody's end until a clip is wanted; what the server would bring later, "
        "`engine_fallback` makes",
        places=("file", "osc"),
        metavar="N",
        default_text="whenever it is made; of a loop its own length",
        group="model",
    )
    sample_rate: int = _option(
        ints(8000, 192_000),
        44_100,
        "sample rate of the clips in Hz; best the DAW's own",
        places=("render", "run", "file", "osc"),
        metavar="HZ",
        group="output",
    )
    device: str = _option(
        DEVICE,
        "auto",
        "what the model runs on",
        places=("render", "run", "file"),
        metavar="NAME",
        group="model",
    )
    out: Path | None = _option(
        PATH,
        None,
        "a .wav file or a folder for the clips",
        places=("render",),
        metavar="FILE_OR_FOLDER",
        default_text="the clips folder",
        group="output",
    )
    plot: Path | None = _option(
        PICTURE,
        None,
        "draw melody and clip",
        places=("render",),
        metavar="PNG",
        default_text="no picture",
        group="output",
    )
    rank_melody: float = _rank_weight(1.0, "weight of following the melody, in the order of clips")
    rank_tempo: float = _rank_weight(1.0, "weight of onsets on the grid")
    rank_downbeat: float = _rank_weight(1.0, "weight of the bar line at the clip's start")
    rank_loudness: float = _rank_weight(1.0, "weight of full loudness")
    rank_clipping: float = _rank_weight(1.0, "weight of unclipped samples")
    rank_silence: float = _rank_weight(1.0, "weight of no long silence")
    rank_seam: float = _rank_weight(1.0, "weight of a seam without a jump")
    rank_clicks: float = _rank_weight(2.0, "weight of no clicks, also of those that were repaired")

    def __post_init__(self) -> None:
        _check_fields(self)
        given = [
            name
            for name, value in (("a melody", self.melody), ("a prompt", self.prompt))
            if value is not None
        ]
        if self.unconditional and given:
            raise BadArgument(
                f"unconditional follows neither melody nor prompt, but {' and '.join(given)} "
                "came with it: leave one of the two out"
            )
        if not self.unconditional and not given and self.continue_from is None:
            raise BadArgument(
                "there is nothing to go by: name a melody file, a prompt or a preset, "
                "a clip to continue, or ask for unconditional"
            )
        if self.raw_seconds is not None and self.continue_from is not None:
            raise BadArgument(
                "continue: the result has whole bars; give its length in bars, not in seconds or "
                "tokens"
            )
        if self.seconds is not None and self.max_new_tokens is not None:
            raise BadArgument(
                f"seconds {self.seconds:g} and max_new_tokens {self.max_new_tokens} are both the "
                "length: leave one of the two out"
            )
        parts = ("track", "melody_start", "melody_length", "trim")
        idle = [OPTIONS[name].flag for name in parts if getattr(self, name)]
        if idle and self.melody is None:
            raise BadArgument(
                f"{' and '.join(idle)} choose a part of a melody file, and none is named: "
                "name one, or leave them out"
            )
        if self.seed is not None and self.seed + self.variations - 1 > MAX_SEED:
            raise BadArgument(
                f"seed {self.seed} with {self.variations} variations goes past {MAX_SEED}: "
                "each variation takes the next seed"
            )

    @property
    def asked_tempo_bpm(self) -> Fraction | None:
        """The clip's tempo where it was asked for as a number."""
        return self.tempo_bpm if isinstance(self.tempo_bpm, Fraction) else None

    @property
    def asked_key(self) -> str | None:
        """The key where it was named."""
        return None if self.key == FROM_MELODY else self.key

    @property
    def raw_seconds(self) -> float | None:
        """Length of a raw clip, at least: of tokens, the last few finish the last step.

        None: the clip has bars.
        """
        if self.max_new_tokens is not None:
            return (self.max_new_tokens - LONGEST_DELAY) / TOKENS_A_SECOND
        return self.seconds

    def request_values(self) -> dict[str, Any]:
        """The values that the engine's request takes unchanged, by its field names."""
        return {
            option.name: getattr(self, option.name)
            for option in OPTIONS.values()
            if option.in_request
        }

    def rank_weights(self) -> dict[str, float]:
        """The weight of each part of a clip's score, by the part's name."""
        names = [name for name in OPTIONS if name.startswith(RANK_PREFIX)]
        return {name.removeprefix(RANK_PREFIX): getattr(self, name) for name in names}

    def sidecar_values(self) -> dict[str, Any]:
        """The values that a clip's sidecar records unchanged, by its field names."""
        return {
            option.name: getattr(self, option.name)
            for option in OPTIONS.values()
            if option.in_sidecar
        }


@dataclass(frozen=True)
class RunOptions:
    """Options of the daemon.

    Attributes:
        defaults: values for requests that leave them open, by field of `Options`.

    Raises:
        BadArgument: a value is out of its range.
    """

    osc_port: int = _option(
        ints(0, 65_535),
        DEFAULT_OSC_PORT,
        "the daemon's UDP port on 127.0.0.1; 0: a free one",
        places=("run", "file"),
        metavar="N",
    )
    input: str | int | None = _option(
        INPUT,
        None,
        "the device to record; `melody-bridge devices` lists them",
        places=("run", "file"),
        metavar="NAME|INDEX|none",
        default_text="the system's default",
        example=f'"{DEFAULT_DEVICE}"',
    )
    input_channels: tuple[int, ...] | Literal["auto"] | None = _option(
        INPUT_CHANNELS,
        None,
        "the channels of the input to record; auto: the one that is loudest",
        places=("run", "file"),
        metavar="N,N|auto",
        default_text="the first two",
        example='"auto"',
    )
    input_latency_ms: float = _option(
        numbers(-500, 500),
        0.0,
        "how much later than it was played a sound arrives; `melody-bridge calibrate` measures it",
        places=("file",),
    )
    midi: str = _option(
        MIDI,
        "auto",
        "the MIDI input; auto: every one, and a port for other programs; "
        "`melody-bridge devices` lists them",
        places=("run", "file"),
        metavar="NAME|auto|jack|none",
    )
    midi_out: str = _option(
        MIDI_OUTPUT,
        "none",
        "the MIDI output, for the lights of a controller",
        places=("run", "file"),
        metavar="NAME|jack|none",
    )
    clock: Literal["auto", "osc", "midi", "link", "jack", "internal"] = _option(
        one_of("auto", "osc", "midi", "link", "jack", "internal"),
        "auto",
        "the source of time: a DAW by OSC, MIDI clock, Ableton Link, JACK transport, the daemon's "
        "own clock; auto: the one that moves",
        places=("run", "file"),
        metavar="SOURCE",
    )
    link: bool = _option(
        SWITCH,
        False,
        "let `auto` take Ableton Link too, which opens a UDP port on all networks",
        places=("run", "file"),
        default_text="only `--clock link` does",
    )
    clock_offset_ms: float = _option(
        numbers(-500, 500),
        0.0,
        "how much later than a MIDI clock says its beats are heard",
        places=("file",),
    )
    count_in_bars: int = _option(
        ints(0, 4),
        0,
        "bars that the daemon's own clock counts in, also before a recording while nothing plays",
        places=("run", "file", "session"),
        metavar="N",
    )
    output: str | int | None = _option(
        OUTPUT,
        NO_OUTPUT,
        "the device to play clips on; `melody-bridge devices` lists them",
        places=("run", "file"),
        metavar="NAME|INDEX|none",
    )
    output_latency_ms: float | None = _option(
        numbers(0, 1000),
        None,
        "how long a sound takes until it is heard; `melody-bridge calibrate` measures it",
        places=("file",),
        default_text="as the output's driver says",
        example="12.5",
    )
    metronome: bool = _option(
        SWITCH,
        False,
        "click on every beat while the clock plays; needs an output",
        places=("run", "file"),
        default_text="only in a count-in",
    )
    metronome_gain_db: float = _option(
        numbers(-60, 0),
        -9.0,
        "level of a click's peak",
        places=("run", "file"),
        metavar="DB",
    )
    quantum: Quantum = _option(
        QUANTUM,
        ONE_BAR,
        "the grid on which clips start, stop and swap",
        places=("run", "file"),
        metavar="GRID",
        example=f'"{ONE_BAR}"',
    )
    resume: bool = _option(
        SWITCH,
        False,
        "go on with the live loops of the clips folder, once the clock plays",
        places=("run",),
        default_text="begin with silence",
    )
    host: Literal["none", "ardour"] = _option(
        one_of("none", "ardour"),
        "none",
        "the DAW that gets the clips, where it needs more than OSC messages",
        places=("run", "file"),
        metavar="NAME",
    )
    ardour_port: int = _option(
        ints(1, 65_535),
        3819,
        "the port of Ardour's Open Sound Control",
        places=("run", "file"),
        metavar="N",
    )
    ardour_place: Literal["slot", "region"] = _option(
        one_of("slot", "region"),
        "slot",
        "where Ardour gets a clip: in the next free cue slot, or on the timeline at the next bar "
        "line",
        places=("run", "file"),
        metavar="PLACE",
    )
    ardour_launch: bool = _option(
        SWITCH,
        False,
        "launch each clip that comes into a cue slot of Ardour's",
        places=("run", "file"),
        default_text="off",
    )
    hotkeys: bool = _option(
        SWITCH,
        False,
        "take hotkeys while any program has the focus; config.toml says which",
        places=("run", "file"),
        default_text="off",
    )
    hotkey_capture: Chord | str = _hotkey(
        "<ctrl>+<alt>+c", "records and, pressed again or held and released, renders"
    )
    hotkey_last: Chord | str = _hotkey("<ctrl>+<alt>+b", "takes the last bars and renders them")
    hotkey_play: Chord | str = _hotkey("<ctrl>+<alt>+p", "plays the newest clip, or stops it")
    hotkey_next: Chord | str = _hotkey("<ctrl>+<alt>+n", "plays its next variation")
    hotkey_keep: Chord | str = _hotkey("<ctrl>+<alt>+k", "keeps the variation")
    hotkey_panic: Chord | str = _hotkey("<ctrl>+<alt>+x", "silences and stops everything")
    hotkey_answer: Literal["notification", "sound", "none"] = _option(
        one_of("notification", "sound", "none"),
        "notification",
        "what says that a hotkey was heard: a notification, or a click on the output",
        places=("file",),
    )
    source: MelodySource = _option(
        one_of(*get_args(MelodySource)),
        "auto",
        "what captures take; auto: the notes if any were played, else the sound",
        places=("run", "file", "session"),
        metavar="SOURCE",
    )
    melody_roots: tuple[Path, ...] = _option(
        FOLDERS,
        (),
        "folders that a message may name melody files in, beside home, temp folder and volumes",
        places=("file",),
        default_text="none",
        example='["~/Samples"]',
    )
    midi_map: Path | None = _option(
        PATH,
        None,
        "the file that says what MIDI controls do; `melody-bridge midi map` shows it",
        places=("run", "file"),
        metavar="FILE",
        default_text="midi.toml beside config.toml",
        example='"~/Music/midi.toml"',
    )
    clips: Path | None = _option(
        PATH,
        None,
        "the folder for the clips",
        places=("run", "file"),
        metavar="FOLDER",
        default_text="Music/Melody Bridge in the home folder",
        example='"~/Music/Melody Bridge"',
    )
    takes_days: int = _option(
        ints(0, 36_500),
        30,
        "days that a take stays after the last clip that follows it, unless one is kept; 0: always",
        places=("run", "file"),
        metavar="N",
    )
    model: str = _shared("model")
    decoder: str | None = _shared("decoder")
    precision: Precision = _shared("precision")
    engine: str = _shared("engine")
    engine_fallback: Literal["none", "local"] = _option(
        one_of("none", "local"),
        "none",
        "what makes clips while the server is gone or has no time: nothing, or `model` on this "
        "machine",
        places=("run", "file"),
        metavar="none|local",
    )
    engine_token_file: Path | None = _shared("engine_token_file")
    device: str = _shared("device")
    sample_rate: int = _shared("sample_rate")
    defaults: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_fields(self)
        chords = self.hotkey_chords()
        for action, chord in chords.items():
            same = [other for other in chords if other != action and chords[other] == chord]
            if same:
                raise BadArgument(
                    f"{HOTKEY_PREFIX}{action} and {HOTKEY_PREFIX}{same[0]} are both {chord}: "
                    "choose another chord for one, or none"
                )

    def hotkey_chords(self) -> dict[HotkeyAction, Chord]:
        """The chord of each action that has one."""
        values = {action: getattr(self, f"{HOTKEY_PREFIX}{action}") for action in HOTKEY_ACTIONS}
        return {action: chord for action, chord in values.items() if chord != NO_CHORD}


def _entries(*tables: type[Options | RunOptions | SketchOptions]) -> Iterator[Option]:
    for table in tables:
        for each in fields(table):
            if "option" in each.metadata:
                option: Option = each.metadata["option"]
                flag = option.flag or f"--{each.name.replace('_', '-')}"
                default = option.default
                number = f"{default:g}" if isinstance(default, float) else str(default)
                yield replace(
                    option,
                    name=each.name,
                    flag="" if flag == POSITIONAL else flag,
                    default_text=option.default_text or number,
                )


OPTIONS: Mapping[str, Option] = {
    option.name: option for option in _entries(Options, RunOptions, SketchOptions)
}
"""Every option by its name."""


def options_in(place: Place) -> tuple[Option, ...]:
    """The options that may be set in that place, in the table's order."""
    return tuple(option for option in OPTIONS.values() if place in option.places)


def read_value(name: str, raw: object) -> Any:
    """One option's value from text or TOML, of the type that its field declares.

    Raises:
        BadArgument: no option has that name, or the value is of the wrong type or out of range.
    """
    if name not in OPTIONS:
        raise BadArgument(f"unknown option {name!r}: the options are {', '.join(OPTIONS)}")
    return OPTIONS[name].read(raw)


def merge(*layers: Mapping[str, Any]) -> Options:
    """Options from layers of raw values by field name, the strongest first; None: not given.

    Bars, seconds and tokens are one setting: the strongest layer that has one of them decides.

    Raises:
        BadArgument: a value cannot be read or is out of range, a name is unknown, or two values
            contradict each other.
    """
    return Options(**_merged(layers))


def merge_run(*layers: Mapping[str, Any]) -> RunOptions:
    """The daemon's options from layers of raw values by name, strongest first; None: not given.

    The screen's options are ignored.

    Raises:
        BadArgument: a value cannot be read or is out of range, or a name is unknown.
    """
    values = _merged(layers)
    own = {each.name for each in fields(RunOptions)} & values.keys()
    requests = {each.name for each in fields(Options)} & values.keys() - own
    return RunOptions(
        **{name: values[name] for name in own},
        defaults={name: values[name] for name in values if name in requests},
    )


def merge_sketch(*layers: Mapping[str, Any]) -> SketchOptions:
    """The screen's options from layers of raw values by name, strongest first; None: not given.

    Other options are ignored.

    Raises:
        BadArgument: a value cannot be read or is out of range, a name is unknown, or a key has two
            meanings.
    """
    values = _merged(layers)
    own = {each.name for each in fields(SketchOptions)} & values.keys()
    return SketchOptions(**{name: values[name] for name in own})


def _merged(layers: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for layer in layers:
        given = {name: raw for name, raw in layer.items() if raw is not None}
        _check_raw(given)
        lengths = {"bars", *RAW_LENGTHS}
        settled = values.keys() | (lengths if values.keys() & lengths else set())
        for name, raw in given.items():
            if name not in settled:
                values[name] = read_value(name, raw)
    return values


def _check_raw(given: Mapping[str, Any]) -> None:
    """Check that one layer has nothing beside a raw clip's length that is for clips of bars."""
    length = next((name for name in RAW_LENGTHS if name in given), None)
    other = next((name for name in FITTED if name in given), None)
    if length is not None and other is not None:
        raise BadArgument(
            f"{length} {given[length]} makes a raw clip, as the model gives it at 32000 Hz, and "
            f"{other} {given[other]} is for a clip of bars: leave one of the two out"
        )


def _check_fields(options: Options | RunOptions) -> None:
    """Check every field by its entry's reader."""
    for each in fields(options):
        value = getattr(options, each.name)
        if value is not None and each.name in OPTIONS:
            read_value(each.name, value)
