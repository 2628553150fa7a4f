"""When the clips of a live loop are to be made again, because the clock has another tempo."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from bridge.delivery import KnownClip
from bridge.delivery.playback import FAR_TEMPO, SAME_TEMPO

STEADY_SECONDS = 1.0
"""A tempo counts once it has been the same for so long: a knob may still be turned."""


class TempoWatch:
    """Finds clips that were made at a tempo too far from the clock's.

    Until such a clip is made again, it plays stretched.
    """

    def __init__(self) -> None:
        self._tempo_bpm: Fraction | None = None
        self._since_seconds = 0.0
        # The tempo for which each clip was made again, by the clip's name: once is enough.
        self._tried: dict[str, Fraction] = {}

    def far_layer(
        self, clips: Mapping[int, KnownClip], tempo_bpm: Fraction | None, now_seconds: float
    ) -> int | None:
        """A layer whose clip is to be made again; None: there is none.

        Args:
            clips: those that sound, by layer.
            tempo_bpm: the clock's; None: it does not play.
        """
        before, self._tempo_bpm = self._tempo_bpm, tempo_bpm
        if tempo_bpm is None or before is None or _differ(before, tempo_bpm, SAME_TEMPO):
            self._since_seconds = now_seconds
            return None
        if now_seconds < self._since_seconds + STEADY_SECONDS:
            return None
        for layer, clip in clips.items():
            tried = self._tried.get(clip.path.stem)
            is_new = tried is None or _differ(tried, tempo_bpm, FAR_TEMPO)
            if is_new and _differ(clip.tempo_bpm, tempo_bpm, FAR_TEMPO):
                return layer
        return None

    def made_for(self, clip: str, tempo_bpm: Fraction | None) -> None:
        """Remember that a clip is made again, or was made, for a tempo."""
        if tempo_bpm is not None:
            self._tried[clip] = tempo_bpm

    def forget_all_but(self, clips: set[str]) -> None:
        """Forget the clips that can no longer be played."""
        self._tried = {name: self._tried[name] for name in self._tried if name in clips}


def is_far(clip_bpm: Fraction, clock_bpm: Fraction | None) -> bool:
    """Whether a clip is made again at the clock's tempo; None: the clock does not play."""
    return clock_bpm is not None and _differ(clip_bpm, clock_bpm, FAR_TEMPO)


def _differ(one_bpm: Fraction, other_bpm: Fraction, by: Fraction) -> bool:
    return abs(other_bpm / one_bpm - 1) > by
