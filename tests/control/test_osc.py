"""The endpoint, over real sockets: who is told what, and what it survives."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest

from bridge.commands import (
    Cancel,
    ClipReady,
    Command,
    Done,
    Generate,
    Hello,
    ListClips,
    ListPresets,
    Panic,
    Pong,
    Transport,
)
from bridge.control import OscEndpoint
from bridge.control.osc import MAX_REFUSALS_A_SECOND, MAX_SUBSCRIBERS, RECEIVE_BUFFER_BYTES
from bridge.control.packets import write_message
from bridge.errors import BadArgument, QueueFull, Unsupported
from bridge.timing import Meter
from tests.control.events import ONE_OF_EACH
from tests.control.peers import PATIENCE_SECONDS, Client, Served, message
from tests.control.test_packets import bundle

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")


@pytest.fixture
def served() -> Iterator[Served]:
    with Served() as served:
        yield served


class Clock:
    """Time that passes when the test says so."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_hello_and_pong_go_to_the_port_that_asked_alone(served: Served) -> None:
    with Client(served, "live1") as first, Client(served, "live2") as second:
        assert first.ping() == []
        assert second.ping() == []


def test_every_event_goes_to_every_subscriber_and_to_nobody_else(served: Served) -> None:
    with Client(served, "live1") as first, Client(served, "") as second, Client(served) as other:
        for event, _ in ONE_OF_EACH:
            served.send(event)
        for client in (first, second):
            for _, told in ONE_OF_EACH:
                assert client.hear() == told
        assert other.ping() == []


def test_commands_come_in_order_and_stamped_with_the_clock() -> None:
    with Served(clock=Clock()) as served, Client(served) as client:
        client.throw(bundle(message("/bridge/presets", "me-1"), message("/bridge/clips", "me-2")))
        client.say("/bridge/transport", 120.0, 1.5, 1, 4, 4)
        client.say("/bridge/panic")
        assert served.heard(4) == [
            ListPresets("me-1"),
            ListClips("me-2"),
            Transport(Fraction(120), 1.5, True, Meter(), received_seconds=100.0),
            Panic(),
        ]


def test_a_subscription_lasts_thirty_seconds_from_the_last_subscribe_or_ping() -> None:
    clock = Clock()

    with (
        Served(clock=clock) as served,
        Client(served, "quiet"),
        Client(served, "pings") as pings,
        Client(served, "subscribes") as subscribes,
        Client(served) as stranger,
    ):

        def listening() -> list[str]:
            return served.call(lambda endpoint: [one.client for one in endpoint.subscribers])

        clock.now += 20
        assert pings.ping() == []
        subscribes.say("/bridge/subscribe", subscribes.port, "subscribes")
        assert subscribes.hear()[0] == "/bridge/hello"
        stranger.ping()
        clock.now += 9.9
        assert listening() == ["quiet", "pings", "subscribes"]
        clock.now += 0.1
        assert listening() == ["pings", "subscribes"]
        clock.now += 19.9
        assert listening() == ["pings", "subscribes"]
        clock.now += 0.1
        assert listening() == []
        # Pinging is not subscribing, neither at first nor after that.
        pings.ping()
        served.send(Done("me-1", 0))
        assert pings.ping() == stranger.ping() == []


def test_whoever_unsubscribes_hears_nothing_more(served: Served) -> None:
    with Client(served, "stays") as stays, Client(served, "leaves") as leaves:
        leaves.say("/bridge/unsubscribe", leaves.port)
        leaves.ping()
        served.send(Done("me-1", 1))
        assert stays.hear() == ("/bridge/done", "me-1", 1)
        assert leaves.ping() == []
        leaves.say("/bridge/unsubscribe", leaves.port)
        assert leaves.ping() == []


