"""The commands for the output: clips are played by the id of the request that made them."""

from __future__ import annotations

import asyncio

from bridge.commands import MuteLayer, Play, SetLayerGain, SetMetronome, StopPlaying
from bridge.daemon.clips import ClipRegistry
from bridge.delivery.metronome import Metronome
from bridge.delivery.playable import read_clip
from bridge.delivery.playback import Playback
from bridge.errors import NoOutput
from bridge.events import Done

NO_OUTPUT_CHOSEN = (
    "no output is chosen: start with --output NAME; `melody-bridge devices` lists them"
)


class Playing:
    """Carries out the commands for the output. For the event loop's thread."""

    def __init__(
        self, playback: Playback | None, metronome: Metronome | None, clips: ClipRegistry
    ) -> None:
        """Args:
        playback, metronome: None without an output.
        """
        self._playback, self._metronome, self._clips = playback, metronome, clips

    @property
    def has_output(self) -> bool:
        """Whether an output was chosen."""
        return self._playback is not None

    def lead_seconds(self, count_in_bars: int) -> float:
        """How long before its first beat a clock starts so that this is heard; 0: it is not."""
        metronome = self._metronome
        if metronome is None or not (metronome.is_on or count_in_bars):
            return 0.0
        return metronome.lead_seconds

    def handle(
        self, command: StopPlaying | SetLayerGain | MuteLayer | SetMetronome, now_seconds: float
    ) -> None:
        """Carry out a command that ends at once.

        Raises:
            NoOutput: no output was chosen.
        """
        playback = self._chosen()
        match command:
            case StopPlaying(layer):
                playback.stop(None if layer is None else layer - 1)
            case SetLayerGain(layer, gain_db):
                playback.set_gain(layer - 1, gain_db)
            case MuteLayer(layer, is_muted):
                playback.mute(layer - 1, is_muted)
            case SetMetronome(is_on, gain_db) if self._metronome is not None:
                self._metronome.set(is_on, gain_db, now_seconds)

    async def play(self, command: Play) -> Done:
        """Read a clip and let it be a layer's next; return the answer.

        Raises:
            NoOutput: no output was chosen, or none is ready.
            UnknownId, BadArgument: that request has no such clip.
            UnreadableFile: the clip's file is gone.
            Cancelled: another command for the layer came meanwhile.
        """
        playback = self._chosen()
        known = await self._clips.find(command.id, command.index)
        clip = await asyncio.to_thread(read_clip, known)
        await playback.play(clip, command.layer - 1)
        return Done(command.id, 1)

    def panic(self, now_seconds: float) -> None:
        """Silence the output now, and switch the metronome off."""
        if self._playback is not None:
            self._playback.panic()
        if self._metronome is not None:
            self._metronome.set(False, None, now_seconds)

    def _chosen(self) -> Playback:
        if self._playback is None:
            raise NoOutput(NO_OUTPUT_CHOSEN)
        return self._playback
