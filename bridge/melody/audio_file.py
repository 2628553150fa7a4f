"""Audio files of any length, rate and channels, read in bounded memory."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from bridge.audio import MODEL_SAMPLE_RATE, Mixdown, Waveform
from bridge.errors import UnreadableFile

MAX_MELODY_SECONDS = 600
"""As long as the longest clip: enough for a whole song, while an hour is the wrong file."""
KEPT_SAMPLES = 16_000_000
"""Samples of all channels that are kept as they are, 64 MB: three minutes in stereo.

A longer file is mixed and resampled to what the model needs while it is read, 77 MB at most.
"""
MOST_SAMPLES = 600_000_000
"""Samples of all channels that are read at all: ten minutes of 16 channels at 48 kHz are less."""
FFMPEG_SUFFIXES = (".m4a", ".aac")
"""Suffixes of what libsndfile does not read and ffmpeg does."""
FFMPEG_SECONDS = 60
"""Time that ffmpeg may take; ten minutes of AAC take about 2 s."""

_SAMPLE_RATES = range(1_000, 1_000_001)
_MAX_CHANNELS = 64
_BLOCK_SAMPLES = 2**20
_UNKNOWN_FRAMES = 2**62
"""libsndfile's count of frames is above this where the file does not state it."""
_HEAD_BYTES = 4096


def read_audio(file: Path) -> Waveform:
    """Read a file with libsndfile, or AAC with ffmpeg where it is on the PATH.

    Returns:
        The file's own rate and channels, up to `KEPT_SAMPLES`. A longer file is mixed to mono,
        and resampled to the model's rate where its own is higher.

    Raises:
        UnreadableFile: the file has another format, is damaged, is longer than ten minutes, or has
            more than `MOST_SAMPLES`.
    """
    with file.open("rb") as stream:
        head = stream.read(_HEAD_BYTES)
    demuxer = _ffmpeg_demuxer(head)
    if demuxer is not None:
        return _read_with_ffmpeg(file, demuxer)
    try:
        # Python opens the file: soundfile cannot encode a name that is not UTF-8.
        with file.open("rb") as stream, _Sequential(_with_length(stream, head)) as audio:
            _require_usable(file, audio)
            blocks = _blocks_of(audio)
            waveform = _collected(file, blocks, int(audio.samplerate), audio.channels)
    # TypeError: a .raw file has no header with its rate and channels.
    except (soundfile.LibsndfileError, TypeError) as error:
        raise UnreadableFile(
            f"melody {str(file)!r} is not audio that can be read: export it as WAV, FLAC or MIDI"
        ) from error
    if not waveform.frames:
        raise UnreadableFile(f"melody {str(file)!r} holds no audio: export it again")
    return waveform


class _Sequential(soundfile.SoundFile):  # type: ignore[misc]
    """Reads on to the end: soundfile seeks after each read, which needs a stated length."""

    def seekable(self) -> bool:
        """Never, so that nothing seeks."""
        return False


class _Overlaid(io.RawIOBase):
    """A file some of whose bytes are replaced."""

    def __init__(self, stream: IO[bytes], at: int, content: bytes) -> None:
        self._stream, self._first, self._content = stream, at, content

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        at = self._stream.tell()
        data = bytearray(self._stream.read(len(buffer)))
        for index, byte in enumerate(self._content, start=self._first - at):
            if 0 <= index < len(data):
                data[index] = byte
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()


def _with_length(stream: IO[bytes], head: bytes) -> IO[bytes] | _Overlaid:
    """The file; a WAV that states no length, as one written into a pipe, states 0xFFFFFFFF."""
    stream.seek(0, os.SEEK_END)
    bytes_in_file = stream.tell()
    stream.seek(0)
    # A WAV whose outer length is right is as empty as it says.
    if head[:4] != b"RIFF" or int.from_bytes(head[4:8], "little") == bytes_in_file - 8:
        return stream
    at = 12
    while at + 8 <= len(head):
        length = int.from_bytes(head[at + 4 : at + 8], "little")
        if head[at : at + 4] == b"data":
            return stream if length else _Overlaid(stream, at + 4, b"\xff" * 4)
        at += 8 + length + length % 2
    return stream


def _require_usable(file: Path, audio: soundfile.SoundFile) -> None:
    """Refuse, before it is read, audio that takes too long to read or cannot be resampled."""
    if audio.samplerate not in _SAMPLE_RATES or audio.channels > _MAX_CHANNELS:
        raise UnreadableFile(
            f"melody {str(file)!r} has {audio.channels} channels at {audio.samplerate} Hz: "
            "export it in stereo at 44100 Hz"
        )
    if audio.frames < _UNKNOWN_FRAMES:
        _require_length(file, audio.frames, audio.samplerate, audio.channels)


def _require_length(file: Path, frames: int, sample_rate: int, channels: int) -> None:
    seconds = frames / sample_rate
    if seconds > MAX_MELODY_SECONDS:
        raise UnreadableFile(
            f"melody {str(file)!r} is {seconds / 60:.0f} minutes long or more: "
            f"cut out the part that is meant, {MAX_MELODY_SECONDS // 60} minutes at most"
        )
    if frames * channels > MOST_SAMPLES:
        raise UnreadableFile(
            f"melody {str(file)!r} has {channels} channels at {sample_rate} Hz for {seconds:.0f} s "
            "or more, too much to read: export it in stereo at 44100 Hz"
        )


