"""The endpoint over real sockets: who receives what, and which inputs it survives."""

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

from bridge.commands import Cancel, Command, Generate, ListClips, ListPresets, Panic, Transport
from bridge.control import OscEndpoint
from bridge.control.osc import (
    MAX_REFUSALS_A_SECOND,
    MAX_SUBSCRIBERS,
    RECEIVE_BUFFER_BYTES,
    REQUESTS_AT_ONCE,
)
from bridge.control.packets import write_message
from bridge.errors import BadArgument, QueueFull, Unsupported
from bridge.events import ClipReady, Done, Hello, Pong, PresetListed
from bridge.timing import Meter
from tests.control.events import ONE_OF_EACH
from tests.control.peers import PATIENCE_SECONDS, Client, Served, message
from tests.control.test_packets import bundle

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux lists its sockets")


@pytest.fixture
def served() -> Iterator[Served]:
    with Served() as served:
        yield served


class Clock:
    """A clock that the test sets."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_hello_and_pong_go_only_to_the_port_that_asked(served: Served) -> None:
    with Client(served, "live1") as first, Client(served, "live2") as second:
        assert first.ping() == []
        assert second.ping() == []


def test_every_event_goes_to_every_subscriber_and_nobody_else(served: Served) -> None:
    with Client(served, "live1") as first, Client(served, "") as second, Client(served) as other:
        for event, _ in ONE_OF_EACH:
            served.send(event)
        for client in (first, second):
            for _, expected in ONE_OF_EACH:
                assert client.receive() == expected
        assert other.ping() == []


def test_commands_arrive_in_order_and_with_the_clocks_time() -> None:
    with Served(clock=Clock()) as served, Client(served) as client:
        client.send_bytes(
            bundle(message("/bridge/presets", "me-1"), message("/bridge/clips", "me-2"))
        )
        client.send("/bridge/transport", 120.0, 1.5, 1, 4, 4)
        client.send("/bridge/panic")
        assert served.received(4) == [
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
        subscribes.send("/bridge/subscribe", subscribes.port, "subscribes")
        assert subscribes.receive()[0] == "/bridge/hello"
        stranger.ping()
        clock.now += 9.9
        assert listening() == ["quiet", "pings", "subscribes"]
        clock.now += 0.1
        assert listening() == ["pings", "subscribes"]
        clock.now += 19.9
        assert listening() == ["pings", "subscribes"]
        clock.now += 0.1
        assert listening() == []
        # A ping never subscribes, neither before a subscription nor after it.
        pings.ping()
        served.send(Done("me-1", 0))
        assert pings.ping() == stranger.ping() == []


def test_a_client_that_unsubscribed_receives_no_more_events(served: Served) -> None:
    with Client(served, "stays") as remaining, Client(served, "leaves") as leaving:
        leaving.send("/bridge/unsubscribe", leaving.port)
        leaving.ping()
        served.send(Done("me-1", 1))
        assert remaining.receive() == ("/bridge/done", "me-1", 1)
        assert leaving.ping() == []
        leaving.send("/bridge/unsubscribe", leaving.port)
        assert leaving.ping() == []


def test_the_newest_client_name_of_a_port_counts(served: Served) -> None:
    with Client(served, "first") as client:
        client.send("/bridge/subscribe", client.port, "second")
        assert client.receive()[5] == "second"
        served.send(Done("me-1", 0))
        assert client.ping() == [("/bridge/done", "me-1", 0)]
        clients = served.call(lambda endpoint: [one.client for one in endpoint.subscribers])
        assert clients == ["second"]


def test_a_new_subscriber_replaces_the_one_that_expires_first() -> None:
    clock = Clock()
    with contextlib.ExitStack() as open_, Served(clock=clock) as served:
        alive = open_.enter_context(Client(served, "alive"))
        for number in range(MAX_SUBSCRIBERS - 1):
            clock.now += 0.1
            open_.enter_context(Client(served, f"quiet {number}"))
        clock.now += 0.1
        alive.ping()
        new = open_.enter_context(Client(served, "new"))
        clients = served.call(lambda endpoint: [one.client for one in endpoint.subscribers])
        assert len(clients) == MAX_SUBSCRIBERS
        assert "quiet 0" not in clients
        assert {"alive", "quiet 1", "new"} < set(clients)
        served.send(Done("me-1", 0))
        assert alive.receive() == new.receive() == ("/bridge/done", "me-1", 0)


def test_a_crashed_subscriber_does_not_disturb_the_others(served: Served) -> None:
    with Client(served, "crashes"), Client(served, "lives") as lives:
        served.send(Done("me-1", 0))
    with Client(served, "lives") as lives:
        for number in range(100):
            served.send(Done("me-1", number))
        assert [lives.receive()[2] for _ in range(100)] == list(range(100))
        assert lives.ping() == []


@pytest.mark.parametrize("address", ["/bridge/subscribe", "/bridge/ping"])
def test_the_daemon_refuses_its_own_port(served: Served, address: str) -> None:
    with Client(served, "live1") as client:
        client.send(address, served.port)
        expected = ("/bridge/error", "-", "bad-argument")
        assert client.receive()[:3] == expected
        assert client.ping() == []
        assert served.call(lambda endpoint: len(endpoint.subscribers)) == 1


def test_an_error_is_not_answered_with_an_error(served: Served) -> None:
    with Client(served, "echoes") as client:
        client.send("/bridge/error", "-", "bad-argument", "an echo")
        assert client.ping() == []
        assert served.call(lambda endpoint: endpoint.stats.refused) == 1


@pytest.mark.parametrize(
    ("sent_message", "expected"),
    [
        (("/bridge/genrate", "me-1"), ("me-1", "unknown-address", "/bridge/generate?")),
        (("/bridge/generate", "me-1", "bars", 4.5), ("me-1", "bad-argument", "bars 4.5")),
        (("/bridge/generate", "me-1", "bars", b"4"), ("me-1", "bad-argument", "bars")),
        (("/bridge/set", "bars", 0), ("-", "bad-argument", "/bridge/set: bars 0")),
        (("/bridge/ping", 0), ("-", "bad-argument", "/bridge/ping: port 0")),
        (("/bridge/capture/stop", "x" * 5000), ("-", "bad-argument", "id 'xxx")),
        (("/bridge/generate", "me-1", [1, [2]]), ("me-1", "bad-argument", "/bridge/generate: arr")),
        (("/bridge/generate", "me-1", "x" * 9000), ("me-1", "bad-argument", "limit is 8192")),
        (("/bridge/set", "x" * 9000), ("-", "bad-argument", "/bridge/set: 9020 bytes")),
    ],
)
def test_a_refused_message_is_answered_with_an_error(
    served: Served, sent_message: tuple[object, ...], expected: tuple[str, str, str]
) -> None:
    with Client(served, "live1") as client:
        client.send(str(sent_message[0]), *sent_message[1:])
        address, id, code, sentence = client.receive()
        assert (address, id, code) == ("/bridge/error", *expected[:2])
        assert expected[2] in str(sentence)
        assert client.ping() == []
        assert served.commands == []


def test_an_error_of_the_daemon_is_sent_with_the_requests_id() -> None:
    def refuse(command: Command) -> None:
        if isinstance(command, Generate):
            raise QueueFull("8 requests are waiting: wait, or cancel one")
        raise Unsupported("not built yet")

    with Served(refuse) as served, Client(served, "live1") as client:
        client.send("/bridge/generate", "me-1")
        sentence = "8 requests are waiting: wait, or cancel one"
        assert client.receive() == ("/bridge/error", "me-1", "queue-full", sentence)
        client.send("/bridge/stop")
        sentence = "/bridge/stop: not built yet"
        assert client.receive() == ("/bridge/error", "-", "unsupported", sentence)


def test_a_defect_of_the_daemon_is_logged_and_answered_and_it_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(command: Command) -> None:
        if isinstance(command, Cancel):
            raise KeyError("a defect")

    with Served(fail) as served, Client(served, "live1") as client:
        client.send("/bridge/cancel", "me-1")
        assert client.receive()[:3] == ("/bridge/error", "me-1", "internal")
        client.send("/bridge/panic")
        assert client.ping() == []
        assert served.received(2)[-1] == Panic()
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "/bridge/cancel" in record.getMessage()
    assert record.exc_info is not None and record.exc_info[0] is KeyError


def test_packets_that_are_not_osc_are_counted_and_not_answered(served: Served) -> None:
    with Client(served, "live1") as client:
        for datagram in (
            b"",
            b"GET / HTTP/1.1\r\n\r\n",
            b"/a\0\0,s\0\0\xff\xff\xff\0",
            b"x" * 60_000,
        ):
            client.send_bytes(datagram)
        assert client.ping() == []
        stats = served.call(lambda endpoint: endpoint.stats)
        assert (stats.received, stats.invalid, stats.refused) == (6, 4, 0)
        # Hello and the pong.
        assert (stats.sent, stats.unsent) == (2, 0)


def test_an_answer_goes_to_the_client_that_asked() -> None:
    """By its socket, else by its name; where neither is known, to everyone."""
    answer = Done("asks-1", 3)
    with Served(lambda command: answering.endpoint.answer(answer)) as answering:
        with Client(answering, "asks") as asks, Client(answering, "other") as other:
            asks.send("/bridge/cancel", "x-1")
            assert asks.ping() == [("/bridge/done", "asks-1", 3)]
            assert other.ping() == []
            with Client(answering) as unsubscribed:
                unsubscribed.send("/bridge/cancel", "other-1")
                unsubscribed.ping()
                assert asks.ping() == []
                assert other.ping() == [("/bridge/done", "asks-1", 3)]
                unsubscribed.send("/bridge/cancel", "nobody-1")
                unsubscribed.ping()
                assert len(asks.ping()) == len(other.ping()) == 1
        answering.call(lambda endpoint: endpoint.answer(answer))  # Nobody asks: it is ignored.


def test_a_list_goes_to_the_client_that_asked_and_other_events_to_all(served: Served) -> None:
    entry = PresetListed("asks-1", 0, 1, "lofi-keys", "warm")
    with Client(served, "asks") as asks, Client(served, "other") as other:
        asks.send("/bridge/presets", "asks-1")
        assert asks.ping() == []
        for event in (entry, Done("asks-1", 1), Done("asks-2", 1)):
            served.send(event)
        assert [event[:2] for event in asks.ping()] == [
            ("/bridge/preset", "asks-1"),
            ("/bridge/done", "asks-1"),
            ("/bridge/done", "asks-2"),
        ]
        assert other.ping() == [("/bridge/done", "asks-2", 1)]


def test_what_one_datagram_causes_is_bounded_and_paced() -> None:
    answers = [Done("me-1", number) for number in range(20)]

    def answer(command: Command) -> None:
        for event in answers:
            answering.endpoint.answer(event)

    repeated = bundle(*[message("/bridge/cancel", "me-1")] * 200)
    with Served(answer) as answering, Client(answering, "me") as client:
        # 200 in a datagram are one pong, one hello, and one answer.
        for element in ("/bridge/subscribe", "/bridge/ping"):
            client.send_bytes(bundle(*[message(element, client.port)] * 200))
        client.send_bytes(repeated)
        received: list[tuple[object, ...]] = []
        while ("/bridge/done", "me-1", 19) not in received:
            received.append(client.receive())
        received += client.ping()
        addresses = [event[0] for event in received]
        assert [addresses.count(f"/bridge/{name}") for name in ("hello", "pong")] == [1, 1]
        assert addresses.count("/bridge/done") == len(answers)


def test_more_requests_than_anyone_makes_are_refused_and_cancels_are_not(served: Served) -> None:
    with Client(served, "me") as client:
        sent = 2 * REQUESTS_AT_ONCE
        for number in range(sent):
            client.send("/bridge/discard", f"me-{number}")
        refused = [event for event in client.ping() if event[2] == "queue-full"]
        assert 0 < len(refused) <= MAX_REFUSALS_A_SECOND
        client.send("/bridge/cancel", "me-1")
        client.send("/bridge/panic")
        client.ping()
        assert served.commands[-2:] == [Cancel("me-1"), Panic()]
        assert REQUESTS_AT_ONCE <= len(served.commands) - 2 < sent


def test_a_flood_of_new_subscriptions_replaces_no_client_that_lives(served: Served) -> None:
    with Client(served, "lives") as client:
        assert client.ping() == []
        for port in range(20_000, 20_000 + 2 * MAX_SUBSCRIBERS):
            client.send("/bridge/subscribe", port, "floods")
        client.ping()
        clients = served.call(lambda endpoint: [one.client for one in endpoint.subscribers])
        assert len(clients) == MAX_SUBSCRIBERS and "lives" in clients


def test_long_datagrams_beyond_what_can_be_read_are_counted_and_summed_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Less than a slow machine needs for what a slow client sends.
    monkeypatch.setattr("bridge.control.osc.READING_SHARE", 0.01)
    unknown = bundle(*[message(f"/bridge/generats{number}") for number in range(200)])
    with Served() as served, Client(served, "floods") as client, Client(served) as other:
        while served.call(lambda endpoint: endpoint.stats.unread) < 10:
            client.send_bytes(unknown)
        assert other.ping() == []
        while not str((event := client.receive())[3]).endswith("not read: send fewer"):
            assert event[0] == "/bridge/error"
        assert event[1:3] == ("-", "queue-full")


def test_a_flood_of_refusals_is_limited_and_summed_up(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    sent = 5 * MAX_REFUSALS_A_SECOND
    with Client(served, "floods") as client:
        for number in range(sent):
            client.send("/bridge/nowhere", f"me-{number}")
        answered = summed_up = summaries = 0
        while answered + summed_up < sent:
            address, id, code, sentence = client.receive()
            assert address == "/bridge/error"
            if id == "-":
                assert code == "bad-argument" and "more messages were refused" in str(sentence)
                summed_up += int(str(sentence).split()[0])
                summaries += 1
            else:
                assert (id, code) == (f"me-{answered + summed_up}", "unknown-address")
                answered += 1
        assert answered + summed_up == sent
        # A slow machine may need more than one second for the flood.
        assert summaries >= 1 and answered <= (summaries + 1) * MAX_REFUSALS_A_SECOND
        assert (
            len([record for record in caplog.records if "refused" in record.message]) == summaries
        )
        # The second is over: there is room again.
        client.send("/bridge/nowhere", "me-last")
        assert client.receive()[:3] == ("/bridge/error", "me-last", "unknown-address")


@contextlib.contextmanager
def busy(served: Served) -> Iterator[None]:
    """Keep the endpoint's thread busy inside the block."""
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
def test_a_burst_of_5000_messages_is_received_completely(served: Served) -> None:
    with Client(served) as client:
        datagrams = [message("/bridge/cancel", f"me-{number}") for number in range(5000)]
        with busy(served):
            for datagram in datagrams:
                client.send_bytes(datagram)
        assert served.received(5000) == [Cancel(f"me-{number}") for number in range(5000)]
        assert served.call(lambda endpoint: endpoint.stats.dropped) == 0


