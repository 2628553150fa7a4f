"""Readers of option values: each turns text or a TOML value into the value's final type.

A reader raises `BadArgument` that names the option, the value and the remedy. Nothing here touches
the file system.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from bridge.commands import FROM_MELODY
from bridge.config.chords import Chord, read_chord
from bridge.errors import BadArgument
from bridge.timing import MAX_TEMPO_BPM, MIN_TEMPO_BPM, QUANTA, Meter, Quantum, parse_tempo

MAX_SEED = 16_777_215
"""2²⁴ − 1: a float32 holds every seed up to here, and some controllers send only floats."""
MAX_VARIATIONS = 16
MAX_PROMPT_CHARACTERS = 1000
AUTO_CHANNEL = "auto"
"""In place of channel numbers: the loudest channel."""
MOST_CHANNELS = 8
"""Channels of the input that are recorded: two minutes of eight at 48 kHz take 190 MB."""
HIGHEST_CHANNEL = 256
NO_INPUT = "none"
"""The name of the input that records nothing."""
NO_OUTPUT = "none"
"""The name of the output that plays nothing."""
MIDI_WORDS = ("auto", "jack", "none")
"""Selections of MIDI ports that are no names."""
NO_CHORD = "none"
"""The chord of an action that has no hotkey."""
LOCAL_ENGINE = "local"
"""In place of a server's address: the engine on this machine."""
DEFAULT_DEVICE = "default"
"""The name of the system's default device, which is None as a value."""

Kind = Literal["number", "text", "switch", "path", "paths"]


@dataclass(frozen=True)
class Reader:
    """A reader of one type of value.

    Attributes:
        read: called with the option's name and a raw value; returns the final value.
        kind: the kind of value, which decides how OSC carries it.
        range: the permitted values, for help and docs, such as `"1 to 1000"`; may be empty.
        limits: the lowest and the highest number, both integers where only whole numbers are
            permitted; None for other kinds.
        choices: the words to choose from; empty for other kinds.
        words: the words that may come in place of a number.
    """

    read: Callable[[str, object], Any]
    kind: Kind
    range: str = ""
    limits: tuple[int, int] | tuple[float, float] | None = None
    choices: tuple[str, ...] = ()
    words: tuple[str, ...] = ()

    def __call__(self, name: str, raw: object) -> Any:
        """Read a value.

        Raises:
            BadArgument: the value is of the wrong type or out of range.
        """
        return self.read(name, raw)


def ints(low: int, high: int) -> Reader:
    """Whole numbers in that range, both ends included."""

    def read(name: str, raw: object) -> int:
        if isinstance(raw, str):
            text = raw.strip()
            raw = int(text) if re.fullmatch(r"[+-]?[0-9]{1,18}", text) else raw
        if isinstance(raw, bool) or not isinstance(raw, int):
            raise BadArgument(f"{name} {raw!r}: write a whole number from {low} to {high}")
        if not low <= raw <= high:
            raise BadArgument(f"{name} {raw}: the range is {low} to {high}")
        return raw

    return Reader(read, "number", f"{low} to {high}", (low, high))


def numbers(low: float, high: float) -> Reader:
    """Numbers in that range, both ends included."""

    def read(name: str, raw: object) -> float:
        try:
            value = math.nan if isinstance(raw, bool) else float(raw)  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError):
            value = math.nan
        if math.isnan(value):
            raise BadArgument(f"{name} {raw!r}: write a number from {low:g} to {high:g}")
        if not low <= value <= high:
            raise BadArgument(f"{name} {raw}: the range is {low:g} to {high:g}")
        return value

    return Reader(read, "number", f"{low:g} to {high:g}", (float(low), float(high)))


def _tempo(name: str, raw: object) -> Fraction:
    # Plain decimals only: a fraction of 1e99999999 would take for ever.
    decimal = isinstance(raw, str) and re.fullmatch(r"[0-9]{1,9}(\.[0-9]{0,12})?", raw.strip())
    number = isinstance(raw, int | float | Fraction) and not isinstance(raw, bool)
    if not (decimal or number):
        raise BadArgument(f"{name} {raw!r}: write beats per minute, such as 93.7")
    try:
        return parse_tempo(raw)  # type: ignore[arg-type]
    except BadArgument as error:
        raise BadArgument(str(error).replace("tempo", name, 1)) from error


