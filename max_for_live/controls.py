"""The controls of the device, in the table that the patcher is built from.

A parameter's name is the one that Live shows when it is automated or mapped; a control's id is in
the message that the script receives when it changes.
"""

from __future__ import annotations

from bridge.config import MAX_SEED
from max_for_live.constants import (
    CAPTURE_LABEL,
    COLORS,
    DAEMON_PORT,
    FREEZE_LABEL,
    LETTERS,
    LOOP_LABEL,
    NO_LOOP,
    NO_MELODY,
    NOT_CONNECTED,
)
from max_for_live.widgets import (
    FONT,
    Control,
    Parameter,
    button,
    label,
    line,
    menu,
    meter,
    on_off,
    switch,
)

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
"""Launch quantizations of a clip, in the order of their numbers. Those of a song have other numbers
(LOM, Clip)."""


def _variation(index: int, letter: str) -> tuple[Control, Control]:
    """The buttons that launch and discard a variation."""
    capital = letter.upper()
    x = 366 + 50 * index
    parts = COLORS[index].to_bytes(3)
    return (
        button(
            f"launch_{letter}",
            (x, 44, 46, 22),
            capital,
            f"Launch {capital}",
            f"Launches variation {capital} of the newest request, in the clip's quantization. "
            "It lights up when the clip is in its slot.",
            attributes=(
                ("active", 0),
                ("activebgcolor", [*(round(part / 255, 6) for part in parts), 1.0]),
            ),
        ),
        button(
            f"discard_{letter}",
            (x, 68, 46, 13),
            "discard",
            f"Discard {capital}",
            f"Deletes variation {capital} from its slot, and moves its file to the folder "
            "Discarded, where it stays for a week.",
            is_played=False,
        ),
    )


