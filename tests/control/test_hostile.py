"""Tens of thousands of broken and hostile packets: no other error, no long wait, no endpoint dies.

`MELODY_BRIDGE_HOSTILE_PACKETS` sets how many; the soak uses a million.
"""

from __future__ import annotations

import contextlib
import heapq
import os
import subprocess
import sys
import time

import pytest

from bridge.control.addresses import read_command, request_id
from bridge.control.osc import MAX_REFUSALS_A_SECOND
from bridge.control.packets import InvalidPacket, read_packet
from bridge.errors import BridgeError
from bridge.process.memory import resident_bytes
from tests.control.hostile import mutated_packets
from tests.control.peers import PATIENCE_SECONDS, Client, Served, message
from tests.control.test_packets import BOMBS

COUNT = int(os.environ.get("MELODY_BRIDGE_HOSTILE_PACKETS", "50000"))
WORST_PARSE_SECONDS = 0.025
"""Five times the limit of `read_packet`, as other load slows a processor too. What the limit keeps
out took 65 ms."""
PACKETS_BETWEEN_PINGS = 100
FLOOD_SECONDS = 2
FLOOD_PACKETS_A_SECOND = 20_000
MAX_GROWTH_BYTES = 10 * 1024 * 1024


def read_and_interpret(packet: bytes) -> None:
    try:
        messages = read_packet(packet)
    except InvalidPacket:
        return
    for address, arguments in messages:
        try:
            read_command(address, arguments, 0.0)
        except BridgeError as error:
            assert error.code in ("bad-argument", "unknown-address")
            assert request_id(address, arguments)


def parse_seconds(packet: bytes) -> float:
    """Processor time: on a busy machine, the slowest by the clock would be the interrupted ones."""
    start_seconds = time.thread_time()
    with contextlib.suppress(InvalidPacket):
        read_packet(packet)
    return time.thread_time() - start_seconds


def best_parse_seconds(packet: bytes) -> float:
    """The shortest of five times, so that other load on the machine counts less."""
    return min(parse_seconds(packet) for _ in range(5))


def test_mutated_packets_raise_no_other_errors_and_the_slowest_is_fast() -> None:
    slowest: list[tuple[float, bytes]] = []
    valid = 0
    for packet in mutated_packets(COUNT, seed=3):
        read_and_interpret(packet)
        heapq.heappush(slowest, (parse_seconds(packet), packet))
        if len(slowest) > 20:
            heapq.heappop(slowest)
        valid += not is_invalid(packet)
    worst_seconds = max(best_parse_seconds(packet) for _, packet in slowest)
    print(f"{COUNT} mutated packets, {valid} valid; the slowest took {1000 * worst_seconds:.2f} ms")
    assert worst_seconds <= WORST_PARSE_SECONDS
    # If the mutations broke the structure of nearly all packets, they would not test the commands.
    assert COUNT / 20 < valid < COUNT * 19 / 20


def is_invalid(packet: bytes) -> bool:
    try:
        read_packet(packet)
    except InvalidPacket:
        return True
    return False


LARGEST = {
    **BOMBS,
    "one long text": message("/a", "x" * 8180),
    "one long address": message("/" + "x" * 8180),
    "1024 integers": message("/a", *[7] * 1024),
    "1024 texts": message("/a", *["x"] * 1024),
    "1024 messages": b"#bundle\0" + bytes(8) + b"\0\0\0\4/a\0\0" * 1022,
    "empty bundles": b"#bundle\0" + bytes(8) + (b"\0\0\0\x10#bundle\0" + bytes(8)) * 400,
    "misspelled addresses": b"#bundle\0" + bytes(8) + b"\0\0\0\x14/bridge/generats\0\0\0\0" * 340,
}


@pytest.mark.parametrize("packet", LARGEST.values(), ids=LARGEST.keys())
def test_the_slowest_known_packets_are_parsed_in_time(packet: bytes) -> None:
    read_and_interpret(packet)
    assert best_parse_seconds(packet) <= WORST_PARSE_SECONDS


def test_the_endpoint_answers_after_any_packets() -> None:
    # With a constant clock, the subscription does not expire in a soak longer than 30 s.
    with (
        Served(clock=lambda: 0.0) as served,
        Client(served, "hostile") as client,
        Client(served) as other,
    ):
        sent = 0
        for number, packet in enumerate(mutated_packets(COUNT, seed=4, answered=False)):
            client.send_bytes(packet)
            sent += 1
            if number % PACKETS_BETWEEN_PINGS == 0:
                # The wait keeps the buffer from overflowing; the pong shows that it still answers.
                other.ping()
                sent += 1
        for bomb in BOMBS.values():
            client.send_bytes(bomb)
            sent += 1
            other.ping()
            sent += 1
        stats = served.call(lambda endpoint: endpoint.stats)
        assert stats.received == sent + 1
        assert 0 < stats.invalid < stats.received
        assert [one.client for one in served.call(lambda endpoint: endpoint.subscribers)] == [
            "hostile"
        ]


FLOODER = """
import socket, sys, time
port, seconds, rate = map(int, sys.argv[1:4])
packet = bytes.fromhex(sys.argv[4])
flood = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
begun = time.perf_counter()
for number in range(seconds * rate):
    while time.perf_counter() < begun + number / rate:
        pass
    flood.sendto(packet, ("127.0.0.1", port))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts what it drops")
@pytest.mark.parametrize(
    "packet",
    [
        message("/bridge/transport", 120.0, 1.5, 1, 4, 4),
        message("/bridge/genrate", "me-1", "bars", 4),
    ],
    ids=["good", "refused"],
)
def test_twenty_thousand_packets_a_second_are_received_or_counted_in_bounded_memory(
    packet: bytes,
) -> None:
    with Served(keep=False) as served, Client(served, "floods"), Client(served) as other:
        other.ping()
        before = resident_bytes()
        amount = FLOOD_SECONDS * FLOOD_PACKETS_A_SECOND
        arguments = map(str, [served.port, FLOOD_SECONDS, FLOOD_PACKETS_A_SECOND, packet.hex()])
        start_seconds = time.perf_counter()
        subprocess.run(
            [sys.executable, "-c", FLOODER, *arguments],
            check=True,
            timeout=PATIENCE_SECONDS * FLOOD_SECONDS,
        )
        give_up = time.monotonic() + PATIENCE_SECONDS
        counted = 0
        # The subscription and the first ping count as received too.
        while counted < amount + 2 and time.monotonic() < give_up:
            stats = served.call(lambda endpoint: endpoint.stats)
            counted = stats.received + (stats.dropped or 0)
        assert counted == amount + 2
        assert resident_bytes() - before < MAX_GROWTH_BYTES
        # Not from the subscriber: it has read nothing, and its buffer may be full.
        assert other.ping() == []
        seconds = time.perf_counter() - start_seconds
        answers = 3
        assert stats.sent <= answers + (MAX_REFUSALS_A_SECOND + 1) * (seconds + 1)
