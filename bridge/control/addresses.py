"""The OSC addresses of protocol 1 (docs/osc.md), as tables of their arguments."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, field, replace
from difflib import get_close_matches
from fractions import Fraction
from functools import partial
from typing import Any, get_args

from bridge.commands import (
    HOTKEY_ACTIONS,
    LAYERS,
    PROTOCOL,
    RANDOM_SEED,
    Cancel,
    CaptureFile,
    CaptureLast,
    CaptureNotes,
    CaptureStart,
    CaptureStop,
    ClipSettings,
    Command,
    Discard,
    Generate,
    HaltClock,
    Hotkey,
    Keep,
    ListClips,
    ListNotes,
    ListPresets,
    LoopClear,
    LoopDelivery,
    LoopFreeze,
    LoopOverdub,
    LoopPlaying,
    LoopRedo,
    LoopSet,
    LoopStart,
    LoopStop,
    LoopUndo,
    MuteLayer,
    Panic,
    Ping,
    Play,
    ResetDefaults,
    Restore,
    SelectClock,
    SetDefaults,
    SetLayerGain,
    SetMetronome,
    StartClock,
    StopPlaying,
    Subscribe,
    Tap,
    Transport,
    UnsetDefaults,
    Unsubscribe,
)
from bridge.config import MAX_SEED, MAX_VARIATIONS, Option, options_in
from bridge.control.arguments import (
    SHOWN_CHARACTERS,
    Reader,
    between,
    client_name,
    clip_name,
    exact,
    identifier,
    integer,
    number,
    number_option,
    one_of,
    optional_identifier,
    path,
    switch,
    tempo,
    text_option,
    word_of,
)
from bridge.control.packets import Argument, Uncut
from bridge.errors import BadArgument, UnknownAddress
from bridge.events import (
    BeatReached,
    CaptureChanged,
    ClipMarked,
    ClipReady,
    ClockChanged,
    DefaultsChanged,
    Done,
    EngineChanged,
    Event,
    Failed,
    Hello,
    InputChanged,
    LayerChanged,
    Level,
    LoopChanged,
    MetronomeChanged,
    NetworkChanged,
    NoteListed,
    OutputChanged,
    Pitch,
    Pong,
    PresetListed,
    Progress,
    QueueChanged,
    Remark,
    RequestBegun,
)
from bridge.timing import Meter, Note

NO_ID = "-"
"""The id where no request can be named."""
MAX_BEAT = 1_000_000_000
MAX_BAR = 1_000_000_000
MAX_BEATS_PER_BAR = 396
"""Beats in a bar of 99/1, the longest meter."""
MAX_FILE_SECONDS = 86_400
LOWEST_GAIN_DB, HIGHEST_GAIN_DB = -60, 12
"""The range of a layer's gain; `/bridge/mute` silences it."""
SHORTEST = 0.001
"""Shortest note in beats, and shortest part of a file in seconds: shorter than anyone plays."""


def read_command(address: str, arguments: Sequence[Argument], received_seconds: float) -> Command:
    """The command of a message.

    Any number may be an int or a float: a float is the shortest decimal that gives its float32, and
    a whole float is that integer. A number in place of text is read as text. An option with empty
    text is not set: Max sends empty symbols. Of a key given twice the last counts. Further
    arguments after those of the table are ignored: a newer client may send them.

    Args:
        received_seconds: when the message arrived, on `time.perf_counter`.

    Raises:
        UnknownAddress: the protocol has no such address.
        BadArgument: an argument is missing, of the wrong type or out of its range.
    """
    form = _FORMS[known_address(address)]
    if len(arguments) < len(form.required):
        missing = list(form.required)[len(arguments)]
        raise BadArgument(f"{missing} is missing: send {' '.join(form.required)}")
    fixed = form.fixed(arguments)
    values = {
        name: read(name, argument)
        for (name, read), argument in zip(fixed.items(), arguments, strict=False)
    }
    if form.keys:
        values |= _read_pairs(form.keys, arguments[len(fixed) :])
    if form.rest is not None:
        values |= form.rest(arguments[len(fixed) :])
    command = form.make(**values)
    if isinstance(command, Transport | Tap | StartClock):
        return replace(command, received_seconds=received_seconds)
    return command


