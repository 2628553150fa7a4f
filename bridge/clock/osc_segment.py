"""A segment of playback, estimated from packets that come late.

The tempo turns positions into a steady time scale, exact except for its origin; the lateness of
packets on that scale gives the origin.
"""

from __future__ import annotations

from fractions import Fraction

from bridge.clock.lateness import LatenessEnvelope
from bridge.clock.segment import FAR_SECONDS, PHASE_SECONDS, PlaybackSegment
from bridge.commands import Transport

JITTER_SECONDS = 0.03
"""Usual delay of a packet, at most."""
LATE_SECONDS = 0.12
"""A packet that is later than this was delayed, or shows a jump. A DAW may read its beat up to a
tenth of a second before it sends it."""

_RAMP_RATIO = 0.02
"""A change of tempo by no more than this ratio counts as a ramp; a larger one as a step, which the
DAW reports when it happens."""


class EstimatedSegment(PlaybackSegment):
    """Playback as packets report it that are late, get lost, and overtake one another."""

    late_seconds = LATE_SECONDS

    def __init__(self, packet: Transport, began: str, after_seconds: float) -> None:
        super().__init__(packet, began, after_seconds)
        self._envelope = LatenessEnvelope()
        self._envelope.add(packet.received_seconds, 0.0)

    @property
    def packet_count(self) -> int:
        """How many packets it has."""
        return len(self._envelope)

    def add(self, packet: Transport, lap_beats: float | None = None) -> None:
        """Add a packet of this segment, which may be the first of another lap."""
        lap_beats = self.lap_beats if lap_beats is None else lap_beats
        position, due = packet.beat + lap_beats, self._due_time(packet, lap_beats)
        # A packet that a newer one overtook only shows how late it is.
        if position >= self._last_position or lap_beats != self.lap_beats:
            self._fit_tempo(position, due)
            self._start_lap(position, lap_beats)
            self._update_grid(packet, position)
            if packet.tempo_bpm != self._pieces[-1].tempo_bpm:
                self._add_piece(
                    position,
                    tempo_bpm=packet.tempo_bpm,
                    beat_seconds=float(60 / packet.tempo_bpm),
                )
            self._last_position = max(position, self._last_position)
        self._envelope.add(packet.received_seconds, packet.received_seconds - due)
        self.last_reading_seconds = packet.received_seconds

    def was_due(self, packet: Transport) -> bool:
        """Whether it is a late packet of the lap that has just ended."""
        laps = [piece.lap_beats for piece in self._pieces if piece.lap_beats != self.lap_beats]
        return bool(laps) and -PHASE_SECONDS < self.lateness(packet, laps[-1]) < FAR_SECONDS

    def seconds_at(self, position: float) -> float:
        """The instant of a position."""
        scale = self._scale_from_position(position)
        # The offset changes by a millisecond a second, so the newest one is close enough to look
        # the right one up.
        approximate = scale + self._envelope.offset_at(self.last_reading_seconds)
        return scale + self._envelope.offset_at(approximate)

    def forget(self, before_seconds: float) -> None:
        """Drop what is older than that instant, and what exceeds the limits after a flood."""
        self._envelope.forget(before_seconds)
        super().forget(before_seconds)

    def _scale_from_seconds(self, seconds: float) -> float:
        return seconds - self._envelope.offset_at(seconds)

    def _due_time(self, packet: Transport, lap_beats: float) -> float:
        """When the packet was due, on the scale.

        After a change of tempo it is halfway between the results of the two tempos for a small
        change, which is a ramp; the result of the old tempo for a large one. Where the arrival
        contradicts this, the arrival decides.
        """
        position = packet.beat + lap_beats
        old_bpm = self._pieces[-1].tempo_bpm
        if position > self._last_position and packet.tempo_bpm != old_bpm:
            old = self._scale_from_position(position)
            new = self._due_at_its_own_tempo(packet, position)
            gradual = abs(packet.tempo_bpm / old_bpm - 1) <= _RAMP_RATIO
            likely = (old + new) / 2 if gradual else old
            arrived = self._scale_from_seconds(packet.received_seconds)
            if -JITTER_SECONDS / 2 <= arrived - likely <= JITTER_SECONDS + PHASE_SECONDS:
                return likely
        return super()._due_time(packet, lap_beats)

    def _fit_tempo(self, position: float, due: float) -> None:
        """Change the tempo since the newest packet so that the position is reached when due."""
        last, steady = self._last_position, self._scale_from_position(position)
        if due != steady:
            beat_seconds = (due - self._scale_from_position(last)) / (position - last)
            tempo_bpm = Fraction(60 / beat_seconds).limit_denominator(1000)
            self._add_piece(last, tempo_bpm=tempo_bpm, beat_seconds=beat_seconds)
