"""An output without a sound card: what it is given is mixed in a test's own time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from bridge.commands import LAYERS
from bridge.soundcard.clip_memory import ClipMemory
from bridge.soundcard.mixer import Mixer, MixerCommand
from bridge.soundcard.output_report import OutputStatus
from bridge.soundcard.player import Player

RATE = 44_100
BLOCK = 441
BEGIN_SECONDS = 1000.0
"""The time of frame 0."""


class OfflinePlayer(Player):
    """A player whose frames pass when `render` is called.

    Attributes:
        commands: that were given, in order.
        clips: that are loaded, by number.
    """

    def __init__(self, on_change: Callable[[], None] = lambda: None) -> None:
        super().__init__("offline", on_change)
        self.state, self.sample_rate, self.channels = "ready", RATE, 2
        self.commands: list[MixerCommand] = []
        self.clips: dict[int, ClipMemory] = {}
        self.dropped: list[int] = []
        self.mixer = Mixer(RATE, 2, self.clips)
        self._blocks: list[NDArray[np.float32]] = []

    @property
    def status(self) -> OutputStatus:
        """As a callback would report it."""
        layers = tuple(self.mixer.playing(layer) for layer in range(LAYERS))
        seconds, mixer = self.seconds, self.mixer
        return OutputStatus(
            self.frame, seconds, 1 / RATE, seconds, 0, 0, mixer.dry, mixer.late, layers
        )

    @property
    def frame(self) -> int:
        """The next one."""
        return BLOCK * len(self._blocks)

    @property
    def seconds(self) -> float:
        """The time of the next frame."""
        return BEGIN_SECONDS + self.frame / RATE

    def load(self, clip: ClipMemory) -> None:
        """Load at once."""
        self.clips[clip.number] = clip

    def drop(self, clip: ClipMemory) -> None:
        """Remember what may be freed."""
        self.dropped.append(clip.number)

    def send(self, command: MixerCommand) -> None:
        """Give the mixer the command."""
        self.commands.append(command)
        self.mixer.give(command)

    def render(self) -> None:
        """Let the frames of one block pass."""
        block = np.zeros((BLOCK, 2), np.float32)
        self.mixer.render(block, self.frame)
        self._blocks.append(block)

    @property
    def samples(self) -> NDArray[np.float32]:
        """All that was heard."""
        return np.concatenate(self._blocks)


@contextmanager
def offline_player() -> Iterator[OfflinePlayer]:
    """Make a player, and free its clips at the end."""
    player = OfflinePlayer()
    try:
        yield player
    finally:
        for clip in player.clips.values():
            clip.unlink()
