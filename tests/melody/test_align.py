"""Alignment of melodies to the clip's bars: scaling, cutting, padding, repeating, and remarks."""

from __future__ import annotations

import re
from fractions import Fraction
from math import ceil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bridge.audio import Waveform
from bridge.chroma import STEP_SECONDS, WINDOW_STEPS, audio_chroma, similarity
from bridge.errors import BadArgument, SilentMelody, Unsupported
from bridge.melody import AlignedMelody, align_to_bars, read_melody
from bridge.timing import Lead, Meter, Note, Take, bars_to_seconds, beats_to_seconds

MELODIES = Path(__file__).parents[1] / "melodies"
HUMS = sorted(MELODIES.glob("*.wav"))
FOUR_FOUR = Meter(4, 4)
C, D, E, F, G, A = 0, 2, 4, 5, 7, 9
SCALE = (60, 62, 64, 65, 67, 69, 71, 72)


def melody_of(*pitches: int | None, length: Fraction | int = 1) -> tuple[Note, ...]:
    """Notes in sequence, None for a rest, each `length` beats long."""
    return tuple(
        Note(index * Fraction(length), Fraction(length), pitch)
        for index, pitch in enumerate(pitches)
        if pitch is not None
    )


def sung(
    notes: tuple[Note, ...], tempo_bpm: Fraction, seconds: float, sample_rate: int = 44100
) -> Waveform:
    samples = np.zeros(round(seconds * sample_rate))
    for note in notes:
        start = round(beats_to_seconds(note.start_beat, tempo_bpm) * sample_rate)
        frames = round(beats_to_seconds(note.length_beats, tempo_bpm) * sample_rate)
        sounding = samples[start : start + frames]
        hz = 440 * 2 ** ((note.pitch - 69) / 12)
        sounding += 0.3 * np.sin(2 * np.pi * hz / sample_rate * np.arange(len(sounding)))
    return Waveform(samples.astype(np.float32)[:, None], sample_rate)


def audio_take(
    *pitches: int | None, bars: float | None = None, tempo_bpm: int = 60, **known: object
) -> Take:
    """Quarter notes in 4/4 as audio; the tempo is unknown unless given."""
    beats = len(pitches) if bars is None else 4 * bars
    waveform = sung(melody_of(*pitches), Fraction(tempo_bpm), beats * 60 / tempo_bpm)
    return Take(waveform, **known)  # type: ignore[arg-type]


def at_60(take: Take, bars: int, meter: Meter = FOUR_FOUR) -> AlignedMelody:
    return align_to_bars(take, bars=bars, tempo_bpm=Fraction(60), meter=meter)


def classes_of(aligned: AlignedMelody, steps: int = WINDOW_STEPS) -> NDArray[np.int64]:
    assert aligned.chroma.shape == (steps, 12)
    assert aligned.chroma.dtype == np.float32
    assert (aligned.chroma.sum(axis=1) == 1).all()
    assert (aligned.chroma.max(axis=1) == 1).all()
    classes: NDArray[np.int64] = aligned.chroma.argmax(axis=1)
    return classes


def beats_of(aligned: AlignedMelody, tempo_bpm: Fraction | int = 60) -> list[int]:
    """The pitch class in the middle of each beat, at 60 bpm half a second from the next."""
    beat_steps = 60 / float(tempo_bpm) / STEP_SECONDS
    beats = int(len(aligned.classes) / beat_steps + 0.1)
    return [int(aligned.classes[round((beat + 0.5) * beat_steps)]) for beat in range(beats)]


@pytest.mark.parametrize("hum", HUMS, ids=lambda path: path.stem)
@pytest.mark.parametrize("tempo_bpm", ["own", "70", "140", "91.3"])
def test_the_notes_of_a_hum_keep_their_beats_at_any_tempo(hum: Path, tempo_bpm: str) -> None:
    own = Fraction(re.findall(r"\d+", hum.stem)[0])
    notes = read_melody(hum.with_name(hum.name.replace("-hum", "")).with_suffix(".mid"))
    assert notes.meter is not None
    clip_tempo_bpm = own if tempo_bpm == "own" else Fraction(tempo_bpm)
    hummed, written = (
        align_to_bars(take, bars=4, tempo_bpm=clip_tempo_bpm, meter=notes.meter)
        for take in (read_melody(hum, tempo_bpm=own), notes)
    )
    assert len(hummed.classes) == len(written.classes)
    assert similarity(hummed.classes, written.classes) > 0.9
    assert (classes_of(hummed) == classes_of(written)).mean() > 0.9


