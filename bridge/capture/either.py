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
SOUND_TAKEN = (
    "the sound came long after the notes, and is the melody: with source midi it is the notes"
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
    Sound is preferred to stale notes.
    """

    def __init__(self, sound: Capture, notes: Capture) -> None:
        super().__init__()
        self._sound, self._notes = sound, notes
        self._sound_error: BridgeError | None = None
        self._notes_error: BridgeError | None = None
        self._sound_settled_seconds: float | None = None
        self._settled = False
        self._remarks_seen = 0

    @property
    def settled(self) -> bool:
        return self._settled

    def poll(self, now_seconds: float) -> None:
        if self.settled:
            return
        sound, notes = self._sound, self._notes
        if self._sound_error is None:
            self._sound_error = _poll(sound, now_seconds)
            if isinstance(self._sound_error, NoInput) and self._notes_error is None:
                self.remarks += (f"{self._sound_error}; {NOTES_COUNT}",)
        if self._notes_error is None:
            self._notes_error = _poll(notes, now_seconds)
        if self._sound_error is not None and self._notes_error is not None:
            raise self._joined(self._sound_error)
        if sound.settled and self._sound_settled_seconds is None:
            self._sound_settled_seconds = now_seconds
        has_notes = self._notes_error is None and notes.peak_db > LOWEST_DB
        if not has_notes:
            self._take_sound_remarks()
        leading = notes if has_notes or self._sound_error is not None else sound
        self.state, self.count_in_until = leading.state, leading.count_in_until
        self.seconds, self.peak_db = leading.seconds, max(sound.peak_db, notes.peak_db)
        self._settled = self._is_decided(has_notes, now_seconds)

    def cut(self) -> None:
        if not self._settled:
            raise ValueError("a capture is cut once it is settled")
        sound, notes = self._sound, self._notes
        if not notes.settled:
            try:
                sound.cut()
            except SilentMelody as error:
                raise self._joined(error) from error
            self._finish(sound)
        elif not _has_sound(sound):
            self._finish(notes)
        elif notes.is_stale:
            self._finish(sound)
            self.remarks += (SOUND_TAKEN,)
        else:
            self._finish(notes)
            self.remarks += (NOTES_TAKEN,)

    def stop(self, now_seconds: float) -> None:
        self._sound.stop(now_seconds)
        self._notes.stop(now_seconds)

    def input_lost(self) -> None:
        self._sound.input_lost()

    def _is_decided(self, has_notes: bool, now_seconds: float) -> bool:
        """Whether it is known which of the two is taken, and that one is settled."""
        sound_seconds = self._sound_settled_seconds
        if self._notes.settled:
            waits_for_sound = self._notes.is_stale and self._sound_error is None
            return not waits_for_sound or sound_seconds is not None
        if sound_seconds is None:
            return False
        is_late = not has_notes and now_seconds >= sound_seconds + _GRACE_SECONDS
        return self._notes_error is not None or is_late

    def _finish(self, taken: Capture) -> None:
        """Take what one of the two has."""
        if taken.take is None:
            taken.cut()
        if taken is self._sound:
            self._take_sound_remarks()
        else:
            self.remarks += taken.remarks
        self.take, self.state = taken.take, "done"
        self.seconds, self.peak_db = taken.seconds, taken.peak_db

    def _take_sound_remarks(self) -> None:
        """Add the sound's remarks, from the first that is not yet added."""
        self.remarks += self._sound.remarks[self._remarks_seen :]
        self._remarks_seen = len(self._sound.remarks)

    def _joined(self, sound_error: BridgeError) -> BridgeError:
        """The sound's error, which also says that no note was played, if so."""
        if isinstance(self._notes_error, SilentMelody):
            return type(sound_error)(f"{sound_error}; no note was played either")
        return sound_error


def _poll(capture: Capture, now_seconds: float) -> BridgeError | None:
    """Poll a capture, and return the error that ends it."""
    try:
        capture.poll(now_seconds)
    except BridgeError as error:
        # A traceback's frames hold the captures, and the captures hold the error: the ring of an
        # input that is lost would stay until that cycle is collected.
        return error.with_traceback(None)
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
