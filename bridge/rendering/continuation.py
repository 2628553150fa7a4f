"""A clip that a render goes on from: read, counted in bars, and joined with what follows it."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from bridge.audio import MODEL_SAMPLE_RATE, Waveform, db_to_amplitude, db_to_power, power_to_db
from bridge.chroma import LONGEST_SECONDS, STEP_SECONDS
from bridge.clip import joined, stretched_loop
from bridge.config import read_value
from bridge.config.small_file import read_small_file
from bridge.delivery.sidecar import UNREADABLE, read_tempo
from bridge.delivery.wav import SIDECAR
from bridge.errors import BadArgument, UnreadableFile
from bridge.rendering.length import check_length
from bridge.timing import Meter, bars_to_frames, bars_to_seconds, first_meter

HEARD_SECONDS = 12.16
"""How much of the clip's end the model hears: 95 steps of chroma, what a window knows of the one
before it (12.08 s) in whole steps."""
HEARD_DBFS = -20.0
"""Level (root mean square) at which the model hears a clip whose sidecar names none; pocket makes
drums and keys at this level. A finished clip is louder: heard as it is, what followed it was 3 dB
softer (measured)."""
SILENT_DBFS = -80.0
LEVEL_FIELD = "source_level_dbfs"
"""The sidecar's field for the level of what the model made."""
OVERLAP_STEPS = 5
"""Codec steps, of 20 ms, over which the clip's own audio fades into the codec's version of it."""
OVERLAP_SECONDS = 0.1
WHOLE_BARS_SECONDS = 0.02
"""A clip whose length is this close to whole bars has whole bars."""
MOST_CHANNELS = 8


@dataclass(frozen=True, eq=False)
class ContinuedClip:
    """A clip of whole bars at the tempo of the render that goes on from it.

    Attributes:
        path: absolute.
        waveform: stereo, at its file's rate, exactly its bars.
        prompt: what it was made from, as far as its sidecar says.
        heard: its end, which the model hears: stereo at 32 kHz, 12.16 s at most.
        first_chroma_step: the melody's step at which that part begins.
        gain_db: what the model hears it louder by than it is.
        remarks: what a person should know, a sentence each.
    """

    path: Path
    waveform: Waveform
    bars: int
    tempo_bpm: Fraction
    meter: Meter
    prompt: str | None
    heard: Waveform
    first_chroma_step: int
    gain_db: float
    remarks: tuple[str, ...] = ()

    def join(self, made: Waveform, sample_rate: int) -> Waveform:
        """The clip's own audio, and after it what was made, cross-faded before the clip's end.

        Args:
            made: begins `OVERLAP_STEPS` before the clip's end, at the level of what was heard.

        Returns:
            Stereo at `sample_rate`. But for the overlap the clip's frames are the file's own.
        """
        samples = made.stereo().samples * np.float32(db_to_amplitude(-self.gain_db))
        follows = Waveform(samples, made.sample_rate).resampled(sample_rate)
        overlap_frames = round(OVERLAP_SECONDS * sample_rate)
        return joined(self.waveform.resampled(sample_rate), follows, overlap_frames)


def level_dbfs(waveform: Waveform) -> float:
    """The level (root mean square) of all channels in dB of full scale; −80 for silence."""
    power = float(np.square(waveform.samples, dtype=np.float64).mean()) if waveform.frames else 0.0
    return power_to_db(max(power, db_to_power(SILENT_DBFS)))


