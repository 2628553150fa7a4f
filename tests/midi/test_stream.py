"""Bytes become complete messages, whatever a port delivers."""

from __future__ import annotations

import random

import pytest

from bridge.midi.stream import LONGEST_SYSEX_BYTES, MessageStream

LENGTHS = {0x8: 3, 0x9: 3, 0xA: 3, 0xB: 3, 0xC: 2, 0xD: 2, 0xE: 3}


def messages(*deliveries: str) -> list[str]:
    """The messages of some deliveries, in hex."""
    stream = MessageStream()
    return [message.hex(" ") for data in deliveries for message in stream.feed(bytes.fromhex(data))]


@pytest.mark.parametrize(
    ("deliveries", "expected"),
    [
        (["90 3c 40"], ["90 3c 40"]),
        (["90 3c 40 3c 00 40 40"], ["90 3c 40", "90 3c 00", "90 40 40"]),
        (["90 3c 40", "3c 00"], ["90 3c 40", "90 3c 00"]),
        (["90", "3c", "40"], ["90 3c 40"]),
        (["c0 05 06"], ["c0 05", "c0 06"]),
        (["90 3c f8 40"], ["f8", "90 3c 40"]),
        (["f0 01 f8 02 f7"], ["f8", "f0 01 02 f7"]),
        (["f0 01", "02 f7"], ["f0 01 02 f7"]),
        (["f0 01 90 3c 40"], ["90 3c 40"]),
        (["90 3c 80 3c 40"], ["80 3c 40"]),
        (["f2 10 01 03"], ["f2 10 01"]),
        (["f6 f3 01"], ["f6", "f3 01"]),
        (["90 3c 40 f3 01 3c 00"], ["90 3c 40", "f3 01"]),
        (["3c 40 f7 f4 01 f5 fd f9"], []),
    ],
    ids=[
        "whole",
        "running status",
        "running status in the next delivery",
        "bytes one by one",
        "running status of two bytes",
        "clock inside a message",
        "clock inside a sysex",
        "sysex in pieces",
        "sysex without an end",
        "message that a new one interrupts",
        "stray data after a song position",
        "system common",
        "system common ends running status",
        "nothing that is a message",
    ],
)
def test_messages_are_complete(deliveries: list[str], expected: list[str]) -> None:
    assert messages(*deliveries) == expected


def test_the_longest_sysex_is_kept_and_a_longer_one_is_dropped_and_counted() -> None:
    dropped = []
    stream = MessageStream(lambda: dropped.append(1))
    longest = b"\xf0" + bytes(LONGEST_SYSEX_BYTES - 2) + b"\xf7"
    assert list(stream.feed(longest)) == [longest]
    assert not dropped
    assert list(stream.feed(b"\xf0" + bytes(10 * LONGEST_SYSEX_BYTES) + b"\xf7")) == []
    assert len(dropped) == 1
    assert list(stream.feed(b"\xc0\x01")) == [b"\xc0\x01"]


def test_random_bytes_give_only_complete_messages() -> None:
    stream, chance = MessageStream(), random.Random(13)
    count = 0
    for message in stream.feed(chance.randbytes(100_000)):
        count += 1
        assert message[0] >= 0x80
        if message[0] == 0xF0:
            assert message[-1] == 0xF7
            message = message[:-1]
        elif message[0] < 0xF0:
            assert len(message) == LENGTHS[message[0] >> 4]
        assert all(byte < 0x80 for byte in message[1:])
    assert count > 1000
