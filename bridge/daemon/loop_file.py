"""The live loops on disk, so that a daemon that is started again goes on with them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

from bridge.commands import LAYERS, ClipSettings, LoopSet
from bridge.config.small_file import read_small_file
from bridge.control.addresses import HIGHEST_GAIN_DB, LOWEST_GAIN_DB, read_command
from bridge.daemon.loop_history import MOST_KEPT, Arrangement
from bridge.errors import BadArgument, BridgeError

NAME = "loops.json"
"""The file in the clips folder."""
VERSION = 1
MOST_BYTES = 1 << 20
"""Limit for the file: four loops with long prompts and full histories have 20 kB."""
_UNREADABLE = (KeyError, TypeError, ValueError, AttributeError, RecursionError, OverflowError)


@dataclass(frozen=True)
class SavedLoop:
    """One loop.

    Attributes:
        settings: its id, the settings of its clips, and whether it follows and is quick.
        layer: its first one.
        arrangements: what it has played, as in `LoopHistory`; clips by the names of their files.
        index: of the arrangement that plays, or played last; -1: there is none.
        is_frozen: whether it keeps what plays.
        is_running: whether it goes on by itself; else it is stopped.
    """

    settings: LoopSet
    layer: int
    arrangements: tuple[Arrangement, ...]
    index: int
    is_frozen: bool
    is_running: bool

    def clips(self) -> set[str]:
        """The names of all its clips."""
        return {clip for arrangement in self.arrangements for clip in arrangement.values()}

    def without(self, gone: set[str]) -> SavedLoop:
        """The loop without the arrangements that name a clip that is gone.

        Where the present one is among them, the one before is present, or else the first.
        """
        kept = [
            index
            for index, arrangement in enumerate(self.arrangements)
            if gone.isdisjoint(arrangement.values())
        ]
        index = max(0, sum(each <= self.index for each in kept) - 1) if kept else -1
        arrangements = tuple(self.arrangements[each] for each in kept)
        return replace(self, arrangements=arrangements, index=index)


@dataclass(frozen=True)
class SavedLoops:
    """All loops.

    Attributes:
        gains: gain in dB and whether it is muted, by layer; other layers have 0 dB.
        session: the session's settings, which hold where a loop has none of its own.
    """

    loops: tuple[SavedLoop, ...] = ()
    gains: Mapping[int, tuple[float, bool]] = field(default_factory=dict)
    session: ClipSettings = field(default_factory=ClipSettings)


class LoopFile:
    """The file of one clips folder; best used in a thread."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME

    def read(self) -> SavedLoops | None:
        """The loops; None where none were ever saved.

        Raises:
            BadArgument: the file cannot be read, or is not as `write` makes it.
        """
        try:
            return _loops(json.loads(read_small_file(self.path, MOST_BYTES)))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise BadArgument(f"{self.path} cannot be read: {error.strerror or error}") from error
        except (*_UNREADABLE, BridgeError) as error:
            raise BadArgument(
                f"{self.path} is broken and is ignored: {type(error).__name__}: {error}"
            ) from error

    def write(self, saved: SavedLoops) -> None:
        """Replace the file in one step.

        Raises:
            OSError: it cannot be written; the file is as before.
        """
        part = self.path.with_name(f".{NAME}.part")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with part.open("w", encoding="utf-8") as file:
                json.dump(_plain(saved), file, indent=2)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, self.path)
        finally:
            part.unlink(missing_ok=True)


def _plain(saved: SavedLoops) -> dict[str, Any]:
    return {
        "version": VERSION,
        "loops": [_plain_loop(loop) for loop in saved.loops],
        "gains": {str(layer): list(gain) for layer, gain in saved.gains.items()},
        "session": _arguments(saved.session.values),
    }


def _plain_loop(loop: SavedLoop) -> dict[str, Any]:
    command = loop.settings
    own = {each.name: getattr(command, each.name) for each in fields(command)}
    id, settings = own.pop("id"), own.pop("settings")
    return {
        "id": id,
        "layer": loop.layer,
        "settings": _arguments({**settings.values, **own}),
        "arrangements": [
            {str(layer): clip for layer, clip in arrangement.items()}
            for arrangement in loop.arrangements
        ],
        "index": loop.index,
        "frozen": loop.is_frozen,
        "running": loop.is_running,
    }


def _arguments(values: Mapping[str, Any]) -> dict[str, int | float | str]:
    """Values as a client would send them."""
    return {name: _argument(value) for name, value in values.items() if value is not None}


def _argument(value: Any) -> int | float | str:
    if isinstance(value, bool):
        return int(value)
    return float(value) if isinstance(value, Fraction) else value


def _loops(plain: Any) -> SavedLoops:
    version = plain["version"]
    if version != VERSION:
        raise ValueError(f"version {version!r}; this program knows version {VERSION}")
    loops = tuple(map(_loop, plain["loops"]))
    layers = [layer for loop in loops for layer in _layers(loop)]
    if len(set(layers)) < len(layers):
        raise ValueError("two loops have one layer")
    if len({loop.settings.id for loop in loops}) < len(loops):
        raise ValueError("two loops have one id")
    gains = {_layer(int(layer)): _gain(*gain) for layer, gain in plain["gains"].items()}
    session = _read("/bridge/set", [], plain["session"])
    return SavedLoops(loops, gains, session.settings)


def _loop(plain: Any) -> SavedLoop:
    arrangements = tuple(map(_arrangement, plain["arrangements"]))
    index = int(plain["index"])
    if len(arrangements) > MOST_KEPT + 1 or not -1 <= index < len(arrangements):
        raise ValueError(f"index {index} of {len(arrangements)} arrangements")
    if (index < 0) != (not arrangements):
        raise ValueError("an index without arrangements, or arrangements without an index")
    return SavedLoop(
        _read("/bridge/loop/set", [plain["id"]], plain["settings"]),
        _layer(plain["layer"]),
        arrangements,
        index,
        is_frozen=bool(plain["frozen"]),
        is_running=bool(plain["running"]),
    )


def _read(address: str, first: list[Any], settings: Any) -> Any:
    """The command of a message with these settings: they are checked as a client's are."""
    return read_command(address, [*first, *chain.from_iterable(settings.items())], 0.0)


def _layers(loop: SavedLoop) -> set[int]:
    return {loop.layer, *(layer for each in loop.arrangements for layer in each)}


def _arrangement(plain: Any) -> Arrangement:
    arrangement = {_layer(int(layer)): str(clip) for layer, clip in plain.items()}
    for clip in arrangement.values():
        if Path(clip).name != clip:
            raise ValueError(f"{clip!r} is no clip's name")
    if not arrangement:
        raise ValueError("an arrangement without clips")
    return arrangement


def _layer(number: Any) -> int:
    if not isinstance(number, int) or not 1 <= number <= LAYERS:
        raise ValueError(f"layer {number!r}: there are 1 to {LAYERS}")
    return number


def _gain(gain_db: Any, is_muted: Any) -> tuple[float, bool]:
    if not LOWEST_GAIN_DB <= float(gain_db) <= HIGHEST_GAIN_DB:
        raise ValueError(f"gain {gain_db} dB: the range is {LOWEST_GAIN_DB} to {HIGHEST_GAIN_DB}")
    return float(gain_db), bool(is_muted)
