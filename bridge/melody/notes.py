"""The take of a MIDI file: notes, tempo and meter, and which of its tracks leads."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from heapq import heappop, heappush
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from bridge.errors import BadArgument, SilentMelody, UnreadableFile
from bridge.melody.file_name import shown_name
from bridge.melody.midi_file import (
    InvalidMidi,
    MetaEvent,
    MidiFile,
    MidiTrack,
    NoteEvent,
    parse_midi,
)
from bridge.timing import (
    MAX_TEMPO_BPM,
    MIN_TEMPO_BPM,
    PERCUSSION_CHANNEL,
    Meter,
    Note,
    Take,
    TempoMap,
    shortest_tempo,
)

DEFAULT_TEMPO_MICROSECONDS = 500_000
"""A quarter note at 120 bpm: the MIDI file format's default."""

_TRACK_NAME, _INSTRUMENT_NAME, _TEMPO, _METER = 0x03, 0x04, 0x51, 0x58
_MAX_BYTES = 4 * 1024 * 1024
_MAX_BEATS = 100_000
_NAME_CHARACTERS = 40
_SHOWN_PARTS = 16


def take_from_midi(
    path: str | os.PathLike[str],
    *,
    tempo_bpm: Fraction | None = None,
    meter: Meter | None = None,
    track: str | None = None,
) -> Take:
    """Read the notes of a MIDI file, without percussion.

    The end-of-track events end the melody, so a rest at its end is kept. A first bar that is
    shorter than the next is a pickup: the first bar line comes after it.

    Args:
        path: the file.
        tempo_bpm: the tempo; None: the file's at its first bar line, 20…999 bpm, 120 if it has
            none until there.
        meter: the meter; None: the file's at its first bar line, 4/4 if it has none until there,
            or one that Live does not know.
        track: name or number of the track that is the melody; None: all tracks.

    Returns:
        The notes, ordered by start, chords kept. Tempo changes do not change the notes' beats.

    Raises:
        UnreadableFile: not a MIDI file of format 0 or 1, or damaged beyond reading.
        SilentMelody: it has no pitched note.
        BadArgument: no track of that name or number has notes, or several fit the name.
    """
    file = _open(Path(path))
    name = shown_name(Path(path))
    parts = _parts(file)
    if not parts:
        raise SilentMelody(f"melody {str(path)!r} has no notes (drums on channel 10 do not count)")
    chosen = parts if track is None else [_chosen(parts, track, name)]
    beat = Fraction(1, file.ticks_per_beat)
    spans = sorted(span for part in chosen for span in part.spans)
    last_tick = max(span.end for span in spans)
    if last_tick * beat > _MAX_BEATS:
        raise UnreadableFile(
            f"melody {str(path)!r} is more than {_MAX_BEATS} beats long: "
            "it is damaged, export it again"
        )
    end_tick = max(last_tick, *(part.end_tick for part in chosen))
    metas = sorted(
        (meta for each in file.tracks for meta in each.metas), key=lambda meta: meta.tick
    )
    pickup_tick, own_meter = _first_bar(metas, file.ticks_per_beat)
    # A pickup that holds the last note, too, would leave nothing.
    pickup_tick = pickup_tick if spans[-1].start >= pickup_tick else 0
    tempos = _tempos(metas)
    own_microseconds = next(each for tick, each in reversed(tempos) if tick <= pickup_tick)
    changes = tuple((tick * beat, _beat_seconds(each)) for tick, each in tempos)
    return Take(
        source=tuple(
            Note(span.start * beat, (span.end - span.start) * beat, span.pitch, span.velocity)
            for span in spans
        ),
        tempo_bpm=tempo_bpm or shortest_tempo(60 / _beat_seconds(own_microseconds)),
        meter=meter or own_meter,
        name=name,
        # An end-of-track event beyond all measure is damage, and the notes are not.
        length_beats=end_tick * beat if end_tick * beat <= _MAX_BEATS else None,
        pickup_beats=pickup_tick * beat,
        tempo_map=TempoMap(changes) if tempo_bpm is None and len(changes) > 1 else None,
        remarks=(*_pickup_remark(pickup_tick * beat), *_lead_remark(chosen)),
    )


