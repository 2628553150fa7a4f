"""`melody-bridge send`: the types of its words, the events that it prints, a missing daemon."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bridge import cli
from bridge.control.packets import read_packet, write_message
from bridge.tools.send import read_argument, read_arguments


@pytest.mark.parametrize(
    ("word", "value"),
    [
        *(("4", 4), ("-1", -1), ("+3", 3), ("93.7", 93.7), ("1e3", 1000.0), ("-.5", -0.5)),
        *(("lofi-keys", "lofi-keys"), ("", ""), ("me-1", "me-1"), ("/x/y.wav", "/x/y.wav")),
        *(
            ("nan", "nan"),
            ("inf", "inf"),
            ("1_000", "1_000"),
            ("4/4", "4/4"),
            ("A minor", "A minor"),
        ),
        ("0x10", "0x10"),
    ],
)
def test_words_that_are_numbers_are_sent_as_numbers(word: str, value: int | float | str) -> None:
    read = read_argument(word)
    assert read == value and type(read) is type(value)


def test_an_id_is_text_even_if_it_is_a_number() -> None:
    assert read_arguments("/bridge/presets", ["7.0"]) == ["7.0"]
    assert read_arguments("/bridge/generate", ["1e3", "bars", "4"]) == ["1e3", "bars", 4]
    assert read_arguments("/bridge/capture/notes", ["7", "1", "0"]) == ["7", 1, 0]
    assert read_arguments("/bridge/ping", ["7772"]) == [7772]


@contextmanager
def daemon(*answers: tuple[str, list[int | float | str]]) -> Iterator[int]:
    """Give the port of a stand-in daemon: hello and pongs, and these answers to the rest."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))

        def serve() -> None:
            client = 0
            while True:
                ((address, arguments),) = read_packet(listening.recv(8192))
                if address == "/end":
                    return
                if address == "/bridge/subscribe":
                    client = int(str(arguments[0]))
                    hello: list[int | float | str] = ["0", 1, "ready", "pocket", str(arguments[1])]
                    reply: list[tuple[str, list[int | float | str]]] = [("/bridge/hello", hello)]
                elif address in ("/bridge/ping", "/bridge/unsubscribe"):
                    reply = [("/bridge/pong", ["ready"])] if address.endswith("ping") else []
                else:
                    reply = list(answers)
                for event in reply:
                    listening.sendto(write_message(*event), ("127.0.0.1", client))

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ending:
                ending.sendto(write_message("/end", []), listening.getsockname())
            thread.join()


def run(port: int, *words: str) -> int:
    return cli.main(["send", *words, "--osc-port", str(port)])


def test_events_of_the_request_are_printed_until_it_is_done(
    capsys: pytest.CaptureFixture[str],
) -> None:
    answers: list[tuple[str, list[int | float | str]]] = [
        ("/bridge/progress", ["me-1", 0.5, 2.0]),
        ("/bridge/progress", ["you-1", 0.5, 2.0]),
        ("/bridge/level", [-6.0, -12.0]),
        ("/bridge/error", ["-", "bad-argument", "somebody else's"]),
        ("/bridge/clip", ["me-1", 0, 1, "/my clips/x.wav"]),
        ("/bridge/done", ["me-1", 1]),
    ]
    with daemon(*answers) as port:
        assert run(port, "/bridge/generate", "me-1", "bars", "4") == 0
    assert capsys.readouterr().out.splitlines() == [
        "/bridge/progress me-1 0.5 2",
        '/bridge/clip me-1 0 1 "/my clips/x.wav"',
        "/bridge/done me-1 1",
    ]


def test_an_error_of_the_request_ends_it_with_status_1(capsys: pytest.CaptureFixture[str]) -> None:
    with daemon(("/bridge/error", ["me-1", "silent-melody", "nothing"])) as port:
        assert run(port, "/bridge/capture/last", "me-1", "4", "--json") == 1
    assert capsys.readouterr().out == (
        '{"address": "/bridge/error", "arguments": ["me-1", "silent-melody", "nothing"]}\n'
    )


def test_an_error_without_an_id_is_ours_if_it_names_the_address(
    capsys: pytest.CaptureFixture[str],
) -> None:
    event = "/bridge/captur: no such address"
    with daemon(("/bridge/error", ["-", "unknown-address", event])) as port:
        assert run(port, "/bridge/captur", "me-1") == 1
    assert event in capsys.readouterr().out


def test_a_message_without_an_answer_ends_once_the_daemon_has_read_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with daemon() as port:
        assert run(port, "/bridge/set", "bars", "8") == 0
    assert capsys.readouterr().out == ""
    answers: list[tuple[str, list[int | float | str]]] = [
        ("/bridge/error", ["you-1", "silent-melody", "somebody else's"]),
        ("/bridge/error", ["-", "bad-argument", "/bridge/set: bars 0"]),
    ]
    with daemon(*answers) as port:
        assert run(port, "/bridge/set", "bars", "0") == 1
    assert capsys.readouterr().out == ('/bridge/error - bad-argument "/bridge/set: bars 0"\n')


def test_without_a_daemon_the_error_names_the_command_that_starts_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert run(port, "/bridge/presets", "me-1") == 1
    error = capsys.readouterr().err
    assert f"127.0.0.1:{port}" in error and "melody-bridge run" in error


@pytest.mark.parametrize(
    ("words", "event"),
    [
        (["bridge/presets"], "begins with a slash"),
        (["/bridge/generate", "me-1", "seed", "99999999999"], "cannot be sent"),
        (["/bridge/generate", "me-1", "prompt", "x" * 5000], "cannot be sent"),
    ],
)
def test_words_that_make_no_valid_message_are_refused(
    words: list[str], event: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(7771, *words) == 2
    assert event in capsys.readouterr().err
