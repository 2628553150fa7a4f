"""The screen as rows: what is heard, the piano roll, take and clip, the list, what to do next."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bridge.chroma import note_name
from bridge.daemon.snapshot import GENERATE, Snapshot
from bridge.events import CaptureChanged, ClipReady, Progress
from bridge.screens.sketch.cells import (
    FLOOR_DB,
    Cell,
    Row,
    chroma,
    fitted,
    half_blocks,
    meter,
    progress_bar,
    resampled_classes,
    resampled_peaks,
    waveform,
    width_of,
)
from bridge.screens.sketch.desk import ACTIONS, DISCARDED, KEPT, LAYER, LOOP, Desk
from bridge.screens.sketch.pictures import Picture
from bridge.screens.sketch.roll import Roll

DIM, BOLD = "dim", "bold"
TAKE_STYLE, CLIP_STYLE, NOTE_STYLE = "magenta", "cyan", "cyan"
STATE_STYLES = {
    "ready": "green",
    "busy": "cyan",
    "loading": "yellow",
    "restarting": "yellow",
    "lost": "red",
    "failed": "red",
    "none": "red",
}
LETTERS = "ABCDEFGHIJKLMNOP"
ROLL_ROWS, WAVE_ROWS = 14, 8
"""The most rows of the piano roll and of a waveform: more show nothing new."""
FIXED_ROWS = 7
"""Rows of the header, the input, the settings, the titles, the hint, the message and the footer."""
ROOM_FOR_MESSAGES = 20
"""From this height on, a message may take two rows."""
CHROMA_ROWS, SMALL_CHROMA_ROWS = 6, 3
ROOM_FOR_CHROMA = 14
GUTTER = 4
"""Columns for the names of notes."""
NOTE_NAMES_EVERY = 12


@dataclass(frozen=True)
class Shown:
    """Everything that the screen draws.

    Attributes:
        keys: the keys of each action, by the option's name without `sketch_`.
        problem: why nothing is heard, and what to do; empty: all is well, or not known yet.
        connection: why there is no daemon; empty: there is one.
        picture, melody: of the chosen clip, and of the melody that it follows.
        take: of the newest take.
        seconds: now, on the roll's clock.
    """

    snapshot: Snapshot
    desk: Desk
    roll: Roll
    keys: Mapping[str, Sequence[str]]
    problem: str
    connection: str
    picture: Picture
    melody: Picture
    take: Picture
    seconds: float


def screen_rows(shown: Shown, width: int, height: int) -> list[Row]:
    """The rows of the whole screen, each of that width."""
    message_rows = 2 if height >= ROOM_FOR_MESSAGES else 1
    left = height - FIXED_ROWS - (message_rows - 1)
    chroma_rows = CHROMA_ROWS if left >= ROOM_FOR_CHROMA else SMALL_CHROMA_ROWS
    left = max(left - chroma_rows, 0)
    wave_rows = min(max(left * 4 // 10, 2), WAVE_ROWS)
    roll_rows = min(max(left - wave_rows, 0), ROLL_ROWS)
    rows = [
        _header(shown, width),
        _input(shown, width),
        _settings(shown),
        *_roll(shown, width, roll_rows),
        *_panels(shown, width, wave_rows, chroma_rows),
    ]
    ends = [_hint(shown, width), *_message(shown, width, message_rows), footer(shown, width)]
    blank: list[Row] = [[] for _ in range(max(height - len(rows) - len(ends), 0))]
    return [fitted(row, width) for row in [*rows, *blank, *ends]][:height]


def _header(shown: Shown, width: int) -> Row:
    snapshot = shown.snapshot
    engine = snapshot.engine
    if shown.connection:
        return [Cell(" Melody Bridge  ", BOLD), Cell(shown.connection, "red")]
    clock = snapshot.clock
    if clock is None:
        right = f"{shown.desk.tempo_bpm:g} bpm"
    else:
        right = f"{clock.tempo_bpm:g} bpm  {clock.numerator}/{clock.denominator}  {clock.source}"
        if clock.is_playing and snapshot.beat is not None:
            bar, beat = divmod(snapshot.beat, max(round(shown.roll.beats_per_bar), 1))
            right += f"  ▶ {bar + 1}.{beat + 1}"
        else:
            right += "  ■"
    row = [
        Cell(" Melody Bridge  ", BOLD),
        Cell(engine.state, STATE_STYLES.get(engine.state, "")),
        Cell(f"  {engine.detail}", DIM),
    ]
    room = max(width - len(right) - 2, 0)
    return [*fitted(row, room), Cell(f" {right} ", BOLD, "tap")]


def _input(shown: Shown, width: int) -> Row:
    snapshot = shown.snapshot
    if snapshot.input.state != "ready":
        state = snapshot.input.state
        return [Cell(f" input {state}  ", STATE_STYLES[state]), Cell(snapshot.input.detail)]
    if shown.problem:
        return [Cell(f" {shown.problem}", "yellow")]
    level, pitch = snapshot.level, snapshot.pitch
    name = Cell(f" {snapshot.input.device[: max(width // 3, 8)]}  ")
    right = f"{level.peak_db:5.0f} dB" if level.peak_db > FLOOR_DB else "  silent"
    heard = f"  {note_name(pitch.note):<3} {pitch.cents:+3.0f} ¢" if pitch is not None else " " * 12
    bar = meter(level.peak_db, level.rms_db, max(width - len(name.text) - len(right) - 14, 4))
    return [name, *bar, Cell(f" {right}"), Cell(heard, f"{BOLD} {NOTE_STYLE}")]


def _settings(shown: Shown) -> Row:
    snapshot, desk = shown.snapshot, shown.desk
    defaults = snapshot.defaults
    row = [
        Cell(f" {desk.bars} bars ", "", "more_bars"),
        Cell(" −", DIM, "fewer_bars"),
        Cell(" + ", DIM, "more_bars"),
        Cell("  sound: ", DIM),
        Cell(_sound(shown), "", "prompt"),
    ]
    if desk.has_click:
        row.append(Cell("  click on", "green", "metronome"))
    if defaults.get("tempo_lock"):
        row.append(Cell("  tempo locked", DIM))
    loop = snapshot.loops.get(LOOP)
    if loop is not None:
        frozen = ", frozen" if desk.is_frozen else ""
        row.append(Cell(f"  live loop {loop.sounding}, {loop.coming}{frozen}", "green", "loop"))
    return row


def _sound(shown: Shown) -> str:
    preset = shown.snapshot.defaults.get("preset")
    if preset is not None:
        presets = shown.desk.presets
        number = f"{presets.index(preset) + 1} " if preset in presets else ""
        return f"{number}{preset}"
    prompt = shown.snapshot.defaults.get("prompt")
    return f"“{prompt}”" if prompt else "as the melody is"


def _roll(shown: Shown, width: int, height: int) -> list[Row]:
    """The notes of the last bars, two semitones a row, from half a tone below the lowest."""
    if height <= 0:
        return []
    columns = max(width - GUTTER, 1)
    bars = max(shown.desk.bars, 1)
    notes = shown.roll.notes(shown.seconds, bars, columns)
    lines = shown.roll.bar_lines(shown.seconds, bars, columns)
    lowest = _lowest(notes, 2 * height)
    marks = half_blocks([each - lowest if each >= 0 else -1 for each in notes], height)
    rows: list[Row] = []
    for place, text in enumerate(marks):
        low = lowest + 2 * (height - 1 - place)
        named = next((note for note in (low, low + 1) if note % NOTE_NAMES_EVERY == 0), None)
        name = note_name(named) if named is not None else ""
        cells = "".join(
            mark if mark != " " else "│" if line else " "
            for mark, line in zip(text, lines, strict=True)
        )
        rows.append([Cell(f"{name:>{GUTTER - 1}} ", DIM), *_roll_cells(cells)])
    return rows


def _roll_cells(text: str) -> Row:
    """Notes bright, bar lines dim."""
    row: Row = []
    for character in text:
        style = DIM if character in "│ " else f"{BOLD} {NOTE_STYLE}"
        if row and row[-1].style == style:
            row[-1] = row[-1]._replace(text=row[-1].text + character)
        else:
            row.append(Cell(character, style))
    return row


def _lowest(notes: Sequence[int], room: int) -> int:
    """The note of the lowest line, so that the newest notes are in the picture."""
    sung = [note for note in notes if note >= 0]
    if not sung:
        return 60 - room // 2
    low, high = min(sung), max(sung)
    if high - low >= room:
        # The newest count where there is no room for all.
        return sung[-1] - room // 2
    middle = (low + high + 1) // 2
    # In steps, so that one more note does not move the picture.
    lowest = (middle - room // 2) // 3 * 3
    return min(max(lowest, high - room + 1), low)


def _panels(shown: Shown, width: int, wave_rows: int, chroma_rows: int) -> list[Row]:
    """Take and clip as waveform over chroma, and the list of clips beside them."""
    listed = max(width * 2 // 5, 24)
    each = max((width - listed) // 2 - 2, 4)
    count = 1 + wave_rows + chroma_rows
    size = each, wave_rows, chroma_rows
    melody = shown.melody if len(shown.melody.peaks) else shown.take
    columns = [
        _picture(_take_title(shown), melody, TAKE_STYLE, "record", *size),
        _picture(_clip_title(shown), shown.picture, CLIP_STYLE, "play", *size),
        _clip_rows(shown, count),
    ]
    return [
        [Cell(" "), *fitted(take, each), Cell("  "), *fitted(clip, each), Cell("  "), *entry]
        for take, clip, entry in zip(*columns, strict=True)
    ]


def _picture(
    title: Row, picture: Picture, style: str, action: str, width: int, wave: int, tones: int
) -> list[Row]:
    if not len(picture.peaks):
        return [title, *([] for _ in range(wave + tones))]
    peaks = resampled_peaks(picture.peaks, 2 * width)
    loudest = max(float(peaks.max()), 1e-3)
    rows = waveform(peaks / loudest, wave)
    rows += chroma(resampled_classes(picture.classes, width), tones)
    return [title, *([Cell(row, style, action)] for row in rows)]


def _take_title(shown: Shown) -> Row:
    desk = shown.desk
    if desk.is_recording:
        request = shown.snapshot.requests[desk.take]
        state = request.state
        if isinstance(state, CaptureChanged) and state.state == "recording":
            where = f" bar {state.bar}" if state.bar else f" {state.seconds:.0f} s"
            return [Cell(f"● rec{where}", "bold red", "record")]
        return [Cell("● waits for sound", "red", "record")]
    if desk.take and desk.is_done:
        return [Cell(f"take {desk.take_seconds:.1f} s", TAKE_STYLE, "record")]
    if len(shown.melody.peaks):
        return [Cell("its melody", TAKE_STYLE, "record")]
    return [Cell("no take yet", DIM, "record")]


def _clip_title(shown: Shown) -> Row:
    clip = shown.desk.clip
    if clip is None:
        return [Cell("no clip yet", DIM)]
    playing = "▶ " if shown.desk.is_playing else ""
    return [Cell(f"{playing}{_letter(clip)} {_short(clip)}", CLIP_STYLE, "play")]


def _clip_rows(shown: Shown, count: int) -> list[Row]:
    """The list of clips around the chosen one, each with similarity and mark."""
    clips = shown.desk.clips
    paths = [clip.path for clip in clips]
    place = paths.index(shown.desk.chosen) if shown.desk.chosen in paths else 0
    first = min(max(place - count // 2, 0), max(len(clips) - count, 0))
    rows = [_entry(shown, clip) for clip in clips[first : first + count]]
    return [*rows, *([] for _ in range(count - len(rows)))]


def _entry(shown: Shown, clip: ClipReady) -> Row:
    layer = shown.snapshot.layers.get(LAYER)
    sounds = layer is not None and clip.name in (layer.clip, layer.coming)
    is_chosen = clip.path == shown.desk.chosen
    style = "reverse" if is_chosen else ""
    if clip.mark == DISCARDED:
        style = f"{style} dim strike".strip()
    mark = {KEPT: "★", DISCARDED: "✗"}.get(clip.mark, " ")
    score = f"{clip.score:.2f}" if clip.score >= 0 else "    "
    text = f"{'▶' if sounds else ' '}{_letter(clip)} {score} {mark} {_short(clip)}"
    return [Cell(text, style, f"clip:{clip.path}")]


def _letter(clip: ClipReady) -> str:
    return LETTERS[clip.index] if clip.index < len(LETTERS) else "?"


def _short(clip: ClipReady) -> str:
    """The clip's name without its day."""
    day, _, rest = clip.name.partition(" ")
    return rest if rest and day[:1].isdigit() else clip.name


