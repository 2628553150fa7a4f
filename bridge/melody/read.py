"""Reading a melody file, audio or MIDI, into a take. Every faulty file gets a one-line error."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import soundfile

from bridge.audio import Waveform
from bridge.errors import BadArgument, SilentMelody, UnreadableFile
from bridge.melody.notes import take_from_midi
from bridge.melody.silence import sounding_seconds
from bridge.timing import Meter, Take

MAX_MELODY_SECONDS = 600
"""As long as the longest clip: enough for a whole song, while an hour is the wrong file."""
MIDI_SUFFIXES = (".mid", ".midi", ".kar", ".rmi")

_SAMPLE_RATES = range(1_000, 1_000_001)
_MAX_CHANNELS = 64


def read_melody(
    path: str | os.PathLike[str],
    *,
    tempo_bpm: Fraction | None = None,
    meter: Meter | None = None,
    track: str | None = None,
) -> Take:
    """Read a melody: any audio that soundfile reads, or the notes of a MIDI file.

    Args:
        path: the file.
        tempo_bpm: the melody's own tempo; None takes a MIDI file's tempo, and leaves that of audio
            unknown.
        meter: likewise.
        track: name or number of a MIDI file's track; None: all.

    Raises:
        BadArgument: the file has no such track, or is audio.
        UnreadableFile: the file does not exist, has another format, is damaged, or is longer than
            ten minutes.
        SilentMelody: nothing sounds in it.
    """
    file = Path(path)
    _require_content(file)
    if file.suffix.lower() in MIDI_SUFFIXES:
        return take_from_midi(file, tempo_bpm=tempo_bpm, meter=meter, track=track)
    if track is not None:
        raise BadArgument(
            f"track {track!r}: {file.name} is audio, and only MIDI has tracks; leave it out"
        )
    waveform = _read_audio(file)
    if not len(sounding_seconds(waveform)):
        raise SilentMelody(
            f"melody {str(file)!r} is silent: check the microphone and its permission, "
            "and record it again"
        )
    return Take(waveform, tempo_bpm, meter, name=file.name)


def _require_content(file: Path) -> None:
    try:
        if file.is_dir():
            raise UnreadableFile(f"melody {str(file)!r} is a folder: name an audio or MIDI file")
        if not file.exists():
            raise UnreadableFile(f"melody {str(file)!r}: there is no such file; check the path")
        if not file.is_file():
            raise UnreadableFile(f"melody {str(file)!r} is a device or a pipe: name a file")
        if file.stat().st_size == 0:
            raise UnreadableFile(f"melody {str(file)!r} is empty (0 bytes): export it again")
        with file.open("rb"):
            pass
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UnreadableFile(
            f"melody {str(file)!r} cannot be opened ({reason}): check the path and its permissions"
        ) from error


def _read_audio(file: Path) -> Waveform:
    try:
        with soundfile.SoundFile(file) as audio:
            _require_usable(file, audio)
            samples = audio.read(dtype="float32", always_2d=True)
            sample_rate = int(audio.samplerate)
    # TypeError: a .raw file has no header with its rate and channels.
    except (soundfile.LibsndfileError, TypeError) as error:
        raise UnreadableFile(
            f"melody {str(file)!r} is not audio that can be read: export it as WAV, FLAC or MIDI"
        ) from error
    if not len(samples):
        raise UnreadableFile(f"melody {str(file)!r} holds no audio: export it again")
    if not np.isfinite(samples).all():
        raise UnreadableFile(f"melody {str(file)!r} holds NaN or infinite samples: export it again")
    return Waveform(samples, sample_rate)


def _require_usable(file: Path, audio: soundfile.SoundFile) -> None:
    """Refuse, before it is read, audio that does not fit in memory or cannot be resampled."""
    if audio.samplerate not in _SAMPLE_RATES or audio.channels > _MAX_CHANNELS:
        raise UnreadableFile(
            f"melody {str(file)!r} has {audio.channels} channels at {audio.samplerate} Hz: "
            "export it in stereo at 44100 Hz"
        )
    seconds = audio.frames / audio.samplerate
    if seconds > MAX_MELODY_SECONDS:
        raise UnreadableFile(
            f"melody {str(file)!r} is {seconds / 60:.0f} minutes long: "
            f"cut out the part that is meant, {MAX_MELODY_SECONDS // 60} minutes at most"
        )
