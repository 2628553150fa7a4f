"""A request's fields and arrays in a message to a remote engine."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridge.audio import Waveform
from bridge.chroma import LONGEST_SECONDS, MOST_TOKENS
from bridge.config.readers import MAX_VARIATIONS
from bridge.engine.process.wire_fields import Fields, Written
from bridge.engine.request import LARGEST_SEED, LONGEST_MELODY_STEPS, PITCH_CLASSES, Request
from bridge.errors import BadArgument

MOST_PROMPT_LETTERS = 2**16
MOST_CODEBOOKS, MOST_CODE = 16, 2**16 - 1
LEAST_SAMPLE_RATE, LARGEST_SAMPLE_RATE = 16_000, 192_000
"""Of audio to continue from, Hz. A lower rate would make hours of a small message."""
LARGEST_VALUE = 1e6
"""Limit for guidance, temperature and top-k: far over what means anything."""


def write_request(request: Request) -> Written:
    """The fields of a request, and its arrays: the melody, then what it continues from.

    Raises:
        BadArgument: the codes to continue from do not fit a message.
    """
    arrays: list[NDArray[Any]] = []
    header: dict[str, Any] = {
        "prompt": request.prompt,
        "seconds": float(request.seconds),
        "seed": int(request.seed),
        "guidance_scale": _float(request.guidance_scale),
        "temperature": _float(request.temperature),
        "top_k": int(request.top_k),
        "top_p": _float(request.top_p),
        "do_sample": request.do_sample,
        "variations": int(request.variations),
        "overlap_steps": int(request.overlap_steps),
        "max_new_tokens": None if request.max_new_tokens is None else int(request.max_new_tokens),
        "melody": None,
        "codes": None,
        "audio": None,
    }
    if request.melody is not None:
        header["melody"] = [len(request.melody)]
        arrays.append(request.melody.argmax(axis=1).astype("u1"))
    continued = request.continue_from
    if isinstance(continued, Waveform):
        header["audio"] = list(continued.samples.shape)
        header["audio_sample_rate"] = continued.sample_rate
        arrays.append(continued.samples.astype("<f4", copy=False))
    elif continued is not None:
        if continued.max() > MOST_CODE or len(continued) > MOST_CODEBOOKS:
            raise BadArgument(
                f"codes to continue from, {list(continued.shape)} up to {int(continued.max())}, do "
                "not fit a remote engine's messages; continue another clip"
            )
        header["codes"] = list(continued.shape)
        arrays.append(continued.astype("<u2"))
    return header, arrays


def read_request(fields: Fields, most_bytes: int) -> Request:
    """The request in a message of so many bytes at most.

    Raises:
        BadArgument: a field has another value than it takes.
        Unsupported: as `Request`.
    """
    melody: NDArray[np.float32] | None = None
    if fields.has("melody"):
        classes = fields.array("u1", fields.shape("melody", (LONGEST_MELODY_STEPS,)))
        if classes.max() >= PITCH_CLASSES:
            raise BadArgument(f"pitch class {int(classes.max())}: there are {PITCH_CLASSES}")
        melody = np.eye(PITCH_CLASSES, dtype=np.float32)[classes]
    continued: NDArray[np.int64] | Waveform | None = None
    if fields.has("audio"):
        rate = fields.integer("audio_sample_rate", LEAST_SAMPLE_RATE, LARGEST_SAMPLE_RATE)
        shape = fields.shape("audio", (most_bytes, 2))
        continued = Waveform(fields.array("<f4", shape), rate)
    if fields.has("codes"):
        if continued is not None:
            raise BadArgument("a message has codes and audio to continue from: send one of them")
        shape = fields.shape("codes", (MOST_CODEBOOKS, MOST_TOKENS))
        continued = fields.array("<u2", shape).astype(np.int64)
    return Request(
        prompt=fields.optional("prompt", fields.text, MOST_PROMPT_LETTERS),
        melody=melody,
        seconds=fields.number("seconds", 0, LONGEST_SECONDS),
        seed=fields.integer("seed", 0, LARGEST_SEED),
        guidance_scale=fields.optional("guidance_scale", fields.number, 1, LARGEST_VALUE),
        temperature=fields.optional("temperature", fields.number, 0, LARGEST_VALUE),
        top_k=fields.integer("top_k", 0, int(LARGEST_VALUE)),
        top_p=fields.optional("top_p", fields.number, 0, 1),
        do_sample=fields.optional("do_sample", fields.boolean),
        variations=fields.integer("variations", 1, MAX_VARIATIONS),
        continue_from=continued,
        overlap_steps=fields.integer("overlap_steps", 0, MOST_TOKENS),
        max_new_tokens=fields.optional("max_new_tokens", fields.integer, 1, MOST_TOKENS),
    )


def _float(value: float | None) -> float | None:
    return None if value is None else float(value)
