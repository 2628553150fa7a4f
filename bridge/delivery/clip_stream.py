"""A clip that plays while its later frames are still being made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import soxr
from numpy.typing import NDArray

from bridge.audio import Waveform
from bridge.delivery.playable import PlayableClip
from bridge.soundcard.clip_memory import ClipMemory


class ClipStream:
    """Adds frames to a clip in the output's memory. Make it with `Playback.stream`.

    The output fades to silence where frames come too late, and comes back in time.
    """

    def __init__(
        self,
        clip: PlayableClip,
        memory: ClipMemory,
        sample_rate: int,
        *,
        start: Callable[[], None],
        end: Callable[[PlayableClip], None],
    ) -> None:
        """Args:
        clip: without its samples; `append` gives them at its waveform's rate and channels.
        memory: for the whole clip.
        sample_rate: of the memory.
        start: lets the clip be its layer's next.
        end: takes the clip with all of its samples.
        """
        self._clip, self._memory = clip, memory
        self._start, self._end = start, end
        self._chunks: list[NDArray[np.float32]] = []
        self._resampler = soxr.ResampleStream(
            clip.waveform.sample_rate,
            sample_rate,
            clip.waveform.channels,
            dtype="float32",
            quality="VHQ",
        )

    @property
    def seconds_left(self) -> float:
        """How much of the clip is not there yet."""
        share = 1 - self._memory.frames_written / self._memory.frames
        return share * float(self._clip.beats * 60 / self._clip.tempo_bpm)

    def append(self, samples: NDArray[np.float32]) -> None:
        """Add the next frames; those past the clip's end are left out.

        Args:
            samples: float32 `[frames, channels]`.
        """
        self._chunks.append(samples)
        self._write(self._resampler.resample_chunk(samples))

    def start(self) -> None:
        """Start the clip on the next line of the grid: its frames are coming fast enough."""
        self._start()

    def end(self) -> None:
        """All frames are there; what is missing of the clip is silent."""
        channels = self._clip.waveform.channels
        self._write(self._resampler.resample_chunk(np.zeros((0, channels), np.float32), last=True))
        missing = self._memory.frames - self._memory.frames_written
        self._memory.append(np.zeros((missing, self._memory.samples.shape[1]), np.float32))
        frames = self._clip.frames_at(self._clip.tempo_bpm, self._clip.waveform.sample_rate)
        samples = np.concatenate([*self._chunks, np.zeros((0, channels), np.float32)])[:frames]
        waveform = Waveform(samples, self._clip.waveform.sample_rate)
        self._end(replace(self._clip, waveform=waveform))

    def _write(self, samples: NDArray[np.float32]) -> None:
        channels = self._memory.samples.shape[1]
        if samples.shape[1] != channels:
            samples = np.repeat(samples.mean(axis=1, keepdims=True), channels, axis=1)
        room = self._memory.frames - self._memory.frames_written
        self._memory.append(samples[:room])