def known_address(address: str) -> str:
    """The address itself, if the protocol has it.

    Raises:
        UnknownAddress: it does not; the message names the nearest one.
    """
    if address not in _FORMS:
        raise UnknownAddress(
            f"{address[:SHOWN_CHARACTERS]!r} is no address of protocol {PROTOCOL}"
            f"{_hint(address, _FORMS, '/bridge/')}"
        )
    return address


def takes_id(address: str) -> bool:
    """Whether the first argument of that known address is an id."""
    return "id" in _FORMS[address].required


def argument_names(address: str, arguments: Sequence[Argument]) -> tuple[str, ...]:
    """A name for each argument of a message to a known address.

    The first arguments have the names of the table; after them a key and its value have the key's.
    """
    fixed = list(_FORMS[address].fixed(arguments))[: len(arguments)]
    rest = arguments[len(fixed) :]
    return (*fixed, *(str(rest[index - index % 2]) for index in range(len(rest))))


def request_id(address: str, arguments: Sequence[Argument]) -> str:
    """The id for an answer to a message; `"-"` where none can be read.

    An unknown address may be a newer client's: a text as first argument is taken for the id.
    """
    form = _FORMS.get(address)
    first = arguments[0] if arguments else None
    has_id = isinstance(first, str) if form is None else "id" in form.required
    try:
        return identifier("id", first) if has_id else NO_ID
    except BadArgument:
        return NO_ID


def event_message(event: Event) -> tuple[str, tuple[int | float | str, ...]]:
    """An event's address and arguments; text that must not be cut is `Uncut`.

    Fields after those of the table are not sent.
    """
    if isinstance(event, DefaultsChanged):
        return _DEFAULTS, tuple(_pairs(event.settings))
    address, types = _EVENTS[type(event)]
    values = zip(types, astuple(event), strict=False)
    return address, tuple(of_type(value) for of_type, value in values)


def read_event(address: str, arguments: Sequence[Argument]) -> Event | None:
    """The event of a message: what `event_message` writes, read back.

    Further arguments are ignored, as a newer daemon may send them, and one that is missing at the
    end has the event's own default.

    Returns:
        None: the message is no event of this protocol, or not of its form.
    """
    try:
        if address == _DEFAULTS:
            return DefaultsChanged(ClipSettings(**_read_pairs(_SESSION, arguments)))
        kind = _KINDS[address]
        _, types = _EVENTS[kind]
        return kind(*(_read_as(of, value) for of, value in zip(types, arguments, strict=False)))
    except (BadArgument, KeyError, TypeError, ValueError, OverflowError):
        return None


def is_carried(event: Event) -> bool:
    """Whether the protocol has an address for the event."""
    return isinstance(event, DefaultsChanged) or type(event) in _EVENTS


def _pairs(settings: ClipSettings) -> Iterator[int | float | str]:
    """The settings as keys and values, as `/bridge/set` takes them."""
    for name, value in settings.values.items():
        yield name
        yield float(value) if isinstance(value, Fraction) else _plain(value)


def _plain(value: Any) -> int | float | str:
    if isinstance(value, int | float):
        return int(value) if isinstance(value, bool) else value
    return str(value)


def _read_as(of_type: Callable[[Any], int | float | str], value: Argument) -> Any:
    # A float32 is the shortest decimal that gives it, as in commands.
    return float(number("value", value)) if of_type is float else of_type(value)


_EVENTS: Mapping[type[Event], tuple[str, tuple[Callable[[Any], int | float | str], ...]]] = {
    Hello: ("/bridge/hello", (str, int, str, str, str, Uncut)),
    Pong: ("/bridge/pong", (str,)),
    EngineChanged: ("/bridge/engine", (str, str)),
    NetworkChanged: ("/bridge/network", (float, float)),
    InputChanged: ("/bridge/input", (str, str, int, str)),
    OutputChanged: ("/bridge/output", (str, str, int, str)),
    LayerChanged: ("/bridge/layer", (int, str, str, str, float, int)),
    MetronomeChanged: ("/bridge/metronome", (int, float)),
    LoopChanged: (
        "/bridge/loop",
        (Uncut, str, str, int, int, str, int, str, str, Uncut, int, int, int),
    ),
    RequestBegun: ("/bridge/request", (Uncut, str)),
    QueueChanged: ("/bridge/queue", (int,)),
    CaptureChanged: ("/bridge/capture", (Uncut, str, float, float, int, int)),
    Level: ("/bridge/level", (float, float)),
    Pitch: ("/bridge/pitch", (int, float, float)),
    Progress: ("/bridge/progress", (Uncut, float, float)),
    ClipReady: (
        "/bridge/clip",
        (Uncut, int, int, Uncut, int, float, int, float, int, int, int, str, str),
    ),
    ClipMarked: ("/bridge/mark", (Uncut, int, str, Uncut)),
    PresetListed: ("/bridge/preset", (Uncut, int, int, str, str)),
    NoteListed: ("/bridge/note", (Uncut, int, int, float, int, float, float, int)),
    Remark: ("/bridge/remark", (Uncut, str)),
    Done: ("/bridge/done", (Uncut, int)),
    Failed: ("/bridge/error", (Uncut, Uncut, str)),
    ClockChanged: ("/bridge/clock", (str, float, int, int, int)),
    BeatReached: ("/bridge/beat", (int,)),
}
"""The address of each event that OSC carries, and the types of its fields, in their order."""
_KINDS: Mapping[str, type[Event]] = {address: kind for kind, (address, _) in _EVENTS.items()}
_DEFAULTS = "/bridge/settings"
"""The address of the session's settings, whose arguments are the keys and values that are set."""


