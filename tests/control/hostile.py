"""Packets such as broken or malicious clients send; a seed makes them the same each time."""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Iterator, Sequence

from tests.control.peers import message
from tests.control.test_addresses import COMMANDS
from tests.control.test_packets import BOMBS, bundle

INTEGERS = [0, 1, -1, -4, 4, 8, 2**31 - 1, -(2**31), 2**16, 0x7FC00000, 0x7F800000, 0x2C690000]
"""Values that break sizes, and the bits of NaN and infinity as float32."""
WORDS = [
    b"#bundle\0",
    b",",
    b"[",
    b"]",
    b"\0\0\0\0",
    b"/",
    b"*",
    b"\xff\xfe",
    b"\xed\xb0\x80",
    b"s",
    b"b",
]


VALUES = [
    *INTEGERS,
    -1e30,
    math.nan,
    math.inf,
    0.5,
    2**40,
    "",
    "x" * 300,
    "bars",
    "\u202e",
    b"b",
    None,
]


def mutated_packets(count: int, seed: int, *, answered: bool = True) -> Iterator[bytes]:
    """Yield commands with wrong arguments, and bombs, with up to three mutations of their bytes.

    Args:
        answered: whether to include commands that make the daemon send to a port; such a port may
            be another program's.
    """
    rng = random.Random(seed)
    commands = [
        (address, arguments)
        for address, arguments, _ in COMMANDS
        if answered or not address.endswith(("subscribe", "ping"))
    ]
    bombs = [bomb for bomb in BOMBS.values() if len(bomb) < 4096]
    for _ in range(count):
        messages = [
            _with_wrong_arguments(*rng.choice(commands), rng) for _ in range(rng.choice([1, 1, 3]))
        ]
        packet = bytearray(rng.choice([messages[0], bundle(*messages), rng.choice(bombs)]))
        for _ in range(rng.randint(0, 3)):
            rng.choice(MUTATIONS)(packet, rng)
        yield bytes(packet)


def _with_wrong_arguments(address: str, arguments: Sequence[object], rng: random.Random) -> bytes:
    changed = list(arguments)
    start = rng.randrange(len(changed) + 1)
    changed[start : start + rng.randint(0, 2)] = rng.choices(VALUES, k=rng.randint(0, 2))
    return message(address, *changed)


def _flip(packet: bytearray, rng: random.Random) -> None:
    if packet:
        packet[rng.randrange(len(packet))] ^= 1 << rng.randrange(8)


def _randomize(packet: bytearray, rng: random.Random) -> None:
    start = rng.randrange(len(packet) + 1)
    packet[start : start + rng.randint(1, 16)] = rng.randbytes(rng.randint(0, 16))


def _cut(packet: bytearray, rng: random.Random) -> None:
    del packet[rng.randrange(len(packet) + 1) :]


def _repeat(packet: bytearray, rng: random.Random) -> None:
    start = rng.randrange(len(packet) + 1) & ~3
    piece = packet[start : start + 4 * rng.randint(1, 16)]
    packet[start:start] = piece * rng.choice([1, 2, 30])


def _set_integer(packet: bytearray, rng: random.Random) -> None:
    start = rng.randrange(len(packet) + 1) & ~3
    packet[start : start + 4] = struct.pack(">i", rng.choice(INTEGERS))


def _insert_word(packet: bytearray, rng: random.Random) -> None:
    start = rng.randrange(len(packet) + 1)
    packet[start:start] = rng.choice(WORDS)


MUTATIONS = [_flip, _randomize, _cut, _repeat, _set_integer, _insert_word]