def test_the_notes_that_lead_are_repeated_and_cut_like_the_melody() -> None:
    """Two bars on a clip of three: the last time only the first bar, whose last note is cut."""
    notes = (Note(Fraction(0), Fraction(2), 60, 33), Note(Fraction(3), Fraction(4), 64))
    aligned = at_60(Take(notes, length_beats=Fraction(8)), 3)
    again = (Note(Fraction(8), Fraction(2), 60, 33), Note(Fraction(11), Fraction(1), 64))
    assert aligned.notes == (*notes, *again)
    assert at_60(audio_take(60, 62, 64, 65), 1).notes is None


def test_at_its_own_tempo_the_audio_is_tiled_to_the_bar() -> None:
    take = read_melody(MELODIES / "saints-hum-120bpm.wav")
    assert isinstance(take.source, Waveform)
    tiled = np.tile(take.source.resampled(32000).samples, (4, 1))[: 30 * 32000]
    aligned = align_to_bars(take, bars=4, tempo_bpm=Fraction(120), meter=FOUR_FOUR)
    assert (aligned.chroma == audio_chroma(Waveform(tiled, 32000))).all()
    assert aligned.remarks == ()


def test_the_last_repeat_is_as_exact_as_the_first() -> None:
    # One bar at 93.7 bpm is 20.01 steps: repeated in whole steps it would be 2 s off at the end.
    tempo_bpm = Fraction(937, 10)
    for meter, pitches in ((FOUR_FOUR, (60, 65, 60, 65)), (Meter(3, 4), (60, 65, 65))):
        notes = melody_of(*pitches)
        bar_seconds = float(bars_to_seconds(1, meter, tempo_bpm))
        for take in (Take(sung(notes, tempo_bpm, bar_seconds)), Take(notes)):
            aligned = align_to_bars(take, bars=1, tempo_bpm=tempo_bpm, meter=meter)
            middles = (np.arange(len(pitches) * 8) + 0.5) * 60 / 93.7
            classes = classes_of(aligned)[np.rint(middles / STEP_SECONDS).astype(int)]
            assert classes.tolist() == [pitch % 12 for pitch in pitches] * 8


@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    pitches=st.lists(st.none() | st.sampled_from(SCALE), min_size=2, max_size=16).filter(
        lambda pitches: pitches[0] is not None and pitches[-1] is not None
    ),
    own_bpm=st.integers(60, 180),
    clip_bpm=st.integers(600, 1500).map(lambda tenths: Fraction(tenths, 10)),
    bars=st.integers(1, 6),
    meter=st.sampled_from([Meter(4, 4), Meter(3, 4), Meter(7, 8), Meter(6, 8)]),
)
def test_audio_and_notes_are_aligned_alike(
    pitches: list[int | None], own_bpm: int, clip_bpm: Fraction, bars: int, meter: Meter
) -> None:
    notes = melody_of(*pitches)
    own_tempo_bpm = Fraction(own_bpm)
    audio = sung(notes, own_tempo_bpm, len(pitches) * 60 / own_bpm, 32000)
    from_audio, written = (
        align_to_bars(take, bars=bars, tempo_bpm=clip_bpm, meter=meter)
        for take in (Take(audio, own_tempo_bpm), Take(notes, own_tempo_bpm))
    )
    seconds = bars_to_seconds(bars, meter, clip_bpm)
    assert len(from_audio.classes) == len(written.classes) == ceil(seconds / Fraction(128, 1000))
    assert from_audio.remarks == written.remarks
    # A window is half a second long, so the first step of a note may still have the note before.
    assert (classes_of(from_audio) == classes_of(written)).mean() > 0.8


