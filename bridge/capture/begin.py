"""Which frames of the ring become a take: `start` and `last`, as the protocol means them.

A capture is polled, every 20 ms or so, with the present instant; it looks at no clock of its own.
Where it lies is worked out anew at each poll, for the beat clock tells a bar line better as time
goes on, and settled when the ring has all of it.
"""

from __future__ import annotations

from bridge.capture.capture import Capture
from bridge.capture.recent import LastBars, LastPhrase
from bridge.capture.recording import Recording
from bridge.capture.source import LONGEST_SECONDS, Source
from bridge.errors import BadArgument, NotEnoughBars
from bridge.timing import bars_to_seconds

__all__ = ["Capture", "last", "start"]

LAST_QUARTER = 0.75
"""Pressed in this part of a bar, `last` waits for its end."""
STOPPED_BARS = 2
"""After the DAW has stopped, `last` still takes the bars it played, until its last bar line is this
many bars ago: then what was played since is meant."""


def start(source: Source, bars: int | None, now_seconds: float) -> Capture:
    """Record from the next bar line, or from the first onset when the DAW stands.

    Args:
        bars: how many; None: until it is stopped, or 115 s are full.

    Raises:
        BadArgument: so many bars are longer than 115 s.
    """
    most = source.most_bars(now_seconds)
    if bars is not None and bars > most:
        raise BadArgument(_too_many(source, bars, most, now_seconds))
    return Recording(source, bars, now_seconds)


def last(source: Source, bars: int, now_seconds: float) -> Capture:
    """Take the bars that end at the last bar line; pressed in a bar's last quarter, at its end.

    When the DAW stands, take the last phrase: from its onset if that was within the last `bars` + 1
    bars, else the bars that end now. What was played until a moment ago counts as playing. A gap
    of up to a tenth of a second, where the input lost a few blocks, is silent and does no harm.

    Raises:
        NotEnoughBars: so many bars are longer than 115 s, or the DAW has not come to a bar line.
    """
    clock = source.clock
    most = source.most_bars(now_seconds)
    if bars > most:
        raise NotEnoughBars(_too_many(source, bars, most, now_seconds))
    end_seconds = clock.bar_line_at_or_before(now_seconds)
    if clock.is_playing(now_seconds):
        if (clock.bar_fraction(now_seconds) or 0.0) >= LAST_QUARTER:
            end_seconds = clock.next_bar_line(now_seconds) or end_seconds
        if end_seconds is None:
            raise NotEnoughBars(
                f"0 of {bars} bars: playback has not come to a bar line yet; ask again after it"
            )
        return LastBars(source, bars, end_seconds)
    if end_seconds is not None and clock.tempo_bpm and clock.meter:
        recent = STOPPED_BARS * bars_to_seconds(1, clock.meter, clock.tempo_bpm)
        if now_seconds - end_seconds < recent:
            return LastBars(source, bars, end_seconds)
    return LastPhrase(source, bars, now_seconds)


def _too_many(source: Source, bars: int, most: int, now_seconds: float) -> str:
    tempo_bpm, meter = source.tempo_now(now_seconds)
    return (
        f"{bars} bars of {meter} at {float(tempo_bpm):g} bpm: no take lasts over "
        f"{LONGEST_SECONDS:g} s, so {most} are the most"
    )
