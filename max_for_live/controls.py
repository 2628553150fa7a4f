"""What stands on the device, where, and its name: the table that the patcher is built from.

Places are pixels in Live's device view, which is 169 high. A parameter's name is the one that Live
shows when it is automated or mapped; its message is what the script hears when it changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

DEVICE_WIDTH = 570
DEVICE_HEIGHT = 169

Rect = tuple[int, int, int, int]
"""x, y, width and height."""
Visibility = Literal["automated", "stored", "hidden"]


@dataclass(frozen=True)
class Parameter:
    """A value that is saved in the set, as Live shows it.

    Attributes:
        name: unique in the device.
        info: what Live's info view says.
        short: for a label; empty: the name.
        kind: Live has three: whole numbers reach no further than 0…255, so that what is larger is a
            float that is shown as a whole number. `blob` is anything, such as text.
        low, high, initial: of a number; of an enum only `initial`, the item's index.
        items: of an enum.
        unit: Live's unit style: 0 whole, 1 decimals, 9 an item's name.
        visibility: `stored` cannot be automated or mapped; `hidden` is not saved either, and its
            changes are no steps of Live's undo.
    """

    name: str
    info: str
    short: str = ""
    kind: Literal["float", "int", "enum", "blob"] = "float"
    low: float = 0
    high: float = 1
    initial: float = 0
    items: tuple[str, ...] = ()
    unit: int = 0
    visibility: Visibility = "automated"


@dataclass(frozen=True)
class Control:
    """Something in the presentation.

    Attributes:
        id: its scripting name; and with a parameter, the message that the script hears.
        maxclass: the Max object.
        rect: its place.
        parameter: what it sets; None: it sets nothing.
        text, text_on: what it says, and what it says when it is on.
        hears: the script's word for telling it something; empty: it is never told.
        tells: whether the script hears it.
        is_button: whether the script hears a press, and lets it go again.
        attributes: more of Max's, by their names in a patcher file.
        theme: which of Live's colours an attribute follows, where the object does not by itself.
    """

    id: str
    maxclass: str
    rect: Rect
    parameter: Parameter | None = None
    text: str = ""
    text_on: str = ""
    hears: str = ""
    tells: bool = True
    attributes: tuple[tuple[str, object], ...] = ()
    theme: tuple[tuple[str, str], ...] = ()
    is_button: bool = False


_FONT: tuple[tuple[str, object], ...] = (("fontname", "Ableton Sans Medium"), ("fontsize", 9.5))
"""What Live's own objects have, for those that are Max's."""


def _menu(id: str, rect: Rect) -> Control:
    """A menu that is filled while the device runs: Live's own must keep its items."""
    return Control(
        id,
        "umenu",
        rect,
        hears=id,
        attributes=_FONT,
        theme=(("bgfillcolor", "live_control_bg"), ("textcolor", "live_control_fg")),
    )


def _button(
    id: str,
    rect: Rect,
    text: str,
    name: str,
    info: str,
    *,
    is_played: bool = True,
    attributes: tuple[tuple[str, object], ...] = (),
) -> Control:
    """A button that is pressed: by hand, by a mapped pad, by automation.

    It is made of a switch, which the script lets go again: Live toggles what a note is mapped to,
    so that a button of Max's own would miss each second hit of a pad. One that is not played can be
    clicked alone: each change of a parameter that can be mapped is a step of Live's undo.
    """
    parameter = Parameter(
        name,
        info,
        kind="enum",
        items=("off", "on"),
        unit=9,
        visibility="automated" if is_played else "hidden",
    )
    # Output mode 0 acts on the way down: a pad's moment is what counts.
    kind: tuple[tuple[str, object], ...] = (("mode", 1), ("outputmode", 0))
    return Control(
        id,
        "live.text",
        rect,
        parameter,
        text,
        text,
        id,
        attributes=kind + attributes,
        is_button=True,
    )


def _switch(
    id: str, rect: Rect, text: str, parameter: Parameter, *, hears: str = "", tells: bool = True
) -> Control:
    """A button that stays on."""
    return Control(
        id,
        "live.text",
        rect,
        parameter,
        text,
        text,
        hears,
        tells,
        attributes=(("mode", 1), ("outputmode", 1)),
    )


def _on_off(name: str, info: str, *, initial: float) -> Parameter:
    return Parameter(name, info, kind="enum", items=("off", "on"), initial=initial, unit=9)


def _label(id: str, rect: Rect, text: str, *, hears: str = "", right: bool = False) -> Control:
    return Control(
        id,
        "live.comment",
        rect,
        text=text,
        hears=hears,
        attributes=(("textjustification", 2 if right else 0),),
    )


def _line(id: str, x: int) -> Control:
    return Control(id, "live.line", (x, 4, 5, 161), attributes=(("justification", 1),))


def _meter(id: str, rect: Rect, *, hears: str = "") -> Control:
    return Control(id, "live.meter~", rect, hears=hears, attributes=(("orientation", 1),))


