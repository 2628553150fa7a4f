"""The capture of sound and of notes at once: if any note is played, the notes are the melody."""

from __future__ import annotations

from bridge.capture.capture import Capture
from bridge.capture.note_source import ARRIVAL_SECONDS
from bridge.errors import BridgeError, NoInput, SilentMelody
from bridge.soundcard.level import LOWEST_DB
from bridge.soundcard.ring import Overwritten

NOTES_TAKEN = (
    "notes and sound came at once, and the notes are the melody: with source sound it is the sound"
)
HEARD_DBFS = -40.0
"""Sound with a lower peak is the room's, not a melody's."""
NOTES_COUNT = "played notes still count"
"""The end of a remark that there is no sound."""
_GRACE_SECONDS = 2 * ARRIVAL_SECONDS
"""Once the sound is settled, this long is enough for the notes of the same bars to settle."""


class SoundOrNotes(Capture):
    """The notes if any were played, otherwise the sound.

    It ends with the notes; where the sound ends before the first note, it ends with the sound.
    """

    def __init__(self, sound: Capture, notes: Capture) -> None:
        super().__init__()
        self._sound, self._notes = sound, notes
        self._sound_error: BridgeError | None = None
        self._notes_error: BridgeError | None = None
        self._sound_settled_seconds: float | None = None
        self._chosen: Capture | None = None
        self._remarks_seen = 0

    @property
    def settled(self) -> bool:
        return self._chosen is not None

    def poll(self, now_seconds: float) -> None:
        if self.settled:
            return
        sound, notes = self._sound, self._notes
        if self._sound_error is None:
            self._sound_error = _poll(sound, now_seconds)
            if self._sound_error is not None:
                self._on_sound_error(self._sound_error)
        if self._notes_error is None:
            self._notes_error = _poll(notes, now_seconds)
        self._raise_if_both_failed()
        if sound.settled and self._sound_settled_seconds is None:
            self._sound_settled_seconds = now_seconds
        has_notes = self._notes_error is None and notes.peak_db > LOWEST_DB
        if not has_notes:
            self._take_remarks(sound)
        leading = notes if has_notes or self._sound_error is not None else sound
        self.state = leading.state
        self.seconds, self.peak_db = leading.seconds, max(sound.peak_db, notes.peak_db)
        if notes.settled:
            self._choose(notes)
        elif self._sound_settled_seconds is not None and (
            self._notes_error is not None
            or (not has_notes and now_seconds >= self._sound_settled_seconds + _GRACE_SECONDS)
        ):
            self._choose(sound)

    def cut(self) -> None:
        if self._chosen is None:
            raise ValueError("a capture is cut once it is settled")
        self._chosen.cut()
        self._take_remarks(self._chosen)
        if self._chosen is self._notes and _has_sound(self._sound):
            self.remarks += (NOTES_TAKEN,)
        self.take, self.state = self._chosen.take, "done"
        self.seconds, self.peak_db = self._chosen.seconds, self._chosen.peak_db

    def stop(self, now_seconds: float) -> None:
        self._sound.stop(now_seconds)
        self._notes.stop(now_seconds)

    def input_lost(self) -> None:
        self._sound.input_lost()

    def _choose(self, capture: Capture) -> None:
        if capture is self._notes:
            self._remarks_seen = 0
        self._chosen = capture
        self._take_remarks(capture)

    def _take_remarks(self, capture: Capture) -> None:
        """Add the remarks of the capture that leads, from the first that is not yet added."""
        self.remarks += capture.remarks[self._remarks_seen :]
        self._remarks_seen = len(capture.remarks)

    def _on_sound_error(self, error: BridgeError) -> None:
        if isinstance(error, NoInput) and self._notes_error is None:
            self.remarks += (f"{error}; {NOTES_COUNT}",)

    def _raise_if_both_failed(self) -> None:
        error = self._sound_error
        if error is None or self._notes_error is None:
            return
        if isinstance(self._notes_error, SilentMelody):
            raise type(error)(f"{error}; no note was played either")
        raise error


def _poll(capture: Capture, now_seconds: float) -> BridgeError | None:
    """Poll a capture, and return the error that ends it."""
    try:
        capture.poll(now_seconds)
    except BridgeError as error:
        return error
    return None


def _has_sound(sound: Capture) -> bool:
    """Whether a capture of sound is settled and has more than the noise of a room."""
    if not sound.settled:
        return False
    try:
        sound.cut()
    except (BridgeError, Overwritten):
        return False
    return sound.peak_db > HEARD_DBFS
