"""The tolerant reader of MIDI files: what is damaged costs no more than itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bridge.melody.midi_file import InvalidMidi, parse_midi

CASES = Path(__file__).parents[1] / "cases"
HEADER = b"MThd\0\0\0\6\0\1\0\1\1\xe0"
ON, OFF = b"\0\x90\x3c\x5a", b"\x60\x80\x3c\0"
END = b"\0\xff\x2f\0"


def file_of(*tracks: bytes) -> bytes:
    return HEADER + b"".join(b"MTrk" + len(each).to_bytes(4, "big") + each for each in tracks)


def pitches(content: bytes) -> list[int]:
    return [note.pitch for track in parse_midi(content).tracks for note in track.notes]


def test_running_status_goes_on_after_a_meta_event_and_an_exclusive_message() -> None:
    track = ON + b"\0\xff\x01\x02hi" + b"\x60\x3c\0" + b"\0\xf0\x01\xf7" + b"\0\x40\x5a" + END
    assert pitches(file_of(track)) == [60, 60, 64]


def test_a_file_that_is_cut_off_gives_what_is_there() -> None:
    content = file_of(ON + OFF + ON + OFF + END)
    assert pitches(content[:-7]) == [60, 60, 60]


def test_a_wrong_length_does_not_hide_the_next_track() -> None:
    first, second = ON + OFF + END, b"\0\x90\x40\x5a\x60\x80\x40\0" + END
    content = bytearray(file_of(first, second))
    for length in (0, 3, 1000, 2**32 - 1):
        content[18:22] = length.to_bytes(4, "big")
        assert pitches(bytes(content))[-2:] == [64, 64]


@pytest.mark.parametrize(
    ("content", "because"),
    [
        (b"", "no MIDI header"),
        (b"MThd\0\0", "no MIDI header"),
        (HEADER.replace(b"\0\1\0\1", b"\0\2\0\1"), "format 2"),
        (HEADER[:-2] + b"\xe7\x28", "SMPTE"),
        (HEADER[:-2] + b"\0\0", "SMPTE"),
        (file_of(*[END] * 200_000), "200000 events"),
    ],
)
def test_what_is_no_common_midi_file_is_refused_by_name(content: bytes, because: str) -> None:
    with pytest.raises(InvalidMidi, match=because):
        parse_midi(content)


def test_damaged_files_raise_nothing_else() -> None:
    random = np.random.default_rng(1)
    whole = [file.read_bytes() for file in sorted(CASES.glob("*.mid"))]
    for _ in range(3000):
        content = bytearray(whole[random.integers(len(whole))])
        for position in random.integers(0, len(content), random.integers(1, 6)):
            content[position] = random.integers(256)
        try:
            file = parse_midi(bytes(content))
        except InvalidMidi:
            continue
        assert all(
            note.tick >= 0 and note.pitch < 128 for each in file.tracks for note in each.notes
        )
