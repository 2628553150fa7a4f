"""The output of the daemon: its player, its playback, and what is published of them."""

from __future__ import annotations

from collections.abc import Callable

from bridge.clock.beat_clock import BeatClock
from bridge.commands import Event, OutputChanged, OutputUnderflowed, Remark
from bridge.config import RunOptions
from bridge.daemon.session import NO_ID
from bridge.daemon.stretcher import Stretcher
from bridge.delivery.playback import Playback
from bridge.soundcard.player import Player


class Output:
    """One output. For the event loop's thread.

    Attributes:
        player: to be run in the input's process, or else started by `start`.
        playback: carries out commands.
    """

    def __init__(
        self,
        options: RunOptions,
        clock: Callable[[], BeatClock],
        publish: Callable[[Event], None],
    ) -> None:
        """Args:
        clock: gives the clock that counts at this moment.
        publish: sends an event to every client.
        """
        self._publish = publish
        self._underflows = 0
        self._stretcher = Stretcher()
        latency_ms = options.output_latency_ms
        self.player = Player(options.output, self._changed)
        self.playback = Playback(
            self.player,
            clock,
            quantum=options.quantum,
            latency_seconds=None if latency_ms is None else latency_ms / 1000,
            stretch=self._stretcher.stretched,
            publish=publish,
            remark=lambda text: publish(Remark(NO_ID, text)),
        )

    def start(self) -> None:
        """Open the output in a process of its own: nothing is recorded."""
        self.player.start()

    def poll(self, now_seconds: float) -> None:
        """Let the output follow the clock, and publish its gaps; call it ten times a second."""
        self.playback.poll(now_seconds)
        if self.player.underflows > self._underflows:
            self._underflows = self.player.underflows
            self._publish(OutputUnderflowed(self._underflows))

    async def stop(self) -> None:
        """End what the output has started."""
        await self.playback.close()
        await self._stretcher.stop()
        await self.player.stop()

    def _changed(self) -> None:
        player = self.player
        self.playback.output_changed()
        self._publish(OutputChanged(player.state, player.device, player.sample_rate, player.detail))
