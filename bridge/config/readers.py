"""How each option is read, from text or from TOML: its type, its range, and what a mistake says.

Nothing here touches the file system.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from bridge.errors import BadArgument
from bridge.timing import Meter, parse_tempo

MAX_SEED = 16_777_215
"""2²⁴ − 1: every seed up to here survives a float32, which is all that some controllers send."""
MAX_VARIATIONS = 16
MAX_PROMPT_CHARACTERS = 1000
NO_INPUT = "none"
"""What the input is called when nothing is to be heard."""


def read_value(name: str, raw: object) -> Any:
    """One option's value from text or TOML, of the type that `Options` declares.

    Raises:
        BadArgument: no option has that name, or the value is of the wrong type or out of range.
    """
    if name not in READERS:
        raise BadArgument(f"unknown option {name!r}: the options are {', '.join(READERS)}")
    return READERS[name](raw)


def _ints(name: str, low: int, high: int) -> Callable[[object], int]:
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
        return _ints("input", 0, 9999)(raw)
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
    "bars": _ints("bars", 1, 1000),
    "tempo_bpm": _tempo("tempo"),
    "meter": _meter,
    "melody_tempo_bpm": _tempo("melody tempo"),
    "key": _key,
    "model": _model,
    "seed": _ints("seed", 0, MAX_SEED),
    "variations": _ints("variations", 1, MAX_VARIATIONS),
    "guidance_scale": _number("guidance scale", 1, 20),
    "temperature": _number("temperature", 0.01, 10),
    "top_k": _ints("top-k", 0, 65_536),
    "greedy": _switch("greedy"),
    "unconditional": _switch("unconditional"),
    "sample_rate": _ints("sample rate", 8000, 192_000),
    "device": _device,
    "out": _path("out"),
    "plot": _plot,
    "osc_port": _ints("osc_port", 0, 65_535),
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
