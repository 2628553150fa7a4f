"""The WAV for other programs: exact samples, loop points, tempo."""

from __future__ import annotations

import io
import struct
import subprocess
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.audio import Waveform
from bridge.delivery.riff import pcm24, wav_bytes
from bridge.errors import BadArgument
from bridge.timing import Meter, bars_to_frames


def clip(frames: int, sample_rate: int = 44_100, channels: int = 2) -> Waveform:
    rng = np.random.default_rng(frames)
    samples = rng.uniform(-1, 1, (frames, channels)).astype(np.float32)
    return Waveform(samples, sample_rate)


def chunks(content: bytes) -> dict[bytes, bytes]:
    assert content[:4] == b"RIFF" and content[8:12] == b"WAVE"
    assert struct.unpack("<I", content[4:8])[0] == len(content) - 8
    found, at = {}, 12
    while at < len(content):
        size = struct.unpack("<I", content[at + 4 : at + 8])[0]
        found[content[at : at + 4]] = content[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
    assert at == len(content)
    return found


@pytest.mark.parametrize("sample_rate", [44_100, 48_000, 96_000])
@pytest.mark.parametrize(("tempo", "meter"), [("120", "4/4"), ("93.7", "3/4"), ("171.3", "7/8")])
def test_sndfile_info_reads_loop_and_tempo_back(
    tmp_path: Path,
    require_program: Callable[[str], str],
    tempo: str,
    meter: str,
    sample_rate: int,
) -> None:
    program = require_program("sndfile-info")
    signature, tempo_bpm = Meter.parse(meter), Fraction(tempo)
    frames = bars_to_frames(2, signature, tempo_bpm, sample_rate)
    path = tmp_path / "clip.wav"
    path.write_bytes(
        wav_bytes(clip(frames, sample_rate), bars=2, tempo_bpm=tempo_bpm, meter=signature)
    )
    output = subprocess.run([program, path], capture_output=True, text=True, check=True).stdout
    lines = [" ".join(line.split()) for line in output.splitlines()]
    for expected in (
        "Bit Width : 24",
        "Channels : 2",
        f"Sample Rate : {sample_rate}",
        f"Frames : {frames}",
        "Loop Count : 1",
        f"Cue ID : 0 Type : 0 Start : 0 End : {frames - 1} Fraction : 0 Count : 0",
        f"Beats : {int(2 * signature.beats_per_bar)}",
        f"Meter : {meter}",
        f"Tempo : {float(np.float32(float(tempo_bpm))):.6f}",
    ):
        assert expected in lines, output
    assert "***" not in output, "sndfile-info marks what it finds wrong"


def test_half_a_beat_has_no_acid_chunk_but_still_a_loop() -> None:
    """One bar of 7/8 is 3.5 beats, which `acid` cannot express."""
    content = wav_bytes(clip(77_175), bars=1, tempo_bpm=Fraction(120), meter=Meter(7, 8))
    found = chunks(content)
    assert b"acid" not in found
    assert struct.unpack("<6I", found[b"smpl"][36:])[2:4] == (0, 77_174)


def test_the_chunks_are_laid_out_as_documented() -> None:
    found = chunks(wav_bytes(clip(44_100), bars=1, tempo_bpm=Fraction(240), meter=Meter()))
    assert list(found) == [b"fmt ", b"data", b"smpl", b"acid"]
    assert struct.unpack("<IHHfIHHf", found[b"acid"]) == (4, 60, 0x8000, 0.0, 4, 4, 4, 240.0)
    assert struct.unpack("<9I", found[b"smpl"][:36]) == (0, 0, 22_676, 60, 0, 0, 0, 1, 0)


@settings(max_examples=30, deadline=None)
@given(frames=st.integers(1, 3000), channels=st.sampled_from([1, 2]))
def test_soundfile_reads_every_sample_within_half_a_quantization_step(
    frames: int, channels: int
) -> None:
    """Mono of an odd length has an odd number of bytes, and a padding byte that is not counted."""
    waveform = clip(frames, 48_000, channels)
    content = wav_bytes(waveform, bars=1, tempo_bpm=Fraction(120), meter=Meter())
    assert len(chunks(content)[b"data"]) == frames * channels * 3
    with soundfile.SoundFile(io.BytesIO(content)) as file:
        assert (file.frames, file.channels, file.samplerate) == (frames, channels, 48_000)
        assert file.subtype == "PCM_24"
        read = file.read(dtype="float64", always_2d=True)
    assert np.abs(read - waveform.samples).max() <= 0.5 / 2**23 + 1e-12


def test_full_scale_does_not_wrap_around() -> None:
    samples = np.array([[1.0, -1.0], [1.5, -1.5]], np.float32)
    octets = np.frombuffer(pcm24(samples), np.uint8).reshape(-1, 3).astype(np.int32)
    values = octets[:, 0] | octets[:, 1] << 8 | (octets[:, 2] ^ 0x80) << 16
    assert (values - 2**23).tolist() == [2**23 - 1, -(2**23), 2**23 - 1, -(2**23)]


def test_a_clip_without_frames_is_refused() -> None:
    with pytest.raises(BadArgument, match="without a frame"):
        wav_bytes(clip(0), bars=1, tempo_bpm=Fraction(120), meter=Meter())