def _hint(shown: Shown, width: int) -> Row:
    """What is being made, else what to do next."""
    states = [each.state for each in shown.snapshot.requests.values() if each.kind == GENERATE]
    for state in states:
        if isinstance(state, Progress) and state.fraction:
            left = f"{state.eta_seconds:.0f} s left" if state.eta_seconds >= 0 else ""
            bar = progress_bar(state.fraction, max(min(width - 34, 60), 4))
            return [Cell(f" making clips {bar} {state.fraction:4.0%}  {left}", "cyan")]
    if states:
        waiting = f", {shown.snapshot.waiting} waiting" if shown.snapshot.waiting else ""
        return [Cell(f" the clips come next{waiting}", "cyan")]
    return [Cell(f" {_next_step(shown)}")]


def _next_step(shown: Shown) -> str:
    desk = shown.desk
    keys = {action: _keys(shown, action) for action in ACTIONS}
    if desk.is_recording:
        return f"hum; {keys['record']} ends the recording, {keys['generate']} makes clips of it"
    if desk.take and desk.is_done and not desk.is_followed:
        return f"{keys['generate']} makes clips that follow the take, {keys['play']} plays them"
    clip = desk.clip
    if clip is None and shown.problem:
        return shown.problem
    if clip is None:
        return (
            f"hum a melody, then press {keys['last']}: it takes the last {desk.bars} bars. "
            f"Or {keys['record']} records"
        )
    if clip.mark == KEPT:
        folder = Path(clip.path).parent
        return f"kept in {folder}: {keys['copy']} copies the path, {keys['open']} opens it"
    return f"{keys['play']} plays, {keys['next']} is the next one, {keys['keep']} keeps it"


