"""Captures in the daemon: each ends once, and the memory for them is bounded."""

from __future__ import annotations

import asyncio
import gc
import time
import tracemalloc
import weakref
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bridge.audio import Waveform
from bridge.capture.played import PlayedNotes
from bridge.clock.clocks import Clocks
from bridge.clock.osc_clock import OscClock
from bridge.clock.session_time import SessionTime
from bridge.commands import CaptureFile, CaptureLast, CaptureNotes, CaptureStart, ClipSettings
from bridge.daemon import captures as module
from bridge.daemon.capture_sources import CaptureSources
from bridge.daemon.captures import MOST_CAPTURES, MOST_OPEN_NOTES, NOTES_SECONDS, CaptureRegistry
from bridge.daemon.count_in import CountIn
from bridge.daemon.melody_files import MelodyFiles
from bridge.daemon.notes import MOST_NOTES
from bridge.daemon.requests import MOST_OPEN, RequestRegistry
from bridge.errors import BadArgument, UnknownMelody
from bridge.events import Done, Event, Failed, InputState, Remark
from bridge.soundcard.ring import Ring
from bridge.timing import Note

RATE = 8000
NOTE = Note(Fraction(0), Fraction(1), 60)


@dataclass
class FakeListener:
    """The part of a listener that captures use."""

    ring: Ring | None
    state: InputState = "ready"
    detail: str = "the microphone"


class Harness:
    """A capture registry with its request registry, and all published events."""

    def __init__(self, listener: FakeListener | None = None, roots: tuple[Path, ...] = ()) -> None:
        self.published: list[Event] = []
        self.requests = RequestRegistry(self.published.append)
        session_time = SessionTime(OscClock, lambda: ClipSettings(tempo_bpm=Fraction(120)))
        self.captures = CaptureRegistry(
            self.requests,
            session_time,
            sources=CaptureSources(
                session_time,
                listener=listener,  # type: ignore[arg-type]
                input_latency_seconds=0.0,
                played=PlayedNotes(),
                source=lambda: "auto",
                count_in=CountIn(
                    Clocks(ClipSettings, lambda change: None),
                    bars=lambda: 0,
                    lead_seconds=lambda: 0.0,
                ),
            ),
            files=MelodyFiles(roots),
        )

    def ends(self, id: str) -> list[Event]:
        return [
            event for event in self.published if isinstance(event, Done | Failed) and event.id == id
        ]

    async def wait_for_ends(self, *ids: str) -> None:
        async with asyncio.timeout(30):
            while not all(self.ends(id) for id in ids):
                await asyncio.sleep(0.01)


def ring_of_noise() -> Ring:
    """Ten seconds of noise that end at the instant 100."""
    ring = Ring.create(RATE, 1, 12.0)
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, (10 * RATE, 1)).astype(np.float32)
    for first in range(0, len(noise), 400):
        ring.write(noise[first : first + 400], 90 + (first + 400) / RATE)
    return ring


@pytest.fixture
def ring() -> Iterator[Ring]:
    ring = ring_of_noise()
    yield ring
    ring.unlink()
    ring.close()


