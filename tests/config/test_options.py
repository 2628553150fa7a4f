"""Options: every range at its edges, from text and from TOML, and values that contradict."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.config import MAX_SEED, OPTIONS, Options, fill_prompt, merge, read_value
from bridge.errors import BadArgument
from bridge.timing import Meter


@pytest.mark.parametrize(
    ("name", "raw", "value"),
    [
        ("bars", "1", 1),
        ("bars", "1000", 1000),
        ("tempo_bpm", "20", Fraction(20)),
        ("tempo_bpm", "999", Fraction(999)),
        ("tempo_bpm", "93.7", Fraction(937, 10)),
        ("tempo_bpm", 93.7, Fraction(937, 10)),
        ("melody_tempo_bpm", "100", Fraction(100)),
        ("meter", "7/8", Meter(7, 8)),
        ("key", "a minor", "A minor"),
        ("key", "F#m", "F# minor"),
        ("key", "Bb", "Bb major"),
        ("key", "CM", "C major"),
        ("key", "d dorian", "D dorian"),
        ("key", "E-flat major", "Eb major"),
        ("key", "B", "B major"),
        ("seed", "0", 0),
        ("seed", "16777215", MAX_SEED),
        ("variations", "16", 16),
        ("guidance_scale", "1", 1.0),
        ("guidance_scale", "20", 20.0),
        ("temperature", "0.01", 0.01),
        ("top_k", "0", 0),
        ("sample_rate", "96000", 96_000),
        ("device", "cuda:1", "cuda:1"),
        ("prompt", "  warm \n keys ", "warm keys"),
        ("out", "clips", Path("clips")),
        ("out", "~/clips", Path.home() / "clips"),
        ("plot", "x.PNG", Path("x.PNG")),
        ("input_channels", "3,4", (3, 4)),
        ("input_channels", " 18 ", (18,)),
        ("input_channels", 256, (256,)),
        ("input_channels", [4, 3], (4, 3)),
        ("input_channels", "Auto", "auto"),
    ],
)
def test_a_value_in_range_is_read(name: str, raw: object, value: object) -> None:
    assert read_value(name, raw) == value


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        *(("bars", raw) for raw in ("0", "1001", "-4", "4.5", "four", "", "9" * 5000, True, 4.0)),
        *(("tempo_bpm", raw) for raw in ("19.99", "999.1", "nan", "inf", "1e99999999", "1/2", "")),
        *(("tempo_bpm", raw) for raw in (float("nan"), float("inf"), True, None, [120])),
        ("melody_tempo_bpm", "0"),
        ("input_channels", []),
        *(("input_channels", raw) for raw in ("", "0", "257", "3,,4", "3,3", "left", "1-4", 1.5)),
        *(("input_channels", raw) for raw in (True, None, "1,2,3,4,5,6,7,8,9", "9" * 5000)),
        *(("meter", raw) for raw in ("4", "0/4", "4/3", "100/4", "4/4/4", "x/4", "9" * 5000, 4)),
        *(("key", raw) for raw in ("H minor", "A bright", "minor", "", "A minor major", 3)),
        *(("seed", raw) for raw in ("-1", "16777216", "1.5", "random")),
        *(("variations", raw) for raw in ("0", "17")),
        *(("guidance_scale", raw) for raw in ("0.99", "20.1", "nan", "inf", "strong", True)),
        *(("temperature", raw) for raw in ("0", "-1", "10.1", "nan")),
        *(("top_k", raw) for raw in ("-1", "65537")),
        *(("sample_rate", raw) for raw in ("7999", "192001", "44.1")),
        *(("device", raw) for raw in ("gpu", "cuda:", "cuda:x", "", 0)),
        *(("prompt", raw) for raw in ("", "   ", "x" * 1001, "{mood} keys", "a\x1bb", "\udcff", 1)),
        *(("plot", raw) for raw in ("picture.jpg", "picture", "")),
        ("out", "a\0b"),
        ("greedy", "yes"),
        ("tempo", "120"),
    ],
)
def test_a_value_out_of_range_is_refused_by_name_in_one_line(name: str, raw: object) -> None:
    with pytest.raises(BadArgument) as refusal:
        read_value(name, raw)
    message = str(refusal.value)
    assert "\n" not in message
    assert name.split("_")[0] in message


@given(st.sampled_from(sorted(OPTIONS)), st.text() | st.floats() | st.integers() | st.booleans())
def test_any_value_is_read_or_refused(name: str, raw: object) -> None:
    try:
        value = read_value(name, raw)
    except BadArgument:
        return
    # A value that was read can be given again, for example from a sidecar.
    assert read_value(name, value) == value


def test_the_strongest_layer_wins_and_none_counts_as_not_given() -> None:
    options = merge(
        {"prompt": "keys", "bars": None, "temperature": "0.5"},
        {"bars": 8, "temperature": 2.0},
        {"bars": 2, "sample_rate": 48_000},
    )
    assert (options.prompt, options.bars, options.temperature) == ("keys", 8, 0.5)
    assert options.sample_rate == 48_000
    assert options.guidance_scale == 3.0


def test_options_are_checked_where_they_are_made() -> None:
    with pytest.raises(BadArgument, match="bars 0"):
        Options(prompt="keys", bars=0)


def test_options_without_melody_and_prompt_are_refused() -> None:
    with pytest.raises(BadArgument, match="nothing to go by"):
        Options()


@pytest.mark.parametrize("given", [{"prompt": "keys"}, {"melody": Path("hum.wav")}])
def test_unconditional_goes_with_neither_melody_nor_prompt(given: dict[str, object]) -> None:
    with pytest.raises(BadArgument, match="neither"):
        merge({"unconditional": True}, given)
    assert Options(unconditional=True).unconditional


def test_the_last_variation_needs_a_seed_in_range_too() -> None:
    assert Options(prompt="keys", seed=MAX_SEED, variations=1).seed == MAX_SEED
    with pytest.raises(BadArgument, match="goes past 16777215"):
        Options(prompt="keys", seed=MAX_SEED, variations=2)


@pytest.mark.parametrize(
    ("prompt", "tempo_bpm", "key", "filled"),
    [
        ("keys, {tempo} bpm, {key}", "96", "A minor", "keys, 96 bpm, A minor"),
        ("keys, {tempo} bpm, {key}", "93.7", None, "keys, 94 bpm"),
        ("keys", "120", None, "keys, 120 bpm"),
        ("keys", "120", "A minor", "keys, 120 bpm, A minor"),
        ("keys at 90 BPM in a minor", "90", "A minor", "keys at 90 BPM in a minor"),
        ("a jam in {key}", "90", "C major", "a jam in C major, 90 bpm"),
        ("{key}", "90", None, "90 bpm"),
        ("house, 120bpm", "120", None, "house, 120bpm"),
        ("strings and major chords", "90", "D major", "strings and major chords, 90 bpm, D major"),
        ("{warm", "90", None, "{warm, 90 bpm"),
    ],
)
def test_the_prompt_names_tempo_and_key(
    prompt: str, tempo_bpm: str, key: str | None, filled: str
) -> None:
    assert fill_prompt(prompt, tempo_bpm=Fraction(tempo_bpm), key=key) == filled


def test_a_prompt_with_the_key_inside_a_sentence_needs_a_key() -> None:
    with pytest.raises(BadArgument, match="asks for a key"):
        fill_prompt("a jam in {key}", tempo_bpm=Fraction(90), key=None)