def _blocks_of(audio: soundfile.SoundFile) -> Iterator[NDArray[np.float32]]:
    """The audio in blocks, float32 `[frames, channels]`, to its end, not to its stated length."""
    frames = max(_BLOCK_SAMPLES // audio.channels, 1)
    while True:
        block = audio.read(frames, dtype="float32", always_2d=True)
        if not len(block):
            return
        yield block


def _collected(
    file: Path, blocks: Iterator[NDArray[np.float32]], sample_rate: int, channels: int
) -> Waveform:
    kept: list[NDArray[np.float32]] = []
    frames = 0
    mono: _Mono | None = None
    for block in blocks:
        frames += len(block)
        _require_length(file, frames, sample_rate, channels)
        if not np.isfinite(block).all():
            raise UnreadableFile(
                f"melody {str(file)!r} holds NaN or infinite samples: export it again"
            )
        kept.append(block)
        if mono is None and frames * channels > KEPT_SAMPLES:
            mono = _Mono(sample_rate, channels)
        while mono is not None and kept:
            mono.add(kept.pop(0))
    if mono is not None:
        return mono.finished()
    if not kept:
        return Waveform(np.empty((0, channels), np.float32), sample_rate)
    return Waveform(np.concatenate(kept), sample_rate)


class _Mono:
    """Audio as the model needs it, in memory for `MAX_MELODY_SECONDS` that is used as it fills."""

    def __init__(self, sample_rate: int, channels: int) -> None:
        self._mixdown = Mixdown(channels)
        self._rate = min(sample_rate, MODEL_SAMPLE_RATE)
        self._samples = np.empty((MAX_MELODY_SECONDS + 1) * self._rate, np.float32)
        self._frames = 0
        self._resampler = (
            soxr.ResampleStream(sample_rate, self._rate, 1, dtype="float32", quality="VHQ")
            if self._rate != sample_rate
            else None
        )

    def add(self, block: NDArray[np.float32]) -> None:
        """Mix a block of `[frames, channels]` and append it."""
        # By all blocks so far, so that the mix does not go to and fro.
        self._mixdown.measure(block)
        self._append(self._mixdown.mixed(block)[:, 0])

    def finished(self) -> Waveform:
        """All of it; nothing may be added afterwards."""
        if self._resampler is not None:
            self._append(np.empty(0, np.float32), last=True)
        return Waveform(self._samples[: self._frames, np.newaxis], self._rate)

    def _append(self, mono: NDArray[np.float32], last: bool = False) -> None:
        if self._resampler is not None:
            mono = self._resampler.resample_chunk(np.ascontiguousarray(mono), last=last)
        self._samples[self._frames : self._frames + len(mono)] = mono
        self._frames += len(mono)


def _ffmpeg_demuxer(head: bytes) -> str | None:
    """ffmpeg's name for the container of AAC: ISO 14496-12 (M4A) or ADTS; None: neither."""
    if head[4:8] == b"ftyp":
        return "mov"
    # The sync word of ADTS and layer 0, which no MP3 has.
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0:
        return "aac"
    return None


def _read_with_ffmpeg(file: Path, demuxer: str) -> Waveform:
    kind = "M4A" if demuxer == "mov" else "AAC"
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        raise UnreadableFile(
            f"melody {str(file)!r} is {kind}, which only ffmpeg reads: install ffmpeg, "
            "or export it as WAV, FLAC or MP3"
        )
    rate, channels = MODEL_SAMPLE_RATE, 2
    # Nothing but this file: a container may name others.
    command = [
        *(ffmpeg, "-nostdin", "-v", "error", "-protocol_whitelist", "file,pipe"),
        *("-f", demuxer, "-i", f"file:{file.absolute()}", "-map", "0:a:0"),
        *("-t", str(MAX_MELODY_SECONDS + 1), "-ar", str(rate), "-ac", str(channels)),
        *("-f", "f32le", "pipe:1"),
    ]
    with _running(command) as process:
        assert process.stdout is not None
        waveform = _collected(file, _blocks_of_pipe(process.stdout, channels), rate, channels)
        status = process.wait(FFMPEG_SECONDS)
    if status or not waveform.frames:
        raise UnreadableFile(
            f"melody {str(file)!r} is {kind} that ffmpeg cannot decode in {FFMPEG_SECONDS} s: "
            "export it as WAV, FLAC or MP3"
        )
    return waveform


@contextmanager
def _running(command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """The process, killed at the end and after `FFMPEG_SECONDS`."""
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        timer = threading.Timer(FFMPEG_SECONDS, process.kill)
        timer.start()
        try:
            yield process
        finally:
            timer.cancel()
            process.kill()


def _blocks_of_pipe(pipe: IO[bytes], channels: int) -> Iterator[NDArray[np.float32]]:
    frame_bytes = channels * np.dtype("<f4").itemsize
    while data := pipe.read(_BLOCK_SAMPLES // channels * frame_bytes):
        whole = len(data) // frame_bytes * frame_bytes
        yield np.frombuffer(data[:whole], "<f4").astype(np.float32).reshape(-1, channels)