def _hint(word: str, known: Iterable[str], prefix: str = "") -> str:
    """A question that names the known word that was probably meant; empty when there is none."""
    names = [name.removeprefix(prefix) for name in known]
    short = word.removeprefix(prefix)[:SHOWN_CHARACTERS]
    longer = [name for name in names if len(short) > 2 and name.startswith(short)]
    # Compared without the common prefix and with a strict cutoff: a flood of misspelled words has
    # to stay cheap.
    close = longer or get_close_matches(short, names, 1, 0.75)
    return f"; did you mean {prefix}{close[0]}?" if close else ""


@dataclass(frozen=True)
class _Form:
    """The arguments of an address.

    Attributes:
        make: makes the command from its arguments by name.
        required, optional: readers of the first arguments, by name and in order.
        keys: readers of the options that follow as pairs of a key and a value.
        rest: reads the arguments that follow; None: what is no option is ignored.
    """

    make: Callable[..., Command]
    required: Mapping[str, Reader] = field(default_factory=dict)
    optional: Mapping[str, Reader] = field(default_factory=dict)
    keys: Mapping[str, Reader] = field(default_factory=dict)
    rest: Callable[[Sequence[Argument]], dict[str, Any]] | None = None

    def fixed(self, arguments: Sequence[Argument]) -> Mapping[str, Reader]:
        """The readers of the first arguments, without the optional ones that an option replaces."""
        readers = dict(self.required)
        more = arguments[len(readers) :]
        for (name, read), argument in zip(self.optional.items(), more, strict=False):
            if argument in self.keys:
                break
            readers[name] = read
        return readers


def _unknown_option(key: Argument, keys: Mapping[str, Reader]) -> BadArgument:
    word = str(key)[:SHOWN_CHARACTERS]
    return BadArgument(
        f"unknown option {word!r}{_hint(word, keys)}; the options are {', '.join(keys)}"
    )


def _read_pairs(keys: Mapping[str, Reader], arguments: Sequence[Argument]) -> dict[str, Any]:
    """Read options: pairs of a key and a value."""
    given: dict[str, Argument] = {}
    for start in range(0, len(arguments), 2):
        key, *value = arguments[start : start + 2]
        if not isinstance(key, str) or key not in keys:
            raise _unknown_option(key, keys)
        if not value:
            raise BadArgument(f"{key} has no value: options are pairs of a key and a value")
        given[key] = value[0]
    return {key: keys[key](key, value) for key, value in given.items()}


def _keys(arguments: Sequence[Argument]) -> dict[str, Any]:
    """The names of session settings."""
    for key in arguments:
        if key not in _SESSION:
            raise _unknown_option(key, _SESSION)
    if not arguments:
        raise BadArgument("no key: name the settings to forget; /bridge/reset forgets all")
    return {"keys": tuple(map(str, arguments))}


def _denominator(name: str, raw: Argument) -> int:
    return Meter(4, integer(1, 16)(name, raw)).denominator


