"""Captures in the daemon: each ends once, and what is kept of them is bounded."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bridge.audio import Waveform
from bridge.clock.beat_clock import BeatClock
from bridge.clock.session_time import SessionTime
from bridge.commands import (
    CaptureFile,
    CaptureLast,
    CaptureNotes,
    CaptureStart,
    ClipSettings,
    Done,
    Event,
    Failed,
    InputState,
)
from bridge.daemon import captures as module
from bridge.daemon.captures import KEPT, CaptureRegistry
from bridge.daemon.melody_files import MelodyFiles
from bridge.daemon.notes import MOST_NOTES
from bridge.daemon.requests import RequestRegistry
from bridge.errors import UnknownMelody
from bridge.soundcard.ring import Ring
from bridge.timing import Note

RATE = 8000
NOTE = Note(Fraction(0), Fraction(1), 60)


@dataclass
class Ear:
    """What captures see of a listener."""

    ring: Ring | None
    state: InputState = "ready"
    detail: str = "the microphone"


class Desk:
    """Captures with their ledger, and all that was told."""

    def __init__(self, ear: Ear | None = None, roots: tuple[Path, ...] = ()) -> None:
        self.published: list[Event] = []
        self.requests = RequestRegistry(self.published.append)
        self.captures = CaptureRegistry(
            self.requests,
            SessionTime(BeatClock(), lambda: ClipSettings(tempo_bpm=Fraction(120))),
            listener=ear,  # type: ignore[arg-type]
            files=MelodyFiles(roots),
            input_latency_seconds=0.0,
        )

    def ends(self, id: str) -> list[Event]:
        return [one for one in self.published if isinstance(one, Done | Failed) and one.id == id]

    async def ended(self, *ids: str) -> None:
        async with asyncio.timeout(30):
            while not all(self.ends(id) for id in ids):
                await asyncio.sleep(0.01)


@pytest.fixture
def ring() -> Iterator[Ring]:
    """Ten seconds of noise, up to the instant 100."""
    ring = Ring.create(RATE, 1, 12.0)
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, (10 * RATE, 1)).astype(np.float32)
    for first in range(0, len(noise), 400):
        ring.write(noise[first : first + 400], 90 + (first + 400) / RATE)
    yield ring
    ring.unlink()
    ring.close()


def in_loop(work: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        await work()

    asyncio.run(run())


def test_while_the_input_is_lost_start_fails_and_last_takes_what_was_heard(ring: Ring) -> None:
    async def work() -> None:
        desk = Desk(Ear(ring, state="lost"))
        desk.captures.begin(CaptureStart("me-1", 1), 100.5)
        desk.captures.begin(CaptureLast("me-2", 2), 100.5)
        assert [type(end) for end in desk.ends("me-1")] == [Failed]
        # It is looked for piece by piece, so that nothing else has to wait.
        for _ in range(5):
            desk.captures.poll(100.5)
        assert [type(end) for end in desk.ends("me-2")] == [Done]
        source = desk.captures.find("me-2").take.result().source
        assert isinstance(source, Waveform) and source.frames == 4 * RATE

    in_loop(work)


def test_a_melody_that_was_forgotten_is_told_and_never_left_out_silently() -> None:
    async def work() -> None:
        desk = Desk()
        assert desk.captures.newest("ann") is None
        for client in ("ann", *(f"client{number}" for number in range(KEPT + 5))):
            desk.captures.begin(CaptureNotes(f"{client}-1", 1, (NOTE,)), 0.0)
            desk.captures.stop(f"{client}-1", 0.0)
        with pytest.raises(UnknownMelody, match="ann-1"):
            desk.captures.newest("ann")

    in_loop(work)


def test_one_clients_many_captures_do_not_push_out_anothers_newest() -> None:
    async def work() -> None:
        desk = Desk()
        for id in ("ann-1", *(f"bob-{number}" for number in range(KEPT + 5))):
            desk.captures.begin(CaptureNotes(id, 1, (NOTE,)), 0.0)
            desk.captures.stop(id, 0.0)
        newest = desk.captures.newest("ann")
        assert newest is not None and newest.id == "ann-1"
        with pytest.raises(UnknownMelody):
            desk.captures.find("bob-0")

    in_loop(work)


def test_what_is_kept_in_memory_is_bounded_and_a_part_of_a_file_is_only_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, (60 * RATE, 1)).astype(np.float32)
    soundfile.write(tmp_path / "hum.wav", noise, RATE)
    monkeypatch.setattr(module, "KEPT_BYTES", 3 * noise.nbytes)

    async def work() -> None:
        desk = Desk(roots=(tmp_path,))
        path = str(tmp_path / "hum.wav")
        for number in range(6):
            desk.captures.begin(CaptureFile(f"me-{number}", path), 0.0)
        desk.captures.begin(CaptureFile("me-part", path, 1.0, 2.0), 0.0)
        await desk.ended(*(f"me-{number}" for number in range(6)), "me-part")
        kept, part = 0, desk.captures.find("me-part").take.result().source
        for number in range(6):
            try:
                desk.captures.find(f"me-{number}")
                kept += 1
            except UnknownMelody:
                continue
        assert 1 <= kept <= 3
        assert isinstance(part, Waveform)
        assert part.frames == 2 * RATE and part.samples.base is None

    in_loop(work)


def test_too_many_notes_end_the_capture_once() -> None:
    async def work() -> None:
        desk = Desk()
        for _ in range(3):
            notes = CaptureNotes("me-1", 1, (NOTE,) * (MOST_NOTES // 2 + 1))
            desk.captures.begin(notes, 0.0)
        assert [type(end) for end in desk.ends("me-1")] == [Failed, Failed]
        assert desk.ends("me-1")[0] == desk.ends("me-1")[1], "the second is the first, told again"
        desk.captures.stop("me-1", 0.0)
        assert {type(end) for end in desk.ends("me-1")} == {Failed}

    in_loop(work)


def test_sound_that_was_overwritten_while_the_daemon_was_held_up_is_told() -> None:
    ring = Ring.create(RATE, 1, 2.0)

    async def work() -> None:
        desk = Desk(Ear(ring))
        silence = np.zeros((400, 1), np.float32)
        ring.write(silence, 0.05)
        desk.captures.begin(CaptureStart("me-1"), 0.05)
        for block in range(1, 200):
            ring.write(silence, 0.05 * (block + 1))
        desk.captures.poll(10.0)
        (end,) = desk.ends("me-1")
        assert isinstance(end, Failed) and end.code == "not-enough-bars"
        assert "held up" in end.message

    try:
        in_loop(work)
    finally:
        ring.unlink()
        ring.close()
