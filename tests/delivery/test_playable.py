"""A clip prepared for an output: exact frames, the same pitch, and a closed seam."""

from __future__ import annotations

import asyncio
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bridge.audio import Waveform
from bridge.clip import stretched_loop
from bridge.delivery.playable import PlayableClip, at_tempo, for_output, read_clip
from bridge.delivery.sidecar import KnownClip
from bridge.errors import UnreadableFile
from bridge.timing import Meter

RATE = 44_100


def tone_clip(bars: int = 2, tempo_bpm: int = 120, sample_rate: int = RATE) -> PlayableClip:
    """A loop of a sine of 440 Hz."""
    frames = bars * 4 * 60 * sample_rate // tempo_bpm
    seconds = np.arange(frames) / sample_rate
    samples = (0.3 * np.sin(2 * np.pi * 440 * seconds)).astype(np.float32)
    waveform = Waveform(np.repeat(samples[:, np.newaxis], 2, axis=1), sample_rate)
    return PlayableClip("tone", waveform, bars, Meter(), Fraction(tempo_bpm))


async def stretch(loop: Waveform, frames: int) -> Waveform:
    return stretched_loop(loop, frames)


@pytest.mark.parametrize("tempo_bpm", ["120", "120.5", "111", "140"])
@pytest.mark.parametrize("rate", [RATE, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_it_has_exactly_its_bars_at_the_tempo_and_rate(
    tempo_bpm: str, rate: int, channels: int
) -> None:
    clip, tempo = tone_clip(), Fraction(tempo_bpm)
    frames = clip.frames_at(tempo, rate)
    assert frames == round(8 * 60 / tempo * rate)
    waveform = asyncio.run(at_tempo(clip, tempo, stretch))
    samples = for_output(waveform, frames=frames, sample_rate=rate, channels=channels)
    assert samples.shape == (frames, channels) and samples.dtype == np.float32
    # All of it sounds: nothing was missing.
    assert np.abs(samples[-200:]).max() > 0.2


def test_at_its_own_tempo_and_rate_it_is_unchanged() -> None:
    clip = tone_clip()
    waveform = asyncio.run(at_tempo(clip, clip.tempo_bpm, stretch))
    samples = for_output(waveform, frames=clip.waveform.frames, sample_rate=RATE, channels=2)
    assert (samples == clip.waveform.samples).all()


def test_a_stretched_loop_keeps_its_pitch_and_its_seam() -> None:
    frames = 92_000
    out = stretched_loop(tone_clip().waveform, frames).samples[:, 0]
    assert out.shape == (frames,)
    spectrum = np.abs(np.fft.rfft(out * np.hanning(frames)))
    assert spectrum.argmax() * RATE / frames == pytest.approx(440, abs=1)
    around = np.concatenate([out[-2000:], out[:2000]])
    steps = np.abs(np.diff(around, 2))
    assert steps.max() < 1.5 * np.abs(np.diff(out, 2)[20_000:40_000]).max()


def test_attacks_stay_on_their_beats() -> None:
    clicks = np.zeros((2 * RATE, 2), np.float32)
    clicks[:: RATE // 2] = 0.5
    out = np.abs(stretched_loop(Waveform(clicks, RATE), 96_000).samples[:, 0])
    for beat in range(4):
        begin = max(0, beat * 24_000 - 200)
        at = begin + int(out[begin : begin + 4000].argmax())
        assert abs(at - beat * 24_000) < 0.002 * RATE, beat


def test_a_clip_is_read_from_its_file_and_a_missing_one_is_named(tmp_path: Path) -> None:
    path = tmp_path / "clip.wav"
    soundfile.write(path, tone_clip().waveform.samples, RATE, subtype="FLOAT")
    known = KnownClip(path, "a", 0, 2, Fraction(120), Meter(), 1, RATE, None)
    clip = read_clip(known)
    assert (clip.waveform.samples == tone_clip().waveform.samples).all()
    assert (clip.name, float(clip.beats), clip.waveform.sample_rate) == ("clip", 8.0, RATE)
    path.unlink()
    with pytest.raises(UnreadableFile, match=r"clip\.wav cannot be played"):
        read_clip(known)
