"""The beat clock of `/bridge/transport`.

Packets are late, get lost, and overtake one another, so no answer depends on when a single packet
arrived.
"""

from __future__ import annotations

from bridge.clock.beat_clock import BeatClock
from bridge.clock.osc_segment import LATE_SECONDS, EstimatedSegment
from bridge.clock.segment import AHEAD_SECONDS, FAR_SECONDS, JUMPED, STOPPED
from bridge.commands import Transport

_SAME_LATENESS_SECONDS = 0.035
"""After a jump, packets are equally late on the old segment, to within this jitter."""
_APART_SECONDS = 0.1
"""Packets closer together than this may come from one network delay: they confirm no jump."""
_UNSURE_PACKETS = 2
"""A segment of no more packets than this may be a mistake."""


class OscClock(BeatClock):
    """A beat clock whose readings are packets: the time at which each arrived is an estimate."""

    def __init__(self) -> None:
        super().__init__()
        self._suspect: tuple[Transport, float] | None = None

    def _extend(self, packet: Transport) -> bool:
        """Add the packet to the current segment, or ignore it as late.

        Returns False when the packet begins another segment.
        """
        segment = self._history[-1] if self._history else None
        if not isinstance(segment, EstimatedSegment):
            return self._was_sent_before_the_stop(packet)
        if segment.ended:
            return False
        late = segment.lateness(packet)
        if -AHEAD_SECONDS <= late <= LATE_SECONDS:
            segment.add(packet)
            self._suspect = None
            return True
        if LATE_SECONDS < late < FAR_SECONDS:
            if not self._confirms_jump(packet, late):
                return True
        else:
            self._suspect = None
        lap_beats = segment.lap_of(packet)
        if lap_beats is not None:
            segment.add(packet, lap_beats)
            self._suspect = None
            return True
        if segment.was_due(packet):
            return True
        if segment.packet_count > _UNSURE_PACKETS:
            return False
        return self._replace_mistaken_segment(segment, packet)

    def _confirms_jump(self, packet: Transport, late: float) -> bool:
        """Whether an earlier packet was equally late: then the playhead has jumped."""
        suspect = self._suspect
        if suspect is None or abs(suspect[1] - late) > _SAME_LATENESS_SECONDS:
            self._suspect = packet, late
            return False
        return packet.received_seconds >= suspect[0].received_seconds + _APART_SECONDS

    def _replace_mistaken_segment(self, young: EstimatedSegment, packet: Transport) -> bool:
        """Drop a segment that one late packet began, and classify this packet again."""
        self._history.pop()
        before = self._history[-1] if self._history else None
        if isinstance(before, EstimatedSegment) and before.ended == JUMPED:
            before.reopen()
            return self._extend(packet)
        self._history.append(EstimatedSegment(packet, young.began, young.after_seconds))
        return True

    def _was_sent_before_the_stop(self, packet: Transport) -> bool:
        """Whether the packet that reported the stop overtook this one."""
        before = self._history[-2] if len(self._history) > 1 else None
        if not (isinstance(before, EstimatedSegment) and before.ended == STOPPED):
            return False
        late = before.lateness(packet)
        if late >= FAR_SECONDS or packet.beat + before.lap_beats >= before.end_position:
            return False
        # Two equally late packets were not overtaken: the DAW plays again.
        return not self._confirms_jump(packet, late)

    def _segment(self, packet: Transport, began: str, after_seconds: float) -> EstimatedSegment:
        return EstimatedSegment(packet, began, after_seconds)

    def _pause(self, packet: Transport) -> None:
        super()._pause(packet)
        self._suspect = None

    def _begin(self, packet: Transport) -> None:
        super()._begin(packet)
        self._suspect = None
