"""Audio files that state no length, take too much memory, or need ffmpeg."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from bridge.audio import Waveform
from bridge.chroma import STEP_SECONDS
from bridge.delivery.wav import write_clip
from bridge.errors import UnreadableFile
from bridge.melody import align_to_bars, allowed_path, read_melody
from bridge.timing import Meter

CASES = Path(__file__).parents[1] / "cases"
RATE = 44_100
MOST_MEMORY_MB = 300


def tone(seconds: float, sample_rate: int = RATE) -> NDArray[np.float32]:
    time = np.arange(round(seconds * sample_rate)) / sample_rate
    return (0.3 * np.sin(2 * np.pi * 440 * time)).astype(np.float32)


def waveform_of(file: Path) -> Waveform:
    source = read_melody(file).source
    assert isinstance(source, Waveform)
    return source


def test_a_flac_from_a_pipe_is_read_to_its_end() -> None:
    take = read_melody(CASES / "stream.flac")
    assert isinstance(take.source, Waveform)
    assert (take.source.frames, take.source.sample_rate) == (176_400, RATE)
    aligned = align_to_bars(take, bars=2, tempo_bpm=Fraction(120), meter=Meter(4, 4))
    steps = [round((beat + 0.5) * 0.5 / STEP_SECONDS) for beat in range(8)]
    assert [int(aligned.classes[step]) for step in steps] == [0, 4, 7, 0, 11, 7, 2, 0]


@pytest.mark.parametrize("stated", [0, 0xFFFFFFFF, 0x7FFFFFFF])
@pytest.mark.parametrize("outer", [0, 36, 0xFFFFFFFF])
@pytest.mark.parametrize("more", [b"", b"LIST\4\0\0\0INFO"])
def test_a_wav_from_a_pipe_is_read_to_its_end(
    tmp_path: Path, stated: int, outer: int, more: bytes
) -> None:
    file = tmp_path / "hum.wav"
    soundfile.write(file, tone(1), RATE)
    content = bytearray(file.read_bytes())
    at = content.index(b"data")
    content[at + 4 : at + 8] = stated.to_bytes(4, "little")
    content[at:at] = more
    content[4:8] = outer.to_bytes(4, "little")
    file.write_bytes(content)
    assert np.abs(waveform_of(file).samples[:, 0] - tone(1)).max() < 1e-4


def test_a_wav_that_is_as_empty_as_it_says_holds_no_audio(tmp_path: Path) -> None:
    file = tmp_path / "hum.wav"
    soundfile.write(file, tone(0), RATE)
    content = bytearray(file.read_bytes() + b"LIST\4\0\0\0INFO")
    content[4:8] = (len(content) - 8).to_bytes(4, "little")
    file.write_bytes(content)
    with pytest.raises(UnreadableFile, match="holds no audio"):
        read_melody(file)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names are Unicode")
@pytest.mark.parametrize("suffix", ["wav", "mid"])
def test_a_name_that_is_not_utf8_is_read_and_recorded(tmp_path: Path, suffix: str) -> None:
    file = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9." + suffix.encode()))
    if suffix == "wav":
        soundfile.write(tmp_path / "plain.wav", tone(1), RATE)
        (tmp_path / "plain.wav").rename(file)
    else:
        shutil.copy(CASES / "wrap.mid", file)
    assert read_melody(file).name == f"caf\N{REPLACEMENT CHARACTER}.{suffix}"
    clip = write_clip(
        tmp_path,
        Waveform(tone(0.5)[:, None], RATE),
        {"melody": file},
        name="clip",
        bars=1,
        tempo_bpm=Fraction(120),
        meter=Meter(1, 4),
    )
    assert r"caf\udce9" in clip.with_suffix(".json").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\0\0\0\x20ftypM4A \0\0\0\0M4A mp42isom", "M4A"),
        (b"\xff\xf1\x50\x80\x02\x1f\xfc\xde", "AAC"),
        (b"\xff\xf9\x50\x80\x02\x1f\xfc\xde", "AAC"),
    ],
)
@pytest.mark.parametrize("suffix", [".m4a", ".wav"])
def test_aac_is_named_as_what_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, head: bytes, kind: str, suffix: str
) -> None:
    file = tmp_path / f"memo{suffix}"
    file.write_bytes(head + bytes(1000))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnreadableFile, match=f"is {kind}, which only ffmpeg reads: install ffmpeg"):
        read_melody(file)


def test_messages_may_name_aac(tmp_path: Path) -> None:
    for name in ("memo.m4a", "memo.AAC", "song.kar", "song.rmi"):
        (tmp_path / name).write_bytes(b"x")
        assert allowed_path(str(tmp_path / name), [tmp_path]).name == name


@pytest.mark.parametrize("suffix", ["m4a", "aac"])
def test_aac_is_decoded_with_ffmpeg(
    tmp_path: Path, suffix: str, require_program: Callable[[str], str]
) -> None:
    ffmpeg = require_program("ffmpeg")
    file, damaged = tmp_path / f"memo.{suffix}", tmp_path / f"damaged.{suffix}"
    soundfile.write(tmp_path / "hum.wav", tone(2), RATE)
    subprocess.run([ffmpeg, "-v", "error", "-i", str(tmp_path / "hum.wav"), str(file)], check=True)
    waveform = waveform_of(file)
    assert waveform.sample_rate == 32_000
    assert waveform.seconds == pytest.approx(2, abs=0.1)
    assert np.abs(np.fft.rfft(waveform.samples[:32_000, 0])).argmax() == 440
    damaged.write_bytes(file.read_bytes()[:12] + bytes(2000))
    with pytest.raises(UnreadableFile, match="ffmpeg cannot decode"):
        read_melody(damaged)


def sparse_wav(file: Path, seconds: float, sample_rate: int, channels: int, bits: int = 16) -> None:
    """A WAV with half a second of noise and then silence that takes no room on the disk."""
    frame = channels * bits // 8
    size = min(round(seconds * sample_rate) * frame, 2**32 - 100)
    head = b"RIFF" + (size + 36).to_bytes(4, "little") + b"WAVEfmt \x10\0\0\0\1\0"
    head += channels.to_bytes(2, "little") + sample_rate.to_bytes(4, "little")
    head += (sample_rate * frame % 2**32).to_bytes(4, "little") + frame.to_bytes(2, "little")
    head += bits.to_bytes(2, "little") + b"data" + size.to_bytes(4, "little")
    noise = np.random.default_rng(1).bytes(sample_rate // 2 // frame * frame * 2)
    with file.open("wb") as stream:
        stream.write(head + noise)
        stream.truncate(len(head) + size)


_MEASURE = """
import sys
from bridge.errors import UnreadableFile
from bridge.melody import read_melody
from bridge.process.memory import peak_bytes
try:
    take = read_melody(sys.argv[1])
    print(take.source.channels, take.source.sample_rate, round(take.source.seconds), end=" ")