def in_loop(work: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        await work()

    asyncio.run(run())


def test_captures_of_silence_free_their_audio_at_once(ring: Ring) -> None:
    """Sixteen copies of 4 s take 2 MB; nothing waits for the garbage collector."""
    silence = np.zeros((400, 1), np.float32)
    for first in range(0, 12 * RATE, 400):
        ring.write(silence, 100 + (first + 400) / RATE)

    async def work() -> None:
        harness = Harness(FakeListener(ring))

        async def capture(client: str) -> int:
            """Bytes in use after sixteen captures."""
            ids = tuple(f"{client}-{number}" for number in range(16))
            for id in ids:
                harness.captures.begin(CaptureLast(id, 2), 112.0)
            harness.captures.poll(112.0)
            await harness.wait_for_ends(*ids)
            assert all(isinstance(harness.ends(id)[0], Failed) for id in ids)
            return tracemalloc.get_traced_memory()[0]

        tracemalloc.start()
        gc.disable()
        try:
            assert await capture("first") + 500_000 > await capture("second")
        finally:
            gc.enable()
            tracemalloc.stop()

    in_loop(work)


def test_a_take_of_sound_keeps_no_hold_of_the_ring() -> None:
    """The ring of an input that was lost is freed though nothing collects garbage."""
    ring = ring_of_noise()
    ring.unlink()
    held = weakref.ref(ring)
    listener = FakeListener(ring)
    del ring

    async def work() -> None:
        harness = Harness(listener)
        harness.captures.begin(CaptureLast("me-1", 2), 100.0)
        harness.captures.poll(103.0)
        await harness.wait_for_ends("me-1")
        assert [type(end) for end in harness.ends("me-1")] == [Done]
        listener.ring = None
        # The finished task is dropped in the next turn of the loop.
        await asyncio.sleep(0)
        assert held() is None

    gc.disable()
    try:
        in_loop(work)
    finally:
        gc.enable()


def test_while_the_input_is_lost_start_fails_and_last_takes_the_recorded_bars(ring: Ring) -> None:
    async def work() -> None:
        harness = Harness(FakeListener(ring, state="lost"))
        harness.captures.begin(CaptureStart("me-1", 1), 100.5)
        harness.captures.begin(CaptureLast("me-2", 2), 100.5)
        assert [type(end) for end in harness.ends("me-1")] == [Failed]
        await harness.wait_for_ends("me-2")
        assert [type(end) for end in harness.ends("me-2")] == [Done]
        source = harness.captures.find("me-2").take.result().source
        assert isinstance(source, Waveform) and source.frames == 4 * RATE

    in_loop(work)


def test_a_forgotten_melody_is_an_error_and_never_silently_left_out() -> None:
    async def work() -> None:
        harness = Harness()
        assert harness.captures.newest("ann") is None
        for client in ("ann", *(f"client{number}" for number in range(MOST_CAPTURES + 5))):
            harness.captures.begin(CaptureNotes(f"{client}-1", 1, (NOTE,)), 0.0)
            harness.captures.stop(f"{client}-1", 0.0)
        with pytest.raises(UnknownMelody, match="ann-1"):
            harness.captures.newest("ann")

    in_loop(work)


def test_one_clients_many_captures_do_not_displace_anothers_newest() -> None:
    async def work() -> None:
        harness = Harness()
        for id in ("ann-1", *(f"bob-{number}" for number in range(MOST_CAPTURES + 5))):
            harness.captures.begin(CaptureNotes(id, 1, (NOTE,)), 0.0)
            harness.captures.stop(id, 0.0)
        newest = harness.captures.newest("ann")
        assert newest is not None and newest.id == "ann-1"
        with pytest.raises(UnknownMelody):
            harness.captures.find("bob-0")

    in_loop(work)


def test_memory_for_takes_is_bounded_and_part_of_a_file_keeps_no_more_than_the_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, (60 * RATE, 1)).astype(np.float32)
    soundfile.write(tmp_path / "hum.wav", noise, RATE)
    monkeypatch.setattr(module, "MOST_AUDIO_BYTES", 3 * noise.nbytes)

    async def work() -> None:
        harness = Harness(roots=(tmp_path,))
        path = str(tmp_path / "hum.wav")
        for number in range(6):
            harness.captures.begin(CaptureFile(f"me-{number}", path), 0.0)
        harness.captures.begin(CaptureFile("me-part", path, 1.0, 2.0), 0.0)
        await harness.wait_for_ends(*(f"me-{number}" for number in range(6)), "me-part")
        kept, part = 0, harness.captures.find("me-part").take.result().source
        for number in range(6):
            try:
                harness.captures.find(f"me-{number}")
                kept += 1
            except UnknownMelody:
                continue
        assert 1 <= kept <= 3
        assert isinstance(part, Waveform)
        assert part.frames == 2 * RATE and part.samples.base is None

    in_loop(work)


