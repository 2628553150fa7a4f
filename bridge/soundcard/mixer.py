"""What the output plays: layers of looped clips and clicks, mixed block by block.

It knows no device, no clock and no time: a command names the output frame at which it happens, and
that frame is exact. The same commands give the same samples, bit for bit, however the frames are
divided into blocks. Only a clip that is still being written and `Silence` depend on when a block is
rendered.

`render` runs in an audio callback: it takes no lock, and allocates no array.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bridge.commands import LAYERS
from bridge.soundcard.clicks import ClickTrack, SetClicks, Tick
from bridge.soundcard.clip_memory import ClipMemory
from bridge.soundcard.fades import Fades, Samples, fall, limit
from bridge.soundcard.voice import Voice

NOW = -1
"""In place of a frame: the first one of the next block."""
MOST_COMMANDS = 256
"""Commands that may wait for the next block."""

_MOST_FRAMES = 4096
"""Largest piece that is rendered at once; longer blocks are rendered in pieces."""
_MOST_VOICES = 4
"""Voices of one layer: the newest, and those that fade out."""


@dataclass(frozen=True)
class Start:
    """Start a clip, in place of what the layer plays.

    A cross-fade to it ends at `at_frame`, so that the attack on that frame is complete: it begins
    with the end of the loop. Where that end is not written yet, as in a clip that is being made,
    what plays has faded out by `at_frame`, and the clip begins there, as after silence. If the
    frame has passed, the clip begins at the next one, as far as if it had started in time.

    Attributes:
        layer: 0 up to `LAYERS`.
        clip: the number of one that is loaded; of another one, nothing happens.
        at_frame: of the output; or `NOW`.
        position: the clip's frame that is played at `at_frame`.
    """

    layer: int
    clip: int
    at_frame: int = NOW
    position: int = 0


@dataclass(frozen=True)
class Anchor:
    """Move a clip that plays: from `at_frame` on it is at `position`; a cross-fade ends there.

    Nothing happens if it is there anyway, or if the layer plays another clip by then.
    """

    layer: int
    clip: int
    at_frame: int
    position: int


@dataclass(frozen=True)
class Stop:
    """Fade the layer out, until that frame; from `NOW` on."""

    layer: int
    at_frame: int = NOW


@dataclass(frozen=True)
class SetGain:
    """Change the layer's gain, an amplitude of 0 or more, beginning at that frame."""

    layer: int
    amplitude: float
    at_frame: int = NOW


@dataclass(frozen=True)
class Silence:
    """Stop all layers and clicks within the next block, and forget every command that waits."""


MixerCommand = Start | Anchor | Stop | SetGain | SetClicks | Tick | Silence