def test_the_newest_name_of_a_port_is_its_clients(served: Served) -> None:
    with Client(served, "first") as client:
        client.say("/bridge/subscribe", client.port, "second")
        assert client.hear()[5] == "second"
        served.send(Done("me-1", 0))
        assert client.ping() == [("/bridge/done", "me-1", 0)]
        named = served.call(lambda endpoint: [one.client for one in endpoint.subscribers])
        assert named == ["second"]


def test_a_new_subscriber_takes_the_place_of_the_longest_quiet() -> None:
    clock = Clock()
    with contextlib.ExitStack() as open_, Served(clock=clock) as served:
        alive = open_.enter_context(Client(served, "alive"))
        for number in range(MAX_SUBSCRIBERS - 1):
            clock.now += 0.1
            open_.enter_context(Client(served, f"quiet {number}"))
        clock.now += 0.1
        alive.ping()
        new = open_.enter_context(Client(served, "new"))
        names = served.call(lambda endpoint: [one.client for one in endpoint.subscribers])
        assert len(names) == MAX_SUBSCRIBERS
        assert "quiet 0" not in names
        assert {"alive", "quiet 1", "new"} < set(names)
        served.send(Done("me-1", 0))
        assert alive.hear() == new.hear() == ("/bridge/done", "me-1", 0)


def test_a_subscriber_that_crashed_disturbs_nobody(served: Served) -> None:
    with Client(served, "crashes"), Client(served, "lives") as lives:
        served.send(Done("me-1", 0))
    with Client(served, "lives") as lives:
        for number in range(100):
            served.send(Done("me-1", number))
        assert [lives.hear()[2] for _ in range(100)] == list(range(100))
        assert lives.ping() == []


@pytest.mark.parametrize("address", ["/bridge/subscribe", "/bridge/ping"])
def test_the_daemon_does_not_talk_to_itself(served: Served, address: str) -> None:
    with Client(served, "live1") as client:
        client.say(address, served.port)
        told = ("/bridge/error", "-", "bad-argument")
        assert client.hear()[:3] == told
        assert client.ping() == []
        assert served.call(lambda endpoint: len(endpoint.subscribers)) == 1


def test_an_error_is_not_answered_by_an_error(served: Served) -> None:
    with Client(served, "echoes") as client:
        client.say("/bridge/error", "-", "bad-argument", "an echo")
        assert client.ping() == []
        assert served.call(lambda endpoint: endpoint.stats.refused) == 1


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (("/bridge/genrate", "me-1"), ("me-1", "unknown-address", "/bridge/generate?")),
        (("/bridge/generate", "me-1", "bars", 4.5), ("me-1", "bad-argument", "bars 4.5")),
        (("/bridge/generate", "me-1", "bars", b"4"), ("me-1", "bad-argument", "bars")),
        (("/bridge/set", "bars", 0), ("-", "bad-argument", "/bridge/set: bars 0")),
        (("/bridge/ping", 0), ("-", "bad-argument", "/bridge/ping: port 0")),
        (("/bridge/capture/stop", "x" * 5000), ("-", "bad-argument", "id 'xxx")),
    ],
)
def test_what_cannot_be_done_is_answered(
    served: Served, said: tuple[object, ...], told: tuple[str, str, str]
) -> None:
    with Client(served, "live1") as client:
        client.say(str(said[0]), *said[1:])
        address, id, code, sentence = client.hear()
        assert (address, id, code) == ("/bridge/error", *told[:2])
        assert told[2] in str(sentence)
        assert client.ping() == []
        assert served.commands == []


def test_an_error_of_the_daemon_is_its_requests() -> None:
    def refuse(command: Command) -> None:
        if isinstance(command, Generate):
            raise QueueFull("8 requests are waiting: wait, or cancel one")
        raise Unsupported("not built yet")

    with Served(refuse) as served, Client(served, "live1") as client:
        client.say("/bridge/generate", "me-1")
        sentence = "8 requests are waiting: wait, or cancel one"
        assert client.hear() == ("/bridge/error", "me-1", "queue-full", sentence)
        client.say("/bridge/stop")
        sentence = "/bridge/stop: not built yet"
        assert client.hear() == ("/bridge/error", "-", "unsupported", sentence)


