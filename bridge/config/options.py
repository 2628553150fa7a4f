"""What a render is asked to do: one frozen, validated `Options`, from flags and TOML.

A value may come from a flag (text), a preset or the user's own `config.toml` (typed). All three
pass the same readers, so that a range is written once and a mistake reads the same everywhere.
Nothing here touches the file system.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from fractions import Fraction
from pathlib import Path
from typing import Any

from bridge.config.readers import MAX_SEED, READERS, read_value
from bridge.errors import BadArgument
from bridge.timing import Meter

DEFAULT_TEMPO_BPM = Fraction(120)
DEFAULT_METER = Meter(4, 4)
DEFAULT_OSC_PORT = 7771
CLIP_OPTIONS = ("bars", "guidance_scale", "temperature", "top_k", "variations")
"""What a preset may set beside its prompt. Tempo, meter and key are the session's."""
FILE_OPTIONS = (
    *("osc_port", "input", "input_latency_ms", "melody_roots", "clips", "model", "device"),
    *("sample_rate", *CLIP_OPTIONS),
)
"""What the user's `config.toml` may set."""


@dataclass(frozen=True)
class RunOptions:
    """How the daemon runs.

    Attributes:
        osc_port: UDP port on 127.0.0.1, 1…65535; 0: any that is free.
        input: name or part of it, or index of the device to hear; `"none"`; None: the default one.
        input_latency_ms: how much later than it was played a sound is captured, −500…500.
        melody_roots: folders that a message may name files in, beside home, temp and volumes.
        clips: the clips folder; None: the usual one.
        model, device: as in `Options`.
        sample_rate: Hz of the clips, where a request says nothing.
        defaults: what else a request that says nothing means, by field of `Options`.

    Raises:
        BadArgument: a value is out of its range.
    """

    osc_port: int = DEFAULT_OSC_PORT
    input: str | int | None = None
    input_latency_ms: float = 0.0
    melody_roots: tuple[Path, ...] = ()
    clips: Path | None = None
    model: str = "pocket"
    device: str = "auto"
    sample_rate: int = 44_100
    defaults: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_fields(self)


def merge_run(*layers: Mapping[str, Any]) -> RunOptions:
    """The daemon's options from layers of raw values by name, strongest first; None: not given.

    Raises:
        BadArgument: a value cannot be read or is out of range, or a name is unknown.
    """
    values = _merged(layers)
    defaults = {name: values.pop(name) for name in CLIP_OPTIONS if name in values}
    return RunOptions(**values, defaults=defaults)


@dataclass(frozen=True)
class Options:
    """One request for clips, as far as it can be judged without opening a file.

    Attributes:
        melody: an audio or MIDI file to follow; None: text only.
        prompt: what to sound like; `{tempo}` and `{key}` are filled in. None: melody only.
        preset: the name of the preset that the values came from, if any.
        bars: length of a clip, 1…1000.
        tempo_bpm: 20…999; None: the MIDI file's, else 120.
        meter: None: the MIDI file's, else 4/4.
        melody_tempo_bpm: the melody's own tempo, 20…999; None: the file's, if it knows.
        key: such as `"A minor"`, for the prompt.
        model: `"pocket"`, a folder, or a Hugging Face id.
        seed: 0…16777215; None: one is drawn. Variation i uses `seed + i`.
        variations: number of clips, 1…16.
        guidance_scale: 1 (none)…20.
        temperature: 0.01…10.
        top_k: 0 (all)…65536.
        greedy: take the likeliest token instead of sampling.
        unconditional: follow neither melody nor prompt.
        sample_rate: Hz of the clip, 8000…192000.
        device: `"auto"`, `"cpu"`, `"cuda"`, `"cuda:N"` or `"mps"`.
        out: a `.wav` file or a folder; None: the clips folder.
        plot: a `.png` file for the picture; None: no picture.

    Raises:
        BadArgument: a value is out of its range, or two do not go together.
    """

    melody: Path | None = None
    prompt: str | None = None
    preset: str | None = None
    bars: int = 4
    tempo_bpm: Fraction | None = None
    meter: Meter | None = None
    melody_tempo_bpm: Fraction | None = None
    key: str | None = None
    model: str = "pocket"
    seed: int | None = None
    variations: int = 1
    guidance_scale: float = 3.0
    temperature: float = 1.0
    top_k: int = 250
    greedy: bool = False
    unconditional: bool = False
    sample_rate: int = 44_100
    device: str = "auto"
    out: Path | None = None
    plot: Path | None = None

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
        if self.seed is not None and self.seed + self.variations - 1 > MAX_SEED:
            raise BadArgument(
                f"seed {self.seed} with {self.variations} variations goes past {MAX_SEED}: "
                "each variation takes the next seed"
            )


def _check_fields(options: Options | RunOptions) -> None:
    """Have every field read as its option is, where it is one."""
    for each in fields(options):
        value = getattr(options, each.name)
        if value is not None and each.name in READERS:
            READERS[each.name](value)


def merge(*layers: Mapping[str, Any]) -> Options:
    """Options from layers of raw values by field name, the strongest first; None is not given.

    Raises:
        BadArgument: a value cannot be read or is out of range, a name is unknown, or two values
            do not go together.
    """
    return Options(**_merged(layers))


def _merged(layers: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for layer in layers:
        for name, raw in layer.items():
            if raw is not None and name not in values:
                values[name] = read_value(name, raw)
    return values
