"""Transcription: from a hum, a whistle or a single instrument to the notes that were meant."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bridge.audio import Waveform
from bridge.melody.key import Key, find_key
from bridge.melody.note_spans import Span, find_spans, frames_of, pitch_of
from bridge.melody.pitch_track import PitchTrack, track_pitch
from bridge.melody.tempo import find_tempo
from bridge.melody.transcription import TranscribedNote, Transcription
from bridge.melody.tuning import IN_SCALE, Tuning, find_tuning

LONGEST_SECONDS = 600.0
"""As the longest piece."""

_GIVEN_KEY = 0.98
"""Share of a melody's notes that are in a key that was given."""
_LEAST_KEY_CONFIDENCE = 0.05
"""A key that was found with less moves no note."""
_LEAST_SPREAD = 0.08
"""Semitones: how exactly a sung note is known at best."""
_PLAYED_SPREAD = 0.035
"""Semitones. An instrument that is in tune has less, a voice more: its octaves are its own."""
_SLIP_SEMITONES = 7
_MOST_SLIPS = 0.15
"""Of a take's notes. With more of them, the octaves are the melody's own."""
_LOUD_DB = 20.0
"""Frames this far below the loudest do not say what sounds."""
_VOICED, _SINGLE = 0.55, 0.75
"""Of the loud frames, the share that has a pitch, and the median share of its harmonics. Measured:
360 made hums and solos at least 0.88 and 0.87, 193 recordings of people who sing at least 0.61 and
0.77, drums 0.3 to 0.45, chords and mixes at most 0.65."""
_STEADY = 0.65
"""The mean share of the harmonics, weighted by power: at least 0.72 in the same hums and solos."""
_LOUDEST_VELOCITY, _VELOCITY_PER_DB, _SOFTEST_VELOCITY = 112, 2.0, 20
_CHANGED_CENTS = 5.0
"""A tuning that is nearer to concert pitch is no change that anybody hears."""


def transcribe(waveform: Waveform, *, key: Key | Literal["auto"] | None = "auto") -> Transcription:
    """Find the notes that a recording of one voice or instrument means.

    It computes for about a hundredth of the recording's length. Call it in a thread of its own.

    Args:
        waveform: any rate and channels.
        key: doubtful notes are moved into it; `"auto"`: into the key that is found, where it is
            clear; None: into none.

    Returns:
        The notes. `is_melody` is False where the recording is silent, longer than 600 s, or no
        single voice.
    """
    if waveform.seconds > LONGEST_SECONDS:
        return _unheard(
            f"The melody lasts {waveform.seconds:.0f} s, and {LONGEST_SECONDS:g} s at most are "
            "transcribed: its chroma leads."
        )
    track = track_pitch(waveform)
    if track is None:
        return _unheard("The melody is silent.")
    spans = find_spans(track)
    if not spans:
        return _unheard("The melody has no clear pitch: its chroma leads.")
    starts, ends = np.array(spans).T
    seconds = ends - starts
    exact = np.array([pitch_of(track, span) for span in spans])
    weights = np.sqrt(np.minimum(seconds, 1.0))
    middles = (starts + ends) / 2 - starts[0]
    tuning = find_tuning(exact, middles, weights / weights.max())
    tuned = exact - tuning.at(middles)
    heard = np.rint(tuned).astype(np.int64)
    found, key_confidence = find_key(heard, seconds)
    used, in_key = found, IN_SCALE
    if isinstance(key, Key):
        used, in_key, key_confidence = key, _GIVEN_KEY, 1.0
    is_snapped = key is not None and key_confidence >= _LEAST_KEY_CONFIDENCE
    pitches, confidence = _likeliest(tuned, tuning.spread, used if is_snapped else None, in_key)
    moved = int((pitches != heard).sum())
    slips = _octave_slips(pitches) if tuning.spread > _PLAYED_SPREAD else np.zeros_like(pitches)
    pitches = np.clip(pitches + slips, 0, 127)
    tempo_bpm, tempo_confidence = find_tempo(starts)
    sure = np.array([track.confidence[frames_of(track, span)].mean() for span in spans])
    velocities = _velocities(track, spans)
    remarks = _changes(tuning, float(seconds.sum()), moved, int((slips != 0).sum()), used)
    is_melody = _is_single_voice(track)
    if not is_melody:
        remarks = ("The recording is no single voice: its chroma leads, not its notes.",)
    return Transcription(
        notes=tuple(
            TranscribedNote(*row)
            for row in zip(
                starts.tolist(),
                seconds.tolist(),
                pitches.tolist(),
                (100 * (exact - pitches)).tolist(),
                velocities.tolist(),
                np.minimum(confidence * sure, 1.0).tolist(),
                strict=True,
            )
        ),
        tuning_cents=100 * tuning.offset,
        key=used,
        key_confidence=key_confidence,
        tempo_bpm=tempo_bpm,
        tempo_confidence=tempo_confidence,
        is_melody=is_melody,
        moved=moved,
        remarks=remarks,
    )


