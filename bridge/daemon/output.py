"""The output of the daemon: its player, its playback, and what is published of them."""

from __future__ import annotations

import logging
from collections.abc import Callable

from bridge.clock.beat_clock import BeatClock
from bridge.config import RunOptions
from bridge.daemon.logs import log_fields
from bridge.daemon.session import NO_ID
from bridge.daemon.stretcher import Stretcher
from bridge.delivery.metronome import Metronome
from bridge.delivery.playback import ClipStarted, Playback
from bridge.events import Event, OutputChanged, OutputUnderflowed, Remark
from bridge.soundcard.player import Player

_log = logging.getLogger(__name__)


class Output:
    """One output. For the event loop's thread.

    Attributes:
        player: to be run in the input's process, or else started by `start`.
        playback: carries out commands.
        metronome: clicks.
    """

    def __init__(
        self,
        options: RunOptions,
        clock: Callable[[], BeatClock],
        publish: Callable[[Event], None],
        *,
        count_in_until: Callable[[float], float | None],
    ) -> None:
        """Args:
        clock: gives the clock that counts at this moment.
        count_in_until: as for `Metronome`.
        publish: sends an event to every client.
        """
        self._publish = publish
        self._underflows = self._skips = 0
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
            on_start=_log_start,
        )
        self.metronome = Metronome(
            self.player,
            clock,
            latency_seconds=lambda: self.playback.latency_seconds,
            count_in_until=count_in_until,
            is_on=options.metronome,
            gain_db=options.metronome_gain_db,
            publish=publish,
        )

    def start(self) -> None:
        """Open the output in a process of its own: nothing is recorded."""
        self.player.start()

    def poll(self, now_seconds: float) -> None:
        """Let the output follow the clock, and publish its gaps; call it ten times a second."""
        self.playback.poll(now_seconds)
        self.metronome.poll(now_seconds)
        if self.player.underflows > self._underflows:
            self._underflows = self.player.underflows
            self._publish(OutputUnderflowed(self._underflows))
        self._log_skips()

    async def stop(self) -> None:
        """End what the output has started."""
        await self.playback.close()
        await self._stretcher.stop()
        self._log_callbacks()
        await self.player.stop()

    def _log_skips(self) -> None:
        status = self.player.status
        skips = 0 if status is None else status.skips
        if skips > self._skips:
            _log.info(
                "the output's driver has skipped periods: what plays goes on in time",
                extra=log_fields(event="skip", skips=skips),
            )
        self._skips = skips

    def _log_callbacks(self) -> None:
        times = self.player.callback_times
        if times is not None:
            _log.info(
                "the output's callbacks: 99 %% of %d took %.2f ms at most, and were %.2f ms late",
                *(times.count, times.took_ms["p99"], times.late_ms["p99"]),
                extra=log_fields(event="callbacks", **vars(times)),
            )

    def _changed(self) -> None:
        player = self.player
        self.playback.output_changed()
        self._publish(OutputChanged(player.state, player.device, player.sample_rate, player.detail))


def _log_start(started: ClipStarted) -> None:
    _log.info(
        "layer %d plays %s",
        *(started.layer, started.clip),
        extra=log_fields(event="start", **vars(started)),
    )