def _open(path: Path) -> MidiFile:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise UnreadableFile(
                f"melody {str(path)!r} has more than {_MAX_BYTES // 1024**2} MiB of MIDI: "
                "export the melody's track alone"
            )
        return parse_midi(path.read_bytes())
    except InvalidMidi as error:
        raise UnreadableFile(
            f"melody {str(path)!r} is no MIDI file that can be read ({error}): export the melody's "
            "track alone, as format 0 or 1 in ticks per quarter note"
        ) from error
    except (OSError, ValueError) as error:
        raise UnreadableFile(f"melody {str(path)!r} cannot be opened: check the path") from error


class _Span(NamedTuple):
    """A note in ticks; sorted by start, then by pitch."""

    start: int
    pitch: int
    end: int
    velocity: int


@dataclass(frozen=True)
class _Part:
    """A track with pitched notes, or a channel where only one track has them.

    Attributes:
        number: as `track` may name it, from 1.
        name: the track's name; empty where it has none.
        end_tick: where its track ends.
    """

    number: int
    name: str
    spans: Sequence[_Span]
    end_tick: int

    def __str__(self) -> str:
        return f"{self.number} {self.name!r}" if self.name else str(self.number)


def _parts(file: MidiFile) -> list[_Part]:
    """The parts with notes; tracks count from 1 without those that have none, as DAWs do."""
    by_track = [(track, _spans(track)) for track in file.tracks]
    sounding = [(track, spans) for track, spans in by_track if spans]
    if len(sounding) != 1:
        return [
            _Part(number, _name(track), [span for _, span in spans], track.end_tick)
            for number, (track, spans) in enumerate(sounding, start=1)
        ]
    ((track, spans),) = sounding
    channels = groupby(sorted(spans), key=lambda item: item[0])
    groups = [(channel, [span for _, span in items]) for channel, items in channels]
    if len(groups) == 1:
        return [_Part(1, _name(track), groups[0][1], track.end_tick)]
    return [
        _Part(channel + 1, f"channel {channel + 1}", each, track.end_tick)
        for channel, each in groups
    ]


def _name(track: MidiTrack) -> str:
    for kind in (_TRACK_NAME, _INSTRUMENT_NAME):
        for meta in track.metas:
            if meta.kind == kind:
                try:
                    text = meta.content.decode("utf-8")
                except UnicodeDecodeError:
                    text = meta.content.decode("latin-1")
                printable = "".join(each if each.isprintable() else " " for each in text)
                if printable.strip():
                    return " ".join(printable.split())[:_NAME_CHARACTERS].rstrip()
    return ""


def _spans(track: MidiTrack) -> list[tuple[int, _Span]]:
    """The channel and span of each pitched note of a track, those of no length left out."""
    events: dict[tuple[int, int], list[NoteEvent]] = {}
    for event in track.notes:
        if event.channel != PERCUSSION_CHANNEL:
            events.setdefault((event.channel, event.pitch), []).append(event)
    return [
        (channel, _Span(start.tick, pitch, end, start.velocity))
        for (channel, pitch), each in events.items()
        for start, end in _notes_of_key(each, track.end_tick)
        if end > start.tick
    ]


def _notes_of_key(events: Iterable[NoteEvent], end_tick: int) -> Iterator[tuple[NoteEvent, int]]:
    """Start and end of the notes of one pitch and channel: the first that began ends first."""
    open_notes: deque[NoteEvent] = deque()
    run: list[NoteEvent] = []
    paired: list[tuple[NoteEvent, int]] = []
    for event in events:
        if event.velocity:
            open_notes.append(event)
        elif not open_notes:
            continue
        else:
            paired.append((open_notes.popleft(), event.tick))
        run.append(event)
        if not open_notes:
            yield from paired
            run, paired = [], []
    # More begin than end: then a note ends where the next begins, and the last with the track.
    start: NoteEvent | None = None
    for event in run:
        if start is not None:
            yield start, event.tick
        start = event if event.velocity else None
    if start is not None:
        yield start, end_tick


