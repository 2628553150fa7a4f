"""Names of MIDI ports lose their numbers, and a selection finds the ports that it means."""

from __future__ import annotations

import pytest

from bridge.midi.names import AUTO, NoSuchPort, chosen, read_list

RAW = [
    "Midi Through:Midi Through Port-0 14:0",
    "Launchkey 25:Launchkey 25 MIDI 1 20:0",
    "Launchkey 25:Launchkey 25 MIDI 2 20:1",
    "Melody Bridge:Melody Bridge 128:0",
    "nanoPAD:nanoPAD MIDI 1 24:0",
    "nanoPAD:nanoPAD MIDI 1 28:0",
    "Sequencer:out 129:0",
]
LISTED = read_list(RAW, "linux")
FIRST, SECOND = "Launchkey 25:Launchkey 25 MIDI 1", "Launchkey 25:Launchkey 25 MIDI 2"
PAD = "nanoPAD:nanoPAD MIDI 1"


def test_numbers_of_alsa_are_no_part_of_a_name_and_tell_a_new_plug() -> None:
    assert [port.name for port in LISTED][1:3] == [FIRST, SECOND]
    (before,), (after,) = (read_list([f"{PAD} {number}:0"], "linux") for number in (24, 28))
    assert before.name == after.name and before.identity != after.identity


def test_equal_names_are_told_apart() -> None:
    assert [port.name for port in LISTED][4:6] == [PAD, f"{PAD} 2"]


def test_the_index_that_windows_adds_is_no_part_of_a_name() -> None:
    before = read_list(["Keys 0", "Pads 2 1"], "win32")
    after = read_list(["Pads 2 0"], "win32")
    assert [port.name for port in before] == ["Keys", "Pads 2"]
    assert after[0].identity == before[1].identity


@pytest.mark.parametrize(
    ("selection", "names"),
    [
        (AUTO, [FIRST, SECOND, PAD, f"{PAD} 2"]),
        ("launchkey 25 midi 2", [SECOND]),
        # An exact name wins over longer names that contain it.
        (PAD.upper(), [PAD]),
        ("sequencer", ["Sequencer:out"]),
        ("through", ["Midi Through:Midi Through Port-0"]),
    ],
)
def test_a_selection_finds_its_ports(selection: str, names: list[str]) -> None:
    assert [port.name for port in chosen(LISTED, selection, "input")] == names


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        ("launchkey", f"MIDI input 'launchkey' may be any of {FIRST}; {SECOND}: write more"),
        ("melody bridge", "there is no MIDI input 'melody bridge': there are Midi Through"),
    ],
)
def test_other_names_are_refused_with_those_that_there_are(selection: str, message: str) -> None:
    with pytest.raises(NoSuchPort) as raised:
        chosen(LISTED, selection, "input")
    assert str(raised.value).startswith(message)


def test_a_second_port_that_matches_does_not_close_the_first() -> None:
    ports = chosen(LISTED, "launchkey", "input", lambda port: port.name == SECOND)
    assert [port.name for port in ports] == [SECOND]
