"""Loops on disk: what is written is read again, and nothing else is."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from bridge.commands import RANDOM_SEED, ClipSettings, LoopSet
from bridge.daemon.loop_file import MOST_BYTES, LoopFile, SavedLoop, SavedLoops
from bridge.errors import BadArgument

LOOP = SavedLoop(
    LoopSet(
        "set-1",
        ClipSettings(bars=8, prompt='"keys", höher', tempo_bpm=Fraction("93.7"), seed=RANDOM_SEED),
        follow=False,
        quick=True,
    ),
    2,
    ({2: "first"}, {2: "first", 3: "2026-11-29 keys 120bpm 4bars seed7"}),
    1,
    is_frozen=True,
    is_running=True,
)
SAVED = SavedLoops((LOOP,), {2: (-6.5, False), 4: (0.0, True)}, ClipSettings(tempo_lock=True))


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    file = LoopFile(tmp_path / "Clips")
    assert file.read() is None
    file.write(SAVED)
    assert file.read() == SAVED
    file.write(SavedLoops())
    assert file.read() == SavedLoops()
    assert [path.name for path in file.path.parent.iterdir()] == ["loops.json"]


def test_an_arrangement_with_a_clip_that_is_gone_gives_way_to_the_one_before() -> None:
    assert LOOP.without({"none"}) == LOOP
    kept = LOOP.without({"2026-11-29 keys 120bpm 4bars seed7"})
    assert (kept.arrangements, kept.index) == (({2: "first"},), 0)
    gone = LOOP.without({"first"})
    assert (gone.arrangements, gone.index) == ((), -1)


def changed(**values: Any) -> str:
    """The file of `SAVED` with other values of its loop."""
    return json.dumps({"version": 1, "loops": [{**plain(), **values}], "gains": {}, "session": {}})


def plain() -> dict[str, Any]:
    return {
        **{"id": "set-1", "layer": 1, "settings": {}, "arrangements": [{"1": "clip"}]},
        **{"index": 0, "frozen": False, "running": True},
    }


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "JSONDecodeError"),
        ("[" * 100_000, "RecursionError"),
        ("[]", "TypeError"),
        ('{"version": 2}', "version 2; this program knows version 1"),
        ('{"version": 1, "loops": 5, "gains": {}, "session": {}}', "TypeError"),
        ('{"version": 1, "loops": [], "gains": {"1": [99, 0]}, "session": {}}', "gain 99 dB"),
        ('{"version": 1, "loops": [], "gains": {"9": [0, 0]}, "session": {}}', "layer 9"),
        ('{"version": 1, "loops": [], "gains": {}, "session": {"x": 1}}', "unknown option 'x'"),
        (changed(layer=0), "layer 0: there are 1 to"),
        (changed(layer=True, index=-1), "index"),
        (changed(index=1), "index 1 of 1 arrangements"),
        (changed(arrangements=[{}]), "without clips"),
        (changed(arrangements=[{"1": "../clip"}]), "'../clip' is no clip's name"),
        (changed(arrangements=[{"1": "clip"}] * 20), "20 arrangements"),
        (changed(settings={"bars": 0}), "bars"),
        (changed(settings=[1, 2]), "AttributeError"),
        (changed(id=5 * "x" * 64), "printable characters"),
    ],
)
def test_a_file_that_is_broken_is_an_error_that_names_it(
    tmp_path: Path, text: str, reason: str
) -> None:
    file = LoopFile(tmp_path)
    file.path.write_text(text)
    with pytest.raises(BadArgument) as raised:
        file.read()
    assert str(raised.value).startswith(f"{file.path} is broken and is ignored: ")
    assert reason in str(raised.value)


def test_two_loops_on_one_layer_are_broken(tmp_path: Path) -> None:
    file = LoopFile(tmp_path)
    other = {**plain(), "id": "set-2"}
    saved = {"version": 1, "loops": [plain(), other], "gains": {}, "session": {}}
    file.path.write_text(json.dumps(saved))
    with pytest.raises(BadArgument, match="two loops have one layer"):
        file.read()


def test_a_file_that_is_too_large_or_no_file_is_not_read(tmp_path: Path) -> None:
    file = LoopFile(tmp_path)
    file.path.write_text(" " * (MOST_BYTES + 1))
    with pytest.raises(BadArgument, match="cannot be read: larger than 1024 kB"):
        file.read()
    file.path.unlink()
    file.path.mkdir()
    with pytest.raises(BadArgument, match="cannot be read"):
        file.read()