def _tempo_or_auto(name: str, raw: object) -> Fraction | str:
    if isinstance(raw, str) and raw.strip().lower() == FROM_MELODY:
        return FROM_MELODY
    try:
        return _tempo(name, raw)
    except BadArgument as error:
        raise BadArgument(f"{error}, or {FROM_MELODY}") from error


def _meter(name: str, raw: object) -> Meter:
    if isinstance(raw, Meter):
        return raw
    if not isinstance(raw, str) or not re.fullmatch(r"[0-9]{1,4}/[0-9]{1,4}", raw.strip()):
        raise BadArgument(f"{name} {raw!r}: write it as 4/4, 3/4 or 7/8")
    return Meter.parse(raw)


def _quantum(name: str, raw: object) -> Quantum:
    words = " ".join(str(raw).lower().split())
    for quantum in QUANTA:
        if raw == quantum or words in (str(quantum), str(quantum).replace(" ", "")):
            return quantum
    raise BadArgument(f"{name} {raw!r}: write one of {', '.join(map(str, QUANTA))}")


def _switch(name: str, raw: object) -> bool:
    if not isinstance(raw, bool):
        raise BadArgument(f"{name} {raw!r}: write true or false")
    return raw


def one_of(*words: str) -> Reader:
    """One of these words, in any case."""
    permitted = f"{', '.join(words[:-1])} or {words[-1]}"

    def read(name: str, raw: object) -> str:
        word = raw.strip().lower() if isinstance(raw, str) else ""
        if word not in words:
            raise BadArgument(f"{name} {raw!r}: write {permitted}")
        return word

    return Reader(read, "text", permitted, choices=words)


def text(longest: int) -> Reader:
    """Text of that many characters at most, on one line."""

    def read(name: str, raw: object) -> str:
        if not isinstance(raw, str):
            raise BadArgument(f"{name} {raw!r}: write text")
        line = " ".join(raw.split())
        if not line:
            raise BadArgument(f"{name}: empty; write something, or leave it out")
        if len(line) > longest:
            raise BadArgument(f"{name}: {len(line)} characters; the limit is {longest}")
        # Cs: lone surrogates, by which Python represents bytes that are not UTF-8.
        if any(unicodedata.category(character) in ("Cc", "Cs") for character in line):
            raise BadArgument(f"{name} {line!r}: it holds control characters, or is not UTF-8")
        return line

    return Reader(read, "text")


def _part(name: str, raw: object) -> str:
    match = re.fullmatch(r"([0-9]{1,5}(?:\.[0-9]{1,6})?) ?(s|bars?)?", str(raw).strip())
    if match is None or isinstance(raw, bool):
        raise BadArgument(f"{name} {raw!r}: write seconds such as 1.5, or bars such as 4bars")
    return match[1] + ("bars" if (match[2] or "").startswith("bar") else "")


def _length(name: str, raw: object) -> str:
    part = _part(name, raw)
    if not float(part.removesuffix("bars")):
        raise BadArgument(f"{name} {raw!r}: write more than 0")
    return part


NAMED_KEYS = (
    *("space", "enter", "tab", "shift+tab", "backspace", "delete", "insert", "home", "end"),
    *("pageup", "pagedown", "up", "down", "left", "right"),
    *(f"f{number}" for number in range(1, 13)),
    *(f"ctrl+{letter}" for letter in "abdefgklnopqrstuvwxyz"),
)
"""Keys that are no character.

A terminal sends tab as ctrl+i, and enter as ctrl+m or ctrl+j. Escape leaves, and ctrl+c quits.
"""


