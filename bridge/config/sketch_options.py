"""The options of the screen of `melody-bridge sketch`: what its keys do, and how it looks."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal

from bridge.config.entry import option
from bridge.config.readers import KEYS, MAX_VARIATIONS, SWITCH, ints, one_of
from bridge.errors import BadArgument

SKETCH_VARIATIONS = 4
Theme = Literal["auto", "dark", "light"]


def _keys(default: str, help: str) -> Any:
    """The entry for the keys of one action."""
    return option(KEYS, default, f"sketch: {help}", places=("file",))


@dataclass(frozen=True)
class SketchOptions:
    """Options of the screen. A value of keys has spaces between them.

    Raises:
        BadArgument: a key has two meanings.
    """

    sketch_variations: int = option(
        ints(1, MAX_VARIATIONS),
        SKETCH_VARIATIONS,
        "sketch: clips that it asks for at a time",
        places=("file",),
    )
    sketch_autoplay: bool = option(
        SWITCH,
        True,
        "sketch: play the best clip once it is there, if nothing plays or records",
        places=("file",),
        default_text="true",
    )
    sketch_theme: Theme = option(
        one_of("auto", "dark", "light"),
        "auto",
        "sketch: what the terminal's background is; auto: as COLORFGBG says, else dark",
        places=("file",),
    )
    sketch_record: str = _keys("space", "records, and ends the recording")
    sketch_last: str = _keys("l", "takes the last bars")
    sketch_generate: str = _keys("enter", "makes clips that follow the newest take")
    sketch_presets: str = _keys("1 2 3 4 5 6 7 8 9", "each chooses a preset, in their order")
    sketch_play: str = _keys("p", "plays the chosen clip, or stops")
    sketch_next: str = _keys("tab", "chooses the next clip")
    sketch_previous: str = _keys("shift+tab", "chooses the clip before")
    sketch_choose: str = _keys("A B C D", "each chooses a variation, the best first")
    sketch_keep: str = _keys("k", "keeps the chosen clip")
    sketch_discard: str = _keys("d", "discards the chosen clip")
    sketch_undo: str = _keys("u", "takes back the last keep or discard, or a live loop's last step")
    sketch_fewer_bars: str = _keys("[", "one bar less")
    sketch_more_bars: str = _keys("]", "one bar more")
    sketch_slower: str = _keys("-", "1 bpm slower")
    sketch_faster: str = _keys("= +", "1 bpm faster")
    sketch_tap: str = _keys("t", "taps the tempo")
    sketch_metronome: str = _keys("m", "metronome and count-in on or off")
    sketch_loop: str = _keys("o", "starts or stops a live loop")
    sketch_freeze: str = _keys("f", "freezes the live loop, or lets it follow again")
    sketch_prompt: str = _keys("e", "edits the prompt")
    sketch_copy: str = _keys("y", "copies the path of the chosen clip")
    sketch_open: str = _keys("x", "opens the folder of the chosen clip")
    sketch_panic: str = _keys("!", "silences the output and cancels everything")
    sketch_help: str = _keys("?", "shows all keys")
    sketch_quit: str = _keys("q", "quits")

    def __post_init__(self) -> None:
        names: dict[str, str] = {}
        for name, keys in self.keys().items():
            for key in keys:
                if key in names:
                    raise BadArgument(
                        f"the key {key!r} is both {names[key]} and {name}: give one of them "
                        "another in config.toml"
                    )
                names[key] = name

    def keys(self) -> dict[str, tuple[str, ...]]:
        """The keys of each action, by the option's name."""
        return {
            each.name: tuple(getattr(self, each.name).split())
            for each in fields(self)
            if each.metadata["option"].reader is KEYS
        }