def test_a_defect_of_the_daemon_is_logged_and_told_and_it_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(command: Command) -> None:
        if isinstance(command, Cancel):
            raise KeyError("a defect")

    with Served(fail) as served, Client(served, "live1") as client:
        client.say("/bridge/cancel", "me-1")
        assert client.hear()[:3] == ("/bridge/error", "me-1", "unsupported")
        client.say("/bridge/panic")
        assert client.ping() == []
        assert served.heard(2)[-1] == Panic()
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "/bridge/cancel" in record.getMessage()
    assert record.exc_info is not None and record.exc_info[0] is KeyError


def test_what_is_not_osc_is_counted_and_not_answered(served: Served) -> None:
    with Client(served, "live1") as client:
        for datagram in (
            b"",
            b"GET / HTTP/1.1\r\n\r\n",
            b"/a\0\0,s\0\0\xff\xff\xff\0",
            b"x" * 60_000,
        ):
            client.throw(datagram)
        assert client.ping() == []
        stats = served.call(lambda endpoint: endpoint.stats)
        assert (stats.received, stats.invalid, stats.refused) == (6, 4, 0)
        # Hello and the pong.
        assert (stats.sent, stats.unsent) == (2, 0)


def test_a_flood_of_refusals_is_cut_short_and_summed_up(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    said = 5 * MAX_REFUSALS_A_SECOND
    with Client(served, "floods") as client:
        for number in range(said):
            client.say("/bridge/nowhere", f"me-{number}")
        told = unsaid = sums = 0
        while told + unsaid < said:
            address, id, code, sentence = client.hear()
            assert address == "/bridge/error"
            if id == "-":
                assert code == "bad-argument" and "more messages were refused" in str(sentence)
                unsaid += int(str(sentence).split()[0])
                sums += 1
            else:
                assert (id, code) == (f"me-{told + unsaid}", "unknown-address")
                told += 1
        assert told + unsaid == said
        # A slow machine needs more than one second for them.
        assert sums >= 1 and told <= (sums + 1) * MAX_REFUSALS_A_SECOND
        assert len([record for record in caplog.records if "refused" in record.message]) == sums
        # The second is over: there is room again.
        client.say("/bridge/nowhere", "me-last")
        assert client.hear()[:3] == ("/bridge/error", "me-last", "unknown-address")


@contextlib.contextmanager
def busy(served: Served) -> Iterator[None]:
    """While the endpoint's thread does something else."""
    free, is_busy = threading.Event(), threading.Event()

    def work(endpoint: OscEndpoint) -> None:
        is_busy.set()
        assert free.wait(PATIENCE_SECONDS)

    thread = threading.Thread(target=served.call, args=(work,))
    thread.start()
    try:
        assert is_busy.wait(PATIENCE_SECONDS)
        yield
    finally:
        free.set()
        thread.join()


def largest_buffer() -> int:
    limit = Path("/proc/sys/net/core/rmem_max")
    return int(limit.read_text()) if limit.exists() else 0


@pytest.mark.skipif(
    largest_buffer() < RECEIVE_BUFFER_BYTES, reason="the system allows no buffer of 4 MiB"
)
def test_a_burst_of_5000_messages_is_heard_whole(served: Served) -> None:
    with Client(served) as client:
        datagrams = [message("/bridge/cancel", f"me-{number}") for number in range(5000)]
        with busy(served):
            for datagram in datagrams:
                client.throw(datagram)
        assert served.heard(5000) == [Cancel(f"me-{number}") for number in range(5000)]
        assert served.call(lambda endpoint: endpoint.stats.dropped) == 0


SENT = 30_000
"""More than any buffer here holds."""


@LINUX
def test_what_the_system_drops_is_counted(served: Served) -> None:
    with Client(served) as client:
        datagram = message("/bridge/cancel", "x" * 60)
        with busy(served):
            for _ in range(SENT):
                client.throw(datagram)
        give_up = time.monotonic() + PATIENCE_SECONDS
        stats = served.call(lambda endpoint: endpoint.stats)
        while stats.received + (stats.dropped or 0) < SENT and time.monotonic() < give_up:
            stats = served.call(lambda endpoint: endpoint.stats)
        assert stats.dropped is not None and stats.dropped > 0
        assert stats.received + stats.dropped == SENT


def test_it_hears_this_machine_alone(served: Served) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as elsewhere:
        # All of 127.0.0.0/8 is this machine to Linux; whoever listens on every address hears it.
        elsewhere.connect(("127.0.0.2", served.port))
        elsewhere.settimeout(PATIENCE_SECONDS)
        elsewhere.send(message("/bridge/panic"))
        with contextlib.suppress(ConnectionRefusedError):
            elsewhere.recv(1)
            pytest.fail("something answered")
    with Client(served) as client:
        client.ping()
        assert served.commands == []


@LINUX
def test_its_only_socket_is_on_the_loopback(served: Served) -> None:
    rows = [line.split() for line in Path("/proc/net/udp").read_text().splitlines()[1:]]
    rows += [line.split() for line in Path("/proc/net/udp6").read_text().splitlines()[1:]]
    bound = [row[1] for row in rows if row[1].endswith(f":{served.port:04X}")]
    assert bound == [f"0100007F:{served.port:04X}"]


async def open_on(port: int) -> OscEndpoint:
    return await OscEndpoint.open(
        port,
        on_command=lambda command: None,
        hello=lambda client: Hello("0.1.0", 1, "ready", "pocket", client, "/clips/Takes"),
        pong=lambda: Pong("ready"),
    )


@pytest.mark.parametrize("reused", [False, True], ids=["plainly", "with SO_REUSEADDR"])
@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
def test_a_taken_port_is_told_with_its_holder_and_remedy(address: str, reused: bool) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reused)
        other.bind((address, 0))
        port = other.getsockname()[1]
        with pytest.raises(BadArgument) as refusal:
            asyncio.run(open_on(port))
    assert f"port {port} is taken" in str(refusal.value)
    assert "--osc-port" in str(refusal.value)
    if sys.platform == "linux":
        assert f"(process {os.getpid()})" in str(refusal.value)