def _keys(name: str, raw: object) -> str:
    words = raw.split() if isinstance(raw, str) else ()
    if not words:
        raise BadArgument(f"{name} {raw!r}: write a key, such as t, space or ctrl+r")
    keys = [word if len(word) == 1 else word.lower() for word in words]
    for key in keys:
        if key not in NAMED_KEYS and not (len(key) == 1 and key.isprintable()):
            raise BadArgument(
                f"{name} {key!r}: write a character, or one of {', '.join(NAMED_KEYS[:15])}, "
                "f1 to f12, or ctrl+ and a letter that a terminal sends as itself"
            )
        if keys.count(key) > 1:
            raise BadArgument(f"{name}: {key!r} is there twice; name each key once")
    return " ".join(keys)


_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


def _prompt(name: str, raw: object) -> str:
    prompt = str(text(MAX_PROMPT_CHARACTERS)(name, raw))
    for word in _PLACEHOLDER.findall(prompt):
        if word not in ("tempo", "key"):
            raise BadArgument(f"{name}: {{{word}}} is unknown; {{tempo}} and {{key}} are filled in")
    return prompt


_MODES = (
    *("major", "minor", "ionian", "dorian", "phrygian"),
    *("lydian", "mixolydian", "aeolian", "locrian"),
)
_SHORT_MODES = {"": "major", "M": "major", "maj": "major", "m": "minor", "min": "minor"}
_ACCIDENTALS = {"♯": "#", " sharp": "#", "♭": "b", " flat": "b"}
_KEY = re.compile(r"([A-Ga-g])(#|♯|b|♭| sharp| flat)? ?([A-Za-z]*)")


def _key(name: str, raw: object) -> str:
    text = " ".join(raw.replace("-", " ").split()) if isinstance(raw, str) else ""
    if text.lower() == FROM_MELODY:
        return FROM_MELODY
    match = _KEY.fullmatch(text)
    mode = _SHORT_MODES.get(match[3], match[3].lower()) if match else ""
    if match is None or mode not in _MODES:
        raise BadArgument(
            f"{name} {raw!r}: write a note and a mode, such as A minor or Eb major; or auto"
        )
    accidental = match[2] or ""
    return f"{match[1].upper()}{_ACCIDENTALS.get(accidental, accidental)} {mode}"


def _device(name: str, raw: object) -> str:
    if not isinstance(raw, str) or not re.fullmatch(r"auto|cpu|cuda(:[0-9]{1,3})?|mps", raw):
        raise BadArgument(f"{name} {raw!r}: write auto, cpu, cuda, cuda:N or mps")
    return raw


def _engine(name: str, raw: object) -> str:
    if raw == LOCAL_ENGINE:
        return LOCAL_ENGINE
    shape = r"https?://(\[[0-9a-fA-F:.]+\]|[\w.-]+)(:[0-9]{1,5})?(/[\w./-]*)?"
    if not isinstance(raw, str) or not re.fullmatch(shape, raw, re.ASCII):
        raise BadArgument(f"{name} {raw!r}: write local, or an address such as http://gpu-box:8000")
    return raw


def _path(name: str, raw: object) -> Path:
    if not isinstance(raw, str | Path) or not str(raw).strip():
        raise BadArgument(f"{name} {raw!r}: write a path")
    if "\0" in str(raw):
        raise BadArgument(f"{name} {str(raw)!r}: a path holds no zero byte")
    return Path(raw).expanduser()


def _picture(name: str, raw: object) -> Path:
    path = _path(name, raw)
    if path.suffix.lower() != ".png":
        raise BadArgument(f"{name} {str(path)!r}: the picture is a PNG, so name a .png file")
    return path


def _input(name: str, raw: object) -> str | int | None:
    if isinstance(raw, int) or (isinstance(raw, str) and raw.strip().isdecimal()):
        return int(ints(0, 9999)(name, raw))
    device = str(text(200)(name, raw))
    if device.lower() == DEFAULT_DEVICE:
        return None
    return NO_INPUT if device.lower() == NO_INPUT else device


def _midi(name: str, raw: object) -> str:
    port = str(text(200)(name, raw))
    return port.lower() if port.lower() in MIDI_WORDS else port


def _midi_output(name: str, raw: object) -> str:
    port = _midi(name, raw)
    if port == "auto":
        raise BadArgument(f"{name} {raw!r}: write an output's name, jack, or none")
    return port


