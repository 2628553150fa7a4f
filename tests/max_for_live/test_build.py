"""The committed device is what the build makes, and its container is what Live reads."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import pytest

from max_for_live import build
from max_for_live.patcher import SCRIPT
from tests.max_for_live.amxd_reader import read_amxd

SOURCE = (build.HERE / SCRIPT).read_bytes()


@pytest.mark.parametrize("path", [build.PATCHER, build.DEVICE], ids=lambda path: path.name)
def test_what_is_committed_is_what_the_build_makes(path: Path) -> None:
    assert path.read_bytes() == build.built()[path], "run `make device`"


def test_a_second_build_makes_the_same_bytes() -> None:
    assert build.built() == build.built()


def test_the_device_is_a_frozen_audio_effect_with_the_patcher_and_the_script_inside() -> None:
    device = read_amxd(build.DEVICE.read_bytes())
    assert (device.device_type, device.frozen) == ("audio", True)
    assert device.patcher == json.loads(build.PATCHER.read_bytes())
    assert device.files == {SCRIPT: SOURCE}
    assert [(entry.name, entry.type, entry.flag) for entry in device.entries] == [
        ("Melody Bridge.amxd", "JSON", 17),
        (SCRIPT, "TEXT", 0),
    ]
    assert {entry.modified.date() for entry in device.entries} == {datetime.date(2025, 11, 14)}


def test_a_broken_container_is_seen() -> None:
    whole = build.DEVICE.read_bytes()
    for at in (3, 12, 20, 28, 36, 40, len(whole) - 6):
        broken = bytearray(whole)
        broken[at] ^= 0x55
        with pytest.raises(ValueError):
            read_amxd(bytes(broken))
    with pytest.raises(ValueError):
        read_amxd(whole[:-1])


def test_live_opens_it_as_a_device_of_the_right_size_in_presentation() -> None:
    patcher = read_amxd(build.DEVICE.read_bytes()).patcher["patcher"]
    assert patcher["openinpresentation"] == 1
    assert patcher["project"]["amxdtype"] == int.from_bytes(b"aaaa")
    assert patcher["openrect"] == [0.0, 0.0, patcher["devicewidth"], 169.0]
