"""`melody-bridge send`: the types of its words, the events that it prints, a missing daemon."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bridge import cli
from bridge.control.client import ReceivedEvent
from bridge.control.packets import read_packet, write_message
from bridge.tools.send import Lines, full_address, read_argument, read_arguments


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


def test_a_dash_becomes_a_new_id_of_one_client() -> None:
    (first, *_), (second, *_) = (
        read_arguments(address, ["-", "4"])
        for address in ("/bridge/capture/last", "/bridge/generate")
    )
    assert isinstance(first, str) and first.startswith("send-") and first != "send-"
    assert isinstance(second, str) and second.startswith("send-")
    assert read_arguments("/bridge/set", ["prompt", "-"]) == ["prompt", "-"]


def test_a_relative_path_of_a_file_becomes_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    read = read_arguments("/bridge/capture/file", ["me-1", "my hum.wav", "wrap", "1"])
    assert read == ["me-1", str(tmp_path / "my hum.wav"), "wrap", 1]
    assert read_arguments("/bridge/capture/file", ["me-1", "/a/7.wav"])[1] == "/a/7.wav"


def test_an_address_may_be_short_and_a_typo_gets_the_nearest_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert full_address("panic") == "/bridge/panic"
    assert full_address("capture/last") == "/bridge/capture/last"
    for word, nearest in (
        ("/bridge/genrate", "/bridge/generate"),
        ("/bridge/gen", "/bridge/generate"),
        ("captur/last", "/bridge/capture/last"),
    ):
        assert run(7771, word, "me-1") == 2
        assert f"did you mean {nearest}?" in capsys.readouterr().err


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
        ("/bridge/remark", ["me-1", "cut"]),
        ("/bridge/progress", ["me-1", 0.75, 1.0]),
        ("/bridge/remark", ["me-1", "cut"]),
        ("/bridge/progress", ["me-1", 0.75, 1.0]),
        ("/bridge/error", ["-", "bad-argument", "somebody else's"]),
        ("/bridge/clip", ["me-1", 0, 1, "/my clips/x.wav"]),
        ("/bridge/done", ["me-1", 1]),
    ]
    with daemon(*answers) as port:
        assert run(port, "/bridge/generate", "me-1", "bars", "4") == 0
    assert capsys.readouterr().out.splitlines() == [
        "/bridge/progress me-1 0.5 2",
        "/bridge/remark me-1 cut",
        "/bridge/progress me-1 0.75 1",
        '/bridge/clip me-1 0 1 "/my clips/x.wav"',
        "/bridge/done me-1 1",
    ]


PROGRESS = [ReceivedEvent("/bridge/progress", ("me-1", part / 70, 1.0)) for part in range(70)]
RECORDING = [ReceivedEvent("/bridge/capture", ("me-1", "recording", 0.1, -6.0))] * 70
DONE = ReceivedEvent("/bridge/done", ("me-1", 1))


def test_many_events_of_progress_become_few_lines(capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines(verbose=False, on_terminal=False)
    for event in (*PROGRESS, *RECORDING, DONE):
        lines.show(event)
    shown = capsys.readouterr().out.splitlines()
    assert len(shown) == 6 and shown[-1] == "/bridge/done me-1 1"


def test_on_a_terminal_progress_is_one_line_that_changes_and_goes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = Lines(verbose=False, on_terminal=True)
    for event in (*PROGRESS, DONE):
        lines.show(event)
    shown = capsys.readouterr().out
    assert shown.count("\n") == 1 and shown.count("\r\x1b[K") == 71
    assert shown.endswith("\r\x1b[K/bridge/done me-1 1\n")


def test_verbose_prints_every_event(capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines(verbose=True, on_terminal=True)
    for event in (*PROGRESS, DONE):
        lines.show(event)
    shown = capsys.readouterr().out
    assert len(shown.splitlines()) == 71 and "\r" not in shown


def test_panic_needs_no_argument_and_takes_no_others_errors_for_its_own(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with daemon(("/bridge/error", ["-", "bad-argument", "somebody else's"])) as port:
        assert run(port, "panic") == 0
    assert capsys.readouterr().out == ""


def test_an_error_of_the_request_ends_it_with_status_1(capsys: pytest.CaptureFixture[str]) -> None:
    with daemon(("/bridge/error", ["me-1", "silent-melody", "nothing"])) as port:
        assert run(port, "/bridge/capture/last", "me-1", "4", "--json") == 1
    assert capsys.readouterr().out == (
        '{"address": "/bridge/error", "arguments": ["me-1", "silent-melody", "nothing"]}\n'
    )


def test_an_error_without_an_id_is_ours_if_it_names_the_address(
    capsys: pytest.CaptureFixture[str],
) -> None:
    event = "/bridge/play: not built"
    with daemon(("/bridge/error", ["-", "unsupported", event])) as port:
        assert run(port, "/bridge/play", "me-1") == 1
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


def test_a_command_for_a_loop_shows_its_state_and_is_sent_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    state: list[int | float | str] = ["me-1", "playing", "capturing", 1, 9, "keys"]
    with daemon(("/bridge/loop", state)) as port:
        assert run(port, "loop/undo", "me-1") == 0
    assert capsys.readouterr().out == "/bridge/loop me-1 playing capturing 1 9 keys\n"


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