def _message(shown: Shown, width: int, height: int) -> list[Row]:
    said = shown.desk.said
    lines = textwrap.wrap(
        said.text, max(width - 2, 8), max_lines=height, placeholder=" …", break_on_hyphens=False
    )
    style = "red" if said.is_error else "yellow"
    return [[Cell(f" {line}", style)] for line in [*lines, *[""] * height][:height]]


FOOTER = (
    *("record", "last", "generate", "play", "next", "keep", "discard", "help", "quit"),
    *("metronome", "loop", "panic"),
)
"""Actions of the footer, the most needed first."""


def footer(shown: Shown, width: int) -> Row:
    """The keys that fit."""
    row: Row = []
    for action in FOOTER:
        label, _ = ACTIONS[action]
        cells = [Cell(f" {_keys(shown, action)}", BOLD, action), Cell(f" {label} ", DIM, action)]
        if width_of([*row, *cells]) <= width:
            row += cells
    return row


def help_rows(shown: Shown, width: int, height: int) -> list[Row]:
    """All keys in two columns, and the presets that the numbers choose."""
    each = width // 2
    entries: list[Row] = [
        [Cell(f" {_keys(shown, action):>9}", BOLD, action), Cell(f"  {label}", "", action)]
        for action, (_, label) in ACTIONS.items()
    ]
    half = (len(entries) + 1) // 2
    rows: list[Row] = [[Cell(f" All keys; {shown.keys['help'][0]} or escape leaves", BOLD)]]
    rows += [
        [*fitted(left, each), *right]
        for left, right in zip(entries[:half], [*entries[half:], []], strict=False)
    ]
    names = [
        f"{key} {name}"
        for key, name in zip(shown.keys["presets"], shown.desk.presets, strict=False)
    ]
    for start in range(0, len(names), 3):
        line = "".join(f"{name:<{max(width // 3 - 1, 1)}}" for name in names[start : start + 3])
        rows.append([Cell(f" {line}", DIM)])
    blank: list[Row] = [[] for _ in range(height)]
    return [fitted(row, width) for row in [*rows, *blank]][:height]


def _keys(shown: Shown, action: str) -> str:
    keys = shown.keys[action]
    return keys[0] if len(keys) < 3 else f"{keys[0]}–{keys[-1]}"