def test_too_many_notes_end_the_capture_once() -> None:
    async def work() -> None:
        harness = Harness()
        for _ in range(3):
            notes = CaptureNotes("me-1", 1, (NOTE,) * (MOST_NOTES // 2 + 1))
            harness.captures.begin(notes, 0.0)
        assert [type(end) for end in harness.ends("me-1")] == [Failed, Failed]
        assert harness.ends("me-1")[0] == harness.ends("me-1")[1], (
            "the second is a replay of the first"
        )
        harness.captures.stop("me-1", 0.0)
        assert {type(end) for end in harness.ends("me-1")} == {Failed}

    in_loop(work)


def test_audio_that_was_overwritten_while_the_daemon_was_held_up_fails_the_capture() -> None:
    ring = Ring.create(RATE, 1, 2.0)

    async def work() -> None:
        harness = Harness(FakeListener(ring))
        silence = np.zeros((400, 1), np.float32)
        ring.write(silence, 0.05)
        harness.captures.begin(CaptureStart("me-1"), 0.05)
        for block in range(1, 200):
            ring.write(silence, 0.05 * (block + 1))
        harness.captures.poll(10.0)
        (end,) = harness.ends("me-1")
        assert isinstance(end, Failed) and end.code == "not-enough-bars"
        assert "held up" in end.message

    try:
        in_loop(work)
    finally:
        ring.unlink()
        ring.close()


@pytest.mark.exclusive
def test_the_end_of_a_long_stereo_capture_does_not_hold_up_the_event_loop() -> None:
    """A heartbeat in the loop pauses 20 ms at most while 115 s are cut; tested at five times.

    Another program may hold it up once: the best of three attempts counts.
    """
    rate, seconds = 48_000, 115
    ring = Ring.create(rate, 2)
    second = np.random.default_rng(1).uniform(-0.5, 0.5, (rate, 2)).astype(np.float32)
    for number in range(seconds + 2):
        for first in range(0, rate, 480):
            at = number + (first + 480) / rate
            ring.write(second[first : first + 480], at)

    worst_seconds: list[float] = []

    async def work() -> None:
        harness = Harness(FakeListener(ring))
        pauses: list[float] = []
        beating = asyncio.create_task(beat(pauses))
        await asyncio.sleep(0)
        before = time.perf_counter()
        harness.captures.begin(CaptureLast("me-1", 57), seconds + 2.0)
        pauses.append(time.perf_counter() - before)
        await harness.wait_for_ends("me-1")
        beating.cancel()
        (end,) = harness.ends("me-1")
        assert isinstance(end, Done)
        source = harness.captures.find("me-1").take.result().source
        assert isinstance(source, Waveform) and source.seconds > 113
        worst_seconds.append(max(pauses))

    try:
        for _ in range(3):
            in_loop(work)
        print(f"worst pauses {worst_seconds}")
        assert min(worst_seconds) < 5 * 0.020
    finally:
        ring.unlink()
        ring.close()


async def beat(pauses: list[float]) -> None:
    """A heartbeat every millisecond; append how much later than that each one was."""
    while True:
        before = time.perf_counter()
        await asyncio.sleep(0.001)
        pauses.append(time.perf_counter() - before - 0.001)


def test_open_notes_are_closed_when_no_more_come() -> None:
    async def work() -> None:
        harness = Harness()
        harness.captures.begin(CaptureNotes("me-1", 1, (NOTE,)), 0.0)
        harness.captures.begin(CaptureNotes("me-1", 1, (NOTE,)), NOTES_SECONDS - 1)
        harness.captures.begin(CaptureNotes("me-2", 1, ()), NOTES_SECONDS - 1)
        harness.captures.poll(2 * NOTES_SECONDS - 2)
        assert not harness.ends("me-1")
        harness.captures.poll(2 * NOTES_SECONDS)
        assert [type(end) for end in harness.ends("me-1")] == [Done]
        assert [type(end) for end in harness.ends("me-2")] == [Failed]
        (remark,) = harness.captures.find("me-1").remarks
        assert "no notes came" in remark
        harness.captures.begin(CaptureNotes("me-1", 1, (NOTE,)), 2 * NOTES_SECONDS)
        assert len(harness.ends("me-1")) == 2, "a repetition is answered by the end again"
        late = CaptureNotes("me-1", 1, (Note(Fraction(1), Fraction(1), 62),))
        with pytest.raises(BadArgument, match="me-1 takes no more notes"):
            harness.captures.begin(late, 2 * NOTES_SECONDS)

    in_loop(work)


def test_many_open_notes_never_block_other_requests() -> None:
    async def work() -> None:
        harness = Harness()
        harness.captures.begin(CaptureNotes("ann-1", 1, (NOTE,)), 0.0)
        for number in range(2 * MOST_OPEN):
            harness.captures.begin(CaptureNotes(f"bob-{number}", 1, (NOTE,)), 1.0)
        assert len(harness.requests.open_ids()) <= MOST_OPEN_NOTES
        assert [type(end) for end in harness.ends("bob-0")] == [Done]
        assert not harness.ends("ann-1"), "another client's stay open"
        assert harness.requests.begin("eve-1", "generate")

    in_loop(work)


def test_a_remark_on_the_input_is_published_while_the_capture_goes_on() -> None:
    ring = Ring.create(RATE, 1, 12.0)

    async def work() -> None:
        harness = Harness(FakeListener(ring))
        silence = np.zeros((400, 1), np.float32)
        ring.write(silence, 0.05)
        harness.captures.begin(CaptureStart("me-1", 4), 0.05)
        for block in range(1, 60):
            ring.write(silence, 0.05 * (block + 1))
            harness.captures.poll(0.05 * (block + 1))
        assert not harness.ends("me-1")
        (remark,) = harness.captures.find("me-1").remarks
        assert remark.startswith("no sound in the first bar")
        assert harness.published.count(Remark("me-1", remark)) == 1

    try:
        in_loop(work)
    finally:
        ring.unlink()
        ring.close()


def test_the_melody_of_a_loop_outlives_the_takes_of_another() -> None:
    async def work() -> None:
        harness = Harness()
        ids = ["loop:drone.1", *(f"loop:lead.{number}" for number in range(2, 2 * MOST_CAPTURES))]
        for id in ids:
            harness.captures.begin(CaptureNotes(id, 1, (NOTE,)), 0.0)
            harness.captures.stop(id, 0.0)
        assert harness.captures.find(ids[0]).id == ids[0]
        with pytest.raises(UnknownMelody):
            harness.captures.find(ids[1])

    in_loop(work)