def _chosen(parts: Sequence[_Part], track: str, file_name: str) -> _Part:
    wanted = track.strip().casefold()
    for fits in (
        [part for part in parts if part.name.casefold() == wanted],
        [part for part in parts if str(part.number) == wanted],
        [part for part in parts if wanted in part.name.casefold()],
    ):
        if len(fits) == 1:
            return fits[0]
        if fits:
            raise BadArgument(
                f"track {track!r} fits several tracks of {file_name}: choose by number, "
                f"{_listed(fits)}"
            )
    raise BadArgument(
        f"track {track!r}: {file_name} has no such track with notes; choose {_listed(parts)}"
    )


def _listed(parts: Sequence[_Part]) -> str:
    shown = ", ".join(map(str, parts[:_SHOWN_PARTS]))
    return f"{shown} …" if len(parts) > _SHOWN_PARTS else shown


def _lead_remark(parts: Sequence[_Part]) -> tuple[str, ...]:
    if len(parts) < 2:
        return ()
    leads = _lead_ticks(parts)
    most = max(range(len(parts)), key=leads.__getitem__)
    return (
        f"The highest note is {leads[most] / sum(leads):.0%} of the time that of track "
        f"{parts[most]}; choose a track with --track (OSC: track): {_listed(parts)}.",
    )


def _lead_ticks(parts: Sequence[_Part]) -> list[int]:
    """How many ticks each part has the highest note."""
    spans = sorted((*span[:3], index) for index, part in enumerate(parts) for span in part.spans)
    leads = [0] * len(parts)
    sounding: list[tuple[int, int, int]] = []
    now = 0
    for start, pitch, end, index in (*spans, (spans[-1][0] + _MAX_BEATS * 0x8000, 0, 0, 0)):
        while sounding and now < start:
            _, until, leader = sounding[0]
            if until <= now:
                heappop(sounding)
                continue
            leads[leader] += min(until, start) - now
            now = min(until, start)
        now = start
        heappush(sounding, (-pitch, end, index))
    return leads


def _first_bar(metas: Iterable[MetaEvent], ticks_per_beat: int) -> tuple[int, Meter]:
    """The tick of the first bar line after a pickup (0 without one), and the meter there."""
    by_tick = {meta.tick: meta.content for meta in metas if _is_meter(meta)}
    first = by_tick.get(0)
    if first is None:
        return 0, Meter()
    following = min((tick for tick in by_tick if tick > 0), default=None)
    if following is not None:
        bar_ticks = _bar_beats(first) * ticks_per_beat
        if following == bar_ticks and _bar_beats(first) < _bar_beats(by_tick[following]):
            return following, _meter(by_tick[following])
    return 0, _meter(first)


def _is_meter(meta: MetaEvent) -> bool:
    return meta.kind == _METER and len(meta.content) >= 2 and meta.content[1] < 8


def _bar_beats(content: bytes) -> Fraction:
    return Fraction(4 * content[0], 2 ** content[1])


def _meter(content: bytes) -> Meter:
    try:
        return Meter(content[0], 2 ** content[1])
    except BadArgument:
        return Meter()


def _pickup_remark(beats: Fraction) -> tuple[str, ...]:
    if not beats:
        return ()
    count = f"{float(beats):g} beat" + ("" if beats == 1 else "s")
    return (f"The pickup of {count} before the first bar line is left out.",)


def _tempos(metas: Iterable[MetaEvent]) -> list[tuple[int, int]]:
    """Ticks and microseconds per quarter note from there on, from tick 0 on."""
    by_tick = {0: DEFAULT_TEMPO_MICROSECONDS}
    for meta in metas:
        if meta.kind == _TEMPO and len(meta.content) >= 3:
            by_tick[meta.tick] = int.from_bytes(meta.content[:3], "big")
    tempos = sorted(by_tick.items())
    return [
        each for index, each in enumerate(tempos) if not index or each[1] != tempos[index - 1][1]
    ]


def _beat_seconds(microseconds: int) -> Fraction:
    """Seconds of a quarter note; a tempo out of Live's range becomes the nearest one in it."""
    exact = Fraction(microseconds, 1_000_000)
    return min(max(exact, Fraction(60, MAX_TEMPO_BPM)), Fraction(60, MIN_TEMPO_BPM))
