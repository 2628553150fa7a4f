"""What a render is asked to do: one frozen, validated `Options`, from flags and TOML.

A value may come from a flag (text), a preset or the user's own `config.toml` (typed). All three
pass the same readers, so that a range is written once and a mistake reads the same everywhere.
Nothing here touches the file system.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from fractions import Fraction
from pathlib import Path
from typing import Any

from bridge.errors import BadArgument
from bridge.timing import Meter, parse_tempo

MAX_SEED = 16_777_215
"""2²⁴ − 1: every seed up to here survives a float32, which is all that some controllers send."""
MAX_VARIATIONS = 16
MAX_PROMPT_CHARACTERS = 1000
DEFAULT_TEMPO_BPM = Fraction(120)
DEFAULT_METER = Meter(4, 4)
DEFAULT_OSC_PORT = 7771
NO_INPUT = "none"
"""What the input is called when nothing is to be heard."""
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


def read_value(name: str, raw: object) -> Any:
    """One option's value from text or TOML, of the type that `Options` declares.

    Raises:
        BadArgument: no option has that name, or the value is of the wrong type or out of range.
    """
    if name not in READERS:
        raise BadArgument(f"unknown option {name!r}: the options are {', '.join(READERS)}")
    return READERS[name](raw)


def _whole(name: str, low: int, high: int) -> Callable[[object], int]:
    def read(raw: object) -> int:
        if isinstance(raw, str):
            text = raw.strip()
            raw = int(text) if re.fullmatch(r"[+-]?[0-9]{1,18}", text) else raw
        if isinstance(raw, bool) or not isinstance(raw, int):
            raise BadArgument(f"{name} {raw!r}: write a whole number from {low} to {high}")
        if not low <= raw <= high:
            raise BadArgument(f"{name} {raw}: the range is {low} to {high}")
        return raw

    return read


def _number(name: str, low: float, high: float) -> Callable[[object], float]:
    def read(raw: object) -> float:
        try:
            value = math.nan if isinstance(raw, bool) else float(raw)  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError):
            value = math.nan
        if math.isnan(value):
            raise BadArgument(f"{name} {raw!r}: write a number from {low:g} to {high:g}")
        if not low <= value <= high:
            raise BadArgument(f"{name} {raw}: the range is {low:g} to {high:g}")
        return value

    return read


def _tempo(name: str) -> Callable[[object], Fraction]:
    def read(raw: object) -> Fraction:
        # Plain decimals only: as a fraction, 1e99999999 takes for ever.
        decimal = isinstance(raw, str) and re.fullmatch(r"[0-9]{1,9}(\.[0-9]{0,12})?", raw.strip())
        number = isinstance(raw, int | float | Fraction) and not isinstance(raw, bool)
        if not (decimal or number):
            raise BadArgument(f"{name} {raw!r}: write beats per minute, such as 93.7")
        try:
            return parse_tempo(raw)  # type: ignore[arg-type]
        except BadArgument as error:
            raise BadArgument(str(error).replace("tempo", name, 1)) from error

    return read


def _meter(raw: object) -> Meter:
    if isinstance(raw, Meter):
        return raw
    if not isinstance(raw, str) or not re.fullmatch(r"[0-9]{1,4}/[0-9]{1,4}", raw.strip()):
        raise BadArgument(f"meter {raw!r}: write it as 4/4, 3/4 or 7/8")
    return Meter.parse(raw)


def _switch(name: str) -> Callable[[object], bool]:
    def read(raw: object) -> bool:
        if not isinstance(raw, bool):
            raise BadArgument(f"{name} {raw!r}: write true or false")
        return raw

    return read


def _text(name: str, longest: int) -> Callable[[object], str]:
    def read(raw: object) -> str:
        if not isinstance(raw, str):
            raise BadArgument(f"{name} {raw!r}: write text")
        text = " ".join(raw.split())
        if not text:
            raise BadArgument(f"{name}: empty; write something, or leave it out")
        if len(text) > longest:
            raise BadArgument(f"{name}: {len(text)} characters; the limit is {longest}")
        # Cs: lone surrogates, which is how Python carries bytes that are not UTF-8.
        if any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
            raise BadArgument(f"{name} {text!r}: it holds control characters, or is not UTF-8")
        return text

    return read


_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


def _prompt(raw: object) -> str:
    text = _text("prompt", MAX_PROMPT_CHARACTERS)(raw)
    for word in _PLACEHOLDER.findall(text):
        if word not in ("tempo", "key"):
            raise BadArgument(f"prompt: {{{word}}} is unknown; {{tempo}} and {{key}} are filled in")
    return text


_MODES = (
    *("major", "minor", "ionian", "dorian", "phrygian"),
    *("lydian", "mixolydian", "aeolian", "locrian"),
)
_SHORT_MODES = {"": "major", "M": "major", "maj": "major", "m": "minor", "min": "minor"}
_ACCIDENTALS = {"♯": "#", " sharp": "#", "♭": "b", " flat": "b"}
_KEY = re.compile(r"([A-Ga-g])(#|♯|b|♭| sharp| flat)? ?([A-Za-z]*)")


def _key(raw: object) -> str:
    text = " ".join(raw.replace("-", " ").split()) if isinstance(raw, str) else ""
    match = _KEY.fullmatch(text)
    mode = _SHORT_MODES.get(match[3], match[3].lower()) if match else ""
    if match is None or mode not in _MODES:
        raise BadArgument(f"key {raw!r}: write a note and a mode, such as A minor or Eb major")
    accidental = match[2] or ""
    return f"{match[1].upper()}{_ACCIDENTALS.get(accidental, accidental)} {mode}"


def _model(raw: object) -> str:
    return _text("model", 4096)(raw)


def _device(raw: object) -> str:
    if not isinstance(raw, str) or not re.fullmatch(r"auto|cpu|cuda(:[0-9]{1,3})?|mps", raw):
        raise BadArgument(f"device {raw!r}: write auto, cpu, cuda, cuda:N or mps")
    return raw


def _path(name: str) -> Callable[[object], Path]:
    def read(raw: object) -> Path:
        if not isinstance(raw, str | Path) or not str(raw).strip():
            raise BadArgument(f"{name} {raw!r}: write a path")
        if "\0" in str(raw):
            raise BadArgument(f"{name} {str(raw)!r}: a path holds no zero byte")
        return Path(raw).expanduser()

    return read


def _plot(raw: object) -> Path:
    path = _path("plot")(raw)
    if path.suffix.lower() != ".png":
        raise BadArgument(f"plot {str(path)!r}: the picture is a PNG, so name a .png file")
    return path


def _input(raw: object) -> str | int:
    if isinstance(raw, int) or (isinstance(raw, str) and raw.strip().isdecimal()):
        return _whole("input", 0, 9999)(raw)
    name = _text("input", 200)(raw)
    return NO_INPUT if name.lower() == NO_INPUT else name


def _paths(name: str) -> Callable[[object], tuple[Path, ...]]:
    def read(raw: object) -> tuple[Path, ...]:
        if not isinstance(raw, list | tuple):
            raise BadArgument(f"{name} {raw!r}: write a list of folders, such as ['~/Samples']")
        paths = tuple(_path(name)(each) for each in raw)
        for path in paths:
            if not path.is_absolute():
                raise BadArgument(f"{name} {str(path)!r}: write the whole path, from the root or ~")
        return paths

    return read


READERS: Mapping[str, Callable[[object], Any]] = {
    "melody": _path("melody"),
    "prompt": _prompt,
    "preset": _text("preset", 80),
    "bars": _whole("bars", 1, 1000),
    "tempo_bpm": _tempo("tempo"),
    "meter": _meter,
    "melody_tempo_bpm": _tempo("melody tempo"),
    "key": _key,
    "model": _model,
    "seed": _whole("seed", 0, MAX_SEED),
    "variations": _whole("variations", 1, MAX_VARIATIONS),
    "guidance_scale": _number("guidance scale", 1, 20),
    "temperature": _number("temperature", 0.01, 10),
    "top_k": _whole("top-k", 0, 65_536),
    "greedy": _switch("greedy"),
    "unconditional": _switch("unconditional"),
    "sample_rate": _whole("sample rate", 8000, 192_000),
    "device": _device,
    "out": _path("out"),
    "plot": _plot,
    "osc_port": _whole("osc_port", 0, 65_535),
    "input": _input,
    "input_latency_ms": _number("input_latency_ms", -500, 500),
    "melody_roots": _paths("melody_roots"),
    "clips": _path("clips"),
}
"""How each option is read, by its field in `Options` or `RunOptions`."""


def fill_prompt(prompt: str, *, tempo_bpm: Fraction, key: str | None) -> str:
    """The prompt that the model gets: placeholders filled in, tempo and key always told.

    `{tempo}` becomes the nearest whole number: models know tempo as a word. A part between commas
    that is only `{key}` goes when no key is given. A prompt that names no tempo, or not the key
    that was asked for, has it added at the end, because a clip can be stretched onto the grid by
    a few per cent only.

    Raises:
        BadArgument: the prompt works `{key}` into a sentence, and no key is given.
    """
    parts = [part.strip() for part in prompt.split(",")]
    if key is None:
        parts = [part for part in parts if part != "{key}"]
        if any("{key}" in part for part in parts):
            raise BadArgument(f"prompt {prompt!r} asks for a key: give one, such as A minor")
    text = ", ".join(part for part in parts if part)
    text = text.replace("{tempo}", str(round(tempo_bpm))).replace("{key}", key or "")
    if not re.search(r"(?:\b|\d)bpm\b", text, re.IGNORECASE):
        text += f", {round(tempo_bpm)} bpm"
    if key is not None and not re.search(rf"(?<!\w){re.escape(key)}(?!\w)", text, re.IGNORECASE):
        text += f", {key}"
    return text.removeprefix(", ")