def test_a_melody_of_unknown_tempo_has_the_clips() -> None:
    take = audio_take(60, 62, 64, 65)
    known = Take(take.source, Fraction(60))
    assert beats_of(at_60(take, 1)) == [C, D, E, F]
    assert (classes_of(at_60(take, 1)) == classes_of(at_60(known, 1))).all()
    # To a clip of twice the tempo the same audio is two bars of half notes.
    slow = align_to_bars(take, bars=1, tempo_bpm=Fraction(120), meter=FOUR_FOUR)
    assert beats_of(slow, 120) == [C, C, D, D]


def test_a_known_tempo_is_scaled_to_the_clips_and_a_remark_says_so() -> None:
    take = audio_take(60, 62, 64, 65, tempo_bpm=75)
    aligned = at_60(Take(take.source, Fraction(75)), 1)
    assert beats_of(aligned) == [C, D, E, F]
    assert aligned.remarks == ("The melody's 75 bpm are scaled to the clip's 60.",)


@pytest.mark.parametrize("kind", ["audio", "notes"])
@pytest.mark.parametrize(
    ("pitches", "bars", "beats", "remarks"),
    [
        ((60, 62, 64, 65), 1, [C, D, E, F], ()),
        (
            (60, 62, 64, 65),
            3,
            [C, D, E, F] * 3,
            ("The melody's 1 bar is repeated to fill 3.",),
        ),
        (
            SCALE,
            1,
            [C, D, E, F],
            ("The melody has 2 bars: what comes after the clip's 1 bar is left out.",),
        ),
        (
            SCALE,
            3,
            [C, D, E, F, G, A, 11, C, C, D, E, F],
            ("The melody's 2 bars are repeated to fill 3, the last time cut to 1 bar.",),
        ),
        (
            (60, 62, 64, 65, 67, 69),
            2,
            [C, D, E, F, G, A, -1, -1],
            ("The melody is padded with a rest to 2 bars.",),
        ),
        (
            (60, 62, 64, 65, 67),
            4,
            [C, D, E, F, G, -1, -1, -1] * 2,
            (
                "The melody is padded with a rest to 2 bars.",
                "The melody's 2 bars are repeated to fill 4.",
            ),
        ),
    ],
    ids=["whole", "repeated", "cut", "repeated and cut", "padded", "padded and repeated"],
)
def test_a_melody_fills_the_clips_bars_and_remarks_say_how(
    kind: str, pitches: tuple[int, ...], bars: int, beats: list[int], remarks: tuple[str, ...]
) -> None:
    take = audio_take(*pitches) if kind == "audio" else Take(melody_of(*pitches))
    aligned = at_60(take, bars)
    assert beats_of(aligned) == beats
    assert aligned.remarks == remarks


def test_past_the_clips_end_the_window_has_its_start_again() -> None:
    aligned = at_60(Take(melody_of(*SCALE)), 3)
    middles = np.rint((np.arange(30) + 0.5) / STEP_SECONDS).astype(int)
    two_bars = [C, D, E, F, G, A, 11, C]
    clip = two_bars + two_bars[:4]
    assert classes_of(aligned)[middles].tolist() == (clip * 3)[:30]


def test_bars_that_end_in_silence_keep_it_when_they_are_whole() -> None:
    rest_bar = audio_take(60, 62, 64, 65, bars=2)
    assert beats_of(at_60(rest_bar, 2)) == [C, D, E, F, -1, -1, -1, -1]
    forgot_to_stop = audio_take(60, 62, 64, 65, bars=1.6)
    assert beats_of(at_60(forgot_to_stop, 2)) == [C, D, E, F] * 2


def test_a_recording_stopped_a_little_late_is_no_bar_longer() -> None:
    late = sung(melody_of(60, 62, 64, 67, length=Fraction(21, 20)), Fraction(60), 4.2)
    aligned = at_60(Take(late), 2)
    assert beats_of(aligned) == [C, D, E, G] * 2
    assert aligned.remarks == (
        "The melody's last 0.20 s, past its bar line, are left out.",
        "The melody's 1 bar is repeated to fill 2.",
    )
    notes = (*melody_of(60, 62, 64), Note(Fraction(3), Fraction(5, 4), 67))
    assert beats_of(at_60(Take(notes), 2)) == [C, D, E, G] * 2