QUANTIZATIONS = (
    "Global",
    "None",
    "8 Bars",
    "4 Bars",
    "2 Bars",
    "1 Bar",
    "1/2",
    "1/2T",
    "1/4",
    "1/4T",
    "1/8",
    "1/8T",
    "1/16",
    "1/16T",
    "1/32",
)
"""A clip's launch quantizations by their numbers; a song's are numbered otherwise (LOM, Clip)."""
LETTERS = ("A", "B", "C", "D")
COLORS = (0xFF9A3C, 0x4FC3F7, 0x9CCC65, 0xBA8CFF)
"""Red, green and blue of the letters' buttons; the script gives the clips the same."""
MAX_SEED = 16_777_215
"""The last whole number up to which a float32 has every one."""


def _variation(index: int, letter: str) -> tuple[Control, Control]:
    x = 366 + 50 * index
    parts = COLORS[index].to_bytes(3)
    return (
        _button(
            f"launch_{letter.lower()}",
            (x, 44, 46, 22),
            letter,
            f"Launch {letter}",
            f"Launches variation {letter} of the newest request, in the clip's quantization. "
            "It lights up when the clip stands in its slot.",
            attributes=(
                ("active", 0),
                ("activebgcolor", [*(round(part / 255, 6) for part in parts), 1.0]),
            ),
        ),
        _button(
            f"discard_{letter.lower()}",
            (x, 68, 46, 13),
            "discard",
            f"Discard {letter}",
            f"Deletes variation {letter} from its slot, and moves its file to the folder "
            "Discarded, where it stays for a week.",
            is_played=False,
        ),
    )


