"""The loop's seam: exact frames, and a cross-fade from the audio past the end into the start.

The first frame of a loop is played after its last. What really followed the last frame is known,
because the model generated more than the clip holds. So the loop begins with that audio and fades
into the clip's own beginning. Under an attack the fade takes 1.5 ms and the attack stays complete;
in a pad it takes a quarter of a second.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridge.audio import Waveform, db_to_amplitude, magnitudes
from bridge.chroma import STEP_SECONDS
from bridge.clip.fit import stretched
from bridge.clip.onsets import AHEAD_WINDOWS, LAG_HOPS, WINDOW_SECONDS, band_levels

FADE_SECONDS = 0.25
"""The longest cross-fade."""
BEAT_FADE_SECONDS = 0.06
"""The longest cross-fade with a beat on frame 0: a bowed note's beginning must stay audible."""
FADE_SHARE = 0.25
"""A cross-fade is no longer than this share of the clip."""
AROUND_SECONDS = 0.3
"""Audio that a loop is stretched with before its beginning and after its end."""
ATTACK_IN_SECONDS = 0.0003
ATTACK_OUT_SECONDS = 0.0015
"""Under an attack: fade-in time of the beginning, fade-out time of the audio past the end."""
SHORT_SECONDS = 0.005
"""Fade-out at the end when there is no audio past it, and where the audio ends early."""
FALL_SECONDS = (0.02, 0.13)
"""An attack is loudest within the first time, and has fallen by `FALL_DB` within the second."""
FALL_DB = 3.4
QUIET_DB = -60.0
"""Relative to the clip's peak: a beginning below this level is quiet."""
LATE_SECONDS = 0.1
"""A quiet beginning up to this length is a late start; a longer one is a rest."""


@dataclass(frozen=True, eq=False)
class Loop:
    """A clip that can follow itself.

    Attributes:
        waveform: exactly the requested number of frames.
        remarks: what a person should know.
    """

    waveform: Waveform
    remarks: tuple[str, ...] = ()


def close_loop(source: Waveform, *, start_frame: int, frames: int, on_beat: bool) -> Loop:
    """Cut a clip out of a longer waveform so that it loops.

    Args:
        source: any rate and channels.
        start_frame: the clip's first frame; negative when the source begins after it.
        frames: length of the clip, positive.
        on_beat: whether a beat is known to fall on the first frame.
    """
    remarks = []
    head, tail, late = _cut(source.samples, start_frame, frames)
    missing = start_frame + frames - source.frames
    if missing > 0:
        remarks.append(f"{missing / source.sample_rate:.2f} s short of the clip: silent at the end")
        _fade_out(head[: frames - missing], round(SHORT_SECONDS * source.sample_rate))
    limit = int(FADE_SHARE * frames)
    fade_seconds = BEAT_FADE_SECONDS if on_beat else FADE_SECONDS
    longest = min(round(fade_seconds * source.sample_rate), limit, tail.shape[0])
    late = min(max(late, _late_start(head, source.sample_rate)), longest // 2)
    if longest < round(ATTACK_OUT_SECONDS * source.sample_rate):
        remarks.append("nothing was generated past the end: faded where the loop closes")
        _fade_out(head, min(round(SHORT_SECONDS * source.sample_rate), limit))
        _fade_in(head[late:], min(round(ATTACK_IN_SECONDS * source.sample_rate), limit))
    elif _begins_with_attack(head[late:], source.sample_rate):
        _under_attack(head, tail, late, source.sample_rate, longest)
    else:
        _cross_fade(head, tail[:longest], late)
    return Loop(Waveform(head, source.sample_rate), tuple(remarks))


def joined(first: Waveform, second: Waveform, overlap_frames: int) -> Waveform:
    """Two waveforms of one rate, the first cross-faded into the second where they overlap.

    Args:
        overlap_frames: no more than either waveform has.
    """
    second_samples = second.samples.copy()
    _cross_fade(second_samples, first.samples[first.frames - overlap_frames :], 0)
    kept = first.samples[: first.frames - overlap_frames]
    return Waveform(np.concatenate([kept, second_samples]), first.sample_rate)


def stretched_loop(loop: Waveform, frames: int) -> Waveform:
    """Stretch a loop to a number of frames at the same pitch, and close its seam again.

    It is stretched between its own end and its own beginning, as it is heard.
    """
    ratio = frames / loop.frames
    around = min(loop.frames, round(AROUND_SECONDS * loop.sample_rate))
    samples = np.concatenate([loop.samples[-around:], loop.samples, loop.samples[:around]])
    longer = stretched(Waveform(samples, loop.sample_rate), ratio)
    start_frame = round(around * ratio)
    return close_loop(longer, start_frame=start_frame, frames=frames, on_beat=True).waveform


def _cut(
    samples: NDArray[np.float32], start: int, frames: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], int]:
    """Cut the clip, padded with silence.

    Returns:
        The clip, the audio that follows it, and the frames of silence before the source begins.
    """
    late = min(max(0, -start), frames)
    kept = samples[max(0, start) : max(0, start + frames)]
    head = np.pad(kept, ((late, frames - late - kept.shape[0]), (0, 0)))
    return head, samples[max(0, start + frames) :], late


