"""The prompt that the model gets: tempo and key written into it."""

from __future__ import annotations

import re
from fractions import Fraction

from bridge.errors import BadArgument


def fill_prompt(prompt: str, *, tempo_bpm: Fraction, key: str | None) -> str:
    """Write tempo and key into a prompt, at its placeholders or at its end.

    `{tempo}` becomes the nearest whole number: models know tempo as a word. A part between commas
    that is only `{key}` goes when no key is given. A prompt that names no tempo, or not the key
    that was asked for, has it added at the end, because a clip can be stretched onto the grid by
    a few per cent only.

    Raises:
        BadArgument: the prompt works `{key}` into a sentence, and no key is given.
    """
    parts = [part.strip() for part in prompt.split(",")]
    if key is None:
        parts = [part for part in parts if part != "{key}"]
        if any("{key}" in part for part in parts):
            raise BadArgument(f"prompt {prompt!r} asks for a key: give one, such as A minor")
    text = ", ".join(part for part in parts if part)
    text = text.replace("{tempo}", str(round(tempo_bpm))).replace("{key}", key or "")
    if not re.search(r"(?:\b|\d)bpm\b", text, re.IGNORECASE):
        text += f", {round(tempo_bpm)} bpm"
    if key is not None and not re.search(rf"(?<!\w){re.escape(key)}(?!\w)", text, re.IGNORECASE):
        text += f", {key}"
    return text.removeprefix(", ")
