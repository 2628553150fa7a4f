"""`Request`, what the engine generates from: a frozen dataclass, checked where it is made.

It needs numpy alone, so that a mistake is reported before torch is loaded. The engine checks what
depends on the checkpoint (its codebooks, its frame rate).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridge.audio import Waveform
from bridge.chroma import LONGEST_SECONDS, MOST_TOKENS, STEP_SECONDS
from bridge.errors import BadArgument, Unsupported

PITCH_CLASSES = 12
LARGEST_SEED = 2**63 - 1
LONGEST_MELODY_STEPS = math.ceil(LONGEST_SECONDS / STEP_SECONDS)


@dataclass(frozen=True, eq=False)
class Request:
    """One piece to generate, in one or several variations.

    Attributes:
        prompt: a description of the sound; None leaves text out.
        melody: float32 `[steps, 12]`, one step or more of 4096/32000 s, one pitch class a step, C
            first, from the start of the piece; repeats when it is shorter. None leaves melody out.
        seconds: length of the new audio, over 0 and at most 600. Over 30 it is made in windows that
            overlap.
        seed: 0…2⁶³−1; variation i uses `seed + i`.
        guidance_scale: how strongly the music follows the conditions, 1 or more; 1 is without
            guidance and takes half the work. None: the checkpoint's.
        temperature: over 0. None: the checkpoint's.
        top_k: sample from this many codes; 0 is all of them.
        top_p: over 0 and at most 1: sample from the likeliest codes whose probabilities add up to
            this. None: the checkpoint's.
        do_sample: False takes the likeliest code at every step. None: the checkpoint's.
        variations: 1 or more.
        continue_from: what the piece continues: codes, int64 `[K, S]`, S over 0; or audio of any
            rate and channels, which the engine encodes to whole steps that end with it. The melody
            is that of the whole piece, from the first of these steps. None begins a new piece.
        overlap_steps: the result begins with that many of the last continued steps, as the codec
            decodes them, for a cross-fade; 0: with the first new one.
        max_new_tokens: length of the new audio in tokens, as transformers' `generate` counts them;
            `seconds` is then unused. The last codebook is some steps behind the first (3 in
            MusicGen), so that N tokens are N − 3 steps; the engine refuses less than twice that
            delay. None: `seconds`.

    The arrays are copied and cannot be written to.

    Raises:
        BadArgument: a value is out of range, or has the wrong type or shape.
        Unsupported: more than 600 seconds.
    """

    prompt: str | None = None
    melody: NDArray[np.float32] | None = None
    seconds: float = 8.0
    seed: int = 0
    guidance_scale: float | None = None
    temperature: float | None = None
    top_k: int = 250
    top_p: float | None = None
    do_sample: bool | None = None
    variations: int = 1
    continue_from: NDArray[np.int64] | Waveform | None = None
    overlap_steps: int = 0
    max_new_tokens: int | None = None

    def __post_init__(self) -> None:
        if self.prompt is not None and not isinstance(self.prompt, str):
            raise BadArgument(f"a prompt is text or None, got {self.prompt!r}")
        if not _is_number(self.seconds) or self.seconds <= 0:
            raise BadArgument(f"seconds {self.seconds!r}: give a number over 0, such as 8.0")
        if self.seconds > LONGEST_SECONDS:
            raise Unsupported(
                f"seconds {self.seconds!r}: a piece has at most {LONGEST_SECONDS:g}; ask for less"
            )
        if self.max_new_tokens is not None and not _is_integer(self.max_new_tokens):
            raise BadArgument(f"max new tokens {self.max_new_tokens!r}: give a whole number")
        if self.max_new_tokens is not None and self.max_new_tokens > MOST_TOKENS:
            raise Unsupported(
                f"max new tokens {self.max_new_tokens!r}: a piece has at most {MOST_TOKENS}; ask "
                "for less"
            )
        if not _is_integer(self.variations) or self.variations < 1:
            raise BadArgument(f"variations {self.variations!r}: give a whole number, 1 or more")
        if not _is_integer(self.seed) or not 0 <= self.seed <= LARGEST_SEED - self.variations + 1:
            raise BadArgument(f"seed {self.seed!r}: give a whole number from 0 to {LARGEST_SEED}")
        self._check_sampling()
        if self.melody is not None:
            object.__setattr__(self, "melody", _checked_melody(self.melody))
        if not _is_integer(self.overlap_steps) or self.overlap_steps < 0:
            raise BadArgument(
                f"overlap steps {self.overlap_steps!r}: give a whole number, 0 or more"
            )
        if self.continue_from is None and self.overlap_steps:
            raise BadArgument(
                f"overlap steps {self.overlap_steps}: nothing is continued; leave them out"
            )
        if self.continue_from is not None and not isinstance(self.continue_from, Waveform):
            object.__setattr__(self, "continue_from", _checked_codes(self.continue_from))

    def steps(self, frame_rate: int, longest_delay: int) -> int:
        """New codec steps.

        Args:
            frame_rate: codec steps a second.
            longest_delay: steps by which the last codebook is behind the first.
        """
        if self.max_new_tokens is None:
            return math.ceil(self.seconds * frame_rate)
        return int(self.max_new_tokens) - longest_delay

    def _check_sampling(self) -> None:
        guidance_scale, temperature, top_p = self.guidance_scale, self.temperature, self.top_p
        if guidance_scale is not None and not (_is_number(guidance_scale) and guidance_scale >= 1):
            raise BadArgument(
                f"guidance scale {guidance_scale!r}: give 1 (no guidance) or more, such as 3"
            )
        if temperature is not None and not (_is_number(temperature) and temperature > 0):
            raise BadArgument(
                f"temperature {temperature!r}: give a number over 0, or ask for greedy decoding"
            )
        if not _is_integer(self.top_k) or self.top_k < 0:
            raise BadArgument(f"top k {self.top_k!r}: give a whole number; 0 takes every code")
        if top_p is not None and not (_is_number(top_p) and 0 < top_p <= 1):
            raise BadArgument(f"top p {top_p!r}: give a number over 0 and at most 1")
        if self.do_sample is not None and not isinstance(self.do_sample, bool):
            raise BadArgument(f"do_sample {self.do_sample!r}: give True, False or None")


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def _is_integer(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _checked_melody(melody: object) -> NDArray[np.float32]:
    """A read-only float32 copy of one-hot chroma."""
    expected = f"a melody is float32 [1 to {LONGEST_MELODY_STEPS} steps, {PITCH_CLASSES}]"
    if not isinstance(melody, np.ndarray):
        raise BadArgument(f"{expected}, got {type(melody).__name__}")
    steps_fit = melody.ndim == 2 and 1 <= melody.shape[0] <= LONGEST_MELODY_STEPS
    if not steps_fit or melody.shape[1] != PITCH_CLASSES or melody.dtype.kind not in "fiub":
        raise BadArgument(f"{expected}, got {melody.dtype} {list(melody.shape)}")
    one_hot = (np.count_nonzero(melody, axis=1) == 1) & (melody.max(axis=1) == 1)
    if not one_hot.all():
        step = int(np.argmin(one_hot))
        raise BadArgument(
            f"{expected} with a single 1 in each step and else 0, got {melody[step].tolist()} "
            f"at step {step}; bridge.chroma makes it"
        )
    return _frozen(melody.astype(np.float32))


def _checked_codes(codes: object) -> NDArray[np.int64]:
    """A read-only int64 copy of codes to continue from."""
    expected = (
        "codes to continue from are int64 [codebooks, steps], at least one step, or a Waveform"
    )
    if not isinstance(codes, np.ndarray):
        raise BadArgument(f"{expected}, got {type(codes).__name__}")
    if codes.ndim != 2 or codes.size == 0 or codes.dtype.kind not in "iu":
        raise BadArgument(f"{expected}, got {codes.dtype} {list(codes.shape)}")
    if int(codes.min()) < 0:
        raise BadArgument(f"{expected}, none negative, got {int(codes.min())}")
    return _frozen(codes.astype(np.int64))


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    array.flags.writeable = False
    return array