def _unheard(remark: str) -> Transcription:
    return Transcription(
        notes=(),
        tuning_cents=0.0,
        key=None,
        key_confidence=0.0,
        tempo_bpm=None,
        tempo_confidence=0.0,
        is_melody=False,
        moved=0,
        remarks=(remark,),
    )


def _is_single_voice(track: PitchTrack) -> bool:
    loud = track.level_db >= track.level_db.max() - _LOUD_DB
    share = track.harmonic_share[loud]
    power = 10 ** (track.level_db[loud] / 10)
    return bool(
        (track.confidence[loud] >= 0.5).mean() >= _VOICED
        and np.median(share) >= _SINGLE
        and np.average(share, weights=power) >= _STEADY
    )


def _likeliest(
    tuned: NDArray[np.float64], spread: float, key: Key | None, in_key: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The likeliest pitch of each note, and its probability beside its neighbours, 0…1.

    A note is where it is heard, with the spread of the take's notes, and in the key with that
    probability. So a note is moved only where it is between two semitones of a voice that does
    not hit them, never where it is clear.
    """
    candidates = np.rint(tuned).astype(np.int64)[:, None] + np.array([0, -1, 1])
    distances = (tuned[:, None] - candidates) / max(spread, _LEAST_SPREAD)
    likelihood = np.exp(-0.5 * np.square(distances))
    if key is not None:
        inside = np.isin(candidates % 12, sorted(key.pitch_classes))
        likelihood *= np.where(inside, in_key / 7, (1 - in_key) / 5)
    chosen = likelihood.argmax(axis=1)[:, None]
    confidence = np.take_along_axis(likelihood, chosen, 1)[:, 0] / likelihood.sum(axis=1)
    return np.take_along_axis(candidates, chosen, 1)[:, 0], confidence


def _octave_slips(pitches: NDArray[np.int64]) -> NDArray[np.int64]:
    """Semitones, −12, 0 or 12, that put notes which leap away and back into the line."""
    slips = np.zeros_like(pitches)
    for index in range(1, len(pitches) - 1):
        leaps = pitches[index] - pitches[[index - 1, index + 1]]
        if abs(np.sign(leaps).sum()) < 2 or np.abs(leaps).min() < _SLIP_SEMITONES:
            continue
        back = -12 * int(np.sign(leaps[0]))
        if 2 * np.abs(leaps + back).sum() <= np.abs(leaps).sum():
            slips[index] = back
    return slips if (slips != 0).mean() <= _MOST_SLIPS else np.zeros_like(slips)


def _velocities(track: PitchTrack, spans: list[Span]) -> NDArray[np.int64]:
    """1…127, from the level of each note's louder half."""
    levels = np.array([np.percentile(track.level_db[frames_of(track, span)], 75) for span in spans])
    below = _LOUDEST_VELOCITY + _VELOCITY_PER_DB * (levels - levels.max())
    return np.asarray(np.rint(np.maximum(below, _SOFTEST_VELOCITY)), dtype=np.int64)


def _changes(
    tuning: Tuning, seconds: float, moved: int, slips: int, key: Key | None
) -> tuple[str, ...]:
    """One sentence that names what was changed; none where nothing was."""
    parts = []
    if moved:
        parts.append(f"{moved} {'note' if moved == 1 else 'notes'} moved")
    if slips:
        parts.append(f"{slips} {'octave' if slips == 1 else 'octaves'} mended")
    if abs(100 * tuning.offset) >= _CHANGED_CENTS:
        parts.append(f"tuning {_signed(100 * tuning.offset)} cents")
    drift = 100 * tuning.drift * seconds
    if abs(drift) >= _CHANGED_CENTS:
        parts.append(f"drift {_signed(drift)} cents")
    if not parts:
        return ()
    sentence = ", ".join([*parts, *([str(key)] if key else [])])
    return (f"{sentence[0].upper()}{sentence[1:]}.",)


def _signed(number: float) -> str:
    return f"{'−' if number < 0 else '+'}{abs(number):.0f}"
