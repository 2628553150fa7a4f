"""The session's default settings, and a request's options from them: the nearest setting wins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bridge.commands import RANDOM_SEED, ClipSettings
from bridge.config import Options, RunOptions, merge, presets

_SETTLED = ("tempo_bpm", "numerator", "denominator", "seed")
"""Settings that are settled elsewhere: `SessionTime` decides the time, and a seed may be random."""


class SessionDefaults:
    """The settings that apply where a request leaves them open.

    Attributes:
        settings: the values that `/bridge/set` has set.
    """

    def __init__(self, options: RunOptions) -> None:
        self.settings = ClipSettings()
        self._configured = {"sample_rate": options.sample_rate, **options.defaults}

    def set(self, settings: ClipSettings) -> None:
        """Set values over the present ones.

        Prompt and preset both choose the sound: either replaces both.
        """
        before = self.settings
        if settings.get("prompt") is not None or settings.get("preset") is not None:
            before = before.without("prompt", "preset")
        self.settings = settings.over(before)

    def options_for(
        self, request: ClipSettings, session: ClipSettings, settled: Mapping[str, Any]
    ) -> Options:
        """A request's options, from the request, its preset, the session, its preset and the file.

        The first of these that sets a value wins. A prompt or a preset of the request hides both
        of the session's.

        Args:
            session: the session's settings when the request arrived.
            settled: values by field of `Options` that were decided elsewhere. `unconditional`
                among them holds only without a prompt.

        Raises:
            UnknownPreset: no preset has that name.
            UnreadableFile: the preset cannot be read.
            BadArgument: values contradict each other, or there is neither melody nor prompt.
        """
        layers: list[Mapping[str, Any]] = []
        for settings in (request, session):
            values = settings.without(*_SETTLED).values
            if any({"prompt", "preset"} & layer.keys() for layer in layers):
                values = settings.without(*_SETTLED, "prompt", "preset").values
            layers.append(values)
            if "preset" in values:
                layers.append(presets.find_preset(values["preset"]).values)
        seed = request.over(session).get("seed")
        given = {**settled, "seed": None if seed == RANDOM_SEED else seed}
        if given.get("unconditional") and any("prompt" in layer for layer in layers):
            del given["unconditional"]
        return merge(given, *layers, self._configured)
