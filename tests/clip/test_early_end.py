"""Early ends: sure and covered pieces end, unsure ones go on, and looking changes no clip."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from bridge.audio import Waveform
from bridge.chroma import STEP_SECONDS, note_pitch_classes
from bridge.clip import EarlyEnd, FinishedClip, finish, surplus_seconds
from bridge.timing import Meter, Note, bars_to_seconds
from tests.clip.material import RATE, drums, pad, plucks, scattered, stereo

BARS = 4
TEMPO_BPM = Fraction(120)
CLIP_SECONDS = float(bars_to_seconds(BARS, Meter(), TEMPO_BPM))
PITCHES = (60, 64, 62, 67, 65, 69, 71, 72, 70, 68, 66, 63, 61, 65, 60, 67)
MELODY = note_pitch_classes(
    [Note(Fraction(beat), Fraction(1), pitch) for beat, pitch in enumerate(PITCHES)],
    TEMPO_BPM,
    round(CLIP_SECONDS / STEP_SECONDS),
)
PIECE_SECONDS = CLIP_SECONDS + surplus_seconds(BARS, TEMPO_BPM, Meter())


def looked(piece: Waveform, *, at_once: bool = True, takes_all: bool = False) -> EarlyEnd:
    """An early end after its looks: each into the whole piece, or into no more than it needs."""
    end = EarlyEnd(BARS, TEMPO_BPM, Meter(), MELODY, PIECE_SECONDS, takes_all=takes_all)
    while end.look_frames is not None:
        seen = piece.samples if at_once else piece.samples[: end.look_frames]
        end.look(Waveform(seen, RATE))
    return end


def finished(piece: Waveform, end: EarlyEnd | None = None) -> FinishedClip:
    frames = None if end is None else end.frames
    return finish(
        Waveform(piece.samples[:frames], RATE),
        bars=BARS,
        tempo_bpm=TEMPO_BPM,
        meter=Meter(),
        sample_rate=RATE,
        melody_classes=MELODY,
        end=end,
    )


def music(tempo_bpm: float = 120.0, *, first_bar_seconds: float = 0.0, seed: int = 0) -> Waveform:
    """Drums, and the melody."""
    notes = plucks(
        tempo_bpm, PIECE_SECONDS, PITCHES, step_beats=1.0, first_bar_seconds=first_bar_seconds
    )
    beat = drums(tempo_bpm, PIECE_SECONDS, first_bar_seconds=first_bar_seconds, seed=seed)
    return stereo(beat, 0.5 * notes)


def test_a_piece_in_time_ends_with_the_clip_and_its_fade() -> None:
    piece = music()
    end = looked(piece)
    assert end.frames is not None and end.grid is not None
    assert CLIP_SECONDS + 0.06 < end.frames / RATE < CLIP_SECONDS + 0.15
    early, whole = finished(piece, end), finished(piece)
    assert early.fitted and early.waveform.frames == whole.waveform.frames
    assert np.abs(early.waveform.samples - whole.waveform.samples).max() < 1e-3
    assert early.remarks == whole.remarks


@pytest.mark.parametrize("faster", [0.96, 1.0, 1.04])
@pytest.mark.parametrize("first_bar_seconds", [0.0, 0.4, 1.1])
def test_a_late_or_slow_piece_goes_on_until_its_clip_is_whole(
    faster: float, first_bar_seconds: float
) -> None:
    piece = music(120 * faster, first_bar_seconds=first_bar_seconds)
    end = looked(piece)
    assert end.frames is not None
    assert end.frames / RATE > first_bar_seconds + CLIP_SECONDS / faster
    assert end.frames / RATE < PIECE_SECONDS
    clip = finished(piece, end)
    assert clip.stretch_ratio == pytest.approx(faster, abs=0.001)
    assert clip.source_offset_seconds == pytest.approx(first_bar_seconds, abs=0.003)
    assert not any("short" in remark or "past the end" in remark for remark in clip.remarks)
    assert clip.beat_offset_ms is not None and clip.beat_offset_ms < 5


def test_a_pad_ends_with_the_clip_and_its_longer_fade_without_a_grid() -> None:
    piece = stereo(pad(PIECE_SECONDS))
    end = looked(piece)
    assert end.frames is not None and end.grid is None
    assert CLIP_SECONDS + 0.25 < end.frames / RATE < CLIP_SECONDS + 0.35
    early, whole = finished(piece, end), finished(piece)
    assert not early.fitted and early.remarks == whole.remarks


def test_a_piece_whose_pulse_is_not_sure_is_made_to_its_end() -> None:
    """Two tempos fit it alike: a beat, and a slower one beside it."""
    piece = stereo(
        drums(120 * 0.97, PIECE_SECONDS, hats=False), drums(120 * 1.03, PIECE_SECONDS, hats=False)
    )
    end = looked(piece)
    assert (end.frames, end.grid) == (None, None)


def test_a_piece_that_continues_another_is_never_looked_into() -> None:
    end = looked(music(), takes_all=True)
    assert (end.look_frames, end.frames, end.grid) == (None, None, None)
    with pytest.raises(RuntimeError):
        end.look(music())


@pytest.mark.parametrize("seed", range(3))
def test_what_has_arrived_beyond_a_look_changes_nothing(seed: int) -> None:
    for piece in (
        music(first_bar_seconds=0.3 * seed, seed=seed),
        stereo(scattered(PIECE_SECONDS, seed=seed)),
    ):
        at_once, bit_by_bit = looked(piece), looked(piece, at_once=False)
        assert (at_once.frames, at_once.grid) == (bit_by_bit.frames, bit_by_bit.grid)