def test_a_short_last_note_on_the_next_bar_opens_that_bar() -> None:
    notes = (*melody_of(60, 62, 64, 65), Note(Fraction(4), Fraction(1, 4), 67))
    aligned = at_60(Take(notes), 2)
    assert beats_of(aligned) == [C, D, E, F, -1, -1, -1, -1]
    assert aligned.classes[round(4.1 / STEP_SECONDS)] == G
    assert aligned.remarks == ("The melody is padded with a rest to 2 bars.",)


def test_the_lead_of_chords_is_an_option() -> None:
    chord = Take((Note(Fraction(0), Fraction(4), 60, 127), Note(Fraction(0), Fraction(4), 67, 60)))
    leads: dict[Lead, int] = {"highest": G, "loudest": C}
    for lead, pitch_class in leads.items():
        aligned = align_to_bars(chord, bars=2, tempo_bpm=Fraction(60), meter=FOUR_FOUR, lead=lead)
        assert set(beats_of(aligned)) == {pitch_class}
        assert set(aligned.chroma.argmax(axis=1)) == {pitch_class}


def test_the_bars_are_the_clips_when_the_melodys_meter_is_another() -> None:
    waltz = Take(melody_of(60, 62, 64, 65, 67, 69), meter=Meter(3, 4))
    aligned = at_60(waltz, 2)
    assert beats_of(aligned) == [C, D, E, F, G, A, -1, -1]
    assert aligned.remarks[0] == (
        "The melody is in 3/4 and the clip in 4/4: its beats are kept, its bar lines are not."
    )
    assert not at_60(Take(melody_of(*SCALE[:6]), meter=Meter(6, 8)), 2, Meter(3, 4)).remarks


def test_sound_before_the_first_bar_line_is_left_out_and_a_remark_says_so() -> None:
    take = audio_take(72, 60, 62, 64, 65, first_beat_seconds=Fraction(1))
    aligned = at_60(take, 1)
    assert beats_of(aligned) == [C, D, E, F]
    assert aligned.remarks == ("The 1.00 s before the melody's first bar line are left out.",)


def test_a_recording_that_began_late_starts_with_a_rest() -> None:
    take = audio_take(62, 64, 65, first_beat_seconds=Fraction(-1))
    aligned = at_60(take, 1)
    assert beats_of(aligned) == [-1, D, E, F]
    assert classes_of(aligned)[0] == D
    assert aligned.remarks == ()


@pytest.mark.parametrize("kind", ["audio", "notes"])
def test_rests_hold_in_the_chroma_and_are_minus_one_in_the_classes(kind: str) -> None:
    pitches = (None, None, 60, None, None, 67, None, 67)
    take = audio_take(*pitches) if kind == "audio" else Take(melody_of(*pitches))
    aligned = at_60(take, 2)
    assert beats_of(aligned) == [-1, -1, C, -1, -1, G, -1, G]
    chroma = classes_of(aligned)[: len(aligned.classes)]
    change = int(np.argmax(chroma == G))
    assert set(chroma[:change]) == {C}
    assert set(chroma[change : round(8.0 / STEP_SECONDS)]) == {G}


@pytest.mark.parametrize("kind", ["audio", "notes"])
def test_bars_without_a_note_are_a_silent_melody(kind: str) -> None:
    pitches = (None, None, None, None, 60, 62, 64, 65)
    take = audio_take(*pitches) if kind == "audio" else Take(melody_of(*pitches))
    with pytest.raises(SilentMelody, match=r"the clip's 1 bar: .* more bars"):
        at_60(take, 1)
    assert beats_of(at_60(take, 2))[4:] == [C, D, E, F]


@pytest.mark.parametrize("source", [(), Waveform(np.zeros((88200, 1), dtype=np.float32), 44100)])
def test_a_take_of_nothing_is_a_silent_melody(source: tuple[Note, ...] | Waveform) -> None:
    with pytest.raises(SilentMelody, match="melody has no sounding note"):
        at_60(Take(source), 4)


def test_no_bars_are_refused() -> None:
    with pytest.raises(BadArgument, match="got 0"):
        at_60(Take(melody_of(60)), 0)