def _read_notes(arguments: Sequence[Argument]) -> dict[str, Any]:
    """Read notes: three values each, and at the end, after a word, the velocity of each."""
    end = arguments.index(_VELOCITY) if _VELOCITY in arguments else len(arguments)
    values, velocities = arguments[:end], arguments[end + 1 :]
    if len(values) % len(_NOTE):
        raise BadArgument(
            f"{len(values)} values do not make whole notes: send {' '.join(_NOTE)} for each"
        )
    count = len(values) // len(_NOTE)
    if end < len(arguments) and len(velocities) != count:
        raise BadArgument(f"{len(velocities)} velocities for {count} notes: send one for each")
    notes = []
    for index in range(count):
        of_note = zip(_NOTE.items(), values[index * len(_NOTE) :], strict=False)
        fields = {name: read(name, value) for (name, read), value in of_note}
        if velocities:
            fields[_VELOCITY] = integer(1, 127)(_VELOCITY, velocities[index])
        notes.append(Note(**fields))
    return {"notes": tuple(notes)}


def _transport(numerator: int, denominator: int, **values: Any) -> Transport:
    return Transport(meter=Meter(numerator, denominator), **values)


def _select_clock(clock: Any = None) -> SelectClock:
    return SelectClock(clock)


def _capture_file(
    numerator: int | None = None, denominator: int | None = None, **values: Any
) -> CaptureFile:
    if numerator is None and denominator is not None:
        raise BadArgument(f"denominator {denominator} has no numerator: send both")
    meter = None if numerator is None else Meter(numerator, denominator or 4)
    return CaptureFile(meter=meter, **values)


def _generate(id: str, melody: str | None = None, **settings: Any) -> Generate:
    # `continue` is no name in Python.
    continue_from = settings.pop(_CONTINUE, None)
    return Generate(id, ClipSettings(**settings), melody, continue_from)


def _loop(
    make: type[LoopStart] | type[LoopSet],
    id: str,
    follow: bool | None = None,
    quick: bool | None = None,
    **values: Any,
) -> LoopStart | LoopSet:
    settings = {name: values[name] for name in values if name not in _PLACE}
    place = {name: values[name] for name in values if name in _PLACE}
    return make(id, ClipSettings(**settings), follow=follow, quick=quick, **place)


def _set_defaults(**settings: Any) -> SetDefaults:
    return SetDefaults(ClipSettings(**settings))


_VELOCITY = "velocity"
_NOTE: Mapping[str, Reader] = {
    "start_beat": exact(0, MAX_BEAT),
    "pitch": integer(0, 127),
    "length_beats": exact(SHORTEST, MAX_BEAT),
}
_METER: Mapping[str, Reader] = {"numerator": integer(1, 99), "denominator": _denominator}


def _readers(options: Iterable[Option]) -> dict[str, Reader]:
    """The reader of each option, by its name."""
    return {
        option.name: text_option if option.reader.kind == "text" else number_option
        for option in options
    }


_SETTINGS: Mapping[str, Reader] = {
    **_readers(options_in("osc")),
    **_METER,
    "seed": integer(RANDOM_SEED, MAX_SEED),
}
"""The options of the table that OSC may set; a meter comes as two numbers, a seed may be random."""
_SOURCE: Mapping[str, Reader] = {"source": text_option}
"""What a capture takes."""
_STEMS: Mapping[str, Reader] = {"stems": text_option}
"""What clips of a capture do with a mix."""
_SESSION: Mapping[str, Reader] = {
    **_SETTINGS,
    **_readers(options_in("session")),
    "tempo_bpm": tempo,
    "tempo_lock": switch,
}
"""The settings of the session: a request's, what captures take, and the lock of its tempo.

Its tempo is that of its clock, and so a number.
"""
_FILE: Mapping[str, Reader] = {
    "start_seconds": between(0, MAX_FILE_SECONDS),
    "length_seconds": between(SHORTEST, MAX_FILE_SECONDS),
    "tempo_bpm": tempo,
    **_METER,
    "wrap": switch,
    "track": text_option,
    **_STEMS,
}
_CONTINUE = "continue"
_ID: Mapping[str, Reader] = {"id": identifier}
_PORT: Mapping[str, Reader] = {"port": integer(1, 65_535)}
_BARS: Mapping[str, Reader] = {"bars": number_option}
_LAYER: Mapping[str, Reader] = {"layer": integer(1, LAYERS)}
_LOOP: Mapping[str, Reader] = {"follow": switch, "quick": switch}
"""How a loop goes on."""
_PLACE: Mapping[str, Reader] = {**_LAYER, "deliver": one_of(*get_args(LoopDelivery))}
"""What plays a loop, and where."""
_INDEX: Mapping[str, Reader] = {"index": integer(0, MAX_VARIATIONS - 1)}