def _late_start(head: NDArray[np.float32], sample_rate: int) -> int:
    """Quiet frames at the clip's beginning; 0 when there are so many that they are a rest."""
    late = _quiet_frames(head)
    return late if late <= LATE_SECONDS * sample_rate else 0


def late_seconds(waveform: Waveform, melody_classes: NDArray[np.int64] | None) -> float:
    """Time by which the sound begins later than its melody.

    0 for a delay of at most `LATE_SECONDS`: the loop's seam covers that.
    """
    sounding = np.flatnonzero(melody_classes >= 0) if melody_classes is not None else np.zeros(1)
    rest = float(sounding[0]) * STEP_SECONDS if sounding.size else 0.0
    late = _quiet_frames(waveform.samples) / waveform.sample_rate - rest
    return late if late > LATE_SECONDS else 0.0


def _quiet_frames(samples: NDArray[np.float32]) -> int:
    """Frames before the first sound within 60 dB of the peak; 0 for silence."""
    level = magnitudes(samples)
    sounding = level > level.max(initial=0.0) * db_to_amplitude(QUIET_DB)
    return int(sounding.argmax()) if sounding.any() else 0


def _begins_with_attack(head: NDArray[np.float32], sample_rate: int) -> bool:
    """Whether a sound begins at frame 0 and falls at once, as drums and plucks do.

    The level before frame 0 is unknown, and a pad that starts at full level is not an attack, so
    the fall decides.
    """
    seen = round((FALL_SECONDS[1] + WINDOW_SECONDS) * sample_rate)
    level, _, step_seconds = band_levels(Waveform(head[:seen], sample_rate))
    # The first window that begins at frame 0 or later: one across the cut would see an attack.
    first = LAG_HOPS + math.ceil((1 - AHEAD_WINDOWS) * WINDOW_SECONDS / step_seconds)
    mean = level.mean(axis=1)[first:]
    early, late = (round(seconds / step_seconds) for seconds in FALL_SECONDS)
    if mean.size <= early:
        return False
    return bool(mean[:early].max() - mean[early:late].min() >= FALL_DB)


def _under_attack(
    head: NDArray[np.float32], tail: NDArray[np.float32], late: int, rate: int, longest: int
) -> None:
    """Fade the audio past the end out at once; the attack keeps its level."""
    fade = min(longest - late, round(ATTACK_OUT_SECONDS * rate))
    _fade_in(head[late:], min(fade, round(ATTACK_IN_SECONDS * rate)))
    gain = np.ones(late + fade)
    gain[late:] = _quarter(fade)[::-1] ** 2
    head[: late + fade] += (gain[:, None] * tail[: late + fade]).astype(np.float32)


def _cross_fade(head: NDArray[np.float32], tail: NDArray[np.float32], late: int) -> None:
    """Cross-fade at equal power between unlike sounds, at equal gain between like ones."""
    length = tail.shape[0]
    rise = np.zeros(length)
    through = (np.arange(length - late) + 0.5) / (length - late)
    rise[late:] = np.sin(np.pi / 2 * through**2 * (3 - 2 * through))
    fall = np.sqrt(1 - rise**2)
    begin = head[:length].astype(np.float64)
    end = tail.astype(np.float64)
    both = (rise * fall)[:, None]
    norm = np.sqrt((both * begin**2).sum() * (both * end**2).sum())
    alike = float((both * begin * end).sum() / norm) if norm > 0 else 0.0
    # Power of the sum is rise² + fall² + 2 · alike · rise · fall; rise² + fall² is 1.
    power = 1 + 2 * max(-0.5, alike) * rise * fall
    mixed = (rise[:, None] * begin + fall[:, None] * end) / np.sqrt(power)[:, None]
    head[:length] = mixed.astype(np.float32)


def _fade_in(samples: NDArray[np.float32], frames: int) -> None:
    frames = min(frames, samples.shape[0])
    samples[:frames] *= (_quarter(frames) ** 2)[:, None].astype(np.float32)


def _fade_out(samples: NDArray[np.float32], frames: int) -> None:
    frames = min(frames, samples.shape[0])
    begin = samples.shape[0] - frames
    samples[begin:] *= (_quarter(frames)[::-1] ** 2)[:, None].astype(np.float32)


def _quarter(frames: int) -> NDArray[np.float64]:
    """A quarter of a sine, from just above 0 to just below 1."""
    rising: NDArray[np.float64] = np.sin((np.arange(frames) + 0.5) / max(1, frames) * np.pi / 2)
    return rising
