"""How long a clip may be."""

from __future__ import annotations

from fractions import Fraction

from bridge.chroma import LONGEST_SECONDS
from bridge.errors import Unsupported
from bridge.timing import Meter, bars_text, bars_to_seconds


def check_length(bars: int, tempo_bpm: Fraction, meter: Meter) -> None:
    """Raise `Unsupported` where so many bars take more than `LONGEST_SECONDS`."""
    seconds = bars_to_seconds(bars, meter, tempo_bpm)
    if seconds <= LONGEST_SECONDS:
        return
    most = int(Fraction(LONGEST_SECONDS) / bars_to_seconds(1, meter, tempo_bpm))
    remedy = f"ask for {bars_text(most)} or fewer" if most else "ask for a faster tempo"
    raise Unsupported(
        f"{bars_text(bars)} of {meter} at {float(tempo_bpm):g} bpm are {float(seconds):.1f} s, and "
        f"a clip has {LONGEST_SECONDS:g} s at most: {remedy}"
    )
