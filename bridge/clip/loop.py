"""The seam: exact frames, and what was generated past the end led into the start.

The first frame of a loop is played after its last. What really followed the last frame is known,
because more was generated than the clip holds: so the loop begins as that, and becomes the clip's
own beginning. Under an attack this takes 1.5 ms and the attack is whole; in a pad it takes a
quarter of a second.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridge.audio import Waveform, db_to_amplitude
from bridge.clip.onsets import AHEAD_WINDOWS, LAG_HOPS, WINDOW_SECONDS, band_levels

FADE_SECONDS = 0.25
"""The longest cross-fade."""
BEAT_FADE_SECONDS = 0.06
"""The longest where a beat falls on frame 0: a bowed note's beginning has to be heard."""
FADE_SHARE = 0.25
"""It is no longer than this share of the clip."""
ATTACK_IN_SECONDS = 0.0003
ATTACK_OUT_SECONDS = 0.0015
"""Under an attack: how fast the beginning comes, and what was past the end goes."""
SHORT_SECONDS = 0.005
"""Where nothing was generated past the end: fade-out at the end, and where the audio ends early."""
FALL_SECONDS = (0.02, 0.13)
"""An attack is loudest within the first, and has fallen by `FALL_DB` within the second."""
FALL_DB = 3.4
QUIET_DB = -60.0
"""Below the clip's peak; so quiet a beginning is a late start, if it is no longer than this:"""
LATE_SECONDS = 0.1


@dataclass(frozen=True, eq=False)
class Loop:
    """A clip that can follow itself.

    Attributes:
        waveform: exactly as many frames as were asked for.
        remarks: what a person should know.
    """

    waveform: Waveform
    remarks: tuple[str, ...] = ()


def close_loop(source: Waveform, *, start_frame: int, frames: int, on_beat: bool) -> Loop:
    """Cut a clip out of a longer waveform so that it loops.

    Args:
        source: any rate and channels.
        start_frame: the clip's first frame; negative when the source begins after it.
        frames: how many, positive.
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


def _cut(
    samples: NDArray[np.float32], start: int, frames: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], int]:
    """The clip with silence where the source has nothing, what follows it, and its late frames."""
    late = min(max(0, -start), frames)
    kept = samples[max(0, start) : max(0, start + frames)]
    head = np.pad(kept, ((late, frames - late - kept.shape[0]), (0, 0)))
    return head, samples[max(0, start + frames) :], late


def _late_start(head: NDArray[np.float32], sample_rate: int) -> int:
    """Frames of quiet that the clip begins with, 0 when so many that they are a rest."""
    late = _quiet_frames(head)
    return late if late <= LATE_SECONDS * sample_rate else 0


def opening_silence_seconds(waveform: Waveform) -> float:
    """How long it takes until something sounds, within 60 dB of the peak; 0 where nothing does."""
    return _quiet_frames(waveform.samples) / waveform.sample_rate


def _quiet_frames(samples: NDArray[np.float32]) -> int:
    level = np.abs(samples).max(axis=1)
    sounding = level > level.max(initial=0.0) * db_to_amplitude(QUIET_DB)
    return int(sounding.argmax()) if sounding.any() else 0


def _begins_with_attack(head: NDArray[np.float32], sample_rate: int) -> bool:
    """Whether a sound begins at frame 0 and falls at once, as drums and plucks do.

    The level before frame 0 is not known, and a pad that starts at full level is no attack: so it
    is the fall that tells.
    """
    seen = round((FALL_SECONDS[1] + WINDOW_SECONDS) * sample_rate)
    level, _, step_seconds = band_levels(Waveform(head[:seen], sample_rate))
    # Windows that begin at frame 0 or later: one across it would see the cut as an attack.
    whole = LAG_HOPS + math.ceil((1 - AHEAD_WINDOWS) * WINDOW_SECONDS / step_seconds)
    mean = level.mean(axis=1)[whole:]
    early, late = (round(seconds / step_seconds) for seconds in FALL_SECONDS)
    if mean.size <= early:
        return False
    return bool(mean[:early].max() - mean[early:late].min() >= FALL_DB)


def _under_attack(
    head: NDArray[np.float32], tail: NDArray[np.float32], late: int, rate: int, longest: int
) -> None:
    """What was past the end gives way at once; the attack is never turned down."""
    fade = min(longest - late, round(ATTACK_OUT_SECONDS * rate))
    _fade_in(head[late:], min(fade, round(ATTACK_IN_SECONDS * rate)))
    gain = np.ones(late + fade)
    gain[late:] = _quarter(fade)[::-1] ** 2
    head[: late + fade] += (gain[:, None] * tail[: late + fade]).astype(np.float32)


def _cross_fade(head: NDArray[np.float32], tail: NDArray[np.float32], late: int) -> None:
    """Equal power for sounds that are not alike, equal gain for those that are."""
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