CONTROLS: tuple[Control, ...] = (
    # melody
    Control("light", "panel", (8, 9, 8, 8), route_word="light", attributes=(("rounded", 8),)),
    label("state", (18, 4, 130, 18), NOT_CONNECTED, route_word="state"),
    label("track_label", (6, 22, 40, 16), "Track"),
    meter("track_meter", (50, 26, 96, 8)),
    label("daemon_label", (6, 38, 44, 16), "Daemon"),
    meter("daemon_meter", (50, 42, 96, 8), route_word="daemon_level"),
    button(
        "capture",
        (6, 58, 68, 17),
        CAPTURE_LABEL,
        "Capture",
        "Records this track from the next bar line on, for as many bars as Bars says. While Live "
        "is stopped, from the first note on. Press again to stop.",
    ),
    button(
        "last_bars",
        (78, 58, 68, 17),
        "Last bars",
        "Last Bars",
        "Takes the bars that you have just played: the daemon always listens to its own input.",
    ),
    button(
        "from_clip",
        (6, 78, 68, 17),
        "From clip",
        "From Clip",
        "Takes the selected clip as the melody: an audio clip's loop, or a MIDI clip's notes.",
    ),
    button(
        "no_melody",
        (78, 78, 68, 17),
        "No melody",
        "No Melody",
        "Forgets the melody: the next clip follows the prompt alone.",
    ),
    label("melody", (6, 95, 142, 18), NO_MELODY, route_word="melody"),
    button(
        "hum_to_clip",
        (6, 113, 92, 20),
        "Hum → clip",
        "Hum to Clip",
        "The bars that you have just hummed or played become a clip: Last bars and Generate in "
        "one. Map a pad to it.",
        attributes=(("fontsize", 14.0),),
    ),
    button(
        "to_midi",
        (100, 113, 46, 20),
        "To MIDI",
        "To MIDI",
        "The melody's notes become a MIDI clip in the next free slot of the selected MIDI track, "
        "or of a new one.",
    ),
    Control(
        "loop_light", "panel", (8, 139, 8, 8), route_word="loop_light", attributes=(("rounded", 8),)
    ),
    button(
        "loop",
        (20, 135, 60, 15),
        LOOP_LABEL,
        "Loop",
        "What you play comes back as clips, each in the last one's place, until you press again. "
        "Pressed a third time, it stops at once.",
    ),
    button(
        "freeze",
        (84, 135, 62, 15),
        FREEZE_LABEL,
        "Freeze",
        "Keeps what the loop plays, and takes no more. Press again to go on.",
    ),
    label("loop_state", (6, 151, 142, 15), NO_LOOP, route_word="loop_state"),
    line("line_1", 151),
    # sound
    label("preset_label", (160, 4, 40, 18), "Preset"),
    menu("preset_menu", (202, 5, 148, 16)),
    Control(
        "prompt_text",
        "textedit",
        (162, 25, 188, 46),
        route_word="prompt_text",
        attributes=(
            # Sends one symbol: commas would split a list.
            ("outputmode", 1),
            ("keymode", 1),
            ("nosymquotes", 1),
            ("wordwrap", 1),
            ("rounded", 2.0),
            ("text", ""),
            *FONT,
        ),
        theme=(("bgcolor", "live_control_bg"), ("textcolor", "live_control_fg")),
    ),
    Control(
        "guidance",
        "live.dial",
        (162, 75, 46, 48),
        Parameter(
            "Guidance",
            "How strictly the clip follows prompt and melody. The model was made for 3.",
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
            "How daring the choice of sounds is: low values repeat, high ones fall apart.",
            short="Temp",
            low=0.1,
            high=2,
            initial=1,
            unit=1,
        ),
    ),
    label("bars_label", (262, 74, 50, 17), "Bars"),
    Control(
        "bars",
        "live.numbox",
        (314, 75, 36, 15),
        Parameter(
            "Bars",
            "How many bars of your playing are taken, and how many bars the clip has.",
            kind="int",
            low=1,
            high=64,
            initial=4,
        ),
    ),
    label("variations_label", (262, 91, 52, 16), "Variations"),
    Control(
        "variations",
        "live.numbox",
        (314, 92, 36, 15),
        Parameter(
            "Variations",
            "How many clips one request makes. Each goes to its own slot; the one that is most "
            "like the melody comes first.",
            kind="int",
            low=1,
            high=len(LETTERS),
            initial=1,
        ),
    ),
    switch(
        "song_key",
        (264, 107, 86, 15),
        "Song scale",
        on_off(
            "Song Scale",
            "Gives the model the key from Live's scale chooser, while the chooser is on.",
            initial=1,
        ),
    ),
    label("seed_label", (160, 123, 32, 16), "Seed"),
    Control(
        "seed",
        "live.numbox",
        (192, 124, 64, 15),
        Parameter(
            "Seed",
            "The same seed makes the same clip again. Unlocked, each clip gets a new seed.",
            low=0,
            high=MAX_SEED,
        ),
        route_word="seed",
    ),
    button(
        "dice",
        (264, 124, 41, 15),
        "Dice",
        "Dice",
        "Draws a new seed and locks it.",
        is_played=False,
    ),
    switch(
        "seed_lock",
        (309, 124, 41, 15),
        "Lock",
        on_off("Lock Seed", "Keeps the seed for the next clips.", initial=0),
        route_word="seed_lock",
    ),
    line("line_2", 355),
    # clip
    button(
        "generate",
        (366, 5, 96, 20),
        "Generate",
        "Generate",
        "Makes a clip that follows the melody, and places it in the next free slot.",
    ),
    button(
        "cancel",
        (466, 5, 46, 20),
        "Cancel",
        "Cancel",
        "Cancels the clips that are being made. Finished clips stay.",
    ),
    label("time_left", (514, 6, 50, 18), "", route_word="time_left", right=True),
    Control(
        "progress",
        "multislider",
        (366, 30, 196, 8),
        route_word="progress",
        sends_value=False,
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
    label("target_label", (364, 86, 36, 18), "Track"),
    menu("target_menu", (402, 87, 160, 16)),
    label("quantization_label", (364, 104, 38, 18), "Launch"),
    Control(
        "quantization",
        "live.menu",
        (402, 105, 72, 15),
        Parameter(
            "Launch Quantization",
            "When the clip starts after its launch; Global is the setting of the set.",
            short="Launch",
            kind="enum",
            items=QUANTIZATIONS,
            unit=9,
        ),
    ),
    switch(
        "auto_launch",
        (478, 105, 84, 15),
        "Auto-launch",
        on_off(
            "Auto Launch", "Launches the first clip of a request as soon as it is ready.", initial=0
        ),
    ),
    switch(
        "thru",
        (366, 124, 46, 15),
        "Thru",
        on_off(
            "Thru",
            "Lets this track's sound through. Off: your hum is captured but not heard.",
            initial=1,
        ),
        sends_value=False,
    ),
    button(
        "check",
        (416, 124, 46, 15),
        "Check",
        "Check",
        "Tries on a temporary track what the device relies on in this version of Live, writes a "
        "report, and removes the track.",
        is_played=False,
    ),
    button(
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
            initial=DAEMON_PORT,
            visibility="stored",
        ),
        sends_value=False,
    ),
    label("status", (160, 139, 404, 30), "", route_word="status"),
)
"""All controls of the presentation, from left to right and top to bottom."""

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
"""Texts that the set keeps. The script receives them when the set is loaded, and shows them."""