def _chord(name: str, raw: object) -> Chord | str:
    if isinstance(raw, Chord):
        return raw
    if not isinstance(raw, str):
        raise BadArgument(f"{name} {raw!r}: write a chord, such as <ctrl>+<alt>+c, or none")
    if raw.strip().lower() == NO_CHORD:
        return NO_CHORD
    try:
        return read_chord(raw)
    except BadArgument as error:
        raise BadArgument(str(error).replace("chord", name, 1)) from error


def _input_channels(name: str, raw: object) -> tuple[int, ...] | str:
    if isinstance(raw, str):
        if raw.strip().lower() == AUTO_CHANNEL:
            return AUTO_CHANNEL
        words: list[object] = list(raw.split(","))
    else:
        words = list(raw) if isinstance(raw, list | tuple) else [raw]
    if not 1 <= len(words) <= MOST_CHANNELS:
        raise BadArgument(f"{name}: {len(words)} channels; name 1 to {MOST_CHANNELS}")
    try:
        channels = tuple(ints(1, HIGHEST_CHANNEL)(name, word) for word in words)
    except BadArgument as error:
        raise BadArgument(
            f"{name} {raw!r}: write numbers from 1 to {HIGHEST_CHANNEL}, such as 3,4, or auto"
        ) from error
    if len(set(channels)) < len(channels):
        raise BadArgument(f"{name} {raw!r}: name each channel once")
    return channels


def _folders(name: str, raw: object) -> tuple[Path, ...]:
    if not isinstance(raw, list | tuple):
        raise BadArgument(f"{name} {raw!r}: write a list of folders, such as ['~/Samples']")
    paths = tuple(_path(name, each) for each in raw)
    for path in paths:
        if not path.is_absolute():
            raise BadArgument(f"{name} {str(path)!r}: write the whole path, from the root or ~")
    return paths


QUANTUM = Reader(_quantum, "text", f"one of {', '.join(map(str, QUANTA))}")
TEMPO = Reader(
    _tempo,
    "number",
    f"{MIN_TEMPO_BPM} to {MAX_TEMPO_BPM}",
    (float(MIN_TEMPO_BPM), float(MAX_TEMPO_BPM)),
)
TEMPO_OR_AUTO = replace(
    TEMPO, read=_tempo_or_auto, range=f"{TEMPO.range}, or {FROM_MELODY}", words=(FROM_MELODY,)
)
METER = Reader(_meter, "text", "such as 4/4 or 7/8")
SWITCH = Reader(_switch, "switch")
PROMPT = Reader(_prompt, "text", f"up to {MAX_PROMPT_CHARACTERS} characters")
KEY = Reader(_key, "text", "such as A minor or Eb major; auto")
KEYS = Reader(_keys, "text", "keys such as `t`, `space` or `ctrl+r`")
ENGINE = Reader(_engine, "text", "local, or http:// or https:// and a host, such as gpu-box:8000")
DEVICE = Reader(_device, "text", "auto, cpu, cuda, cuda:N or mps")
PART_START = Reader(_part, "text", "seconds such as 1.5, or bars such as 4bars")
PART_LENGTH = Reader(_length, "text", "seconds such as 1.5, or bars such as 4bars")
PATH = Reader(_path, "path")
PICTURE = Reader(_picture, "path", "a .png file")
OUTPUT = Reader(_input, "text", "a name, part of one, an index, default, or none")
INPUT = Reader(_input, "text", "a name, part of one, an index, default, or none")
INPUT_CHANNELS = Reader(
    _input_channels, "text", f"numbers from 1, {MOST_CHANNELS} at most, or auto"
)
MIDI = Reader(_midi, "text", "auto, a name, part of one, jack, or none")
MIDI_OUTPUT = Reader(_midi_output, "text", "a name, part of one, jack, or none")
CHORD = Reader(_chord, "text", "such as <ctrl>+<alt>+c or <f9>; none")
FOLDERS = Reader(_folders, "paths", "absolute folders")
