"""Whether a recording is a mix, whose drums and bass are taken off before its melody is heard."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from bridge.audio import Waveform
from bridge.chroma import WINDOW_SECONDS
from bridge.config import Options
from bridge.melody import MIX_DB, low_share_db
from bridge.timing import Meter, Take, bars_to_frames

CONTEXT_SECONDS = 1.0
"""Demucs also hears this much before and after the bars that the clip follows."""


@dataclass(frozen=True, eq=False)
class Mix:
    """The part of a recording that is to be separated.

    Attributes:
        waveform: the bars that the clip follows, and a second around them; of a raw clip, what the
            model sees.
        first_frame: where it begins in the take.
        found: what was measured, the beginning of a sentence.
    """

    waveform: Waveform
    first_frame: int
    found: str


def find_mix(
    take: Take, source: Waveform, options: Options, *, tempo_bpm: Fraction, meter: Meter
) -> tuple[Mix | None, str | None]:
    """Decide whether a melody's recording is to be separated.

    Args:
        source: the take's sound.
        tempo_bpm: of the bars that the clip follows; where it is not known yet, the slowest.
        meter: the clip's.

    Returns:
        The mix, or None, and a remark where `auto` leaves the recording alone.
    """
    if options.stems == "off":
        return None, None
    rate = source.sample_rate
    if options.raw_seconds is not None:
        # As it is, from its start: the model sees a whole window of it.
        first, frames = 0, ceil(max(options.raw_seconds, WINDOW_SECONDS) * rate)
    else:
        first = round(take.first_beat_seconds * rate)
        frames = bars_to_frames(options.bars, meter, tempo_bpm, rate)
    context = round(CONTEXT_SECONDS * rate)
    begin = max(first - context, 0)
    part = Waveform(source.samples[begin : max(first + frames + context, begin)], rate)
    low_db = low_share_db(part)
    if options.stems == "auto" and low_db < MIX_DB:
        return None, (
            f"{take.name} sounds alone, with {low_db:.0f} dB of it between 30 and 90 Hz: it is "
            "followed as it is."
        )
    return Mix(part, begin, f"{low_db:.0f} dB of {take.name} are between 30 and 90 Hz"), None
