"""Begin a capture: `start` and `last`, as the protocol defines them.

A capture is polled about every 20 ms with the current time; it reads no clock of its own. Each poll
computes the take's frames in the ring again, because the beat clock's estimate of a bar line
improves with time. They are final when the ring has all of them.
"""

from __future__ import annotations

from bridge.capture.capture import Capture
from bridge.capture.note_source import NoteSource
from bridge.capture.played_phrase import PlayedPhrase
from bridge.capture.recent import LastBars, LastPhrase
from bridge.capture.recording import Recording
from bridge.capture.sound import SoundSource
from bridge.capture.source import LONGEST_SECONDS, Source
from bridge.errors import BadArgument, NotEnoughBars
from bridge.timing import bars_to_seconds

__all__ = ["Capture", "last", "start"]

LAST_QUARTER = 0.75
"""`last` waits for the end of the bar when this share of it has been played."""
STOPPED_BARS = 2
"""After the DAW has stopped, `last` still takes the bars it played, until its last bar line is this
many bars ago. After that it takes what was played since."""


def start(
    source: Source, bars: int | None, now_seconds: float, *, count_in_bars: int = 0
) -> Capture:
    """Record from the next bar line, or from the first onset when the DAW is stopped.

    Args:
        bars: how many; None to record until `Capture.stop`, at most 115 s.
        count_in_bars: that are played from the next bar line on, before it records.

    Raises:
        BadArgument: so many bars are longer than 115 s.
    """
    most = source.most_bars(now_seconds)
    if bars is not None and bars > most:
        raise BadArgument(_too_many(source, bars, most, now_seconds))
    return Recording(source, bars, now_seconds, count_in_bars)


def last(source: SoundSource | NoteSource, bars: int, now_seconds: float) -> Capture:
    """Take the bars that end at the last bar line, or in a bar's last quarter, at its end.

    When the DAW is stopped, take the last phrase: from its onset if that was within the last
    `bars` + 1 bars, otherwise the bars that end now. For `STOPPED_BARS` bars after its last bar
    line, a stopped DAW counts as playing. A gap of up to a tenth of a second, where the input lost
    a few blocks, is silent in the take and is accepted.

    Raises:
        NotEnoughBars: so many bars are longer than 115 s, or the DAW has not reached a bar line.
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
                f"0 of {bars} bars: playback has not reached a bar line yet; ask again after it"
            )
        return LastBars(source, bars, end_seconds)
    if end_seconds is not None and clock.tempo_bpm and clock.meter:
        recent = STOPPED_BARS * bars_to_seconds(1, clock.meter, clock.tempo_bpm)
        if now_seconds - end_seconds < recent:
            return LastBars(source, bars, end_seconds)
    if isinstance(source, NoteSource):
        return PlayedPhrase(source, bars, now_seconds)
    return LastPhrase(source, bars, now_seconds)


def _too_many(source: Source, bars: int, most: int, now_seconds: float) -> str:
    tempo_bpm, meter = source.tempo_now(now_seconds)
    return (
        f"{bars} bars of {meter} at {float(tempo_bpm):g} bpm: no take lasts over "
        f"{LONGEST_SECONDS:g} s, so at most {most} bars fit"
    )
