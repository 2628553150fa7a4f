"""The model's prompt: the user's text with tempo and key filled in."""

from __future__ import annotations

import re
from fractions import Fraction

from bridge.errors import BadArgument


def fill_prompt(prompt: str, *, tempo_bpm: Fraction, key: str | None, complete: bool = True) -> str:
    """Write tempo and key into a prompt, at its placeholders or at its end.

    `{tempo}` becomes the nearest whole number: models know tempo as a word. Without a key, a part
    between commas that is only `{key}` is dropped. A prompt that lacks the tempo or the given key
    gets it at its end: a clip can be stretched onto the grid by a few per cent only.

    Args:
        complete: add what the prompt lacks; False: a prompt without placeholders stays as it is.

    Raises:
        BadArgument: the prompt has `{key}` inside a sentence, and no key is given.
    """
    if not complete and not re.search(r"\{(tempo|key)\}", prompt):
        return prompt
    parts = [part.strip() for part in prompt.split(",")]
    if key is None:
        parts = [part for part in parts if part != "{key}"]
        if any("{key}" in part for part in parts):
            raise BadArgument(f"prompt {prompt!r} asks for a key: give one, such as A minor")
    text = ", ".join(part for part in parts if part)
    text = text.replace("{tempo}", str(round(tempo_bpm))).replace("{key}", key or "")
    if not complete:
        return text
    if not re.search(r"(?:\b|\d)bpm\b", text, re.IGNORECASE):
        text += f", {round(tempo_bpm)} bpm"
    if key is not None and not re.search(rf"(?<!\w){re.escape(key)}(?!\w)", text, re.IGNORECASE):
        text += f", {key}"
    return text.removeprefix(", ")
