"""Peers of an Ableton Link session, in a network of their own that no other machine is in."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import pytest

from tests.peers.programs import Program, program
from tests.peers.timeline import Timeline
from tests.peers.wait import until

_CLONE_NEWNET = 0x4000_0000
_SENIOR_SECONDS = 1.0
"""Of two sessions whose ages differ by more than 0.5 s, Link keeps the older (Sessions.hpp)."""


class Where(NamedTuple):
    """What a Link peer sees of the session at an instant.

    Attributes:
        seconds: on `time.perf_counter`.
        beat: quarter notes; its phase in the quantum is the session's.
        peers: how many others there are.
    """

    seconds: float
    beat: float
    tempo_bpm: float
    is_playing: bool
    peers: int


class LinkPeer:
    """A program in a Link session. Make it with `linked`."""

    def __init__(self, peer: Program) -> None:
        self._peer = peer

    def where(self, quantum: float = 4.0) -> Where:
        """What this peer sees now, with a quantum in quarter notes."""
        seconds, beat, tempo, playing, peers = self._peer.ask("where", quantum)
        return Where(float(seconds), float(beat), float(tempo), playing == "1", int(peers))

    def timeline(self, quantum: float = 4.0) -> Timeline:
        """When each beat sounds, if the tempo stays; beat 0 begins a bar."""
        here = self.where(quantum)
        start_seconds = here.seconds - here.beat * 60 / here.tempo_bpm
        return Timeline(start_seconds, (0, here.tempo_bpm))

    def start(self, quantum: float = 4.0) -> None:
        """Start to play beat 0 at the next quantum: alone at once."""
        self._peer.send("start", quantum)

    def stop(self) -> None:
        """Stop playing."""
        self._peer.send("stop")

    def set_tempo(self, tempo_bpm: float) -> None:
        """Change the session's tempo."""
        self._peer.send("tempo", tempo_bpm)

    def wait_for_peers(self, count: int = 1) -> None:
        """Wait until that many others are in the session."""
        until(lambda: self.where().peers == count, f"{count} Link peers")

    def leave(self) -> None:
        """Kill the peer, as a program that crashes."""
        self._peer.kill()


@contextmanager
def linked(tempo_bpm: float, *, shares_start_stop: bool = True) -> Iterator[LinkPeer]:
    """Run a peer; it has a session of its own until it finds others.

    The block begins when the session is old enough for younger peers to join it.
    """
    words = repr(tempo_bpm), str(int(shares_start_stop))
    with program("tests.peers.link_peer", *words) as peer:
        begun = time.perf_counter()
        until(lambda: time.perf_counter() > begun + _SENIOR_SECONDS, "the session is senior")
        yield LinkPeer(peer)


@pytest.fixture
def own_network(require_program: Callable[[str], str]) -> Iterator[None]:
    """Give the test, and the processes that it starts, a network with a loopback device alone.

    Link then meets no peers of other tests, and no other machine hears it. The test is skipped
    where this process has no right to do that, as in some containers: no program is missing then.
    """
    if sys.platform != "linux":
        pytest.skip("needs Linux: a network namespace")
    pytest.importorskip("link")
    ip = require_program("ip")
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        if libc.unshare(_CLONE_NEWNET):
            pytest.skip(f"no network namespace: {os.strerror(ctypes.get_errno())}")
        try:
            subprocess.run([ip, "link", "set", "lo", "up"], check=True)
            yield
        finally:
            assert libc.setns(before, _CLONE_NEWNET) == 0
    finally:
        os.close(before)