class Mixer:
    """Mixes layers of clips, and clicks.

    Each layer has at most one clip that plays and one command of a kind that is to come: a `Start`
    or `Stop` replaces an earlier one that has not happened yet.

    Attributes:
        dry: how often a clip had to be silent because its next frames were not there.
        late: how often a clip started late because its command came late.
    """

    def __init__(self, sample_rate: int, channels: int, clips: Mapping[int, ClipMemory]) -> None:
        """Args:
        sample_rate: Hz, positive; of the output and of every clip.
        channels: of the output and of every clip, 1 or more.
        clips: those that are loaded, by their numbers; others may be added at any time, and one
            that `uses` denies may be removed.
        """
        self.dry = self.late = 0
        self._commands: deque[MixerCommand] = deque()
        self._fades = Fades(sample_rate)
        self._clicks = ClickTrack(sample_rate, channels)
        self._layers = tuple(_Layer(self._fades, clips) for _ in range(LAYERS))
        self._clip_samples, self._layer_samples = (
            np.zeros((_MOST_FRAMES, channels), np.float32) for _ in range(2)
        )

    @property
    def has_room(self) -> bool:
        """Whether another command may be given now."""
        return len(self._commands) < MOST_COMMANDS

    def give(self, command: MixerCommand) -> None:
        """Give a command, from any thread; the next block takes it.

        Commands that are given before an earlier one has happened are for a later block.
        """
        self._commands.append(command)

    def playing(self, layer: int) -> tuple[int, int]:
        """The number of the clip that the layer plays, and the frame at which it started.

        Zeros when it plays none.
        """
        voice = self._layers[layer].current
        return (0, 0) if voice is None else (voice.clip.number, voice.started)

    def uses(self, clip: int) -> bool:
        """Whether a layer plays the clip, or a command that is to come names it."""
        # Commands first: one that a layer takes meanwhile is then found at the layer.
        return any(
            isinstance(command, Start | Anchor) and command.clip == clip
            for command in tuple(self._commands)
        ) or any(layer.uses(clip) for layer in self._layers)

    def render(self, block: Samples, frame: int) -> None:
        """Fill a block.

        Args:
            block: float32 `[frames, channels]`, overwritten.
            frame: the number of the block's first frame, not before the end of the last block.
        """
        silences = self._take_commands(frame)
        for first in range(0, len(block), _MOST_FRAMES):
            self._render(block[first : first + _MOST_FRAMES], frame + first)
        if silences:
            self._silence(block)

    def _take_commands(self, frame: int) -> bool:
        """Hand the commands to who carries them out; return whether all are to be silent.

        Commands after a `Silence` wait for the next block.
        """
        while self._commands:
            command = self._commands.popleft()
            if isinstance(command, Silence):
                for layer in self._layers:
                    layer.forget()
                return True
            match command:
                case SetClicks():
                    self._clicks.expect(command, frame)
                case Tick():
                    self._clicks.tick(command, frame)
                case _:
                    self._layers[command.layer].expect(command)
        return False

    def _render(self, block: Samples, frame: int) -> None:
        block[:] = 0
        for layer in self._layers:
            self._add(layer, block, frame)
        self._clicks.add_to(block, self._clip_samples[: len(block)], frame)
        limit(block, self._clip_samples[: len(block)], self._layer_samples[: len(block)])

    def _add(self, layer: _Layer, block: Samples, frame: int) -> None:
        """Add one layer to the block, in pieces between the frames of its commands."""
        first = 0
        while first < len(block):
            self.late += layer.begin_due(frame + first)
            frames = layer.frames_until_next(frame + first, len(block) - first)
            if layer.voices:
                mixed = self._layer_samples[:frames]
                self.dry += layer.play(mixed, self._clip_samples[:frames], frame + first)
                piece = block[first : first + frames]
                np.add(piece, mixed, out=piece)
            first += frames

    def _silence(self, block: Samples) -> None:
        # In a block that is shorter than the fade, some of its steps.
        spacing = -(-len(self._fades.falling) // len(block))
        fall(block, self._fades.falling[::spacing], 0)
        self._clicks.forget()
        for layer in self._layers:
            layer.voices = []


class _Layer:
    """The voices of one layer, its gain, and its commands that are to come.

    Attributes:
        voices: the oldest first; all but the last fade out.
    """

    def __init__(self, fades: Fades, clips: Mapping[int, ClipMemory]) -> None:
        self.voices: list[Voice] = []
        self._fades, self._clips = fades, clips
        self._gain_before, self._gain_after, self._gain_from = 1.0, 1.0, 0
        self._gain: SetGain | None = None
        self._coming: Start | Stop | None = None
        self._anchor: Anchor | None = None

    @property
    def current(self) -> Voice | None:
        """The voice that plays and does not fade out."""
        return self.voices[-1] if self.voices and self.voices[-1].fades_from is None else None

    def uses(self, clip: int) -> bool:
        """Whether a voice or a command of the layer names the clip."""
        coming = [
            command.clip
            for command in (self._coming, self._anchor)
            if isinstance(command, Start | Anchor)
        ]
        return clip in coming or clip in [voice.clip.number for voice in tuple(self.voices)]

    def expect(self, command: Start | Stop | Anchor | SetGain) -> None:
        """Keep a command until its frame."""
        match command:
            case Start() | Stop():
                self._coming = command
            case Anchor():
                self._anchor = command
            case SetGain():
                self._gain = command

    def forget(self) -> None:
        """Forget all commands that are to come but a change of gain."""
        self._coming = self._anchor = None

    def begin_due(self, frame: int) -> bool:
        """Begin the commands whose frame has come; return whether a clip starts late."""
        self._drop_ended(frame)
        starts_late = False
        if self._gain is not None and self._gain.at_frame <= frame:
            self._gain_before, self._gain_after = self._gain_at(frame), self._gain.amplitude
            self._gain, self._gain_from = None, frame
        if self._coming is not None and self._due_frame(self._coming) <= frame:
            coming, self._coming = self._coming, None
            if isinstance(coming, Start):
                starts_late = _frames_late(coming, frame) > 0
                self._start(coming, frame)
            elif self.current is not None:
                self.current.fade_out(frame, self._fades.falling)
        if self._anchor is not None and self._due_frame(self._anchor) <= frame:
            anchor, self._anchor = self._anchor, None
            self._move(anchor, frame)
        return starts_late

    def frames_until_next(self, frame: int, most: int) -> int:
        """Frames until the next command begins, 1 up to `most`."""
        for command in (self._gain, self._coming, self._anchor):
            if command is not None:
                most = min(most, self._due_frame(command) - frame)
        return most

    def play(self, mixed: Samples, scratch: Samples, frame: int) -> int:
        """Fill `mixed` with all voices at the layer's gain; return how many clips run dry."""
        mixed[:] = 0
        if self._gain_before == self._gain_after == 0:
            return 0
        dry = 0
        for voice in self.voices:
            dry += voice.read(scratch, frame, self._fades)
            np.add(mixed, scratch, out=mixed)
        self._apply_gain(mixed, scratch, frame)
        return dry

    def _due_frame(self, command: Start | Stop | Anchor | SetGain) -> int:
        """The frame at which a command begins, so that its fade ends at the command's frame."""
        if isinstance(command, SetGain) or self.current is None or command.at_frame == NOW:
            return command.at_frame
        return command.at_frame - len(self._fades.rising)

    def _start(self, start: Start, frame: int) -> None:
        clip, current = self._clips.get(start.clip), self.current
        position = start.position + _frames_late(start, frame)
        if clip is None:
            return
        if current is None:
            self._add(Voice(clip, frame, position, self._fades.starting))
        elif current.clip is clip:
            self._cross_to(current, frame, position)
        else:
            current.fade_out(frame, self._fades.falling_power)
            if clip.frames_written == clip.frames:
                self._add(Voice(clip, frame, position, self._fades.rising_power))
            else:
                late = max(0, position - start.position)
                begin = max(frame, start.at_frame)
                self._add(Voice(clip, begin, start.position + late, self._fades.starting))
        self.voices[-1].started = max(frame, start.at_frame)

    def _move(self, anchor: Anchor, frame: int) -> None:
        if self.current is not None and self.current.clip.number == anchor.clip:
            self._cross_to(self.current, frame, anchor.position + _frames_late(anchor, frame))

    def _cross_to(self, current: Voice, frame: int, position: int) -> None:
        """Cross-fade the clip that plays to another position of itself, if it is not there."""
        if current.position(frame) == position % current.clip.frames:
            return
        current.fade_out(frame, self._fades.falling)
        moved = Voice(current.clip, frame, position, self._fades.rising)
        moved.started = current.started
        self._add(moved)

    def _add(self, voice: Voice) -> None:
        self.voices = [*self.voices, voice][-_MOST_VOICES:]

    def _drop_ended(self, frame: int) -> None:
        for voice in self.voices:
            if voice.has_ended(frame):
                self.voices = [each for each in self.voices if not each.has_ended(frame)]
                return

    def _gain_at(self, frame: int) -> float:
        """The gain of the frame before that one."""
        done = frame - self._gain_from
        if done >= len(self._fades.gain):
            return self._gain_after
        share = float(self._fades.gain[done - 1, 0]) if done else 0.0
        return self._gain_before + (self._gain_after - self._gain_before) * share

    def _apply_gain(self, mixed: Samples, scratch: Samples, frame: int) -> None:
        ramp = self._fades.gain[frame - self._gain_from :][: len(mixed)]
        if len(ramp) and self._gain_before != self._gain_after:
            gains = scratch[: len(ramp), :1]
            np.multiply(ramp, self._gain_after - self._gain_before, out=gains)
            np.add(gains, self._gain_before, out=gains)
            np.multiply(mixed[: len(ramp)], gains, out=mixed[: len(ramp)])
        else:
            ramp = ramp[:0]
        rest = mixed[len(ramp) :]
        if self._gain_after != 1:
            np.multiply(rest, self._gain_after, out=rest)
        if len(ramp) == 0 and frame >= self._gain_from + len(self._fades.gain):
            self._gain_before = self._gain_after


def _frames_late(command: Start | Anchor, frame: int) -> int:
    return 0 if command.at_frame == NOW else frame - command.at_frame
