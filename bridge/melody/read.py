"""Reading a melody file, audio or MIDI, into a take. Every faulty file gets a one-line error."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

from bridge.errors import BadArgument, SilentMelody, UnreadableFile
from bridge.melody.audio_file import read_audio
from bridge.melody.file_name import shown_name
from bridge.melody.notes import take_from_midi
from bridge.melody.silence import sounding_seconds
from bridge.timing import Meter, Take

MIDI_SUFFIXES = (".mid", ".midi", ".kar", ".rmi")


def read_melody(
    path: str | os.PathLike[str],
    *,
    tempo_bpm: Fraction | None = None,
    meter: Meter | None = None,
    track: str | None = None,
) -> Take:
    """Read a melody: any audio that libsndfile or ffmpeg reads, or the notes of a MIDI file.

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
            f"track {track!r}: {shown_name(file)} is audio, and only MIDI has tracks; leave it out"
        )
    waveform = read_audio(file)
    if not len(sounding_seconds(waveform)):
        raise SilentMelody(
            f"melody {str(file)!r} is silent: check the microphone and its permission, "
            "and record it again"
        )
    return Take(waveform, tempo_bpm, meter, name=shown_name(file))


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
