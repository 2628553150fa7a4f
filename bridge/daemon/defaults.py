"""The session's default settings, and a request's options from them: the nearest setting wins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from bridge.commands import RANDOM_SEED, ClipSettings, MelodySource
from bridge.config import OPTIONS, Options, RunOptions, merge, presets
from bridge.config.files import user_folder

_SETTLED = (
    *("tempo_bpm", "numerator", "denominator", "tempo_lock", "seed"),
    *("source", "count_in_bars"),
)
"""Settings that are settled elsewhere.

`SessionTime` decides the time, a seed may be random, and captures have a source and a count-in.
"""


class SessionDefaults:
    """The settings that apply where a request leaves them open.

    Attributes:
        settings: the values that `/bridge/set` has set.
    """

    def __init__(self, options: RunOptions) -> None:
        self.settings = ClipSettings()
        self._presets = _PresetNames()
        self._source: MelodySource = options.source
        self._count_in_bars = options.count_in_bars
        self._bars: int = options.defaults.get("bars", OPTIONS["bars"].default)
        self._configured = {"sample_rate": options.sample_rate, **options.defaults}

    @property
    def source(self) -> MelodySource:
        """What captures take that name no source."""
        chosen: MelodySource | None = self.settings.get("source")
        return chosen or self._source

    @property
    def count_in_bars(self) -> int:
        """Bars that the daemon's own clock counts in."""
        chosen: int | None = self.settings.get("count_in_bars")
        return self._count_in_bars if chosen is None else chosen

    @property
    def bars(self) -> int:
        """Length of a take or clip that names none."""
        chosen: int | None = self.settings.get("bars")
        return chosen or self._bars

    def check_preset(self, name: str) -> None:
        """Check that a preset has that name.

        Raises:
            UnknownPreset: no preset has that name.
            UnreadableFile: the preset cannot be read.
        """
        self._presets.check(name)

    def set(self, settings: ClipSettings) -> None:
        """Set values over the present ones.

        Prompt and preset both choose the sound: either replaces both.

        Raises:
            UnknownPreset: no preset has that name.
            UnreadableFile: the preset cannot be read.
        """
        if (preset := settings.get("preset")) is not None:
            self.check_preset(preset)
        before = self.settings
        if settings.get("prompt") is not None or settings.get("preset") is not None:
            before = before.without("prompt", "preset")
        self.settings = settings.over(before)

    def unset(self, keys: Iterable[str]) -> None:
        """Forget these values; a value that is not set is ignored."""
        self.settings = self.settings.without(*keys)

    def reset(self) -> None:
        """Forget all values."""
        self.settings = ClipSettings()

    def warm_up(self) -> None:
        """Read the presets, so that the first check need not; for a thread."""
        self._presets.refresh()

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


class _PresetNames:
    """The names of the presets, read again only when their folders have changed.

    Reading all presets takes 40 ms on a slow machine, which the event loop cannot wait for at each
    check; looking at the folders takes microseconds.
    """

    def __init__(self) -> None:
        self._seen: list[tuple[str, int]] | None = None
        self._listing: presets.Listing = ([], {})

    def check(self, name: str) -> None:
        """Check that a preset has that name.

        Raises:
            UnknownPreset: no preset has that name.
            UnreadableFile: the preset cannot be read.
        """
        self.refresh()
        presets.choose_preset(name, self._listing)

    def refresh(self) -> None:
        """Read the presets if their folders have changed."""
        seen = _file_times()
        if seen != self._seen:
            self._seen, self._listing = seen, presets.list_presets()


def _file_times() -> list[tuple[str, int]]:
    """The names of all preset files, with the times of their last change in nanoseconds."""
    times = []
    for folder in (presets.bundled_folder(), user_folder() / "presets"):
        for path in sorted(folder.glob("*.toml")):
            # Removed meanwhile.
            with suppress(OSError):
                times.append((str(path), path.stat().st_mtime_ns))
    return times