def test_once_closed_its_port_is_free_and_nothing_is_sent() -> None:
    async def open_twice() -> None:
        first = await open_on(0)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.sendto(message("/bridge/subscribe", 9), ("127.0.0.1", first.port))
        give_up = time.monotonic() + PATIENCE_SECONDS
        while not first.subscribers and time.monotonic() < give_up:
            await asyncio.sleep(0)
        await first.close()
        second = await open_on(first.port)
        try:
            first.send(Done("me-1", 0))
            stats = first.stats
            # Only the hello was sent.
            assert (stats.sent, stats.unsent, stats.dropped) == (1, 1, None)
            await first.close()
        finally:
            await second.close()

    asyncio.run(open_twice())


def test_a_clip_whose_path_no_datagram_holds_is_logged_and_the_next_event_goes_out(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    path = "/" + "p" * 4090
    with Client(served, "live1") as client:
        served.send(ClipReady("me-1", 0, 1, path, 4, 120.0, 7, 0.9, 4, 4, 44_100, "clip"))
        served.send(Done("me-1", 1))
        assert client.hear() == ("/bridge/done", "me-1", 1)
        assert served.call(lambda endpoint: endpoint.stats.unsent) == 1
    assert "/bridge/clip" in caplog.text


def test_a_client_may_be_any_program_that_writes_osc(served: Served) -> None:
    """The bridge's own writer too: `melody-bridge send` uses it."""
    with Client(served) as client:
        client.throw(write_message("/bridge/cancel", ["me-1"]))
        assert served.heard(1) == [Cancel("me-1")]
