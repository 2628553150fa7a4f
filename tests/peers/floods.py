"""Floods of valid messages at a daemon, and how long its pongs take meanwhile."""

from __future__ import annotations

import contextlib
import selectors
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from bridge.control.packets import BUNDLE, write_message

FLOOD_A_SECOND = 2000
PONG_SECONDS = 0.1
"""Bound of the 99th percentile of a pong's delay under a flood."""
SUBSCRIBERS = 20
PINGS_A_SECOND = 50
_RENEWAL_SECONDS = 5.0

_FLOODER = """
import socket, sys, time
port, seconds, rate = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
packets = [bytes.fromhex(line) for line in sys.stdin.read().split()]
flood = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
begun, sent = time.perf_counter(), 0
while (now := time.perf_counter() - begun) < seconds:
    while sent < now * rate:
        flood.sendto(packets[sent % len(packets)], ("127.0.0.1", port))
        sent += 1
    time.sleep(0.001)
"""


def _bundle(message: bytes) -> bytes:
    """As many copies of a message as one datagram of 8 KiB holds."""
    element = len(message).to_bytes(4, "big") + message
    return BUNDLE + bytes(8) + element * ((8192 - 16) // len(element))


def floods(port: int, known_id: str) -> Mapping[str, list[bytes]]:
    """The datagrams of each flood by its name; one flood repeats its own.

    Args:
        port: of a subscriber, which the floods name.
        known_id: of a list of presets that was made before.
    """
    many = range(20_000)
    settings = ("bars", 1, "preset", "lofi-keys")
    return {
        "subscribe": [write_message("/bridge/subscribe", (port, "flood"))],
        "subscribe many": [
            write_message("/bridge/subscribe", (20_000 + n % 10_000, f"flood{n}")) for n in many
        ],
        "subscribe bundles": [_bundle(write_message("/bridge/subscribe", (port,)))],
        "ping": [write_message("/bridge/ping", (port,))],
        "ping bundles": [_bundle(write_message("/bridge/ping", (port,)))],
        "again": [write_message("/bridge/presets", (known_id,))],
        "again bundles": [_bundle(write_message("/bridge/presets", (known_id,)))],
        "presets": [write_message("/bridge/presets", (f"flood-p{n}",)) for n in many],
        "clips": [write_message("/bridge/clips", (f"flood-c{n}",)) for n in many],
        "generate": [write_message("/bridge/generate", (f"flood-g{n}", *settings)) for n in many],
        "generate, cancel": [
            write_message(*message)
            for n in many
            for message in (
                ("/bridge/generate", (f"flood-h{n}", *settings)),
                ("/bridge/cancel", (f"flood-h{n}",)),
            )
        ],
        "captures": [write_message("/bridge/capture/last", (f"flood-l{n}", 2)) for n in many],
        "files": [
            write_message("/bridge/capture/file", (f"flood-f{n}", "/nowhere/tune.wav"))
            for n in many
        ],
        "notes": [
            write_message("/bridge/capture/notes", (f"flood-n{n}", 1, 0.0, 60, 1.0)) for n in many
        ],
        "discard": [write_message("/bridge/discard", (f"flood-d{n}",)) for n in many],
        "set": [write_message("/bridge/set", ("tempo_bpm", 60 + n % 100)) for n in many],
        "transport": [write_message("/bridge/transport", (120.0, n / 1000, 1, 4, 4)) for n in many],
        "panic": [write_message("/bridge/panic", ())],
        "misspelled": [write_message("/bridge/genrate", ("flood-1",))],
    }


_PINGER = """
import socket, sys, time
from bridge.control.packets import write_message
daemon, wait = ("127.0.0.1", int(sys.argv[1])), 1 / float(sys.argv[2])
pinging = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
pinging.bind(("127.0.0.1", 0))
pinging.settimeout(10.0)
ping = write_message("/bridge/ping", (pinging.getsockname()[1],))
while True:
    begun = time.perf_counter()
    pinging.sendto(ping, daemon)
    try:
        pinging.recv(4096)
    except TimeoutError:
        pass
    print(time.perf_counter() - begun, flush=True)
    time.sleep(wait)
"""


class Audience:
    """Subscribers that count what they receive, in one thread, and read none of it.

    Attributes:
        ports: their ports; the first one's client is called `flood`.
        received: the datagrams that came so far.
    """

    def __init__(self, daemon_port: int) -> None:
        self.received = 0
        self._daemon = ("127.0.0.1", daemon_port)
        self._selector = selectors.DefaultSelector()
        self._sockets = []
        for _ in range(SUBSCRIBERS):
            one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            one.bind(("127.0.0.1", 0))
            one.setblocking(False)
            self._sockets.append(one)
            self._selector.register(one, selectors.EVENT_READ)
        self.ports = [int(one.getsockname()[1]) for one in self._sockets]
        self._open = True
        self._thread = threading.Thread(target=self._read)

    def __enter__(self) -> Audience:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._open = False
        self._thread.join()
        for one in self._sockets:
            one.close()

    def _read(self) -> None:
        next_renewal = 0.0
        while self._open:
            now = time.perf_counter()
            if now >= next_renewal:
                next_renewal = now + _RENEWAL_SECONDS
                for number, one in enumerate(self._sockets):
                    client = f"flood{number or ''}"
                    arguments = (self.ports[number], client)
                    one.sendto(write_message("/bridge/subscribe", arguments), self._daemon)
            for key, _ in self._selector.select(_RENEWAL_SECONDS / 10):
                with contextlib.suppress(BlockingIOError):
                    while cast("socket.socket", key.fileobj).recv(65_536):
                        self.received += 1


@dataclass(frozen=True)
class Flooded:
    """What a flood did.

    Attributes:
        pongs_seconds: the delay of each pong.
        received: datagrams that the audience received.
    """

    pongs_seconds: list[float]
    received: int

    @property
    def p99_seconds(self) -> float:
        """The 99th percentile of the delays."""
        return statistics.quantiles(self.pongs_seconds, n=100)[98]


def flood(daemon_port: int, audience: Audience, packets: list[bytes], seconds: float) -> Flooded:
    """Send datagrams again and again, 2,000 a second, and ping meanwhile; each from a process."""
    before = audience.received
    with subprocess.Popen(
        [sys.executable, "-c", _PINGER, *map(str, (daemon_port, PINGS_A_SECOND))],
        stdout=subprocess.PIPE,
        text=True,
    ) as pinger:
        assert pinger.stdout is not None
        pinger.stdout.readline()
        subprocess.run(
            [sys.executable, "-c", _FLOODER, *map(str, (daemon_port, seconds, FLOOD_A_SECOND))],
            input=b"\n".join(packet.hex().encode() for packet in packets),
            check=True,
        )
        pinger.terminate()
        delays = [float(line) for line in pinger.stdout.read().split("\n") if line]
    return Flooded(delays, audience.received - before)