CONTROLS: tuple[Control, ...] = (
    # melody
    Control("light", "panel", (8, 9, 8, 8), hears="light", attributes=(("rounded", 8),)),
    _label("state", (18, 4, 130, 18), "not connected", hears="state"),
    _label("track_label", (6, 22, 40, 16), "Track"),
    _meter("track_meter", (50, 26, 96, 8)),
    _label("daemon_label", (6, 38, 44, 16), "Daemon"),
    _meter("daemon_meter", (50, 42, 96, 8), hears="heard"),
    _button(
        "capture",
        (6, 58, 68, 17),
        "Capture",
        "Capture",
        "Records this track from the next bar line on, as many bars as Bars says. When Live "
        "stands, from the first note. Press again to stop.",
    ),
    _button(
        "last_bars",
        (78, 58, 68, 17),
        "Last bars",
        "Last Bars",
        "Takes the bars that you have just played: the daemon has been listening to its own input "
        "all along.",
    ),
    _button(
        "from_clip",
        (6, 78, 68, 17),
        "From clip",
        "From Clip",
        "Takes the selected clip as the melody: an audio clip's loop, or a MIDI clip's notes.",
    ),
    _button(
        "no_melody",
        (78, 78, 68, 17),
        "No melody",
        "No Melody",
        "Forgets the melody: the next clip follows the prompt alone.",
    ),
    _label("melody", (6, 98, 142, 18), "no melody", hears="melody"),
    _button(
        "hum_to_clip",
        (6, 118, 140, 45),
        "Hum → clip",
        "Hum to Clip",
        "The bars that you have just hummed or played become a clip: Last bars and Generate in "
        "one. Map a pad to it.",
        attributes=(("fontsize", 14.0),),
    ),
    _line("line_1", 151),
    # sound
    _label("preset_label", (160, 4, 40, 18), "Preset"),
    _menu("preset_menu", (202, 5, 148, 16)),
    Control(
        "prompt_text",
        "textedit",
        (162, 25, 188, 46),
        hears="prompt_text",
        attributes=(
            # One symbol: a list would fall apart at its commas.
            ("outputmode", 1),
            ("keymode", 1),
            ("nosymquotes", 1),
            ("wordwrap", 1),
            ("rounded", 2.0),
            ("text", ""),
            *_FONT,
        ),
        theme=(("bgcolor", "live_control_bg"), ("textcolor", "live_control_fg")),
    ),
    Control(
        "guidance",
        "live.dial",
        (162, 75, 46, 48),
        Parameter(
            "Guidance",
            "How strictly prompt and melody are followed. 3 is what the model was made for.",
            low=1,
            high=10,
            initial=3,
            unit=1,
        ),
    ),
    Control(
        "temperature",
        "live.dial",
        (210, 75, 46, 48),
        Parameter(
            "Temperature",
            "How daring the choice of sounds is: lower repeats itself, higher falls apart.",
            short="Temp",
            low=0.1,
            high=2,
            initial=1,
            unit=1,
        ),
    ),
    _label("bars_label", (262, 74, 50, 17), "Bars"),
    Control(
        "bars",
        "live.numbox",
        (314, 75, 36, 15),
        Parameter(
            "Bars",
            "How many bars are taken from what you play, and how many the clip has.",
            kind="int",
            low=1,
            high=64,
            initial=4,
        ),
    ),
    _label("variations_label", (262, 91, 52, 16), "Variations"),
    Control(
        "variations",
        "live.numbox",
        (314, 92, 36, 15),
        Parameter(
            "Variations",
            "How many clips one request makes. Each goes to a slot of its own; the one that is "
            "most like the melody comes first.",
            kind="int",
            low=1,
            high=len(LETTERS),
            initial=1,
        ),
    ),
    _switch(
        "song_key",
        (264, 107, 86, 15),
        "Song scale",
        _on_off(
            "Song Scale",
            "Tells the model the key that is set in Live's scale chooser, while that is on.",
            initial=1,
        ),
    ),
    _label("seed_label", (160, 123, 32, 16), "Seed"),
    Control(
        "seed",
        "live.numbox",
        (192, 124, 64, 15),
        Parameter(
            "Seed",
            "The same seed makes the same clip again. Unlocked, a new one is drawn for each clip.",
            low=0,
            high=MAX_SEED,
        ),
        hears="seed",
    ),
    _button(
        "dice",
        (264, 124, 41, 15),
        "Dice",
        "Dice",
        "Draws a new seed, and locks it.",
        is_played=False,
    ),
    _switch(
        "seed_lock",
        (309, 124, 41, 15),
        "Lock",
        _on_off("Lock Seed", "Keeps the seed for the clips to come.", initial=0),
        hears="seed_lock",
    ),
    _line("line_2", 355),
    # clip
    _button(
        "generate",
        (366, 5, 96, 20),
        "Generate",
        "Generate",
        "Makes a clip that follows the melody, and puts it into the next free slot.",
    ),
    _button(
        "cancel",
        (466, 5, 46, 20),
        "Cancel",
        "Cancel",
        "Gives up what is being made. What is finished stays.",
    ),
    _label("time_left", (514, 6, 50, 18), "", hears="time_left", right=True),
    Control(
        "progress",
        "multislider",
        (366, 30, 196, 8),
        hears="progress",
        tells=False,
        attributes=(
            ("ignoreclick", 1),
            ("orientation", 0),
            ("setminmax", [0.0, 1.0]),
            ("setstyle", 1),
            ("settype", 1),
            ("size", 1),
            ("parameter_enable", 0),
        ),
        theme=(("bgcolor", "live_control_bg"), ("slidercolor", "live_control_selection")),
    ),
    *(control for index, letter in enumerate(LETTERS) for control in _variation(index, letter)),
    _label("target_label", (364, 86, 36, 18), "Track"),
    _menu("target_menu", (402, 87, 160, 16)),
    _label("quantization_label", (364, 104, 38, 18), "Launch"),
    Control(
        "quantization",
        "live.menu",
        (402, 105, 72, 15),
        Parameter(
            "Launch Quantization",
            "When the clip begins after it was launched; Global is the setting of the set.",
            short="Launch",
            kind="enum",
            items=QUANTIZATIONS,
            unit=9,
        ),
    ),
    _switch(
        "auto_launch",
        (478, 105, 84, 15),
        "Auto-launch",
        _on_off("Auto Launch", "Launches the first clip of a request when it is there.", initial=0),
    ),
    _switch(
        "thru",
        (366, 124, 46, 15),
        "Thru",
        _on_off(
            "Thru",
            "Lets this track's sound through. Off: what you hum is captured and not heard.",
            initial=1,
        ),
        tells=False,
    ),
    _button(
        "check",
        (416, 124, 46, 15),
        "Check",
        "Check",
        "Tries on a scratch track all that the device relies on in this Live, and writes down what "
        "agrees. The track is removed again.",
        is_played=False,
    ),
    _button(
        "reveal",
        (466, 124, 46, 15),
        "Reveal",
        "Reveal",
        "Shows the folder with the newest clip.",
        is_played=False,
    ),
    Control(
        "port",
        "live.numbox",
        (516, 124, 46, 15),
        Parameter(
            "Daemon Port",
            "The UDP port of this machine that melody-bridge listens on.",
            short="Port",
            low=1024,
            high=65_535,
            initial=7771,
            visibility="stored",
        ),
        tells=False,
    ),
    _label("status", (160, 139, 404, 30), "", hears="status"),
)
"""All that stands in the presentation, from left to right and top to bottom."""

MEMORIES: tuple[tuple[str, Parameter], ...] = (
    (
        "preset",
        Parameter("Preset", "The preset's name.", kind="blob", visibility="stored"),
    ),
    (
        "prompt",
        Parameter("Prompt", "What the clip should sound like.", kind="blob", visibility="stored"),
    ),
    (
        "target",
        Parameter(
            "Target Track", "The name of the track for clips.", kind="blob", visibility="stored"
        ),
    ),
)
"""Text that the set keeps. The script shows it, and is told it when the set is loaded."""

BANKS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "Play",
        (
            "Hum to Clip",
            "Generate",
            "Bars",
            "Variations",
            "Guidance",
            "Temperature",
            "Seed",
            "Lock Seed",
        ),
    ),
    (
        "Clips",
        (
            "Launch A",
            "Launch B",
            "Launch C",
            "Launch D",
            "Auto Launch",
            "Launch Quantization",
            "Cancel",
            "Thru",
        ),
    ),
    (
        "Melody",
        ("Capture", "Last Bars", "From Clip", "No Melody", "Song Scale"),
    ),
)
"""What Push's eight encoders have, bank by bank."""