def read_continued(
    path: Path, *, bars: int, tempo_bpm: Fraction | None, meter: Meter | None
) -> ContinuedClip:
    """Read a clip, and count its bars.

    Its tempo and meter are those of its sidecar; without one they are the render's. Where the
    render has another tempo, the clip is stretched to it.

    Args:
        bars: of the whole result, more than the clip has.
        tempo_bpm, meter: the render's, where they were given.

    Raises:
        UnreadableFile: the file is missing, damaged, or no audio.
        BadArgument: its tempo is not known, it has no whole bars, or too many.
        Unsupported: the result would be longer than a clip may be.
    """
    waveform, made = _read_audio(path), _Sidecar.of(path)
    own_tempo_bpm, own_meter = made.tempo_bpm or tempo_bpm, first_meter(made.meter, meter)
    if own_tempo_bpm is None:
        raise BadArgument(
            f"continue {str(path)!r}: nothing beside it says its tempo; name it with --tempo"
        )
    if meter is not None and meter != own_meter:
        raise BadArgument(
            f"continue {str(path)!r}: it is in {own_meter}, and {meter} was asked for; leave the "
            "meter out"
        )
    own_bars = round(Fraction(waveform.seconds) / bars_to_seconds(1, own_meter, own_tempo_bpm))
    whole_seconds = float(bars_to_seconds(own_bars, own_meter, own_tempo_bpm))
    if not own_bars or abs(waveform.seconds - whole_seconds) > WHOLE_BARS_SECONDS:
        raise BadArgument(
            f"continue {str(path)!r}: its {waveform.seconds:.2f} s are no whole bars of "
            f"{own_meter} at {float(own_tempo_bpm):g} bpm; name its tempo, or cut it to bars"
        )
    if bars <= own_bars:
        raise BadArgument(
            f"bars {bars}: the clip to continue has {own_bars}, and the result holds these too; "
            f"ask for more, such as {2 * own_bars}"
        )
    if whole_seconds < 2 * OVERLAP_SECONDS:
        raise BadArgument(
            f"continue {str(path)!r}: its {waveform.seconds:.2f} s are too short to go on from; "
            f"name a clip of {2 * OVERLAP_SECONDS:g} s or more"
        )
    remarks = []
    to_tempo_bpm = tempo_bpm or own_tempo_bpm
    # Before it is stretched, which takes memory by its new length.
    check_length(bars, to_tempo_bpm, own_meter)
    frames = bars_to_frames(own_bars, own_meter, to_tempo_bpm, waveform.sample_rate)
    if to_tempo_bpm != own_tempo_bpm:
        waveform = stretched_loop(waveform, frames)
        remarks.append(
            f"the clip to continue is at {float(own_tempo_bpm):g} bpm, stretched to "
            f"{float(to_tempo_bpm):g}"
        )
    samples = np.pad(waveform.samples, ((0, max(0, frames - waveform.frames)), (0, 0)))[:frames]
    whole = Waveform(samples, waveform.sample_rate)
    own_dbfs = level_dbfs(whole)
    heard_dbfs = HEARD_DBFS if made.level_dbfs is None else made.level_dbfs
    gain_db = 0.0 if own_dbfs <= SILENT_DBFS else heard_dbfs - own_dbfs
    first_chroma_step = max(0, math.ceil((whole.seconds - HEARD_SECONDS) / STEP_SECONDS))
    end = samples[round(first_chroma_step * STEP_SECONDS * whole.sample_rate) :]
    heard = Waveform(end * np.float32(db_to_amplitude(gain_db)), whole.sample_rate)
    return ContinuedClip(
        path.absolute(),
        whole,
        own_bars,
        to_tempo_bpm,
        own_meter,
        made.prompt,
        heard.resampled(MODEL_SAMPLE_RATE),
        first_chroma_step,
        gain_db,
        tuple(remarks),
    )


@dataclass(frozen=True)
class _Sidecar:
    """What the file beside a clip says of it; None: nothing that can be read."""

    tempo_bpm: Fraction | None = None
    meter: Meter | None = None
    prompt: str | None = None
    level_dbfs: float | None = None

    @classmethod
    def of(cls, clip: Path) -> _Sidecar:
        # The file may be missing, or be another program's.
        with suppress(*UNREADABLE, BadArgument):
            fields: dict[str, Any] = json.loads(read_small_file(clip.with_suffix(SIDECAR)))
            prompt, level_dbfs = fields.get("prompt"), fields.get(LEVEL_FIELD)
            return cls(
                read_tempo(fields["tempo_bpm"]),
                Meter.parse(fields["meter"]),
                None if prompt is None else str(read_value("prompt", prompt)),
                None if level_dbfs is None else min(0.0, max(SILENT_DBFS, float(level_dbfs))),
            )
        return cls()


def _read_audio(path: Path) -> Waveform:
    """The whole file in stereo.

    Raises:
        UnreadableFile: it is missing, damaged, no audio, too long, or has too many channels.
    """
    named = f"continue {str(path)!r}"
    if not path.is_file():
        raise UnreadableFile(f"{named}: there is no such file; name a clip, a WAV file")
    try:
        with soundfile.SoundFile(path) as file:
            seconds = file.frames / file.samplerate
            if not 0 < seconds <= LONGEST_SECONDS or file.channels > MOST_CHANNELS:
                raise UnreadableFile(
                    f"{named}: it has {seconds:.1f} s and {file.channels} channels; name a clip of "
                    f"at most {LONGEST_SECONDS:g} s and {MOST_CHANNELS} channels"
                )
            samples = file.read(dtype="float32", always_2d=True)
            return Waveform(samples, file.samplerate).stereo()
    except (OSError, soundfile.SoundFileError, BadArgument, TypeError) as error:
        raise UnreadableFile(
            f"{named} cannot be read ({error}): name a clip, such as a WAV file"
        ) from error
