"""What nobody takes is bounded: in the queue of the MIDI process, and on its way to the daemon."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bridge.midi.inbox import MOST_BYTES, MOST_TAKEN, OVERHEAD_BYTES, Delivery, Inbox
from bridge.midi.process import MOST_UNANSWERED, Batch, OpenPorts, Taken, run_midi
from bridge.process.child import Child
from bridge.process.kept import Stop
from tests.peers.jack import LONG_PERIOD, JackServer
from tests.peers.midi import sending
from tests.peers.wait import PATIENCE_SECONDS


def test_a_full_queue_drops_and_counts_and_has_room_again_when_it_is_read() -> None:
    inbox = Inbox()
    source = inbox.source("keys")
    room = MOST_BYTES // (3 + OVERHEAD_BYTES)
    for number in range(room + 10):
        inbox.put(Delivery(float(number), source, b"\x90\x3c\x40"))
    assert inbox.dropped == 10
    taken = inbox.take()
    assert [delivery.seconds for delivery in taken] == list(range(MOST_TAKEN))
    inbox.put(Delivery(0.0, source, b"\x90\x3c\x40"))
    assert inbox.dropped == 10


@pytest.fixture(scope="module")
def jack_period() -> int:
    return LONG_PERIOD


def test_a_daemon_that_answers_nothing_gets_a_few_batches_and_later_what_was_kept(
    jack_server: JackServer,
) -> None:
    sent = 30_000
    batches: list[Batch] = []
    states: list[OpenPorts] = []

    def receive(message: Any) -> None:
        if isinstance(message, Batch):
            batches.append(message)
        elif isinstance(message, OpenPorts):
            states.append(message)

    def received() -> int:
        return sum(len(batch.messages) for batch in batches)

    async def floods() -> None:
        child = Child(
            *(run_midi, "jack", "none", (), None),
            name="midi",
            on_message=receive,
            on_exit=lambda exit_code: None,
        )
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not (states and states[-1].inputs):
                    await asyncio.sleep(0.01)
                with sending() as keyboard:
                    jack_server.connect(keyboard.ports[0], "Melody Bridge:in")
                    await asyncio.to_thread(keyboard.play, *[b"\xb0\x01\x02"] * sent)
                while not states[-1].dropped:
                    await asyncio.sleep(0.01)
                assert len(batches) == MOST_UNANSWERED
                kept = MOST_BYTES // (3 + OVERHEAD_BYTES)
                answered = 0
                while received() < kept:
                    for _ in range(len(batches) - answered):
                        child.send(Taken())
                    answered = len(batches)
                    await asyncio.sleep(0.01)
            assert received() + states[-1].dropped <= sent
            child.send(Stop())
            await child.wait()
        finally:
            child.kill()
            await child.wait()

    asyncio.run(floods())
