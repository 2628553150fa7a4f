"""Events in the log: a sentence for people, and the event's fields for programs."""

from __future__ import annotations

import logging
import time
from pathlib import Path

from bridge import __version__
from bridge.control.addresses import event_message
from bridge.daemon.logs import log_fields
from bridge.events import (
    CaptureChanged,
    ClipReady,
    Done,
    EngineChanged,
    Event,
    Failed,
    InputChanged,
    InputOverflowed,
    Listening,
    MidiPortsChanged,
    OutputChanged,
    OutputUnderflowed,
    Remark,
)

LOSS_LINE_SECONDS = 60.0
"""Lost audio is logged so often at most."""

_log = logging.getLogger(__name__)


class EventLog:
    """Writes the events that matter later into the log."""

    def __init__(self, folder: Path) -> None:
        """Args:
        folder: the clips folder.
        """
        self._folder = folder
        self._next_loss_line: dict[type[Event], float] = {}

    def write(self, event: Event, *, is_new_clip: bool) -> None:
        """Log an event, if it is one of those.

        Args:
            is_new_clip: whether it is a clip that was just made, not one of a list.
        """
        match event:
            case ClipReady() if is_new_clip:
                sentence = f"{event.id}: clip {event.index + 1} of {event.count}: {event.path}"
            case Done():
                sentence = f"{event.id}: done"
            case Failed():
                sentence = f"{event.id}: {event.code}: {event.message}"
            case Remark():
                sentence = f"{event.id}: {event.text}"
            case CaptureChanged(state="done"):
                sentence = f"{event.id}: captured {event.seconds:.2f} s"
            case EngineChanged():
                sentence = f"engine {event.state}: {event.detail}"
            case InputChanged():
                sentence = f"input {event.state}: {event.detail}"
            case OutputChanged():
                self._log_output(event)
                return
            case MidiPortsChanged():
                _log.info("MIDI: %s", event.detail, extra=log_fields(event="midi", **vars(event)))
                return
            case InputOverflowed() | OutputUnderflowed():
                self._log_lost_audio(event)
                return
            case Listening():
                self._log_listening(event.port)
                return
            case _:
                return
        _log.info("%s", sentence, extra=log_fields(event=_event_name(event), **vars(event)))

    def _log_listening(self, port: int) -> None:
        _log.info(
            "melody-bridge %s listens on 127.0.0.1:%d; clips go to %s",
            *(__version__, port, self._folder),
            extra=log_fields(event="listening", port=port, clips=str(self._folder)),
        )

    def _log_output(self, event: OutputChanged) -> None:
        _log.info(
            "output %s: %s",
            *(event.state, event.detail),
            extra=log_fields(event="output", **vars(event)),
        )

    def _log_lost_audio(self, event: InputOverflowed | OutputUnderflowed) -> None:
        """Log how often audio was lost, at most once a minute: each line counts all of it."""
        now = time.perf_counter()
        if now < self._next_loss_line.get(type(event), 0.0):
            return
        self._next_loss_line[type(event)] = now + LOSS_LINE_SECONDS
        if isinstance(event, InputOverflowed):
            what, fields = (
                "the input has lost audio",
                {"event": "overflow", "overflows": event.count},
            )
        else:
            what, fields = "the output had a gap", {"event": "underflow", "underflows": event.count}
        _log.warning(
            "%s %d times: other programs keep the machine busy",
            *(what, event.count),
            extra=log_fields(**fields),
        )


def _event_name(event: Event) -> str:
    """An event's name in the JSON log: its address without `/bridge/`."""
    return event_message(event)[0].removeprefix("/bridge/")
