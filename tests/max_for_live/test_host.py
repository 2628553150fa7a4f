"""The host in Node that runs the device: its OSC, its WAV files, its objects and its process."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from py2max import maxref
from pythonosc.osc_bundle import OscBundle
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

from tests.peers.live import CallFailed, LiveSet, live_set

HERE = Path(__file__).parent
MESSAGES: list[tuple[str, list[tuple[str, Any]]]] = [
    ("/bridge/ping", []),
    ("/a", [("i", 0), ("i", -1), ("i", 2**31 - 1)]),
    ("/ab", [("f", 0.5), ("f", -93.75)]),
    ("/abc", [("s", ""), ("s", "abc"), ("s", "abcd"), ("s", 'warm "rhodes", é – 日本')]),
    ("/abcd", [("s", "id"), ("i", 7), ("f", 1e-3)]),
]
SCRIPT = """
inlets = 1; outlets = 2;
function bang() { outlet(0, 'set', 'pressed'); }
function fail() { nowhere(); }
function place(path) {
  var slot = new LiveAPI('live_set tracks 0 clip_slots 0');
  slot.call('create_audio_clip', path);
}
"""


@pytest.fixture
def node(require_program: Callable[[str], str]) -> str:
    return require_program("node")


@pytest.mark.parametrize(("address", "typed"), MESSAGES, ids=[address for address, _ in MESSAGES])
def test_osc_is_encoded_and_decoded_as_by_python_osc(
    node: str, address: str, typed: list[tuple[str, Any]]
) -> None:
    builder = OscMessageBuilder(address)
    for kind, value in typed:
        builder.add_arg(value, kind)
    dgram = builder.build().dgram
    message = {
        "address": address,
        "types": "".join(kind for kind, _ in typed),
        "values": [value for _, value in typed],
    }
    assert _in_node(node, "osc.encode(given).toString('hex')", message) == dgram.hex()
    decoded = _in_node(node, "osc.decode(Buffer.from(given, 'hex'))", dgram.hex())
    assert decoded == [message | {"values": OscMessage(dgram).params}]


def test_osc_bundles_are_flattened(node: str) -> None:
    inner, outer = OscBundleBuilder(IMMEDIATELY), OscBundleBuilder(IMMEDIATELY)
    inner.add_content(OscMessageBuilder("/b").build())
    outer.add_content(OscMessageBuilder("/a").build())
    outer.add_content(inner.build())
    outer.add_content(OscMessageBuilder("/c").build())
    dgram = outer.build().dgram
    assert OscBundle(dgram).num_contents == 3
    decoded = _in_node(node, "osc.decode(Buffer.from(given, 'hex'))", dgram.hex())
    assert [message["address"] for message in decoded] == ["/a", "/b", "/c"]


@pytest.mark.parametrize("datagram", [b"", b"/a", b"/a\0\0,i\0\0", b"a\0\0\0,\0\0\0", b"#bundle\0"])
def test_a_datagram_that_is_not_osc_is_refused(node: str, datagram: bytes) -> None:
    decoded = (
        "(() => { try { osc.decode(Buffer.from(given, 'hex')); } catch (e) { return e.name; } })"
    )
    assert _in_node(node, f"{decoded}()", datagram.hex()) == "RangeError"


@pytest.mark.parametrize(
    ("sample_type", "subtype", "steps"),
    [("int16", "PCM_16", 2**15), ("int24", "PCM_24", 2**23), ("float32", "FLOAT", None)],
)
def test_wav_files_are_read_and_written_as_by_soundfile(
    node: str, tmp_path: Path, sample_type: str, subtype: str, steps: int | None
) -> None:
    samples = np.array([[0.5, -0.25], [1.0, -1.0], [1 / 3, 0.0]], np.float32)
    path = tmp_path / "of_max.wav"
    channels = [samples[:, at].tolist() for at in (0, 1)]
    written = (
        f"require('fs').writeFileSync({json.dumps(str(path))},"
        f"wave.waveFile(given.map((one) => Float32Array.from(one)), 44100, '{sample_type}'))"
    )
    _in_node(node, f"({written}, 0)", channels)
    read, rate = soundfile.read(path, dtype="float32")
    assert (rate, soundfile.info(path).subtype) == (44_100, subtype)
    np.testing.assert_allclose(read, samples, atol=0 if steps is None else 1 / steps)
    path = tmp_path / "of_another.wav"
    soundfile.write(path, samples, 48_000, subtype=subtype)
    decoded = _in_node(node, "wave.readWave(given).channels.map((one) => [...one])", str(path))
    np.testing.assert_allclose(np.transpose(decoded), soundfile.read(path)[0], atol=1e-7)


OBJECTS = (
    *("buffer~ x 10", "change", "delay", "live.thisdevice", "line~", "loadbang", "loadmess x"),
    *("metro", "peakamp~", "plugsync~", "record~ x", "selector~", "sig~", "snapshot~", "*~", "+~"),
    *("udpreceive 1", "udpsend 127.0.0.1 1"),
)
COMMON_ATTRIBUTES = {
    *("annotation", "background", "hidden", "hint", "ignoreclick", "patching_rect"),
    *("presentation", "presentation_rect", "fontface", "fontname", "fontsize", "textcolor"),
}
"""Attributes of all boxes, and of all boxes with a text; the reference does not repeat them."""


def test_objects_accept_only_messages_and_attributes_of_their_reference(
    node: str, tmp_path: Path
) -> None:
    controls = _in_node(node, "Object.keys(controls)", None)
    boxes = [{"id": name, "maxclass": name, "text": ""} for name in controls]
    boxes += [{"id": text.split()[0], "maxclass": "newobj", "text": text} for text in OBJECTS]
    patcher = {"boxes": [{"box": box} for box in boxes], "lines": []}
    accepted = _in_node(
        node,
        "(() => { const host = createHost({ patcherPath: '/' }); host.make(given); host.close();"
        " const accepted = (box) => [box.saved.id, Object.keys(box.handlers), box.settable];"
        " return host.boxes.map(accepted); })()",
        patcher,
    )
    assert len(accepted) == len(boxes)
    for name, messages, attributes in accepted:
        info = maxref.get_object_info(name)
        assert info is not None, name
        known = {*info["methods"], *info["attributes"]}
        # The reference names a number in another inlet than the first after that inlet.
        known |= {"int", "float"} if known & {"int", "float", "in1", "ft1", "anything"} else set()
        assert set(messages) <= known, name
        assert set(attributes) <= known | COMMON_ATTRIBUTES, name


@pytest.fixture
def patcher(tmp_path: Path) -> Path:
    """A patcher with a button, a comment that shows its press, and a script that may fail."""
    (tmp_path / "script.js").write_text(SCRIPT, encoding="utf-8")
    boxes = [
        {"id": "button", "maxclass": "live.button", "varname": "button"},
        {"id": "fail", "maxclass": "message", "text": "fail", "varname": "fail"},
        {"id": "field", "maxclass": "textedit", "outputmode": 1, "varname": "field"},
        {"id": "place", "maxclass": "newobj", "text": "prepend place"},
        {"id": "word", "maxclass": "newobj", "text": "route text"},
        {"id": "enter", "maxclass": "message", "text": "bang", "varname": "enter"},
        {"id": "js", "maxclass": "newobj", "text": "js script.js"},
        {"id": "shown", "maxclass": "live.comment", "text": "", "varname": "shown"},
    ]
    cords = [
        "button js",
        "fail js",
        "enter field",
        "field word",
        "word place",
        "place js",
        "js shown",
    ]
    lines = [
        {"patchline": {"source": [source, 0], "destination": [destination, 0]}}
        for source, destination in (cord.split() for cord in cords)
    ]
    path = tmp_path / "test.maxpat"
    path.write_text(
        json.dumps({"patcher": {"boxes": [{"box": box} for box in boxes], "lines": lines}})
    )
    return path


@pytest.fixture
def live(node: str) -> Iterator[LiveSet]:
    with live_set(node, tempo=90) as running:
        yield running


def test_each_of_two_devices_shows_its_own_presses(live: LiveSet, patcher: Path) -> None:
    tracks = [live.add_track("mic"), live.add_track("other")]
    one, other = (
        live.add_device(name, track, patcher)
        for name, track in zip(("one", "other"), tracks, strict=True)
    )
    one.press("button")
    assert (one.text("shown"), other.text("shown")) == ("pressed", "")
    assert {"event": "shown", "host": "one", "name": "shown", "text": "pressed"} in live.events
    assert live.call("live.song.tempo") == 90


def test_a_clip_that_a_script_places_is_an_event(
    live: LiveSet, patcher: Path, tmp_path: Path
) -> None:
    wav = tmp_path / "clip, é.wav"
    soundfile.write(wav, np.zeros((4800, 2)), 48_000)
    track = live.add_track("mic")
    device = live.add_device("one", track, patcher)
    device.type("field", str(wav))
    device.press("enter")
    live.until(lambda: any(event["event"] == "clip" for event in live.events), "a clip's event")
    event = next(event for event in live.events if event["event"] == "clip")
    assert (event["track"], event["slot"]) == ("mic", 0)
    assert live.call(f"{track.path('slots')}.0.clip.name") == event["name"]


def test_a_script_that_fails_fails_the_call(live: LiveSet, patcher: Path) -> None:
    device = live.add_device("one", live.add_track("mic"), patcher)
    with pytest.raises(CallFailed, match="nowhere"):
        device.press("fail")
    assert any("nowhere" in line for line in device.console())
    with pytest.raises(CallFailed, match="0 boxes 'nobody'"):
        device.press("nobody")


def test_the_process_exits_cleanly_when_its_input_closes(node: str, patcher: Path) -> None:
    with live_set(node) as live:
        live.add_device("one", live.add_track("mic"), patcher)
        live.call("live.song.play")
    assert live.process.returncode == 0
    assert live.errors == []


def _in_node(node: str, expression: str, given: object) -> Any:
    script = (
        f"process.chdir({json.dumps(str(HERE))});"
        "const load = (name) => require(process.cwd() + '/' + name);"
        "const osc = load('osc.js'), wave = load('max_wave.js');"
        "const controls = load('max_controls.js'), { createHost } = load('max_host.js');"
        "const given = JSON.parse(process.argv[1]);"
        f"process.stdout.write(JSON.stringify({expression}));"
    )
    run = subprocess.run(
        [node, "-e", script, json.dumps(given)], capture_output=True, encoding="utf-8", check=True
    )
    return json.loads(run.stdout)
