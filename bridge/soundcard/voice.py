"""One clip that a layer plays, from a frame of the output on."""

from __future__ import annotations

from bridge.soundcard.clip_memory import ClipMemory
from bridge.soundcard.fades import Fades, Samples, fall, rise


class Voice:
    """One clip that plays from a frame on, with its fades; before that frame it is silent.

    Attributes:
        started: the output frame at which the clip was started; a new anchor keeps it.
        fades_from: the frame at which it begins to fade out; None: it does not.
    """

    def __init__(self, clip: ClipMemory, frame: int, position: int, rising: Samples) -> None:
        self.clip, self.started = clip, frame
        self.fades_from: int | None = None
        self._offset = position - frame
        self._begins = self._rises_from = frame
        self._rising = rising
        self._falling = rising
        self._dry_from: int | None = None

    def position(self, frame: int) -> int:
        """The clip's frame that is played at an output frame."""
        return (frame + self._offset) % self.clip.frames

    def fade_out(self, frame: int, falling: Samples) -> None:
        """Begin to fade out at a frame."""
        if self.fades_from is None:
            self.fades_from, self._falling = frame, falling

    def has_ended(self, frame: int) -> bool:
        """Whether it has faded out by that frame."""
        return self.fades_from is not None and frame >= self.fades_from + len(self._falling)

    def read(self, samples: Samples, frame: int, fades: Fades) -> bool:
        """Fill `samples` from a frame on; return whether the clip runs dry in them."""
        if frame < self._begins:
            silent = min(len(samples), self._begins - frame)
            samples[:silent] = 0
            samples, frame = samples[silent:], self._begins
        runs_dry = self._check_supply(frame, len(samples), fades)
        self._copy(samples, self.position(frame))
        rise(samples, self._rising, frame - self._rises_from)
        if self.fades_from is not None:
            fall(samples, self._falling, frame - self.fades_from)
        if self._dry_from is not None:
            fall(samples, fades.falling, frame - self._dry_from)
        return runs_dry

    def _check_supply(self, frame: int, frames: int, fades: Fades) -> bool:
        """Find whether the next frames are written; return whether the clip begins to run dry.

        The newest frames are kept back, for the fade to silence.
        """
        written, reserve = self.clip.frames_written, len(fades.falling)
        supply = written if written == self.clip.frames else written - reserve
        left = supply - self.position(frame)
        is_enough = left >= frames or supply == self.clip.frames
        if self._dry_from is None:
            if not is_enough:
                self._dry_from = frame + max(0, left)
                return True
        elif is_enough and frame >= self._dry_from + reserve:
            self._dry_from = None
            self._rises_from, self._rising = frame, fades.rising
        return False

    def _copy(self, samples: Samples, position: int) -> None:
        """Copy the clip's frames from a position on, and again from its start after its end."""
        done = 0
        while done < len(samples):
            frames = min(len(samples) - done, self.clip.frames - position)
            samples[done : done + frames] = self.clip.samples[position : position + frames]
            done += frames
            position = 0
