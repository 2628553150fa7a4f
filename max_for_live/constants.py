"""Constants that both the patcher and the script use: written here once, put into the script by
`script.py`.

Those of the daemon come from the daemon's own modules.
"""

from __future__ import annotations

from bridge.config import DEFAULT_OSC_PORT, MAX_SEED
from bridge.timing import MAX_TEMPO_BPM, MIN_TEMPO_BPM

NAME = "Melody Bridge"
"""The device's name, and the name of the track that it makes for clips."""
MIDI_TRACK_NAME = f"{NAME} MIDI"
"""The name of the track that it makes for notes."""

SCRIPT_INLETS = 2
PROMPT_INLET = 1
"""The script's inlet for the text of the prompt's field; all other messages come in at 0."""

OUTLETS = {"OSC": 0, "SHOW": 1, "SOUND": 2}
"""The script's outlets: to the daemon, to what the device shows, to what records."""

DAEMON_PORT = DEFAULT_OSC_PORT
FIRST_PORT = 7772
"""The first UDP port on which a device listens to the daemon; the script tries the next ones."""

BUFFER_CHANNELS = 2
"""Channels of a recording of the track."""

LETTERS = ("a", "b", "c", "d")
"""Names of the variations; the buttons show them as capitals."""
COLORS = (0xFF9A3C, 0x4FC3F7, 0x9CCC65, 0xBA8CFF)
"""Red, green and blue of the variations' buttons and clips, by letter. Live gives a clip the
nearest of its own colours."""
LOOP_COLOR = 0x4CD964
"""Of a loop's clips."""
LIGHT_COLORS = {
    "off": (0.35, 0.35, 0.35),
    "wait": (1, 0.7, 0.2),
    "on": (0.3, 0.85, 0.4),
    "bad": (1, 0.3, 0.25),
}
"""Red, green and blue, 0…1, of the light beside the daemon's state: not connected, busy, ready and
failed."""

NOT_CONNECTED = "not connected"
NO_MELODY = "no melody"
NO_LOOP = "no loop"
CAPTURE_LABEL = "Capture"
LOOP_LABEL = "Loop"
FREEZE_LABEL = "Freeze"
"""Texts that the device shows at first, and that the script shows again later."""

SCRIPT_CONSTANTS: dict[str, object] = {
    **OUTLETS,
    "PROMPT_INLET": PROMPT_INLET,
    "FIRST_PORT": FIRST_PORT,
    "BUFFER_CHANNELS": BUFFER_CHANNELS,
    "MAX_SEED": MAX_SEED,
    "MIN_TEMPO_BPM": MIN_TEMPO_BPM,
    "MAX_TEMPO_BPM": MAX_TEMPO_BPM,
    "TRACK_NAME": NAME,
    "MIDI_TRACK_NAME": MIDI_TRACK_NAME,
    "LETTERS": LETTERS,
    "COLORS": COLORS,
    "LOOP_COLOR": LOOP_COLOR,
    "LIGHT_COLORS": LIGHT_COLORS,
    "NOT_CONNECTED": NOT_CONNECTED,
    "NO_MELODY": NO_MELODY,
    "CAPTURE_LABEL": CAPTURE_LABEL,
    "NO_LOOP": NO_LOOP,
    "LOOP_LABEL": LOOP_LABEL,
    "FREEZE_LABEL": FREEZE_LABEL,
}
"""The script's constants, by their names there."""