except UnreadableFile as error:
    print("refused", end=" ")
print(peak_bytes() // 1024**2)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs sparse files")
@pytest.mark.parametrize(
    ("seconds", "sample_rate", "channels", "expected"),
    [
        (600, 1_000_000, 64, "refused"),
        (600, 192_000, 2, "1 32000 600"),
        (600, 44_100, 8, "1 32000 600"),
        (9, 1_000_000, 64, "1 32000 9"),
        (180, 44_100, 2, "2 44100 180"),
        (600, 16_000, 2, "1 16000 600"),
    ],
)
def test_no_file_takes_more_than_300_mb(
    tmp_path: Path, seconds: float, sample_rate: int, channels: int, expected: str
) -> None:
    file = tmp_path / "sparse.wav"
    sparse_wav(file, seconds, sample_rate, channels)
    run = subprocess.run(
        [sys.executable, "-c", _MEASURE, str(file)], capture_output=True, text=True, check=True
    )
    *what, memory_mb = run.stdout.split()
    assert " ".join(what) == expected
    assert int(memory_mb) < MOST_MEMORY_MB


def test_a_long_file_is_what_mixing_and_resampling_it_at_once_gives(tmp_path: Path) -> None:
    file = tmp_path / "long.wav"
    noise = np.random.default_rng(1).normal(0, 0.1, (RATE * 200, 2)).astype(np.float32)
    soundfile.write(file, noise, RATE, subtype="FLOAT")
    at_once = Waveform(noise, RATE).mono().resampled(32_000)
    long = waveform_of(file)
    assert long.samples.shape == at_once.samples.shape
    assert np.abs(long.samples - at_once.samples).max() < 1e-4
