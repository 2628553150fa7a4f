"""Whether a melody sounds alone, or in a mix with drums or bass."""

from __future__ import annotations

import numpy as np

from bridge.audio import Waveform, power_to_db

LOW_HZ = (30.0, 90.0)
"""Kick drums and basses sound here; voices and melodies hardly do (E2, a low voice, is 82 Hz)."""
MIX_DB = -22.0
"""A mix has more than this share of its energy there. Measured on pocket's synthesiser: 14 hums and
plucks −72 to −47 dB, with drums and bass as loud as they −7 to −3 dB."""
MOST_LOST_DB = 20.0
"""A melody whose kept stems are softer than it by more than this is itself a bass or a drum."""
_BLOCK_SECONDS = 10.0


def low_share_db(waveform: Waveform) -> float:
    """The share of the energy between 30 and 90 Hz, in dB; −120 for silence."""
    mono = waveform.mono().samples[:, 0].astype(np.float64)
    block = round(_BLOCK_SECONDS * waveform.sample_rate)
    low = whole = 0.0
    for first in range(0, len(mono), block):
        part = mono[first : first + block]
        power = np.abs(np.fft.rfft(part * np.hanning(len(part)))) ** 2
        hz = np.fft.rfftfreq(len(part), 1 / waveform.sample_rate)
        low += float(power[(hz >= LOW_HZ[0]) & (hz <= LOW_HZ[1])].sum())
        whole += float(power[hz >= LOW_HZ[0]].sum())
    return power_to_db(max(low / whole, 1e-12)) if whole > 0 else -120.0
