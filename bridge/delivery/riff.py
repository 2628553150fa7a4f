"""The WAV format of a loop: 24-bit PCM with `smpl` and `acid` chunks.

The chunks follow the RIFF specification's `smpl`, and Sonic Foundry's `acid` as libsndfile reads
it.
"""

from __future__ import annotations

import struct
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from bridge.audio import Waveform
from bridge.errors import BadArgument
from bridge.timing import Meter

BITS = 24
FULL_SCALE = 2 ** (BITS - 1)
PCM = 1
MIDDLE_C = 60
ACID_STRETCH = 4
"""The flag for a valid tempo, without the one for a root note."""
ACID_CONSTANT = 0x8000
"""A constant field of unknown meaning, as every writer of acid chunks sets it."""
LARGEST_BYTES = 2**32 - 1


def wav_bytes(waveform: Waveform, *, bars: int, tempo_bpm: Fraction, meter: Meter) -> bytes:
    """A complete WAV file that loops from its first frame to its last.

    The `acid` chunk counts whole beats, so a clip of a half-beat (one bar of 7/8) has none. A raw
    clip, of 0 bars, does not loop and has neither chunk.

    Raises:
        BadArgument: the clip has no frame, or is larger than a WAV can be (4 GiB).
    """
    if not waveform.frames:
        raise BadArgument("a clip without a frame cannot be written")
    beats = bars * meter.beats_per_bar
    chunks = [
        _chunk(b"fmt ", _format(waveform)),
        _chunk(b"data", pcm24(waveform.samples)),
    ]
    if bars:
        chunks.append(_chunk(b"smpl", _sampler_loop(waveform)))
    if bars and beats.denominator == 1:
        chunks.append(_chunk(b"acid", _acid(int(beats), tempo_bpm, meter)))
    body = b"WAVE" + b"".join(chunks)
    if len(body) > LARGEST_BYTES:
        raise BadArgument(f"{waveform.seconds:.0f} s: a WAV holds 4 GiB; make the clip shorter")
    return b"RIFF" + struct.pack("<I", len(body)) + body


def pcm24(samples: NDArray[np.float32]) -> bytes:
    """float32 `[frames, channels]` as interleaved little-endian 24-bit, rounded, full scale 2²³."""
    scaled = np.rint(samples.astype(np.float64) * FULL_SCALE)
    integers = scaled.clip(-FULL_SCALE, FULL_SCALE - 1).astype("<i4")
    return np.ascontiguousarray(integers).view(np.uint8).reshape(-1, 4)[:, :3].tobytes()


def _chunk(name: bytes, content: bytes) -> bytes:
    """A RIFF chunk, padded to an even length; its size field does not count the padding."""
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def _format(waveform: Waveform) -> bytes:
    frame_bytes = waveform.channels * BITS // 8
    rate = waveform.sample_rate
    return struct.pack(
        "<HHIIHH", PCM, waveform.channels, rate, rate * frame_bytes, frame_bytes, BITS
    )


def _sampler_loop(waveform: Waveform) -> bytes:
    """One endless forward loop over all frames. The end field is the last frame that is played."""
    nanoseconds = round(10**9 / waveform.sample_rate)
    header = struct.pack("<9I", 0, 0, nanoseconds, MIDDLE_C, 0, 0, 0, 1, 0)
    return header + struct.pack("<6I", 0, 0, 0, waveform.frames - 1, 0, 0)


def _acid(beats: int, tempo_bpm: Fraction, meter: Meter) -> bytes:
    return struct.pack(
        "<IHHfIHHf",
        ACID_STRETCH,
        MIDDLE_C,
        ACID_CONSTANT,
        0.0,
        beats,
        meter.denominator,
        meter.numerator,
        float(tempo_bpm),
    )
