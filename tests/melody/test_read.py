"""Reading melodies: every supported kind of file, and a one-line error for any other."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bridge.audio import Waveform
from bridge.errors import SilentMelody, UnreadableFile
from bridge.melody import read_melody
from bridge.timing import Meter
from tests.processes import is_root

MELODIES = Path(__file__).parents[1] / "melodies"


def tone(seconds: float, sample_rate: int = 44100, channels: int = 1) -> np.ndarray:
    time = np.arange(round(seconds * sample_rate)) / sample_rate
    mono = 0.3 * np.sin(2 * np.pi * 440 * time)
    return np.repeat(mono[:, None], channels, axis=1).astype(np.float32)


@pytest.mark.parametrize(
    ("name", "subtype", "sample_rate", "channels"),
    [
        ("take.wav", "PCM_24", 48000, 2),
        ("take.wav", "FLOAT", 96000, 1),
        ("take.WAV", "PCM_U8", 8000, 1),
        ("take.flac", "PCM_16", 44100, 2),
        ("take.aiff", "PCM_16", 22050, 1),
        ("take.ogg", "VORBIS", 44100, 2),
        ("take.mp3", "MPEG_LAYER_III", 44100, 2),
        ("té take, 日本.wav", "PCM_16", 44100, 6),
    ],
)
def test_audio_is_read_unchanged(
    tmp_path: Path, name: str, subtype: str, sample_rate: int, channels: int
) -> None:
    file = tmp_path / name
    soundfile.write(file, tone(0.5, sample_rate, channels), sample_rate, subtype=subtype)
    take = read_melody(file)
    assert isinstance(take.source, Waveform)
    assert take.source.sample_rate == sample_rate
    assert take.source.channels == channels
    assert take.source.seconds == pytest.approx(0.5, abs=0.06)
    assert (take.tempo_bpm, take.meter, take.name) == (None, None, name)


def test_given_tempo_and_meter_of_audio_are_kept() -> None:
    file = MELODIES / "scarborough-hum-90bpm.wav"
    take = read_melody(str(file), tempo_bpm=Fraction(90), meter=Meter(3, 4))
    assert take.tempo_bpm == 90
    assert take.meter == Meter(3, 4)


def test_midi_has_its_own_tempo_and_meter_unless_they_are_given() -> None:
    file = MELODIES / "scarborough-90bpm.mid"
    own = read_melody(file)
    assert own.tempo_bpm == 90
    assert (own.meter, own.name) == (Meter(3, 4), file.name)
    given = read_melody(file, tempo_bpm=Fraction(60), meter=Meter(6, 8))
    assert given.tempo_bpm == 60
    assert given.meter == Meter(6, 8)
    assert given.source == own.source


def text(file: Path) -> None:
    file.write_text("running text, not audio\n" * 100)


def nothing(file: Path) -> None:
    file.touch()


def folder(file: Path) -> None:
    file.mkdir()


def missing(file: Path) -> None:
    assert not file.exists()


def header_only(file: Path) -> None:
    soundfile.write(file, tone(0), 44100)


def cut_header(file: Path) -> None:
    soundfile.write(file, tone(1), 44100)
    file.write_bytes(file.read_bytes()[:20])


def nan(file: Path) -> None:
    samples = tone(1)
    samples[500] = np.nan
    soundfile.write(file, samples, 44100, subtype="FLOAT")


def infinite(file: Path) -> None:
    samples = tone(1)
    samples[500] = np.inf
    soundfile.write(file, samples, 44100, subtype="FLOAT")


def an_hour(file: Path) -> None:
    soundfile.write(file, np.zeros((3600 * 1000, 1), dtype=np.float32), 1000, subtype="PCM_U8")


def two_hertz(file: Path) -> None:
    soundfile.write(file, tone(1), 2)


def pipe(file: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("needs POSIX's file system")
    os.mkfifo(file)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (text, "export it as WAV"),
        (nothing, "empty"),
        (folder, "is a folder"),
        (missing, "no such file"),
        (header_only, "holds no audio"),
        (cut_header, "export it"),
        (nan, "NaN"),
        (infinite, "infinite"),
        (an_hour, "60 minutes long"),
        (two_hertz, "at 2 Hz"),
        pytest.param(
            pipe, "a pipe", marks=pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="POSIX")
        ),
    ],
)
def test_a_file_that_is_no_melody_gets_one_line_with_its_path_and_a_remedy(
    tmp_path: Path, make: Callable[[Path], None], message: str
) -> None:
    file = tmp_path / "hum.wav"
    make(file)
    with pytest.raises(UnreadableFile, match=message) as caught:
        read_melody(file)
    message = str(caught.value)
    assert str(file) in message
    assert ": " in message
    assert "\n" not in message
    assert caught.value.exit_status == 2


@pytest.mark.parametrize("make", [text, nothing, folder, missing])
@pytest.mark.parametrize("suffix", [".mid", ".MIDI", ".raw", ""])
def test_the_suffix_does_not_change_what_is_refused(
    tmp_path: Path, make: Callable[[Path], None], suffix: str
) -> None:
    file = tmp_path / f"hum{suffix}"
    make(file)
    with pytest.raises(UnreadableFile):
        read_melody(file)


@pytest.mark.parametrize("name", ["x" * 300 + ".wav", "nul\0.wav", "new\nline.wav"])
def test_an_impossible_file_name_gets_a_one_line_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnreadableFile) as caught:
        read_melody(tmp_path / name)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(is_root(), reason="root reads anything")
def test_the_error_for_a_file_without_permission_says_so(tmp_path: Path) -> None:
    file = tmp_path / "hum.wav"
    soundfile.write(file, tone(1), 44100)
    file.chmod(0)
    with pytest.raises(UnreadableFile, match="permissions"):
        read_melody(file)


@pytest.mark.parametrize("level", [0.0, 1 / 32768])
def test_a_silent_recording_is_a_silent_melody(tmp_path: Path, level: float) -> None:
    file = tmp_path / "hum.wav"
    signs = np.random.default_rng(0).choice([-1, 0, 1], (44100, 2))
    soundfile.write(file, level * signs, 44100, subtype="PCM_16")
    with pytest.raises(SilentMelody, match="microphone") as caught:
        read_melody(file)
    assert str(file) in str(caught.value)


def test_a_song_of_nine_minutes_is_read(tmp_path: Path) -> None:
    file = tmp_path / "song.wav"
    soundfile.write(file, tone(540, 8000), 8000, subtype="PCM_U8")
    assert read_melody(file).source.seconds == 540  # type: ignore[union-attr]