def test_sample_rate_and_channels_of_a_recording_do_not_matter() -> None:
    mono = sung(melody_of(*SCALE), Fraction(60), 8.0, 32000)
    wide = sung(melody_of(*SCALE), Fraction(60), 8.0, 48000)
    panned = wide.samples * np.array([[1.0, 0.4]], dtype=np.float32)
    stereo = Waveform(panned, 48000)
    assert (at_60(Take(mono), 2).classes == at_60(Take(stereo), 2).classes).all()


def test_a_clip_longer_than_the_window_has_chroma_to_its_end() -> None:
    for take in (audio_take(*SCALE), Take(melody_of(*SCALE))):
        aligned = at_60(take, 10)
        assert len(aligned.classes) == ceil(40 / 0.128)
        assert beats_of(aligned) == [C, D, E, F, G, A, 11, C] * 5


@pytest.mark.parametrize("kind", ["audio", "notes"])
def test_the_sixteenth_bar_has_its_own_notes_at_its_own_steps(kind: str) -> None:
    """16 bars at 120 bpm and the surplus are two windows; what follows the clip is its start."""
    tempo_bpm = Fraction(120)
    notes = melody_of(*(60, 62, 64, 65) * 15, 67, 69, 71, 72)
    take = Take(sung(notes, tempo_bpm, 32.0)) if kind == "audio" else Take(notes)
    aligned = align_to_bars(
        take, bars=16, tempo_bpm=tempo_bpm, meter=FOUR_FOUR, piece_seconds=37.03
    )
    assert len(aligned.classes) == ceil(32 / 0.128)
    classes = classes_of(aligned, ceil(37.03 / 0.128))
    middles = np.rint((np.arange(74) + 0.5) / 2 / STEP_SECONDS).astype(int)
    expected = [C, D, E, F] * 15 + [G, A, 11, C] + ([C, D, E, F] * 3)[:10]
    assert classes[middles].tolist() == expected


@pytest.mark.parametrize("kind", ["audio", "notes"])
def test_a_bar_repeated_for_ten_minutes_does_not_drift(kind: str) -> None:
    """One bar at 93.7 bpm is 20.01 steps: repeated in whole steps it would end 0.3 s off."""
    tempo_bpm, bars = Fraction(937, 10), 234
    notes = melody_of(60, 65, 60, 67)
    bar_seconds = float(bars_to_seconds(1, FOUR_FOUR, tempo_bpm))
    take = Take(sung(notes, tempo_bpm, bar_seconds)) if kind == "audio" else Take(notes)
    aligned = align_to_bars(
        take, bars=bars, tempo_bpm=tempo_bpm, meter=FOUR_FOUR, piece_seconds=600.0
    )
    middles = (np.arange(bars * 4) + 0.5) * 60 / 93.7
    classes = classes_of(aligned, ceil(600 / 0.128))[np.rint(middles / STEP_SECONDS).astype(int)]
    assert classes.tolist() == [C, F, C, G] * bars


@pytest.mark.parametrize("kind", ["audio", "notes"])
def test_a_piece_that_fits_the_window_has_the_windows_chroma(kind: str) -> None:
    take = audio_take(*SCALE) if kind == "audio" else Take(melody_of(*SCALE))
    alone = at_60(take, 4)
    for piece_seconds in (18.5, 30.0):
        within = align_to_bars(
            take, bars=4, tempo_bpm=Fraction(60), meter=FOUR_FOUR, piece_seconds=piece_seconds
        )
        assert (classes_of(within) == classes_of(alone)).all()
    longer = align_to_bars(
        take, bars=4, tempo_bpm=Fraction(60), meter=FOUR_FOUR, piece_seconds=60.0
    )
    # The window's last steps include some of what follows it, if anything does.
    assert (classes_of(longer, 469)[: WINDOW_STEPS - 2] == classes_of(alone)[:-2]).all()


def test_minutes_many_times_faster_than_the_melody_are_refused() -> None:
    source = audio_take(*SCALE, tempo_bpm=20).source
    with pytest.raises(
        Unsupported, match=r"600 bars at 240 bpm read 7200 s of a melody at 20.* fewer"
    ):
        align_to_bars(
            Take(source, Fraction(20)), bars=600, tempo_bpm=Fraction(240), meter=FOUR_FOUR
        )
