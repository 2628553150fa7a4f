"""Datagrams: OSC is read, anything else is refused, and what is sent always fits."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pythonosc.osc_message import OscMessage

from bridge.control.packets import (
    MAX_RECEIVED_BYTES,
    MAX_SENT_BYTES,
    InvalidPacket,
    NotUnderstood,
    Uncut,
    read_packet,
    write_message,
)
from tests.control.peers import message


def bundle(*elements: bytes, time_tag: bytes = b"\0\0\0\0\0\0\0\1") -> bytes:
    return b"#bundle\0" + time_tag + b"".join(struct.pack(">i", len(one)) + one for one in elements)


def test_every_type_of_the_protocol_is_read() -> None:
    datagram = message("/bridge/generate", 7, 0.5, "warm keys, größer", True, False, 2**40)
    assert read_packet(datagram) == [
        ("/bridge/generate", (7, 0.5, "warm keys, größer", 1, 0, 2**40))
    ]
    double = b"/a\0\0,d\0\0" + struct.pack(">d", 93.7)
    assert read_packet(double) == [("/a", (93.7,))]
    symbol = b"/a\0\0,Si\0lofi\0\0\0\0\0\0\0\7"
    assert read_packet(symbol) == [("/a", ("lofi", 7))]


@pytest.mark.parametrize(
    ("tag", "data"),
    [
        ("b", b"\0\0\0\3abc\0"),
        ("t", bytes(8)),
        ("N", b""),
        ("I", b""),
        ("r", bytes(4)),
        ("c", b"\0\0\0a"),
        ("m", bytes(4)),
    ],
)
def test_an_unused_type_is_read_as_none_and_keeps_the_others_in_place(
    tag: str, data: bytes
) -> None:
    datagram = b"/a\0\0,i" + tag.encode() + b"i\0\0\0\0" + b"\0\0\0\1" + data + b"\0\0\0\2"
    assert read_packet(datagram) == [("/a", (1, None, 2))]


def test_the_elements_of_an_array_are_arguments() -> None:
    datagram = message("/a", "id", [1, 0.5, "x"], [], [True], 7)
    assert read_packet(datagram) == [("/a", ("id", 1, 0.5, "x", 1, 7))]
    symbols = b"/a\0\0,[S][S]\0" + b"one\0" + b"two\0"
    assert read_packet(symbols) == [("/a", ("one", "two"))]


@pytest.mark.parametrize(
    ("datagram", "address", "first", "reason"),
    [
        (message("/a", "me-1", [1, [2]]), "/a", "me-1", "arrays within arrays"),
        (message("/a", "me-1", *[True] * 1024), "/a", "me-1", "1025 arguments"),
        (message("/a", "me-1", "x" * 9000), "/a", "me-1", "9020 bytes: the limit is 8192"),
        (message("/a", 7, "x" * 9000), "/a", None, "the limit is 8192"),
        (message("/a", "x" * 9000), "/a", None, "the limit is 8192"),
        (b"/a\0\0,sx\0me-1\0\0\0\0", "/a", "me-1", "type tag 'x'"),
        (bundle(*[message("/a")] * 1200), "#bundle", None, "the limit is 8192"),
    ],
)
def test_a_packet_that_is_understood_in_part_says_which_it_is(
    datagram: bytes, address: str, first: str | None, reason: str
) -> None:
    with pytest.raises(NotUnderstood, match=reason) as refusal:
        read_packet(datagram)
    assert (refusal.value.address, refusal.value.first) == (address, first)


@pytest.mark.parametrize(
    "datagram", [b"x" * 9000, b"/" + b"x" * 9000, b"/a\0\0" + b"x" * 9000, b"/\xff\0\0" * 3000]
)
def test_large_datagrams_that_are_not_osc_are_not_understood_in_part(datagram: bytes) -> None:
    with pytest.raises(InvalidPacket) as refusal:
        read_packet(datagram)
    assert not isinstance(refusal.value, NotUnderstood)


def test_a_message_without_type_tags_has_no_arguments() -> None:
    assert read_packet(b"/bridge/panic\0\0\0") == [("/bridge/panic", ())]


def test_a_bundle_gives_its_messages_in_order_whatever_its_time_tag() -> None:
    far_future = b"\xff" * 8
    inner = bundle(message("/b", 2), message("/c", 3), time_tag=far_future)
    packet = bundle(message("/a", 1), inner, bundle(), message("/d", 4), time_tag=far_future)
    assert read_packet(packet) == [("/a", (1,)), ("/b", (2,)), ("/c", (3,)), ("/d", (4,))]


def nested(depth: int) -> bytes:
    datagram = message("/a")
    for _ in range(depth):
        datagram = bundle(datagram)
    return datagram


def test_bundles_may_be_nested_four_deep() -> None:
    assert read_packet(nested(4)) == [("/a", ())]


def header(size: int) -> bytes:
    return b"#bundle\0" + bytes(8) + struct.pack(">i", size)


def blobs_of_negative_size() -> bytes:
    tags, text = b"," + b"sb" * 511 + b"\0", b"x" * 4000 + bytes(4)
    return b"/a\0\0" + tags + text + struct.pack(">i", -len(text) - 4)


BOMBS = {
    "element of -4 bytes": header(-4),
    "element of 0 bytes": header(0),
    "element of 0 bytes, then one": header(0) + struct.pack(">i", 4) + b"/a\0\0",
    "element of 2 GiB": header(2**31 - 1) + message("/a"),
    "element of -2 GiB": header(-(2**31)) + message("/a"),
    "element longer than the bundle": header(12) + message("/a"),
    "element of 6 bytes": header(6) + b"/a\0\0\0\0\0\0",
    "five bundles deep": nested(5),
    "fifty bundles deep": nested(50),
    "element that counts from the end": header(-24) + message("/a", 1) + header(-24)[-4:],
    "half a time tag": b"#bundle\0\0\0\0\0",
    "size alone": b"#bundle\0" + bytes(8) + b"\0\0",
    "good message, bad neighbour": bundle(message("/a"), b"a\0\0\0"),
    "over 8 KiB": message("/a", "x" * MAX_RECEIVED_BYTES),
    "1025 arguments": message("/a", *[True] * 1025),
    "nested arrays": message("/a", [1, [2]]),
    "open array": b"/a\0\0,[i\0\0\0\0\7",
    "closed array": b"/a\0\0,]i\0\0\0\0\7",
    "arrays closed before they open": b"/a\0\0,i][\0\0\0\0\0\0\0\7",
    "open arrays": b"/a\0\0," + b"[" * 1000 + b"\0\0\0",
    "unknown type": b"/a\0\0,x\0\0",
    "argument missing": b"/a\0\0,i\0\0",
    "float missing": b"/a\0\0,f\0\0",
    "half an argument": b"/a\0\0,h\0\0\0\0\0\0",
    "string without end": b"/a\0\0,s\0\0abcd",
    "blob of -8 bytes": b"/a\0\0,b\0\0" + struct.pack(">i", -8),
    "blobs that lead back over a text": blobs_of_negative_size(),
    "blob of -4 bytes, read again": b"/a\0\0,bi\0" + struct.pack(">i", -4),
    "blob of 2 GiB": b"/a\0\0,b\0\0" + struct.pack(">i", 2**31 - 1),
    "tags without comma": b"/a\0\0i\0\0\0\0\0\0\1",
    "tags without end": b"/a\0\0,iii",
    "address without end": b"/abc",
    "address without slash": b"abc\0,\0\0\0",
    "address not UTF-8": b"/\xff\xfe\0,\0\0\0",
    "string not UTF-8": b"/a\0\0,s\0\0\xc3\x28\0\0",
    "odd length": message("/a") + b"\0",
    "more than it says": message("/a", 1) + bytes(4),
    "nothing": b"",
    "zeros": bytes(64),
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS.keys())
def test_a_packet_that_is_not_osc_is_refused(bomb: bytes) -> None:
    with pytest.raises(InvalidPacket):
        read_packet(bomb)


def test_a_wildcard_is_read_as_a_literal_address() -> None:
    """python-osc's dispatcher turns it into a regular expression, and hangs."""
    wild = "/" + "{a,aa}*" * 7
    assert read_packet(message(wild)) == [(wild, ())]


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(datagram: bytes) -> None:
    for packet in (datagram, b"/" + datagram, b"/a\0\0," + datagram, b"#bundle\0" + datagram):
        try:
            messages = read_packet(packet)
        except InvalidPacket:
            continue
        assert all(address.startswith("/") for address, _ in messages)