_FORMS: Mapping[str, _Form] = {
    "/bridge/subscribe": _Form(Subscribe, _PORT, {"client": client_name}),
    "/bridge/unsubscribe": _Form(Unsubscribe, _PORT),
    "/bridge/ping": _Form(Ping, _PORT),
    "/bridge/transport": _Form(
        _transport,
        {
            "tempo_bpm": tempo,
            "beat": between(-MAX_BEAT, MAX_BEAT),
            "is_playing": switch,
            **_METER,
        },
        {"bar": integer(-MAX_BAR, MAX_BAR), "beat_in_bar": between(0, MAX_BEATS_PER_BAR)},
    ),
    "/bridge/clock": _Form(_select_clock, optional={"clock": text_option}),
    "/bridge/tap": _Form(Tap),
    "/bridge/start": _Form(StartClock),
    "/bridge/halt": _Form(HaltClock),
    "/bridge/set": _Form(_set_defaults, keys=_SESSION),
    "/bridge/unset": _Form(UnsetDefaults, rest=_keys),
    "/bridge/reset": _Form(ResetDefaults),
    "/bridge/capture/start": _Form(
        CaptureStart, _ID, _BARS, {**_SOURCE, "count_in_bars": number_option, **_STEMS}
    ),
    "/bridge/capture/stop": _Form(CaptureStop, _ID),
    "/bridge/capture/last": _Form(CaptureLast, {**_ID, **_BARS}, keys={**_SOURCE, **_STEMS}),
    "/bridge/capture/file": _Form(_capture_file, {**_ID, "path": path}, keys=_FILE),
    "/bridge/capture/notes": _Form(CaptureNotes, {**_ID, **_BARS}, rest=_read_notes),
    "/bridge/generate": _Form(
        _generate,
        _ID,
        keys={
            **_SETTINGS,
            **_readers(options_in("request")),
            "melody": optional_identifier,
            _CONTINUE: path,
        },
    ),
    "/bridge/cancel": _Form(Cancel, _ID),
    "/bridge/discard": _Form(Discard, _ID, _INDEX),
    "/bridge/restore": _Form(Restore, _ID, _INDEX),
    "/bridge/keep": _Form(Keep, _ID, _INDEX),
    "/bridge/unkeep": _Form(partial(Keep, is_kept=False), _ID, _INDEX),
    "/bridge/presets": _Form(ListPresets, _ID),
    "/bridge/clips": _Form(ListClips, _ID),
    "/bridge/notes": _Form(ListNotes, _ID),
    "/bridge/loop/start": _Form(
        partial(_loop, LoopStart), _ID, keys={**_SETTINGS, **_PLACE, **_LOOP}
    ),
    "/bridge/loop/set": _Form(partial(_loop, LoopSet), _ID, keys={**_SETTINGS, **_LOOP}),
    "/bridge/loop/stop": _Form(LoopStop, _ID, {"now": switch}),
    "/bridge/loop/undo": _Form(LoopUndo, _ID),
    "/bridge/loop/redo": _Form(LoopRedo, _ID),
    "/bridge/loop/freeze": _Form(LoopFreeze, _ID, {"is_frozen": switch}),
    "/bridge/loop/overdub": _Form(LoopOverdub, _ID),
    "/bridge/loop/clear": _Form(LoopClear, _ID),
    "/bridge/loop/playing": _Form(
        LoopPlaying,
        {**_ID, "clip": clip_name},
        {"next": clip_name, "at_beat": between(-1, MAX_BEAT)},
    ),
    "/bridge/play": _Form(Play, _ID, {**_INDEX, **_LAYER}),
    "/bridge/stop": _Form(StopPlaying, {}, _LAYER),
    "/bridge/gain": _Form(
        SetLayerGain, {**_LAYER, "gain_db": between(LOWEST_GAIN_DB, HIGHEST_GAIN_DB)}
    ),
    "/bridge/mute": _Form(MuteLayer, {**_LAYER, "is_muted": switch}),
    "/bridge/metronome": _Form(SetMetronome, {"is_on": switch}, {"gain_db": between(-60, 0)}),
    "/bridge/hotkey": _Form(Hotkey, {"action": word_of(HOTKEY_ACTIONS)}),
    "/bridge/panic": _Form(Panic),
}
