"""The melody of training audio: without drums and bass, where that is a mix."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bridge.audio import Waveform, amplitude_to_db
from bridge.commands import Stems
from bridge.engine.stems import FETCHING, WEIGHTS, load_separator
from bridge.errors import BridgeError, CheckpointUnusable, Unsupported
from bridge.melody import MIX_DB, MOST_LOST_DB, low_share_db

_SILENCE = 1e-9


class ChromaStems:
    """Decides and separates as `rendering.stems` does for a render.

    Attributes:
        missing: why `auto` separates nothing; None: it can, or did not need to.
        separated: pieces that were separated so far.
    """

    def __init__(
        self, stems: Stems, device: str | None, progress: Callable[[str, float | None], None]
    ) -> None:
        """Args:
        device: as for `bridge.engine.load`.
        progress: called while the weights are fetched.
        """
        self._stems, self._device, self._progress = stems, device, progress
        self.missing: BridgeError | None = None
        self.separated = 0

    @property
    def key(self) -> str:
        """Changes with what `melody_of` does; empty where it separates nothing."""
        is_idle = self._stems == "off" or self.missing is not None
        return "" if is_idle else f" stems {self._stems} {WEIGHTS}"

    def melody_of(self, piece: Waveform) -> Waveform:
        """What the chroma is taken from: the piece, or what it has without drums and bass.

        Raises:
            Unsupported, CheckpointUnusable: stems are `on`, and Demucs or its weights are missing.
            OutOfMemory: the piece does not fit the device.
        """
        if not self.key or (self._stems == "auto" and low_share_db(piece) < MIX_DB):
            return piece
        try:
            may_fetch = self._stems == "on"
            separator = load_separator(self._device, self._fetching, may_fetch=may_fetch)
            melody = separator.melody_of(piece)
        except (Unsupported, CheckpointUnusable) as error:
            if self._stems == "on":
                raise
            self.missing = error
            return piece
        if self._stems == "auto" and _level_db(piece.mono()) - _level_db(melody) > MOST_LOST_DB:
            return piece
        self.separated += 1
        return melody

    def remarks(self, pieces: int) -> tuple[str, ...]:
        """What a person should know, a sentence each.

        Args:
            pieces: how many there are.
        """
        if self.missing is not None:
            found = "Some pieces are mixes, and their melody is found with drums and bass"
            return (f"{found}, because {self.missing}.",)
        if self.separated:
            of = f"{self.separated} of {pieces} pieces"
            return (f"The melody of {of} is found without drums and bass.",)
        return ()

    def _fetching(self, doing: str, share: float | None) -> None:
        if doing == FETCHING:
            self._progress(doing, share)


def _level_db(sound: Waveform) -> float:
    """Root mean square of mono sound in dB of full scale."""
    level = float(np.sqrt(np.square(sound.samples, dtype=np.float64).mean()))
    return amplitude_to_db(max(level, _SILENCE))
