"""How Ardour reads a clip in a cue slot: its tempo from its name, then whole bars of 4/4.

The rules are those of `AudioTrigger::estimate_tempo` in Ardour 7.3's libs/ardour/triggerbox.cc and
of `estimate_audio_tempo_source` in Ardour 9.8's libs/ardour/utils.cc, which are the same.
"""

from __future__ import annotations

import re
from fractions import Fraction
from itertools import count

from bridge.timing import Meter

KNOWN_BARS = (1, 2, 4, 8, 16)
"""Lengths in bars of 4/4 that Ardour keeps; others below `FREE_BARS` it makes longer."""
FREE_BARS = 17
"""From so many bars of 4/4 on it keeps every whole number of them."""
SLOWEST_LOOP_BPM, FASTEST_LOOP_BPM = 60, 140
"""Ardour takes a clip of any other tempo for a one-shot: it plays once and is not stretched."""
_WORDS = (" bpm", "bpm", " BPM", "BPM")
"""What Ardour looks for in a name, in this order."""
_NUMBER = re.compile(r"\s*([0-9]+\.?[0-9]*|\.[0-9]+)")


def tiles(bars: int, meter: Meter) -> int:
    """How often a clip must be repeated, at least, until Ardour reads its length right.

    Args:
        bars: of the clip; one or more.
    """
    beats = bars * meter.beats_per_bar
    return next(number for number in count(1) if _is_kept(beats * number))


def tempo_in(name: str) -> float | None:
    """The tempo that Ardour finds in a clip's name; None: it measures one."""
    at = next((name.find(word) for word in _WORDS if word in name), None)
    if at is None:
        return None
    # The last of these characters ends the number, whatever comes between it and the word.
    before = name[:at]
    end = max((before.rfind(character) for character in "0123456789.,_-"), default=-1)
    start = len(before[: end + 1].rstrip("0123456789.,"))
    # Ardour does not accept a number that begins the name.
    found = _NUMBER.match(before, start) if start > 1 else None
    return float(found.group()) if found else None


def is_read(name: str, tempo_bpm: Fraction) -> bool:
    """Whether Ardour finds a clip's tempo in its name."""
    found = tempo_in(name)
    # A name has three decimals.
    return found is not None and abs(found - float(tempo_bpm)) < 0.001


def readable_name(name: str, tempo_bpm: Fraction) -> str:
    """The name with this tempo alone, where Ardour finds it."""
    plain = re.sub(r"[\s_-]*[0-9.,]*\s?bpm", "", name, flags=re.IGNORECASE).strip() or "clip"
    tempo = f"{float(tempo_bpm):.3f}".rstrip("0").rstrip(".")
    return f"{plain} {tempo}bpm"


def is_looped(tempo_bpm: Fraction) -> bool:
    """Whether Ardour loops a clip of this tempo, and follows changes of tempo with it."""
    return SLOWEST_LOOP_BPM <= tempo_bpm <= FASTEST_LOOP_BPM


def _is_kept(beats: Fraction) -> bool:
    bars = beats / 4
    return bars.denominator == 1 and (bars in KNOWN_BARS or bars >= FREE_BARS)
