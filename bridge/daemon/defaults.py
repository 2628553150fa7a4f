"""What a request for clips means: what was said nearest to it wins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from bridge.commands import RANDOM_SEED, ClipSettings
from bridge.config import Options, merge, presets

_SETTLED = ("tempo_bpm", "numerator", "denominator", "seed")
"""Time and seed have rules of their own."""


def options_of(
    request: ClipSettings,
    session: ClipSettings,
    *,
    settled: Mapping[str, Any],
    last: Mapping[str, Any],
) -> Options:
    """All that was said, the nearest first: request, its preset, session, its preset, the file.

    How it should sound, a prompt or a preset, is one thing: where it was said nearer, what was said
    of it farther away has no say.

    Args:
        session: the session's defaults.
        settled: values by field of `Options` that were decided elsewhere. `unconditional` among
            them holds only where there is no prompt either.
        last: what counts where nobody said anything.

    Raises:
        UnknownPreset: a preset that was named is not there.
        UnreadableFile: it cannot be read.
        BadArgument: values do not go together, or there is nothing to go by.
    """
    layers: list[dict[str, Any]] = []
    for sound in (request, session):
        values = {
            name: value
            for name, value in asdict(sound).items()
            if value is not None and name not in _SETTLED
        }
        if any({"prompt", "preset"} & layer.keys() for layer in layers):
            values.pop("prompt", None)
            values.pop("preset", None)
        layers.append(values)
        if "preset" in values:
            layers.append(dict(presets.find_preset(values["preset"]).values))
    seed = request.over(session).seed
    given = {**settled, "seed": None if seed == RANDOM_SEED else seed}
    if given.get("unconditional") and any("prompt" in layer for layer in layers):
        del given["unconditional"]
    return merge(given, *layers, last)