def floats() -> st.SearchStrategy[float]:
    return st.floats(width=32)


@given(
    st.lists(st.integers(-(2**31), 2**31 - 1) | floats() | st.text(st.characters(codec="utf-8")))
)
def test_a_written_message_reads_back_unchanged(arguments: list[int | float | str]) -> None:
    datagram = write_message("/bridge/done", arguments)
    expected = [one.replace("\0", "") if isinstance(one, str) else one for one in arguments]
    for parsed in (OscMessage(datagram).params, read_packet(datagram)[0][1]):
        assert [type(one) for one in parsed] == [type(one) for one in expected]
        # Compared as text, because NaN is not equal to itself.
        assert [repr(one) for one in parsed] == [repr(one) for one in expected]


@pytest.mark.parametrize("letter", ["x", "é", "漢", "🎹"])
@pytest.mark.parametrize("shift", range(4))
def test_the_longest_text_is_cut_between_two_characters(letter: str, shift: int) -> None:
    prompt = "a" * shift + letter * 5000
    datagram = write_message("/bridge/preset", [Uncut("me-1"), 0, 2, "lofi-keys", prompt])
    assert MAX_SENT_BYTES - 8 <= len(datagram) <= MAX_SENT_BYTES < 4096
    *others, cut = OscMessage(datagram).params
    assert others == ["me-1", 0, 2, "lofi-keys"]
    assert prompt.startswith(cut)


