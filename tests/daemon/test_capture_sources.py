"""Captures in the daemon of sound, of played notes, and of whichever was there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from fractions import Fraction

import numpy as np
import pytest

from bridge.audio import Waveform
from bridge.capture.played import PlayedNotes
from bridge.clock.clocks import Clocks
from bridge.clock.session_time import SessionTime
from bridge.commands import CaptureLast, CaptureStart, ClipSettings, MelodySource, Transport
from bridge.config import RunOptions
from bridge.daemon.capture_sources import CaptureSources
from bridge.daemon.captures import CaptureRegistry
from bridge.daemon.count_in import CountIn
from bridge.daemon.defaults import SessionDefaults
from bridge.daemon.melody_files import MelodyFiles
from bridge.daemon.requests import RequestRegistry
from bridge.events import CaptureChanged, Done, Event, Failed, Remark
from bridge.midi import MidiMessage
from bridge.soundcard.ring import Ring
from bridge.timing import Meter, Note
from tests.daemon.test_captures import FakeListener

RATE = 8000
BLOCK_SECONDS = 0.02
FIRST_SECONDS = 100.0


class Stage:
    """A registry with a microphone, a keyboard and a DAW at 120 bpm; time is simulated.

    Attributes:
        now: the present instant; beat 0 is at `FIRST_SECONDS`.
        hum: spans of seconds in which somebody hums.
    """

    def __init__(
        self, *, has_input: bool = True, source: MelodySource = "auto", count_in_bars: int = 0
    ) -> None:
        self.published: list[Event] = []
        self.requests = RequestRegistry(self.published.append)
        settings = ClipSettings(tempo_bpm=Fraction(120))
        self.clocks, self.played = Clocks(lambda: settings, lambda change: None), PlayedNotes()
        self.ring = Ring.create(RATE, 1, 60.0)
        self.listener = FakeListener(self.ring)
        self.now = FIRST_SECONDS - 1.0
        self.hum: list[tuple[float, float]] = []
        self.plays = True
        self._noise = np.random.default_rng(1)
        self._messages: list[MidiMessage] = []
        defaults = SessionDefaults(RunOptions(source=source))
        session_time = SessionTime(lambda: self.clocks.current, lambda: settings)
        count_in = CountIn(self.clocks, bars=lambda: count_in_bars, lead_seconds=lambda: 0.1)
        self.captures = CaptureRegistry(
            self.requests,
            session_time,
            sources=CaptureSources(
                session_time,
                listener=self.listener if has_input else None,  # type: ignore[arg-type]
                input_latency_seconds=0.0,
                played=self.played,
                source=lambda: defaults.source,
                count_in=count_in,
            ),
            files=MelodyFiles(()),
        )

    def plug_in(self) -> None:
        self.played.ports_changed(["keys"], self.now)

    def play(self, beat: float, length_beats: float, pitch: int) -> None:
        """A note at a beat, 120 bpm."""
        start = FIRST_SECONDS + beat / 2
        self._messages += [
            MidiMessage(start, "keys", bytes([0x90, pitch, 100])),
            MidiMessage(start + length_beats / 2, "keys", bytes([0x80, pitch, 0])),
        ]
        self._messages.sort()

    async def run(self, seconds: float) -> None:
        """Let time pass: sound, notes and transport come, and captures are polled."""
        until = self.now + seconds
        while self.now < until - 1e-9:
            self.now += BLOCK_SECONDS
            frames = round(BLOCK_SECONDS * RATE)
            sound = self._noise.uniform(-1e-4, 1e-4, (frames, 1))
            if any(first <= self.now < end for first, end in self.hum):
                sound[:, 0] += 0.3 * np.sin(2 * np.pi * 200 / RATE * np.arange(frames))
            self.ring.write(sound.astype(np.float32), self.now)
            while self._messages and self._messages[0].seconds <= self.now:
                self.played.received([self._messages.pop(0)])
            beat = (self.now - FIRST_SECONDS) * 2
            if self.plays and beat >= 0:
                self.clocks.update(
                    "osc",
                    Transport(Fraction(120), beat, True, Meter(), received_seconds=self.now),
                )
            self.clocks.poll(self.now)
            self.captures.poll(self.now)
            await asyncio.sleep(0)

    async def ended(self, id: str) -> Done | Failed:
        async with asyncio.timeout(30):
            while not (ends := [event for event in self.published if _ends(event, id)]):
                await asyncio.sleep(0.005)
        (end,) = ends
        assert isinstance(end, Done | Failed)
        return end

    async def melody(self, id: str) -> Waveform | list[tuple[float, float, int]]:
        """The sound of a capture, or the start beat, length and pitch of its notes."""
        end = await self.ended(id)
        assert isinstance(end, Done), end
        source = self.captures.find(id).take.result().source
        return source if isinstance(source, Waveform) else [_beats(note) for note in source]

    def remarks(self, id: str) -> list[str]:
        return [each.text for each in self.published if isinstance(each, Remark) and each.id == id]


def _ends(event: Event, id: str) -> bool:
    return isinstance(event, Done | Failed) and event.id == id


def _beats(note: Note) -> tuple[float, float, int]:
    return float(note.start_beat), float(note.length_beats), note.pitch


MakeStage = Callable[..., Stage]


@pytest.fixture
def make_stage() -> Iterator[MakeStage]:
    """A factory of stages; their rings are freed after the test."""
    made: list[Stage] = []

    def make(
        *, has_input: bool = True, source: MelodySource = "auto", count_in_bars: int = 0
    ) -> Stage:
        made.append(Stage(has_input=has_input, source=source, count_in_bars=count_in_bars))
        return made[-1]

    yield make
    for stage in made:
        stage.ring.unlink()
        stage.ring.close()


def in_loop(work: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        await work()

    asyncio.run(run())


NOTES_TAKEN = (
    "notes and sound came at once, and the notes are the melody: with source sound it is the sound"
)


@pytest.mark.parametrize("hums", [False, True])
def test_auto_records_the_notes_if_any_were_played(make_stage: MakeStage, hums: bool) -> None:
    async def work() -> None:
        stage = make_stage()
        stage.plug_in()
        stage.play(4, 1, 60)
        stage.play(6, 1, 64)
        if hums:
            stage.hum.append((FIRST_SECONDS, FIRST_SECONDS + 8))
        await stage.run(2.0)
        stage.captures.begin(CaptureStart("me-1", 1), stage.now)
        await stage.run(4.0)
        assert await stage.melody("me-1") == [(0, 1, 60), (2, 1, 64)]
        assert stage.remarks("me-1") == [NOTES_TAKEN] * hums
        changes = [each for each in stage.published if isinstance(each, CaptureChanged)]
        assert [each.state for each in (changes[0], changes[-1])] == ["waiting", "done"]
        assert changes[-1].peak_db == pytest.approx(-2.08, abs=0.01)

    in_loop(work)


@pytest.mark.parametrize("hums", [False, True])
def test_auto_takes_the_last_notes_if_any_were_played(make_stage: MakeStage, hums: bool) -> None:
    async def work() -> None:
        stage = make_stage()
        stage.plug_in()
        stage.play(4, 1, 60)
        stage.play(6, 1, 64)
        if hums:
            stage.hum.append((FIRST_SECONDS, FIRST_SECONDS + 8))
        await stage.run(5.5)
        stage.captures.begin(CaptureLast("me-1", 2), stage.now)
        await stage.run(0.5)
        assert await stage.melody("me-1") == [(4, 1, 60), (6, 1, 64)]
        assert stage.remarks("me-1") == [NOTES_TAKEN] * hums

    in_loop(work)


@pytest.mark.parametrize("command", [CaptureStart("me-1", 1), CaptureLast("me-1", 1)])
def test_auto_takes_the_sound_when_no_note_was_played(
    make_stage: MakeStage, command: CaptureStart | CaptureLast
) -> None:
    async def work() -> None:
        stage = make_stage()
        stage.plug_in()
        stage.play(0, 1, 60)
        stage.hum.append((FIRST_SECONDS, FIRST_SECONDS + 8))
        await stage.run(5.5)
        stage.captures.begin(command, stage.now)
        await stage.run(4.0)
        melody = await stage.melody("me-1")
        assert isinstance(melody, Waveform) and melody.frames == 2 * RATE
        assert stage.remarks("me-1") == []

    in_loop(work)


def test_auto_without_a_midi_port_is_sound_and_fails_without_a_sound(make_stage: MakeStage) -> None:
    async def work() -> None:
        stage = make_stage()
        await stage.run(5.5)
        stage.captures.begin(CaptureLast("me-1", 1), stage.now)
        await stage.run(0.5)
        end = await stage.ended("me-1")
        assert isinstance(end, Failed) and end.code == "silent-melody"
        assert "note" not in end.message

    in_loop(work)


def test_auto_says_that_neither_sound_nor_notes_came(make_stage: MakeStage) -> None:
    async def work() -> None:
        stage = make_stage()
        stage.plug_in()
        stage.plays = False
        await stage.run(1.0)
        stage.captures.begin(CaptureStart("me-1", 1), stage.now)
        await stage.run(3.0)
        stage.captures.stop("me-1", stage.now)
        await stage.run(0.5)
        end = await stage.ended("me-1")
        assert isinstance(end, Failed) and end.code == "silent-melody"
        assert end.message.endswith("check the microphone; no note was played either")
        (remark,) = stage.remarks("me-1")
        assert remark.startswith("no sound in the first bar")

    in_loop(work)


@pytest.mark.parametrize("pause_seconds", [1.0, 20.0])
def test_while_the_daw_is_stopped_a_recent_hum_is_preferred_to_notes_of_long_ago(
    make_stage: MakeStage, pause_seconds: float
) -> None:
    async def work() -> None:
        stage = make_stage()
        stage.plug_in()
        stage.plays = False
        stage.play(1, 1, 60)
        await stage.run(3.0)
        hum = stage.now + pause_seconds
        stage.hum.append((hum, hum + 1.5))
        await stage.run(pause_seconds + 2.0)
        stage.captures.begin(CaptureLast("me-1", 2), stage.now)
        await stage.run(0.5)
        melody = await stage.melody("me-1")
        assert isinstance(melody, Waveform) == (pause_seconds == 20)
        (remark,) = stage.remarks("me-1")
        taken = "the sound came long after" if pause_seconds == 20 else "notes and sound came"
        assert remark.startswith(taken)

    in_loop(work)


def test_auto_says_that_the_last_bars_have_neither_sound_nor_notes(make_stage: MakeStage) -> None:
    async def work() -> None:
        stage = make_stage()
        stage.plug_in()
        await stage.run(5.5)
        stage.captures.begin(CaptureLast("me-1", 1), stage.now)
        await stage.run(0.5)
        end = await stage.ended("me-1")
        assert isinstance(end, Failed) and end.code == "silent-melody"
        assert end.message.endswith("no note was played either")

    in_loop(work)


def test_notes_go_on_when_the_input_is_lost(make_stage: MakeStage) -> None:
    async def work() -> None:
        stage = make_stage()
        stage.plug_in()
        stage.play(5, 1, 60)
        await stage.run(2.0)
        stage.captures.begin(CaptureStart("me-1", 1), stage.now)
        stage.captures.input_lost(stage.now)
        await stage.run(3.5)
        assert await stage.melody("me-1") == [(1, 1, 60)]
        (remark,) = stage.remarks("me-1")
        assert remark.endswith("played notes still count")

    in_loop(work)


def test_notes_need_no_input(make_stage: MakeStage) -> None:
    async def work() -> None:
        stage = make_stage(has_input=False)
        stage.captures.begin(CaptureLast("me-1", 1), stage.now)
        end = await stage.ended("me-1")
        assert isinstance(end, Failed) and end.code == "no-input"
        stage.plug_in()
        stage.play(5, 1, 60)
        await stage.run(6.0)
        stage.captures.begin(CaptureLast("me-2", 1), stage.now)
        await stage.run(0.5)
        assert await stage.melody("me-2") == [(1, 1, 60)]

    in_loop(work)


def test_notes_count_while_no_device_is_there_and_a_remark_says_so(make_stage: MakeStage) -> None:
    async def work() -> None:
        stage = make_stage()
        stage.listener.ring, stage.listener.detail = None, "no microphone"
        stage.plug_in()
        stage.play(5, 1, 60)
        await stage.run(6.0)
        stage.captures.begin(CaptureLast("me-1", 1), stage.now)
        await stage.run(0.5)
        assert await stage.melody("me-1") == [(1, 1, 60)]
        assert stage.remarks("me-1") == [
            "no input to record: no microphone; played notes still count"
        ]

    in_loop(work)


def test_the_command_names_the_source_before_the_session(make_stage: MakeStage) -> None:
    async def work() -> None:
        stage = make_stage(source="sound")
        stage.captures.begin(CaptureLast("me-1", 1, "midi"), stage.now)
        end = await stage.ended("me-1")
        assert isinstance(end, Failed) and end.code == "no-input" and "--midi" in end.message
        stage.plug_in()
        stage.hum.append((FIRST_SECONDS, FIRST_SECONDS + 8))
        stage.play(5, 1, 60)
        await stage.run(5.5)
        stage.captures.begin(CaptureLast("me-2", 1), stage.now)
        stage.captures.begin(CaptureLast("me-3", 1, "midi"), stage.now)
        await stage.run(0.5)
        assert isinstance(await stage.melody("me-2"), Waveform)
        assert await stage.melody("me-3") == [(1, 1, 60)]

    in_loop(work)


def test_a_stopped_capture_of_both_takes_the_notes_that_began(make_stage: MakeStage) -> None:
    async def work() -> None:
        stage = make_stage()
        stage.plug_in()
        stage.plays = False
        stage.play(4, 1, 60)
        stage.play(6, 1, 64)
        await stage.run(2.0)
        stage.captures.begin(CaptureStart("me-1"), stage.now)
        await stage.run(3.0)
        stage.captures.stop("me-1", stage.now)
        await stage.run(0.5)
        assert await stage.melody("me-1") == [(0, 1, 60), (2, 1, 64)]

    in_loop(work)


def test_a_hum_ends_a_capture_of_both_before_the_first_note(make_stage: MakeStage) -> None:
    async def work() -> None:
        stage = make_stage()
        stage.plug_in()
        stage.plays = False
        stage.hum.append((FIRST_SECONDS + 2, FIRST_SECONDS + 6))
        stage.play(20, 1, 60)
        await stage.run(2.0)
        stage.captures.begin(CaptureStart("me-1", 1), stage.now)
        await stage.run(4.0)
        melody = await stage.melody("me-1")
        assert isinstance(melody, Waveform) and melody.frames == 2 * RATE

    in_loop(work)


def test_a_recording_under_a_daw_begins_after_the_bars_that_it_asks_to_count(
    make_stage: MakeStage,
) -> None:
    async def work() -> None:
        # The session's own count-in is for who plays alone.
        stage = make_stage(count_in_bars=2)
        stage.hum.append((FIRST_SECONDS, FIRST_SECONDS + 20))
        await stage.run(2.0)
        stage.captures.begin(CaptureStart("me-1", 1), stage.now)
        stage.captures.begin(CaptureStart("me-2", 1, count_in_bars=1), stage.now)
        await stage.run(0.5)
        assert stage.captures.count_in_until == pytest.approx(FIRST_SECONDS + 4, abs=0.02)
        await stage.run(6.5)
        assert stage.captures.count_in_until is None
        begun = {
            event.id: stage.published.index(event)
            for event in reversed(stage.published)
            if isinstance(event, CaptureChanged) and event.state == "recording"
        }
        assert begun["me-1"] < begun["me-2"]
        assert isinstance(await stage.melody("me-2"), Waveform)

    in_loop(work)


@pytest.mark.parametrize("asked", [None, 1])
def test_a_recording_starts_the_clock_while_nothing_plays_and_begins_after_the_count_in(
    make_stage: MakeStage, asked: int | None
) -> None:
    async def work() -> None:
        stage = make_stage(count_in_bars=1 if asked is None else 0)
        stage.plays = False
        # From the count-in on: only what comes after it is recorded.
        stage.hum.append((FIRST_SECONDS, FIRST_SECONDS + 20))
        await stage.run(1.0)
        pressed = stage.now
        stage.captures.begin(CaptureStart("me-1", 1, count_in_bars=asked), pressed)
        stage.captures.begin(CaptureStart("me-1", 1, count_in_bars=asked), pressed + 0.01)
        assert stage.clocks.source == "internal"
        assert stage.clocks.count_in_until(pressed) == pytest.approx(pressed + 2.1)
        await stage.run(5.0)
        melody = await stage.melody("me-1")
        assert isinstance(melody, Waveform) and melody.frames == 2 * RATE
        assert stage.clocks.current.beat_at(pressed + 2.1) == pytest.approx(0, abs=1e-6)
        # The clock plays by now: the next count-in begins on its bar line.
        stage.captures.begin(CaptureStart("me-2", 1, count_in_bars=asked), stage.now)
        await stage.run(0.1)
        line = stage.clocks.current.next_bar_line(stage.now)
        assert line is not None
        assert stage.captures.count_in_until == pytest.approx(line + 2.0)

    in_loop(work)


def test_a_count_in_that_no_clock_can_count_is_refused_and_starts_nothing(
    make_stage: MakeStage,
) -> None:
    async def work() -> None:
        stage = make_stage(count_in_bars=1)
        stage.plays = False
        stage.clocks.select("midi", stage.now)
        await stage.run(1.0)
        stage.captures.begin(CaptureStart("me-1", 1, count_in_bars=2), stage.now)
        end = await stage.ended("me-1")
        assert isinstance(end, Failed) and end.code == "bad-argument"
        assert "send /bridge/clock auto" in end.message
        # The session's count-in is a wish: the recording waits for the first sound.
        stage.captures.begin(CaptureStart("me-2", 1), stage.now)
        assert not stage.clocks.internal.clock.is_playing(stage.now)

    in_loop(work)
