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

from bridge.commands import MelodySource
from bridge.config.readers import (
    DEFAULT_DEVICE,
    DEVICE,
    FOLDERS,
    INPUT,
    INPUT_CHANNELS,
    KEY,
    MAX_SEED,
    MAX_VARIATIONS,
    METER,
    MIDI,
    MIDI_OUTPUT,
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
    Reader,
    ints,
    numbers,
    one_of,
    text,
)
from bridge.errors import BadArgument
from bridge.timing import ONE_BAR, Lead, Meter, Quantum

DEFAULT_OSC_PORT = 7771
MAX_RANK_WEIGHT = 10
RANK_PREFIX = "rank_"
"""Begins the names of the options that weigh a part of a clip's score."""
POSITIONAL = "positional"
"""In place of a flag: the command line takes the option by its position."""

Place = Literal["render", "run", "file", "preset", "osc", "session"]
"""Where an option may be set: a flag of `render`, a flag of `run`, config.toml, a preset, OSC.

In OSC, `osc` is `/bridge/set` and a request for clips, and `session` is `/bridge/set` alone.
"""


@dataclass(frozen=True)
class Option:
    """One entry of the table.

    Attributes:
        name: the key in files and OSC, and the field's name.
        reader: reads a value; has the type and range.
        default: the value where nobody sets it; None: decided later, as `default_text` says.
        help: what the option does.
        places: where it may be set.
        flag: on the command line; empty: positional.
        metavar: the value's name in help.
        default_text: the default, for people.
        group: the heading in `render --help`.
        example: a TOML value for the configuration file, where the default is None.
        in_request: the engine's request has a field of this name.
        in_sidecar: a clip's sidecar records the value under this name.
    """

    name: str
    reader: Reader
    default: Any
    help: str
    places: tuple[Place, ...]
    flag: str = ""
    metavar: str = ""
    default_text: str = ""
    group: str = ""
    example: str = ""
    in_request: bool = False
    in_sidecar: bool = False

    @property
    def limits(self) -> str:
        """The permitted values and the default, such as `"1 to 16; default: 1"`."""
        return "; ".join(filter(None, (self.reader.range, f"default: {self.default_text}")))

    def read(self, raw: object) -> Any:
        """Read a value from text or TOML.

        Raises:
            BadArgument: the value is of the wrong type or out of range.
        """
        return self.reader(self.name, raw)


def _option(reader: Reader, default: Any, help: str, **details: Any) -> Any:
    """A dataclass field that is an entry of the table; `_entries` gives it its name."""
    option = Option("", reader, default, help, **details)
    return field(default=default, metadata={"option": option})


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
    tempo_bpm: Fraction | None = _option(
        TEMPO,
        None,
        "tempo of the clip in beats per minute",
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
    key: str | None = _option(
        KEY,
        None,
        "key and mode, for the prompt",
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
        if not self.unconditional and not given:
            raise BadArgument(
                "there is nothing to go by: name a melody file, a prompt or a preset, "
                "or ask for unconditional"
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
        "bars that the daemon's own clock counts in before its first beat",
        places=("run", "file"),
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
        "go on with the last live loop of the clips folder, once the clock plays",
        places=("run",),
        default_text="begin with silence",
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
    model: str = _shared("model")
    device: str = _shared("device")
    sample_rate: int = _shared("sample_rate")
    defaults: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_fields(self)


def _entries(*tables: type[Options] | type[RunOptions]) -> Iterator[Option]:
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


OPTIONS: Mapping[str, Option] = {option.name: option for option in _entries(Options, RunOptions)}
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

    Raises:
        BadArgument: a value cannot be read or is out of range, a name is unknown, or two values
            contradict each other.
    """
    return Options(**_merged(layers))


def merge_run(*layers: Mapping[str, Any]) -> RunOptions:
    """The daemon's options from layers of raw values by name, strongest first; None: not given.

    Raises:
        BadArgument: a value cannot be read or is out of range, or a name is unknown.
    """
    values = _merged(layers)
    own = {each.name for each in fields(RunOptions)}
    defaults = {name: values.pop(name) for name in tuple(values) if name not in own}
    return RunOptions(**values, defaults=defaults)


def _merged(layers: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for layer in layers:
        for name, raw in layer.items():
            if raw is not None and name not in values:
                values[name] = read_value(name, raw)
    return values


def _check_fields(options: Options | RunOptions) -> None:
    """Check every field by its entry's reader."""
    for each in fields(options):
        value = getattr(options, each.name)
        if value is not None and each.name in OPTIONS:
            read_value(each.name, value)
