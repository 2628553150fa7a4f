"""The notes of captures: listed for clients, as they were heard, played or corrected."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from fractions import Fraction
from math import ceil
from pathlib import Path

from bridge.audio import Waveform
from bridge.clock.session_time import SessionTime
from bridge.commands import ClipSettings
from bridge.daemon.captures import CaptureRegistry
from bridge.daemon.defaults import SessionDefaults
from bridge.events import Done, Event, NoteListed, Remark
from bridge.rendering.meant import BEAT_DECIMALS, MOST_NOTES, TAIL_SECONDS, listed_notes
from bridge.timing import Take, bars_to_seconds, first_meter, first_tempo

AT_ONCE = 50
"""Notes that are published at once: a socket's usual receive buffer holds 250 datagrams."""
PAUSE_SECONDS = 0.02
MOST_BARS = 1000
"""Bars of a melody that are heard; a take is shorter."""


class HeardNotes:
    """Lists the notes of captures. For the event loop's thread; melodies are heard in others.

    Args:
        defaults: the session's settings decide how a melody is heard.
        publish: sends an event to every client.
    """

    def __init__(
        self,
        captures: CaptureRegistry,
        defaults: SessionDefaults,
        session_time: SessionTime,
        publish: Callable[[Event], None],
    ) -> None:
        self._captures, self._defaults, self._time = captures, defaults, session_time
        self._publish = publish
        self._listing: set[str] = set()
        # One at a time: each takes a core for a tenth of a second.
        self._hearing = asyncio.Lock()

    async def list(self, id: str) -> None:
        """Publish a capture's notes, once it is done; they are not listed twice at a time.

        Raises:
            UnknownMelody: no capture has that id.
            BridgeError: the capture failed.
        """
        if id in self._listing:
            return
        self._listing.add(id)
        try:
            await self._list(id)
        finally:
            self._listing.discard(id)

    async def _list(self, id: str) -> None:
        capture = self._captures.find(id)
        # Shielded: the reply's end does not cancel the capture.
        take = await asyncio.shield(capture.take)
        tempo_bpm = first_tempo(take.tempo_bpm, self._time.tempo_bpm())
        settings = self._defaults.settings
        options = self._defaults.options_for(
            ClipSettings(),
            settings.without("prompt", "preset"),
            {
                "melody": Path(take.name or id),
                "bars": _bars(take, tempo_bpm),
                "tempo_bpm": tempo_bpm,
                "meter": take.meter,
            },
        )
        async with self._hearing:
            notes, remarks = await asyncio.to_thread(
                listed_notes, take, options, capture.corrected, tempo_bpm=tempo_bpm
            )
        for remark in remarks:
            self._publish(Remark(id, remark))
        listed = notes[:MOST_NOTES]
        for index, (note, confidence) in enumerate(listed):
            if index and index % AT_ONCE == 0:
                await asyncio.sleep(PAUSE_SECONDS)
            self._publish(
                NoteListed(
                    id,
                    index,
                    len(listed),
                    round(float(note.start_beat), BEAT_DECIMALS),
                    note.pitch,
                    round(float(note.length_beats), BEAT_DECIMALS),
                    round(confidence, 3),
                    note.velocity,
                )
            )
        self._publish(Done(id, len(listed)))


def _bars(take: Take, tempo_bpm: Fraction) -> int:
    """Bars that hold all of a recording; 1 for notes, which need none."""
    if not isinstance(take.source, Waveform):
        return 1
    seconds = Fraction(take.source.frames, take.source.sample_rate) + TAIL_SECONDS
    bar_seconds = bars_to_seconds(1, first_meter(take.meter), tempo_bpm)
    return min(ceil(seconds / bar_seconds), MOST_BARS)
