"""The arguments and the command of each address: all edges of ranges, ints, floats and text."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.commands import (
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
from bridge.control.addresses import (
    event_message,
    is_carried,
    read_command,
    read_event,
    request_id,
)
from bridge.control.packets import Argument, Uncut, read_packet, write_message
from bridge.errors import BadArgument, BridgeError, UnknownAddress
from bridge.events import (
    CaptureChanged,
    ClientsChanged,
    DefaultsChanged,
    Done,
    Event,
    Failed,
    InputOverflowed,
    LinkPeersChanged,
    Listening,
    MidiPortsChanged,
    OutputUnderflowed,
    Progress,
)
from bridge.timing import Meter, Note
from tests.control.events import ONE_OF_EACH


def f32(value: float) -> float:
    """The value after a conversion to float32 and back."""
    return float(struct.unpack(">f", struct.pack(">f", value))[0])


FILE_OPTIONS: list[Argument] = [
    *("start_seconds", 0.1, "length_seconds", 8, "tempo_bpm", 93.7),
    *("numerator", 7, "denominator", 8, "wrap", 1),
]
SOUND_OPTIONS: list[Argument] = [
    *("prompt", "warm rhodes, 90 bpm", "preset", "lofi-keys", "bars", 4, "tempo_bpm", 93.7),
    *("numerator", 7, "denominator", 8, "key", "a minor", "guidance_scale", 3),
    *("temperature", 0.01, "top_k", 250, "seed", 16_777_215, "variations", 16),
    *("sample_rate", 48_000),
]
COMMANDS: list[tuple[str, list[Argument], Command]] = [
    ("/bridge/subscribe", [7772, "live1"], Subscribe(7772, "live1")),
    ("/bridge/subscribe", [7772], Subscribe(7772, "")),
    ("/bridge/subscribe", [1, ""], Subscribe(1, "")),
    ("/bridge/subscribe", [65535, 3], Subscribe(65535, "3")),
    ("/bridge/unsubscribe", [7772], Unsubscribe(7772)),
    ("/bridge/ping", [7772], Ping(7772)),
    (
        "/bridge/transport",
        [93.7, 33.25, 1, 7, 8],
        Transport(Fraction("93.7"), 33.25, True, Meter(7, 8), received_seconds=5.0),
    ),
    (
        "/bridge/transport",
        [120, -2, 0, 4, 4, 9, 1.5],
        Transport(Fraction(120), -2.0, False, Meter(), 9, 1.5, 5.0),
    ),
    ("/bridge/clock", [], SelectClock()),
    ("/bridge/clock", ["midi"], SelectClock("midi")),
    ("/bridge/clock", ["auto"], SelectClock("auto")),
    ("/bridge/tap", [], Tap(5.0)),
    ("/bridge/start", [], StartClock(5.0)),
    ("/bridge/halt", [], HaltClock()),
    ("/bridge/set", [], SetDefaults(ClipSettings())),
    ("/bridge/set", ["denominator", 8], SetDefaults(ClipSettings(denominator=8))),
    ("/bridge/set", ["tempo_lock", 1], SetDefaults(ClipSettings(tempo_lock=True))),
    ("/bridge/unset", ["bars", "tempo_lock"], UnsetDefaults(("bars", "tempo_lock"))),
    ("/bridge/reset", [], ResetDefaults()),
    ("/bridge/capture/start", ["me-1"], CaptureStart("me-1")),
    ("/bridge/capture/start", ["me-1", 4], CaptureStart("me-1", 4)),
    ("/bridge/capture/start", ["me-1", "source", "midi"], CaptureStart("me-1", None, "midi")),
    ("/bridge/capture/start", ["me-1", 4, "source", "Auto"], CaptureStart("me-1", 4, "auto")),
    ("/bridge/capture/last", ["me-1", 4, "source", "sound"], CaptureLast("me-1", 4, "sound")),
    (
        "/bridge/capture/start",
        ["me-1", "count_in_bars", 1.0],
        CaptureStart("me-1", count_in_bars=1),
    ),
    ("/bridge/set", ["count_in_bars", 2], SetDefaults(ClipSettings(count_in_bars=2))),
    ("/bridge/set", ["source", "midi"], SetDefaults(ClipSettings(source="midi"))),
    ("/bridge/unset", ["source"], UnsetDefaults(("source",))),
    ("/bridge/generate", ["me-2", "lead", "last"], Generate("me-2", ClipSettings(lead="last"))),
    ("/bridge/capture/stop", ["me-1"], CaptureStop("me-1")),
    ("/bridge/capture/last", ["me-1", 1000], CaptureLast("me-1", 1000)),
    ("/bridge/capture/file", ["me-1", "/a b.wav"], CaptureFile("me-1", "/a b.wav")),
    (
        "/bridge/capture/file",
        ["me-1", "/a.mid", "track", "Lead"],
        CaptureFile("me-1", "/a.mid", track="Lead"),
    ),
    (
        "/bridge/capture/file",
        ["me-1", "/a.mid", "track", 2],
        CaptureFile("me-1", "/a.mid", track="2"),
    ),
    (
        "/bridge/capture/file",
        ["me-1", "/a.wav", *FILE_OPTIONS],
        CaptureFile("me-1", "/a.wav", 0.1, 8.0, Fraction("93.7"), Meter(7, 8), True),
    ),
    (
        "/bridge/capture/file",
        ["me-1", "/a.wav", "numerator", 3],
        CaptureFile("me-1", "/a.wav", meter=Meter(3, 4)),
    ),
    ("/bridge/capture/notes", ["me-1", 2], CaptureNotes("me-1", 2, ())),
    (
        "/bridge/capture/notes",
        ["me-1", 2, 0, 60, 1, "velocity", 33.0],
        CaptureNotes("me-1", 2, (Note(Fraction(0), Fraction(1), 60, 33),)),
    ),
    (
        "/bridge/capture/notes",
        ["me-1", 2, 0, 60, 1, 1.1, 127, 0.3],
        CaptureNotes(
            "me-1",
            2,
            (
                Note(Fraction(0), Fraction(1), 60),
                Note(Fraction("1.1"), Fraction("0.3"), 127),
            ),
        ),
    ),
    ("/bridge/generate", ["me-2"], Generate("me-2", ClipSettings())),
    (
        "/bridge/generate",
        ["me-2", *SOUND_OPTIONS, "melody", "me-1"],
        Generate(
            "me-2",
            ClipSettings(
                prompt="warm rhodes, 90 bpm",
                preset="lofi-keys",
                bars=4,
                tempo_bpm=Fraction("93.7"),
                numerator=7,
                denominator=8,
                key="A minor",
                guidance_scale=3.0,
                temperature=0.01,
                top_k=250,
                seed=16_777_215,
                variations=16,
                sample_rate=48_000,
            ),
            "me-1",
        ),
    ),
    (
        "/bridge/generate",
        ["me-2", "seed", -1, "melody", "none"],
        Generate("me-2", ClipSettings(seed=-1), "none"),
    ),
    ("/bridge/cancel", ["me-2"], Cancel("me-2")),
    ("/bridge/discard", ["me-2"], Discard("me-2")),
    ("/bridge/discard", ["me-2", 0], Discard("me-2", 0)),
    ("/bridge/restore", ["me-2"], Restore("me-2")),
    ("/bridge/restore", ["me-2", 0], Restore("me-2", 0)),
    ("/bridge/keep", ["me-2"], Keep("me-2")),
    ("/bridge/keep", ["me-2", 3], Keep("me-2", 3)),
    ("/bridge/unkeep", ["me-2", 3], Keep("me-2", 3, is_kept=False)),
    ("/bridge/presets", ["me-3"], ListPresets("me-3")),
    ("/bridge/clips", ["me-4"], ListClips("me-4")),
    ("/bridge/notes", ["me-4"], ListNotes("me-4")),
    (
        "/bridge/generate",
        ["me-5", "tempo_bpm", "auto", "key", "auto", "melody_from", "raw", "quantize", 0.5],
        Generate(
            "me-5", ClipSettings(tempo_bpm="auto", key="auto", melody_from="raw", quantize=0.5)
        ),
    ),
    (
        "/bridge/loop/start",
        ["me-5", "bars", 4, "preset", "lofi-keys", "layer", 2, "follow", 0, "quick", 1],
        LoopStart("me-5", ClipSettings(bars=4, preset="lofi-keys"), 2, False, True),
    ),
    ("/bridge/loop/start", ["me-5"], LoopStart("me-5", ClipSettings())),
    (
        "/bridge/loop/set",
        ["me-5", "bars", 2, "follow", 1],
        LoopSet("me-5", ClipSettings(bars=2), True),
    ),
    ("/bridge/loop/stop", ["me-5"], LoopStop("me-5")),
    ("/bridge/loop/stop", ["me-5", 1], LoopStop("me-5", True)),
    ("/bridge/loop/undo", ["me-5"], LoopUndo("me-5")),
    ("/bridge/loop/redo", ["me-5"], LoopRedo("me-5")),
    ("/bridge/loop/freeze", ["me-5"], LoopFreeze("me-5")),
    ("/bridge/loop/freeze", ["me-5", 0], LoopFreeze("me-5", False)),
    ("/bridge/loop/overdub", ["me-5"], LoopOverdub("me-5")),
    ("/bridge/loop/clear", ["me-5"], LoopClear("me-5")),
    (
        "/bridge/loop/start",
        ["me-5", "deliver", "live"],
        LoopStart("me-5", ClipSettings(), deliver="live"),
    ),
    ("/bridge/loop/playing", ["me-5", "now"], LoopPlaying("me-5", "now")),
    ("/bridge/loop/playing", ["me-5", "a", "b", 16.5], LoopPlaying("me-5", "a", "b", 16.5)),
    ("/bridge/play", ["me-6"], Play("me-6")),
    ("/bridge/play", ["me-6", 1, 2], Play("me-6", 1, 2)),
    ("/bridge/stop", [], StopPlaying()),
    ("/bridge/stop", [3], StopPlaying(3)),
    ("/bridge/gain", [1, -6.5], SetLayerGain(1, -6.5)),
    ("/bridge/mute", [2, 1], MuteLayer(2, True)),
    ("/bridge/metronome", [1], SetMetronome(True)),
    ("/bridge/metronome", [0.0, -12], SetMetronome(False, -12.0)),
    ("/bridge/hotkey", ["next"], Hotkey("next")),
    ("/bridge/panic", [], Panic()),
]


def test_every_command_has_an_example() -> None:
    assert {type(command) for _, _, command in COMMANDS} == set(get_args(Command))


@pytest.mark.parametrize(("address", "arguments", "command"), COMMANDS)
def test_a_message_becomes_the_command_that_was_meant(
    address: str, arguments: list[Argument], command: Command
) -> None:
    read = read_command(address, arguments, 5.0)
    assert read == command
    as_floats = [f32(value) if isinstance(value, int | float) else value for value in arguments]
    again = read_command(address, as_floats, 5.0)
    assert again == command
    # 4 and 4.0 are equal in Python, but only one of them is a number of bars.
    assert repr(read) == repr(again) == repr(command)


@pytest.mark.parametrize(
    ("tempo", "meant"),
    [(f32(93.7), "93.7"), (f32(120.001), "120.001"), (93.123456789, "93.123456789"), (999, "999")],
)
def test_a_tempo_is_the_decimal_that_was_meant(tempo: float, meant: str) -> None:
    command = read_command("/bridge/set", ["tempo_bpm", tempo], 0.0)
    assert isinstance(command, SetDefaults)
    assert command.settings.get("tempo_bpm") == Fraction(meant)


@pytest.mark.parametrize(
    ("key", "empty"),
    [("prompt", ""), ("preset", ""), ("key", ""), ("melody", ""), ("prompt", "  ")],
)
def test_an_option_with_empty_text_is_not_set(key: str, empty: str) -> None:
    assert read_command("/bridge/generate", ["me-1", key, empty], 0.0) == Generate(
        "me-1", ClipSettings()
    )


def test_a_loop_of_which_nothing_plays_is_reported_with_empty_text() -> None:
    report = read_command("/bridge/loop/playing", ["me-1", "", "b", 16.5], 0.0)
    assert report == LoopPlaying("me-1", None, "b", 16.5)
    begun = read_command("/bridge/loop/start", ["me-1", "deliver", ""], 0.0)
    assert begun == LoopStart("me-1", ClipSettings())


@pytest.mark.parametrize(("number", "text"), [(90, "90"), (90.0, "90"), (f32(93.7), "93.7")])
def test_a_number_in_place_of_text_is_read_as_text(number: float, text: str) -> None:
    command = read_command("/bridge/generate", [number, "prompt", number, "melody", number], 0.0)
    assert command == Generate(text, ClipSettings(prompt=text), text)


@given(st.integers(2000, 99_900).map(lambda hundredths: Fraction(hundredths, 100)))
def test_every_tempo_of_two_decimals_survives_a_float32(tempo_bpm: Fraction) -> None:
    command = read_command("/bridge/transport", [f32(float(tempo_bpm)), 0.0, 1, 4, 4], 0.0)
    assert isinstance(command, Transport) and command.tempo_bpm == tempo_bpm


def test_of_a_key_given_twice_the_last_counts() -> None:
    command = read_command("/bridge/set", ["bars", 0, "top_k", 5, "bars", 8], 0.0)
    assert command == SetDefaults(ClipSettings(bars=8, top_k=5))


LISTS = (
    *(SetDefaults, UnsetDefaults, CaptureStart, CaptureLast, CaptureFile, CaptureNotes, Generate),
    *(LoopStart, LoopSet),
)
FIXED = {
    address: arguments
    for address, arguments, command in sorted(COMMANDS, key=lambda example: len(example[1]))
    if not isinstance(command, LISTS)
}
"""All arguments of each address that does not take a list."""


@pytest.mark.parametrize("address", FIXED)
def test_further_arguments_of_a_newer_client_are_ignored(address: str) -> None:
    newer: list[Argument] = [*FIXED[address], None, "later", -1]
    assert read_command(address, newer, 5.0) == read_command(address, FIXED[address], 5.0)


REFUSED: list[tuple[str, Sequence[Argument], list[str]]] = [
    ("/bridge/play", ["me-6", 0, 9], ["layer 9", "1 to 8"]),
    ("/bridge/gain", [1], ["gain_db", "missing"]),
    ("/bridge/gain", [1, 13], ["gain_db 13", "-60 to 12"]),
    ("/bridge/mute", [1, 2], ["is_muted 2", "0 to 1"]),
    ("/bridge/loop/start", ["me-5", "deliver", "both"], ["deliver 'both'", "output, live"]),
    ("/bridge/loop/set", ["me-5", "deliver", "live"], ["unknown option 'deliver'"]),
    ("/bridge/loop/playing", ["me-5"], ["clip", "missing"]),
    ("/bridge/loop/playing", ["me-5", 300 * "n"], ["clip 'nnn", "up to 255 characters"]),
    ("/bridge/loop/playing", ["me-5", "", "a\nb"], ["next 'a\\nb'", "a clip's name"]),
    ("/bridge/loop/playing", ["me-5", "", "next", -2], ["at_beat -2", "-1 to"]),
    ("/bridge/subscribe", [], ["port", "missing"]),
    ("/bridge/subscribe", [0], ["port 0", "1 to 65535"]),
    ("/bridge/subscribe", [65_536], ["port 65536", "1 to 65535"]),
    ("/bridge/subscribe", [-1], ["port -1"]),
    ("/bridge/subscribe", [7772.5], ["port 7772.5", "whole number from 1 to 65535"]),
    ("/bridge/subscribe", ["7772"], ["port '7772'", "number"]),
    ("/bridge/subscribe", [None], ["port", "type", "number"]),
    ("/bridge/subscribe", [7772, "a\nb"], ["client", "printable"]),
    ("/bridge/transport", [120, 0, 1, 4], ["denominator", "missing", "tempo_bpm beat is_playing"]),
    ("/bridge/transport", [19, 0, 1, 4, 4], ["tempo", "19", "20 to 999"]),
    ("/bridge/transport", ["auto", 0, 1, 4, 4], ["tempo_bpm 'auto'", "number"]),
    ("/bridge/set", ["tempo_bpm", "auto"], ["tempo_bpm 'auto'", "number"]),
    ("/bridge/generate", ["me-1", "tempo_bpm", "fast"], ["tempo_bpm 'fast'", "number"]),
    ("/bridge/generate", ["me-1", "quantize", 2], ["quantize 2", "0 to 1"]),
    ("/bridge/generate", ["me-1", "melody_from", "midi"], ["melody_from 'midi'", "raw"]),
    ("/bridge/transport", [float("nan"), 0, 1, 4, 4], ["tempo_bpm nan", "finite"]),
    ("/bridge/transport", [120, float("inf"), 1, 4, 4], ["beat inf", "finite"]),
    ("/bridge/transport", [120, 0, 2, 4, 4], ["is_playing 2", "0 to 1"]),
    ("/bridge/transport", [120, 0, 1, 100, 4], ["numerator 100", "1 to 99"]),
    ("/bridge/transport", [120, 0, 1, 4, 3], ["4/3", "1, 2, 4, 8 or 16"]),
    ("/bridge/transport", [120, 0, 1, 4, 4, 1.5], ["bar 1.5", "whole"]),
    ("/bridge/transport", [120, 0, 1, 4, 4, 1, -0.5], ["beat_in_bar -0.5", "0 to"]),
    ("/bridge/set", ["bars"], ["bars", "no value"]),
    ("/bridge/set", ["bar", 4], ["'bar'", "did you mean bars?", "prompt", "sample_rate"]),
    ("/bridge/set", ["tempo", 4], ["'tempo'", "did you mean tempo_bpm?"]),
    ("/bridge/unset", [], ["no key", "/bridge/reset"]),
    ("/bridge/unset", ["bar"], ["'bar'", "did you mean bars?"]),
    ("/bridge/generate", ["me-1", "tempo_lock", 1], ["'tempo_lock'", "unknown option"]),
    ("/bridge/set", ["melody", "me-1"], ["'melody'", "prompt"]),
    ("/bridge/set", [4, "bars"], ["'4'", "the options are prompt"]),
    ("/bridge/set", [None, 4], ["'None'", "the options are prompt"]),
    ("/bridge/capture/start", ["me-1", 0], ["bars 0", "1 to 1000"]),
    ("/bridge/capture/start", ["me-1", "source"], ["source", "no value"]),
    ("/bridge/capture/start", ["me-1", "source", "keys"], ["'keys'", "sound, midi or auto"]),
    ("/bridge/capture/start", ["me-1", "sauce", "midi"], ["bars 'sauce'", "number"]),
    ("/bridge/capture/last", ["me-1", 4, "sourc", "midi"], ["'sourc'", "did you mean source?"]),
    ("/bridge/generate", ["me-1", "source", "midi"], ["'source'", "unknown option"]),
    ("/bridge/set", ["lead", "lowest"], ["'lowest'", "highest, last or loudest"]),
    ("/bridge/capture/last", ["me-1"], ["bars", "missing", "id bars"]),
    ("/bridge/capture/last", ["me-1", 4.5], ["bars 4.5", "1 to 1000"]),
    ("/bridge/capture/last", ["me-1", 1e30], ["bars 1000000", "1 to 1000"]),
    ("/bridge/capture/file", ["me-1"], ["path", "missing"]),
    ("/bridge/capture/file", ["me-1", 5], ["path 5", "text"]),
    ("/bridge/capture/file", ["me-1", "/a", "start_seconds", -1], ["start_seconds -1"]),
    ("/bridge/capture/file", ["me-1", "/a", "length_seconds", 0], ["length_seconds 0"]),
    ("/bridge/capture/file", ["me-1", "/a", "denominator", 8], ["denominator 8", "numerator"]),
    ("/bridge/capture/file", ["me-1", "/a", "wrap", "yes"], ["wrap 'yes'", "number"]),
    ("/bridge/capture/notes", ["me-1", 1, 0, 60], ["start_beat pitch length_beats"]),
    ("/bridge/capture/notes", ["me-1", 1, 0, 60, 1, "velocity"], ["0 velocities for 1 notes"]),
    ("/bridge/capture/notes", ["me-1", 1, 0, 60, 1, "velocity", 128], ["velocity 128", "1 to 127"]),
    ("/bridge/capture/notes", ["me-1", 1, -1, 60, 1], ["start_beat -1"]),
    ("/bridge/capture/notes", ["me-1", 1, 0, 128, 1], ["pitch 128", "0 to 127"]),
    ("/bridge/capture/notes", ["me-1", 1, 0, 60.5, 1], ["pitch 60.5", "whole"]),
    ("/bridge/capture/notes", ["me-1", 1, 0, 60, 0], ["length_beats 0"]),
    ("/bridge/capture/notes", ["me-1", 1, 0, 60, None], ["length_beats", "number"]),
    ("/bridge/generate", [], ["id", "missing"]),
    ("/bridge/generate", [""], ["id ''", "1 to 64"]),
    ("/bridge/generate", ["x" * 65], ["id", "1 to 64"]),
    ("/bridge/generate", ["a\tb"], ["id", "printable"]),
    ("/bridge/generate", [None], ["id"]),
    ("/bridge/generate", ["me-1", "bars", "4"], ["bars '4'", "number"]),
    ("/bridge/generate", ["me-1", "bars", 1001], ["bars 1001", "1 to 1000"]),
    ("/bridge/generate", ["me-1", "seed", -2], ["seed -2", "-1 to 16777215"]),
    ("/bridge/generate", ["me-1", "seed", 16_777_216], ["seed 16777216"]),
    ("/bridge/generate", ["me-1", "temperature", float("nan")], ["temperature nan"]),
    ("/bridge/generate", ["me-1", "guidance_scale", float("-inf")], ["guidance_scale -inf"]),
    ("/bridge/generate", ["me-1", "prompt", float("inf")], ["prompt inf"]),
    ("/bridge/generate", ["me-1", "prompt", None], ["prompt", "type"]),
    ("/bridge/generate", ["me-1", "prompt", "x" * 1001], ["prompt", "1001"]),
    ("/bridge/generate", ["me-1", "key", "H minor"], ["key 'H minor'"]),
    ("/bridge/generate", ["me-1", "guidance", 3], ["'guidance'", "guidance_scale"]),
    ("/bridge/discard", ["me-1", 16], ["index 16", "0 to 15"]),
]


@pytest.mark.parametrize(("address", "arguments", "words"), REFUSED)
def test_a_mistake_is_reported_with_value_and_range_in_one_line(
    address: str, arguments: Sequence[Argument], words: list[str]
) -> None:
    with pytest.raises(BadArgument) as refusal:
        read_command(address, arguments, 0.0)
    message = str(refusal.value)
    assert all(word in message for word in words), message
    assert "\n" not in message
    assert refusal.value.code == "bad-argument"


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("/bridge/genrate", ["'/bridge/genrate'", "did you mean /bridge/generate?"]),
        ("/bridge/Generate", ["protocol 1"]),
        ("/bridge/generate/", ["protocol 1"]),
        ("/bridge/*", ["protocol 1"]),
        ("/live/song/get/tempo", ["'/live/song/get/tempo' is no address of protocol 1"]),
        ("/" + "x" * 5000, ["xxx' is no address"]),
    ],
)
def test_an_address_is_matched_exactly(address: str, words: list[str]) -> None:
    with pytest.raises(UnknownAddress) as refusal:
        read_command(address, ["me-1"], 0.0)
    message = str(refusal.value)
    assert all(word in message for word in words), message
    assert len(message) < 200


@pytest.mark.parametrize(
    ("address", "arguments", "id"),
    [
        ("/bridge/generate", ["me-1", "bars", 0], "me-1"),
        ("/bridge/generate", [7.0], "7"),
        ("/bridge/generate", [], "-"),
        ("/bridge/generate", ["x" * 65], "-"),
        ("/bridge/generate", [None], "-"),
        ("/bridge/set", ["bars", 0], "-"),
        ("/bridge/ping", ["7772"], "-"),
        ("/bridge/stop", ["me-1"], "-"),
        ("/bridge/later", ["me-1", 1], "me-1"),
        ("/bridge/later", [1], "-"),
        ("/bridge/later", [], "-"),
    ],
)
def test_an_answer_has_the_id_of_its_request(
    address: str, arguments: list[Argument], id: str
) -> None:
    assert request_id(address, arguments) == id


def arguments() -> st.SearchStrategy[list[Any]]:
    words = st.sampled_from(["prompt", "bars", "seed", "melody", "wrap", "tempo_bpm", "key", "4"])
    return st.lists(st.none() | st.integers() | st.floats() | words | st.text(), max_size=12)


@given(st.sampled_from([address for address, _, _ in COMMANDS]) | st.text(), arguments())
def test_any_message_is_a_command_or_refused(address: str, given: list[Argument]) -> None:
    try:
        read_command(address, given, 0.0)
    except BridgeError as error:
        assert error.code in ("bad-argument", "unknown-address")
        assert 1 <= len(request_id(address, given)) <= 64


def test_every_event_that_osc_carries_is_written_as_the_protocol_defines() -> None:
    """`ONE_OF_EACH` repeats the table of docs/osc.md."""
    inside = {
        ClientsChanged,
        InputOverflowed,
        LinkPeersChanged,
        Listening,
        MidiPortsChanged,
        OutputUnderflowed,
    }
    assert {type(event) for event, _ in ONE_OF_EACH} == {*get_args(Event)} - inside
    assert all(is_carried(event) for event, _ in ONE_OF_EACH)
    assert not is_carried(ClientsChanged(()))
    for event, expected in ONE_OF_EACH:
        address, arguments = event_message(event)
        assert (address, *arguments) == expected
        for actual, value in zip(arguments, expected[1:], strict=True):
            assert isinstance(actual, type(value)) and not isinstance(actual, bool)


def test_an_event_is_read_back_from_its_datagram() -> None:
    for event, _ in ONE_OF_EACH:
        ((address, arguments),) = read_packet(write_message(*event_message(event)))
        assert read_event(address, arguments) == event


def test_settings_are_read_as_the_decimals_that_were_meant() -> None:
    event = DefaultsChanged(ClipSettings(tempo_bpm=Fraction("93.7"), prompt="warm, {tempo}"))
    ((address, arguments),) = read_packet(write_message(*event_message(event)))
    assert read_event(address, arguments) == event


def test_a_newer_or_older_daemons_event_is_read_as_far_as_it_is_known() -> None:
    assert read_event("/bridge/done", ["me-1", 2, "new"]) == Done("me-1", 2)
    older = read_event("/bridge/capture", ["me-1", "done", 1.0, -6.0])
    assert older == CaptureChanged("me-1", "done", 1.0, -6.0)


@pytest.mark.parametrize(
    ("address", "arguments"),
    [
        ("/bridge/new", [1]),
        ("/bridge/done", []),
        ("/bridge/done", ["me-1", "many"]),
        ("/bridge/level", ["loud", 1.0]),
        ("/bridge/settings", ["bars"]),
        ("/bridge/settings", ["new", 3]),
    ],
)
def test_what_is_no_event_of_this_protocol_is_none(address: str, arguments: list[Any]) -> None:
    assert read_event(address, arguments) is None


def test_numbers_of_events_have_the_types_of_the_protocol() -> None:
    """`eta_seconds` may be the integer −1 where it is unknown; clients expect a float."""
    assert [type(value) for value in event_message(Progress("me-1", 0, -1))[1]] == [
        *(Uncut, float, float)
    ]


def test_ids_paths_and_codes_are_never_cut() -> None:
    _, arguments = event_message(Failed("me-1", "bad-argument", "because"))
    assert [type(value) for value in arguments] == [Uncut, Uncut, str]


def test_an_empty_source_is_not_set() -> None:
    assert read_command("/bridge/clock", [""], 0.0) == SelectClock()
    capture = read_command("/bridge/capture/start", ["me-1", 4, "source", ""], 0.0)
    assert capture == CaptureStart("me-1", 4)
