"""Clicks: bursts of one codec step in one channel, which nothing in the music explains.

A code that belongs to a drum hit decodes to such a burst when it is drawn alone, in one channel of
a piece without drums. A real hit or attack is in both channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridge.audio import Waveform, power_to_db
from bridge.clip.fft import fast_length, transform
from bridge.spectrum import hann, power_spectrogram

BURST_FROM_HZ = 4000.0
"""Above this frequency pocket's tones have little, and its drum hits have much."""
WINDOW_SECONDS = 0.008
HOP_SECONDS = 0.002
AROUND_SECONDS = 0.25
"""The surroundings of a window reach this far to both sides."""
OVER_SURROUNDINGS_DB = 20.0
OVER_OTHER_CHANNEL_DB = 12.0
"""Drum kits and rooms of pocket's corpus are narrower than this."""
OTHER_REACH_SECONDS = 0.02
"""A hit may be a codec step later in the other channel."""
BELOW_MEAN_DB = -22.0
"""A burst this far below the mean level of the clip is inaudible under the music."""
HITS_SHARE = 0.03
"""Share of the time that the hits of a sparse kit take; their level is the quietest of it."""
OVER_HITS_DB = 6.0
"""A burst no louder than the kit's hits is one of them."""
JOIN_SECONDS = 0.04
"""Bursts closer together are one click: its begin and its end."""
EDGE_SECONDS = 0.004
"""Repaired on both sides of a click, in a cross-fade."""
MOST_PASSES = 3
_FLOOR = 1e-12
_SILENT_SHARE = 0.01
"""A channel that is 40 dB quieter around the click than the other has nothing to repair it with."""


@dataclass(frozen=True)
class Click:
    """One click.

    Attributes:
        channel: 0 is left.
        first_frame, end_frame: its span.
    """

    channel: int
    first_frame: int
    end_frame: int


def find_clicks(waveform: Waveform) -> tuple[Click, ...]:
    """The clicks of a stereo waveform, by channel and time; none in mono or in silence."""
    # Importing scipy takes half a second: a request that is refused must not wait for that.
    from scipy.ndimage import maximum_filter1d, median_filter

    rate = waveform.sample_rate
    length, hop = fast_length(WINDOW_SECONDS * rate), max(1, round(HOP_SECONDS * rate))
    if waveform.channels != 2 or waveform.frames < length:
        return ()
    starts = np.arange(0, waveform.frames - length + 1, hop)
    window = hann(length).astype(np.float32)
    high = np.fft.rfftfreq(length, 1 / rate) >= BURST_FROM_HZ
    bursts, means = [], []
    for samples in waveform.samples.T:
        power = power_spectrogram(
            samples,
            window,
            starts,
            lambda power: np.stack([power[:, high].sum(1), power.sum(1)], 1),
            transform,
        )
        bursts.append(power_to_db(power[:, 0].astype(np.float64) + _FLOOR))
        means.append(float(power[:, 1].mean()))
    least = power_to_db(max(means) + _FLOOR) + BELOW_MEAN_DB
    around = 2 * round(AROUND_SECONDS * rate / hop) + 1
    reach = 2 * round(OTHER_REACH_SECONDS * rate / hop) + 1
    held = [maximum_filter1d(burst, reach) for burst in bursts]
    # A kit's hits are in both channels; what one channel adds at their level is a hit too.
    hits = float(np.quantile(np.minimum(*held), 1 - HITS_SHARE))
    least = max(least, hits + OVER_HITS_DB)
    clicks: list[Click] = []
    for channel, burst in enumerate(bursts):
        other = held[1 - channel]
        surroundings = median_filter(burst, around, mode="reflect")
        clicking = (
            (burst > least)
            & (burst > surroundings + OVER_SURROUNDINGS_DB)
            & (burst > other + OVER_OTHER_CHANNEL_DB)
        )
        clicks += _joined(channel, starts[clicking], length, round(JOIN_SECONDS * rate))
    return tuple(clicks)


def without_clicks(waveform: Waveform) -> tuple[Waveform, int]:
    """The waveform with its clicks repaired, and their number.

    A loud click hides weaker ones, because clicks are measured against the mean level: so the
    repaired waveform is searched again, `MOST_PASSES` times at most.
    """
    count = 0
    for _ in range(MOST_PASSES):
        clicks = find_clicks(waveform)
        if not clicks:
            break
        waveform = repaired(waveform, clicks)
        count += len(clicks)
    return waveform, count


def repaired(waveform: Waveform, clicks: Sequence[Click]) -> Waveform:
    """Replace each click by the other channel, at the level that its own channel has around it.

    Where the other channel is silent, the sound before and after the click, mirrored, takes its
    place. The waveform itself stays unchanged.
    """
    samples = waveform.samples.copy()
    edge = round(EDGE_SECONDS * waveform.sample_rate)
    for click in clicks:
        first = max(0, click.first_frame - edge)
        end = min(waveform.frames, click.end_frame + edge)
        own, other = waveform.samples[:, click.channel], waveform.samples[:, 1 - click.channel]
        level, other_level = (_level_around(sound, first, end) for sound in (own, other))
        if other_level > level * _SILENT_SHARE:
            patch = other[first:end] * (level / other_level)
        else:
            patch = _mirrored(own, first, end)
        share = np.ones(end - first)
        rise = np.sin(np.linspace(0, np.pi / 2, edge)) ** 2
        if first > 0:
            share[:edge] = rise
        if end < waveform.frames:
            share[-edge:] = rise[::-1]
        samples[first:end, click.channel] = own[first:end] * (1 - share) + patch * share
    return Waveform(samples, waveform.sample_rate)


def _level_around(sound: NDArray[np.float32], first: int, end: int) -> float:
    """Root mean square of as many frames before and after a span as it has itself."""
    around = np.concatenate(_beside(sound, first, end)).astype(np.float64)
    return float(np.sqrt((around**2).mean()))


def _mirrored(sound: NDArray[np.float32], first: int, end: int) -> NDArray[np.float64]:
    """A span filled with what is before it and what is after it, both mirrored, cross-faded."""
    before, after = _beside(sound, first, end)
    fade = np.linspace(0, 1, end - first)
    return before[::-1] * (1 - fade) + after[::-1] * fade


def _beside(
    sound: NDArray[np.float32], first: int, end: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """As many frames before and after a span as it has itself; silence where the sound ends."""
    length = end - first
    before = sound[max(0, first - length) : first]
    after = sound[end : end + length]
    return np.pad(before, (length - len(before), 0)), np.pad(after, (0, length - len(after)))


def _joined(channel: int, starts: NDArray[np.int64], length: int, longest_gap: int) -> list[Click]:
    """Clicks from the windows that click."""
    if not starts.size:
        return []
    parts = np.split(starts, np.flatnonzero(np.diff(starts) > longest_gap) + 1)
    return [Click(channel, int(part[0]), int(part[-1]) + length) for part in parts]