SENT = 30_000
"""More datagrams than any receive buffer holds."""


@LINUX
def test_datagrams_that_the_system_drops_are_counted(served: Served) -> None:
    with Client(served) as client:
        datagram = message("/bridge/cancel", "x" * 60)
        with busy(served):
            for _ in range(SENT):
                client.send_bytes(datagram)
        give_up = time.monotonic() + PATIENCE_SECONDS
        stats = served.call(lambda endpoint: endpoint.stats)
        while stats.received + (stats.dropped or 0) < SENT and time.monotonic() < give_up:
            stats = served.call(lambda endpoint: endpoint.stats)
        assert stats.dropped is not None and stats.dropped > 0
        assert stats.received + stats.dropped == SENT


def test_it_receives_from_this_machine_only(served: Served) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        # On Linux all of 127.0.0.0/8 is this machine: a socket on every address would receive this.
        other.connect(("127.0.0.2", served.port))
        other.settimeout(PATIENCE_SECONDS)
        other.send(message("/bridge/panic"))
        with contextlib.suppress(ConnectionRefusedError):
            other.recv(1)
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
def test_a_taken_port_is_refused_with_its_holder_and_a_remedy(address: str, reused: bool) -> None:
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


def test_a_closed_endpoint_frees_its_port_and_sends_nothing() -> None:
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


def test_an_event_whose_path_fits_no_datagram_is_logged_and_the_next_is_sent(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    path = "/" + "p" * 4090
    with Client(served, "live1") as client:
        served.send(ClipReady("me-1", 0, 1, path, 4, 120.0, 7, 0.9, 4, 4, 44_100, "clip"))
        served.send(Done("me-1", 1))
        assert client.receive() == ("/bridge/done", "me-1", 1)
        assert served.call(lambda endpoint: endpoint.stats.unsent) == 1
    assert "/bridge/clip" in caplog.text


def test_a_command_from_the_bridges_own_writer_is_understood(served: Served) -> None:
    """`melody-bridge send` uses that writer."""
    with Client(served) as client:
        client.send_bytes(write_message("/bridge/cancel", ["me-1"]))
        assert served.received(1) == [Cancel("me-1")]
