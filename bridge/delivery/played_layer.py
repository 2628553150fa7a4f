"""One layer of the output: what plays on it, what is to come, and where the bar lines put it.

It decides frames and gives commands; it reads no clock and waits for nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from bridge.audio import db_to_amplitude
from bridge.delivery.playable import PlayableClip
from bridge.soundcard.clip_memory import ClipMemory
from bridge.soundcard.mixer import NOW, Anchor, MixerCommand, SetGain, Start, Stop
from bridge.timing import Meter

UNHEARD_SECONDS = 0.0005
"""A clip this close to its bar line is left where it is: nobody hears it, and a fade is heard."""


@dataclass(frozen=True, eq=False)
class LoadedClip:
    """A clip in the output's memory.

    Attributes:
        memory: its samples, stretched to `tempo_bpm`.
        follows: it replaces the same clip at another tempo, and goes on where that one is.
        at_bar: it starts on a bar line, whatever the grid.
    """

    clip: PlayableClip
    memory: ClipMemory
    tempo_bpm: Fraction
    follows: bool = False
    at_bar: bool = False

    @property
    def is_for_bar_line(self) -> bool:
        """Whether it waits for a bar line, not for the grid."""
        return self.follows or self.at_bar

    def position_near(self, share: float, beats_into_bar: Fraction, meter: Meter | None) -> int:
        """The frame to play at a bar line, where the clip would be near that share of itself.

        Args:
            share: of the clip, 0 up to 1.
            beats_into_bar: how long after a bar line the clip's own first bar line is.
            meter: of the clock. If the clip has another one, its beats are on the clock's beats.
        """
        beats = self.clip.beats
        unit_beats = self.clip.meter.beats_per_bar if meter == self.clip.meter else Fraction(1)
        shift = beats_into_bar % unit_beats
        units = round((Fraction(share) * beats + shift) / unit_beats)
        beat = (units * unit_beats - shift) % beats
        return round(beat / beats * self.memory.frames) % self.memory.frames


@dataclass(frozen=True)
class BarLine:
    """A bar line that is near.

    Attributes:
        frame: of the output, at which it is heard.
        seconds: when it is heard.
        beats_into_bar: 0 on the bar line itself; a grid of beats has lines between.
        meter: of the clock; None: not known.
    """

    frame: int
    seconds: float
    beats_into_bar: Fraction = Fraction(0)
    meter: Meter | None = None


@dataclass(frozen=True)
class _Given:
    """A clip whose command the output has: it may have started before anybody has seen it."""

    start: Start
    clip: LoadedClip
    beats_into_bar: Fraction


class PlayedLayer:
    """One layer.

    Attributes:
        sounding: what plays; None: nothing does.
        coming: what starts on the next line of the grid; None: nothing is to start.
        is_stopping: whether it stops on the next line of the grid.
        line_seconds: when what starts or stops on a line does so, once its command is given.
        started: the output's frame at which what sounds started, and its own frame there.
        gain_db: 0: as the clip is.
        is_muted: whether it is silent, whatever its gain.
    """

    def __init__(self, number: int, send: Callable[[MixerCommand], None]) -> None:
        """Args:
        number: from 0.
        send: gives the output a command.
        """
        self.sounding: LoadedClip | None = None
        self.coming: LoadedClip | None = None
        self.is_stopping = False
        self.line_seconds: float | None = None
        self.started = (0, 0)
        self.gain_db = 0.0
        self.is_muted = False
        self._number, self._send = number, send
        self._sent: Start | Stop | None = None
        # Another command came after it was given; the output had started it by then, or had not.
        self._overtaken: _Given | None = None
        # The position of what sounds is (frame + offset) % frames.
        self._offset = 0
        self._beats_into_bar = self._coming_beats_into_bar = Fraction(0)
        self._anchored_frame = 0

    @property
    def is_waiting(self) -> bool:
        """Whether something is to start or stop whose command has not been given yet."""
        return self._sent is None and (self.coming is not None or self.is_stopping)

    def expect(self, clip: LoadedClip) -> LoadedClip | None:
        """Let a clip be the next; return one that does not come any more."""
        before = self._overtake()
        self.coming, self.is_stopping = clip, False
        return before

    def stop(self) -> LoadedClip | None:
        """Stop on the next line of the grid; return a clip that does not come any more."""
        self.is_stopping = self.sounding is not None or self.coming is not None
        return self._overtake()

    def keep(self) -> LoadedClip | None:
        """Go on; return the clip that was to come, unless its command has been given."""
        if self._sent is not None:
            return None
        before, self.coming = self.coming, None
        self.is_stopping = False
        return before

    def replace(self, before: LoadedClip, after: LoadedClip) -> None:
        """Take another description of the same memory, wherever it is."""
        self.sounding = after if self.sounding is before else self.sounding
        self.coming = after if self.coming is before else self.coming

    def clear(self) -> list[LoadedClip]:
        """Forget what plays and what is to come; return it."""
        overtaken = None if self._overtaken is None else self._overtaken.clip
        clips = [clip for clip in (self.sounding, self.coming, overtaken) if clip is not None]
        self.sounding = self.coming = self._sent = self._overtaken = None
        self.is_stopping = False
        return clips

    def observe(self, playing: tuple[int, int]) -> list[LoadedClip]:
        """Take in what the output plays; return the clips that no longer do.

        Args:
            playing: the number of the clip that plays and the frame of its start; zeros: none.
        """
        number, started = playing
        before, overtaken = self.sounding, self._overtaken
        if overtaken is not None and number == overtaken.start.clip:
            self._started(overtaken, started)
            self._overtaken = None
            return [before] if before is not None else []
        if (given := self._given) is not None and number == given.start.clip:
            self._started(given, started)
            self.coming = None
        elif isinstance(self._sent, Stop) and number == 0:
            self.sounding, self.is_stopping = None, False
        else:
            return []
        self._sent = self._overtaken = None
        ended = [before, None if overtaken is None else overtaken.clip]
        return [clip for clip in ended if clip is not None]

    def begin_at_once(self) -> None:
        """Start or stop what waits in the next block: no bar lines come."""
        if self.coming is not None:
            share = Fraction(0)
            self._coming_beats_into_bar = self._beats_into_bar if self.coming.follows else share
            self._give(Start(self._number, self.coming.memory.number))
        elif self.is_stopping:
            self._give(Stop(self._number))

    def begin_at(self, line: BarLine) -> None:
        """Start or stop what waits at that line of the grid."""
        coming, self.line_seconds = self.coming, line.seconds
        if coming is None:
            self._give(Stop(self._number, line.frame))
            return
        position = 0
        self._coming_beats_into_bar = line.beats_into_bar
        if coming.follows and self.sounding is not None:
            self._coming_beats_into_bar = self._beats_into_bar
            position = coming.position_near(
                self._share_at(line.frame), self._beats_into_bar, line.meter
            )
        self._give(Start(self._number, coming.memory.number, line.frame, position))

    def anchor_at(self, line: BarLine, sample_rate: int) -> None:
        """Put what sounds onto a bar line; once for each line."""
        sounding = self.sounding
        if sounding is None or line.frame < self._anchored_frame + sample_rate // 10:
            return
        self._anchored_frame = line.frame
        frames = sounding.memory.frames
        share = self._share_at(line.frame)
        position = sounding.position_near(share, self._beats_into_bar, line.meter)
        off = (position - line.frame - self._offset + frames // 2) % frames - frames // 2
        if abs(off) > UNHEARD_SECONDS * sample_rate:
            self._offset += off
            self._send(Anchor(self._number, sounding.memory.number, line.frame, position))

    def set_gain(self, *, gain_db: float | None = None, is_muted: bool | None = None) -> None:
        """Change the gain, or mute or unmute; None: as it is."""
        self.gain_db = self.gain_db if gain_db is None else gain_db
        self.is_muted = self.is_muted if is_muted is None else is_muted
        self.send_gain()

    def send_gain(self) -> None:
        """Give the output the layer's gain."""
        self._send(SetGain(self._number, 0.0 if self.is_muted else db_to_amplitude(self.gain_db)))

    @property
    def _given(self) -> _Given | None:
        """What is to come, if the output has the command for it."""
        if self.coming is None or not isinstance(self._sent, Start):
            return None
        return _Given(self._sent, self.coming, self._coming_beats_into_bar)

    def _overtake(self) -> LoadedClip | None:
        """Another command comes; return a clip that does not come any more."""
        before, given = self.coming, self._given
        if given is not None:
            older, self._overtaken = self._overtaken, given
            before = None if older is None else older.clip
        self.coming = self._sent = self.line_seconds = None
        return before

    def _started(self, given: _Given, frame: int) -> None:
        """Take in that the output has started a clip at that frame."""
        start = given.start
        at_frame = frame if start.at_frame == NOW else start.at_frame
        self.sounding = given.clip
        # A late start is as far in the clip as if it had been in time.
        self.started = (frame, start.position + frame - at_frame)
        self._offset, self._beats_into_bar = start.position - at_frame, given.beats_into_bar

    def _share_at(self, frame: int) -> float:
        """The share of itself that what sounds has played at an output frame."""
        if self.sounding is None:
            return 0.0
        frames = self.sounding.memory.frames
        return (frame + self._offset) % frames / frames

    def _give(self, command: Start | Stop) -> None:
        self._sent = command
        self._send(command)
