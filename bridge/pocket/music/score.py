"""Composition: key, meter, chords, a melody and its accompaniment from a seed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from bridge.audio import MODEL_SAMPLE_RATE
from bridge.timing import Meter

KEY_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")

SCALES = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
}

PROGRESSIONS = {
    "major": ((0, 4, 5, 3), (0, 5, 3, 4), (0, 3, 4, 0), (0, 0, 3, 4), (5, 3, 0, 4), (1, 4, 0, 5)),
    "minor": ((0, 5, 2, 6), (0, 3, 5, 4), (0, 6, 5, 6), (0, 0, 5, 6), (0, 3, 6, 2)),
    "dorian": ((0, 3, 0, 3), (0, 1, 3, 0), (0, 6, 3, 0)),
    "mixolydian": ((0, 6, 3, 0), (0, 6, 0, 6), (0, 3, 6, 0)),
}
"""Scale degrees (0 is the tonic's triad) of each bar, by mode."""

MELODY_RHYTHMS = {
    4: (
        (1, 1, 1, 1), (2, 1, 1), (1, 1, 2), (2, 2), (1, 0.5, 0.5, 1, 1), (1.5, 0.5, 1, 1),
        (1, 0.5, 0.5, 2), (0.5, 0.5, 1, 1, 1), (3, 1), (4,), (1.5, 1.5, 1), (0.5, 0.5, 0.5, 0.5, 2),
        (1, 1, 0.5, 0.5, 1), (1, 2, 1),
    ),
    3: ((1, 1, 1), (2, 1), (1, 2), (3,), (1, 0.5, 0.5, 1), (1.5, 0.5, 1), (0.5, 0.5, 1, 1)),
}  # fmt: skip
"""Note lengths in beats that fill a bar, by beats in the bar."""

LEADS = (
    "piano", "electric piano", "organ", "strings", "synth lead", "pluck", "guitar", "bells",
    "marimba", "flute", "voice", "brass",
)  # fmt: skip
CHORD_VOICES = ("pad", "strings", "organ", "electric piano", "guitar", "piano")
BASSES = ("bass", "sub bass")
KITS = ("drums", "electronic drums", "lo-fi drums", "brushed drums")
NO_DRUMS = "no drums"

STEP_FRAMES = 640
"""Frames at 32 kHz of a codec step, 20 ms."""
STEPS_A_MINUTE = 60 * MODEL_SAMPLE_RATE // STEP_FRAMES
LOOP_SHARE = 0.4
"""Share of the pieces that repeat a few bars."""
SHORTEST_MELODY_NOTE_SECONDS = 0.24
"""A chroma window is half a second long: shorter notes do not show in it."""


Row = tuple[float, float, int, float]
"""A written note: start and length in beats, MIDI pitch, velocity 0…1."""


@dataclass(frozen=True, eq=False)
class Part:
    """The notes of one voice.

    Attributes:
        voice: the voice's name, a word of the prompt.
        starts_beats: float64 `[notes]`, quarter notes from the first bar line.
        lengths_beats: float64 `[notes]`.
        pitches: int64 `[notes]`, MIDI note numbers.
        velocities: float64 `[notes]`, 0…1.
    """

    voice: str
    starts_beats: NDArray[np.float64]
    lengths_beats: NDArray[np.float64]
    pitches: NDArray[np.int64]
    velocities: NDArray[np.float64]

    @classmethod
    def of(cls, voice: str, notes: list[Row]) -> Part:
        """Gather a voice's notes."""
        rows = np.asarray(notes, dtype=np.float64).reshape(-1, 4)
        return cls(voice, rows[:, 0], rows[:, 1], rows[:, 2].astype(np.int64), rows[:, 3])

    def repeated(self, times: int, length_beats: float, until_beats: float) -> Part:
        """Repeat the part every `length_beats`, without notes that start after `until_beats`."""
        starts = (self.starts_beats + length_beats * np.arange(times)[:, None]).ravel()
        kept = starts < until_beats
        return Part(
            self.voice,
            starts[kept],
            np.tile(self.lengths_beats, times)[kept],
            np.tile(self.pitches, times)[kept],
            np.tile(self.velocities, times)[kept],
        )


@dataclass(frozen=True, eq=False)
class Score:
    """A whole piece.

    Attributes:
        seconds: its length; it ends on a bar line or is cut there.
        tempo_bpm: beats a minute.
        meter: 4/4 or 3/4.
        key: such as `A minor`.
        lead: the melody.
        backing: chords and bass.
        kit: the drum kit's name, or None.
        drum_density: 0…1, density of the drum pattern.
        mood: a word for the sound as a whole, or empty.
        prompt: a listener's description.
    """

    seconds: float
    tempo_bpm: int
    meter: Meter
    key: str
    lead: Part
    backing: tuple[Part, ...]
    kit: str | None
    drum_density: float
    mood: str
    prompt: str


def onset_frame(beats: float, tempo_bpm: float) -> int:
    """Start frame at 32 kHz of a note or hit written at a beat: the first frame of a codec step.

    It is at most 10 ms early or late, less than a drummer. The same hit then always has the same
    codes, wherever it is in a piece, so that a small model can learn to play it.
    """
    return STEP_FRAMES * round(beats * STEPS_A_MINUTE / tempo_bpm)


def compose(rng: Generator, *, seconds: float) -> Score:
    """Write a piece that ends on a bar line.

    Args:
        rng: source of all random choices.
        seconds: the greatest length, at least one bar at 70 bpm.
    """
    meter = Meter(4, 4) if rng.random() < 0.75 else Meter(3, 4)
    beats = int(meter.beats_per_bar)
    tempo_bpm = int(rng.integers(70, 171))
    bars = max(1, int(seconds * tempo_bpm / 60 / beats))
    mode = str(rng.choice(list(SCALES), p=(0.4, 0.4, 0.1, 0.1)))
    tonic = int(rng.integers(12))
    # Users mostly ask for loops: their chroma repeats, and so does their sound.
    unit_bars = min(bars, int(rng.choice((2, 4, 4, 8)))) if rng.random() < LOOP_SHARE else bars
    chords = _chords(rng, mode, unit_bars)
    lead = _melody(rng, mode, tonic, chords, beats, tempo_bpm)
    kit = str(rng.choice(KITS)) if rng.random() < 0.65 else None
    backing = tuple(_backing(rng, mode, tonic, chords, beats, lead.voice))
    times = -(-bars // unit_bars)
    lead = lead.repeated(times, unit_bars * beats, bars * beats)
    backing = tuple(part.repeated(times, unit_bars * beats, bars * beats) for part in backing)
    mood = _mood(rng, kit, tempo_bpm, meter)
    quality = "minor" if mode in ("minor", "dorian") else "major"
    key = f"{KEY_NAMES[tonic]} {quality}"
    return Score(
        seconds=bars * beats * 60 / tempo_bpm,
        tempo_bpm=tempo_bpm,
        meter=meter,
        key=key,
        lead=lead,
        backing=backing,
        kit=kit,
        drum_density=float(rng.random()),
        mood=mood,
        prompt=_prompt(rng, lead.voice, backing, kit, mood, tempo_bpm, key),
    )


def with_other_drums(score: Score, rng: Generator) -> Score:
    """The same piece without its drums, or with any kit if it has none; the prompt says so."""
    if score.kit is not None:
        kit, old, new = None, score.kit, NO_DRUMS
    else:
        kit = new = str(rng.choice(KITS))
        old = NO_DRUMS
    phrases = score.prompt.split(", ")
    if old in phrases:
        phrases[phrases.index(old)] = new
    else:
        phrases.insert(1, new)
    return replace(score, kit=kit, prompt=", ".join(phrases))


def _chords(rng: Generator, mode: str, bars: int) -> list[int]:
    patterns = PROGRESSIONS[mode]
    first = patterns[rng.integers(len(patterns))]
    second = patterns[rng.integers(len(patterns))]
    return [(first if (bar // 8) % 2 == 0 else second)[bar % 4] for bar in range(bars)]


def _degree_pitch(mode: str, tonic: int, degree: int) -> int:
    scale = SCALES[mode]
    return tonic + 12 * (degree // 7) + scale[degree % 7]


def _melody(
    rng: Generator, mode: str, tonic: int, chords: list[int], beats: int, tempo_bpm: int
) -> Part:
    """Scale steps towards chord tones on the strong beats, in phrases that return.

    One piece in four wanders instead, chromatic and leaping. There a model that relies on what
    melodies usually do is wrong, so it has to read the chroma.
    """
    voice = str(rng.choice(LEADS))
    wander = rng.random() < 0.25
    fast = 60 / tempo_bpm * 0.5 >= SHORTEST_MELODY_NOTE_SECONDS
    rhythms = [
        r
        for r in MELODY_RHYTHMS[beats]
        if fast or min(r) * 60 / tempo_bpm >= SHORTEST_MELODY_NOTE_SECONDS
    ]
    palette = [rhythms[i] for i in rng.integers(len(rhythms), size=3)]
    low = int(rng.integers(55, 66)) - tonic
    floor_degree = next(d for d in range(70) if _degree_pitch(mode, tonic, d) >= low + tonic)
    degree = floor_degree + int(rng.integers(2, 8))
    pitch = int(rng.integers(60, 78))
    phrase_bars = int(rng.choice((2, 4)))
    rest_chance = rng.random() * 0.15
    notes: list[Row] = []
    phrases: dict[int, list[Row]] = {}
    for bar, chord in enumerate(chords):
        slot = bar % (2 * phrase_bars)
        repeated = phrases.get(slot)
        if repeated is not None and not wander and rng.random() < 0.5:
            notes += _later(repeated, bar * beats)
            continue
        start = 0.0
        row: list[Row] = []
        for length in palette[int(rng.integers(3))]:
            if wander:
                pitch += int(rng.integers(-7, 8))
                pitch = pitch - 12 if pitch > 81 else pitch + 12 if pitch < 55 else pitch
            else:
                degree += int(
                    rng.choice(
                        (-3, -2, -1, 0, 1, 2, 3), p=(0.06, 0.12, 0.25, 0.14, 0.25, 0.12, 0.06)
                    )
                )
                degree = min(max(degree, floor_degree), floor_degree + 11)
                if start in (0.0, 2.0) and rng.random() < 0.7:
                    degree = min(
                        range(floor_degree, floor_degree + 12),
                        key=lambda d: abs(d - degree) + (0 if (d - chord) % 7 in (0, 2, 4) else 50),
                    )
                pitch = _degree_pitch(mode, tonic, degree)
            if rng.random() >= rest_chance:
                gate = length * rng.uniform(0.85, 1.0)
                row.append((start, gate, pitch, float(rng.uniform(0.75, 1.0))))
            start += length
        phrases[slot] = row
        notes += _later(row, bar * beats)
    return Part.of(voice, notes)


def _later(rows: list[Row], beats: int) -> list[Row]:
    return [(start + beats, length, pitch, level) for start, length, pitch, level in rows]


def _backing(
    rng: Generator, mode: str, tonic: int, chords: list[int], beats: int, lead: str
) -> list[Part]:
    parts = []
    if rng.random() < 0.8:
        voice = str(rng.choice([v for v in CHORD_VOICES if v != lead]))
        pulses = (
            (float(beats),) if voice in ("pad", "strings", "organ") else (beats / 2, 1.0, beats)
        )
        pulse = float(pulses[int(rng.integers(len(pulses)))])
        rows = []
        for bar, chord in enumerate(chords):
            tones = [_degree_pitch(mode, tonic, chord + step) % 12 + 48 for step in (0, 2, 4)]
            for hit in np.arange(0, beats, pulse):
                rows += [
                    (bar * beats + hit, pulse * 0.95, pitch, rng.uniform(0.6, 0.9))
                    for pitch in tones
                ]
        parts.append(Part.of(voice, rows))
    if rng.random() < 0.75:
        pattern = int(rng.integers(3))
        rows = []
        for bar, chord in enumerate(chords):
            root = (_degree_pitch(mode, tonic, chord) - 4) % 12 + 28
            hits = ((0.0,), (0.0, beats // 2), tuple(range(beats)))[pattern]
            for index, hit in enumerate(hits):
                end = hits[index + 1] if index + 1 < len(hits) else beats
                rows.append((bar * beats + hit, (end - hit) * 0.9, root, rng.uniform(0.8, 1.0)))
        parts.append(Part.of(str(rng.choice(BASSES)), rows))
    return parts


def _prompt(
    rng: Generator,
    lead: str,
    backing: tuple[Part, ...],
    kit: str | None,
    mood: str,
    tempo_bpm: int,
    key: str,
) -> str:
    """A listener's description: the lead first, then some or all of the rest in any order."""
    others = [part.voice for part in backing]
    others += [kit] if kit else [NO_DRUMS] if rng.random() < 0.75 else []
    if rng.random() < 0.25:
        others = [word for word in others if rng.random() < 0.6 or "drums" in word]
    rng.shuffle(others)
    tail = [f"{tempo_bpm} bpm"] if rng.random() < 0.9 else []
    tail += [key] if rng.random() < 0.6 else []
    words = [lead, *others]
    where = int(rng.integers(2))
    if mood and where == 0:
        words[0] = f"{mood} {words[0]}"
    elif mood:
        words.append(mood)
    return ", ".join([*words, *tail])


def _mood(rng: Generator, kit: str | None, tempo_bpm: int, meter: Meter) -> str:
    """A word that fits the arrangement; empty in a third of the pieces."""
    if rng.random() < 0.33:
        return ""
    if meter.numerator == 3 and rng.random() < 0.5:
        return "waltz"
    moods: tuple[str, ...]
    if kit is None:
        moods = ("warm", "dreamy", "ambient", "soft", "sparse", "cinematic", "folk")
    elif kit == "lo-fi drums":
        moods = ("lo-fi", "warm", "hip hop", "soft")
    elif kit == "brushed drums":
        moods = ("jazz", "soft", "folk", "warm")
    elif kit == "electronic drums":
        moods = ("techno", "driving", "house", "bright") if tempo_bpm > 105 else ("dark", "hip hop")
    else:
        moods = ("rock", "bright", "driving", "warm")
    return str(rng.choice(moods))