def test_uncut_text_is_kept_and_other_texts_are_cut_instead() -> None:
    path = Uncut("/" + "p" * 3500)
    arguments: list[int | float | str] = ["n" * 2000, path, "m" * 1000, 7]
    name, kept, other, number = OscMessage(write_message("/bridge/clip", arguments)).params
    assert kept == path and number == 7
    # The longest text is cut first, and no more than needed.
    assert name == "" and 500 < len(other) < 600


def test_a_message_that_fits_is_not_cut() -> None:
    text = "x" * (MAX_SENT_BYTES - len(message("/bridge/error", "")))
    exact = write_message("/bridge/error", [text + "yyy"])
    assert len(exact) == MAX_SENT_BYTES
    assert OscMessage(exact).params == [text + "yyy"]


@pytest.mark.parametrize(
    "arguments", [[Uncut("x" * 5000)], [Uncut("x" * 4080), "cut"], [1.5] * 1000]
)
def test_a_message_that_cannot_fit_is_refused(arguments: Sequence[int | float | str]) -> None:
    with pytest.raises(ValueError, match="too many"):
        write_message("/bridge/clip", arguments)


@pytest.mark.parametrize("number", [2**31, -(2**31) - 1, 2**40])
def test_an_integer_of_more_than_32_bits_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match="/bridge/done"):
        write_message("/bridge/done", ["me-1", number])


def test_a_message_has_the_bytes_of_osc_1_0() -> None:
    """Compared with bytes written by hand, because python-osc writes the other tests' messages."""
    assert write_message("/bridge/done", ["größer", -2, 0.5, ""]) == (
        b"/bridge/done\0\0\0\0,sifs\0\0\0"
        b"gr\xc3\xb6\xc3\x9fer\0\0\0\0" + b"\xff\xff\xff\xfe" + b"\x3f\0\0\0" + b"\0\0\0\0"
    )
    assert write_message("/bridge/panic", []) == b"/bridge/panic\0\0\0,\0\0\0"


def test_a_bool_is_sent_as_an_integer() -> None:
    assert write_message("/a", [True, False]) == b"/a\0\0,ii\0\0\0\0\1\0\0\0\0"


def test_a_file_name_that_is_not_utf8_is_sent_with_a_question_mark() -> None:
    sent = write_message("/bridge/clip", [Uncut("/clips/\udcff.wav")])
    assert OscMessage(sent).params == ["/clips/?.wav"]
