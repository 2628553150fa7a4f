"""The first sound is found where it begins, whatever the noise in the room."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from bridge.capture.onset import OnsetFinder

RATE = 44_100
LEAD_SECONDS = 3.0


def noise(kind: str, db: float, seconds: float, seed: int = 0) -> NDArray[np.float32]:
    """Noise of that RMS: `white`, or the `low` rumble of a fan below about 200 Hz."""
    white = np.random.default_rng(seed).standard_normal(round(seconds * RATE))
    if kind == "low":
        spectrum = np.fft.rfft(white)
        hertz = np.fft.rfftfreq(len(white), 1 / RATE)
        white = np.fft.irfft(spectrum / (1 + (hertz / 200) ** 4), len(white))
    level = 10 ** (db / 20) / np.sqrt(np.mean(white**2))
    return np.asarray(white * level, np.float32)[:, None]


def hum(db: float, seconds: float = 1.5, hertz: float = 140.0) -> NDArray[np.float32]:
    """A voice of five harmonics with a soft attack of 40 ms, of that RMS."""
    time = np.arange(round(seconds * RATE)) / RATE
    wave = sum(np.sin(2 * np.pi * hertz * k * time) / k for k in range(1, 6))
    wave = wave * np.minimum(1, time / 0.04)
    level = 10 ** (db / 20) / np.sqrt(np.mean(wave**2))
    return np.asarray(wave * level, np.float32)[:, None]


def test_a_search_of_minutes_finds_the_same_onset_as_one_of_seconds() -> None:
    quiet = noise("low", -55, 30)
    samples = np.concatenate([*[quiet] * 8, quiet[:RATE], hum(-30)])
    long_search, short_search = (
        find_onset(samples[skipped:]) for skipped in (0, 8 * len(quiet) - 3 * RATE)
    )
    assert long_search is not None and short_search is not None
    assert long_search - short_search == pytest.approx(
        (8 * len(quiet) - 3 * RATE) / RATE, abs=0.011
    )


def find_onset(samples: NDArray[np.float32], piece: int = 882, after: float = 0.5) -> float | None:
    """The onset in seconds, when the finder is fed as by a poll every 20 ms."""
    finder = OnsetFinder(RATE, 1000, 1000 + round(after * RATE))
    for start in range(0, len(samples), piece):
        onset = finder.feed(samples[start : start + piece])
        if onset is not None:
            return (onset - 1000) / RATE
    return None


def mixed(
    background: NDArray[np.float32], sound: NDArray[np.float32], at: float
) -> NDArray[np.float32]:
    samples = background.copy()
    first = round(at * RATE)
    samples[first : first + len(sound)] += sound[: len(samples) - first]
    return samples


@pytest.mark.parametrize("kind", ["white", "low"])
@pytest.mark.parametrize("floor_db", [-150.0, -60.0, -50.0])
@pytest.mark.parametrize(
    ("melody", "first"), [("twinkle", 0.0), ("frere", 0.0), ("scarborough", 0.0), ("saints", 0.5)]
)
def test_a_hum_is_found_within_20_ms(
    melodies: Path, melody: str, first: float, kind: str, floor_db: float
) -> None:
    (path,) = melodies.glob(f"{melody}-hum-*.wav")
    sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
    assert rate == RATE
    background = noise(kind, floor_db, LEAD_SECONDS + 3)
    onset = find_onset(mixed(background, sound, LEAD_SECONDS))
    assert onset is not None
    assert -0.010 <= onset - (LEAD_SECONDS + first) <= 0.020


@pytest.mark.parametrize("kind", ["white", "low"])
def test_a_fan_is_no_onset_but_a_soft_hum_above_it_is(kind: str) -> None:
    for seed in range(3):
        background = noise(kind, -50, 30, seed)
        assert find_onset(background) is None
        onset = find_onset(mixed(background, hum(-40), 20.0))
        assert onset is not None
        assert onset == pytest.approx(20.0, abs=0.04)


@pytest.mark.parametrize("length", [1, 90, 900])
def test_a_click_is_no_onset(length: int) -> None:
    background = noise("white", -70, 6)
    click = np.full((length, 1), 0.9, np.float32) * np.array([1, -1] * length)[:length, None]
    samples = mixed(background, click.astype(np.float32), 2.0)
    assert find_onset(samples) is None
    with_hum = mixed(samples, hum(-20), 2.05)
    assert find_onset(with_hum) == pytest.approx(2.05, abs=0.02)


def test_a_click_just_before_a_note_is_not_taken_for_its_onset() -> None:
    samples = mixed(noise("white", -70, 4), hum(-20), 2.05)
    samples[round(2.025 * RATE)] = 0.9
    assert find_onset(samples) == pytest.approx(2.045, abs=0.008)


def test_neither_silence_nor_a_constant_offset_is_an_onset() -> None:
    assert find_onset(np.zeros((3 * RATE, 1), np.float32)) is None
    samples = np.zeros((3 * RATE, 1), np.float32)
    samples[RATE:] = 0.3
    assert find_onset(samples) is None


def test_a_voice_on_one_of_many_channels_is_found() -> None:
    samples = np.repeat(noise("white", -75, 4), 8, axis=1)
    samples[2 * RATE :, 5] += hum(-40, 2.0)[:, 0]
    assert find_onset(samples) == pytest.approx(2.0, abs=0.02)


def test_a_voice_that_began_before_the_search_is_found_at_once() -> None:
    assert find_onset(hum(-25, 4.0), after=1.0) == pytest.approx(1.0, abs=0.02)


def test_the_size_of_the_pieces_does_not_change_the_onset() -> None:
    samples = mixed(noise("white", -60, 4), hum(-30), 2.0)
    assert len({find_onset(samples, piece) for piece in (7, 220, 441, 1024, len(samples))}) == 1
