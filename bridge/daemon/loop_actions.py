"""What the states of a live loop ask for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Take:
    """Capture the bars up to the last bar line, and render them; under that number."""

    number: int
    bars: int


@dataclass(frozen=True)
class Vary:
    """Render the last melody again; under that number."""

    number: int


@dataclass(frozen=True)
class Again:
    """Render the clip of a layer again, at the present tempo; under that number."""

    number: int
    layer: int


@dataclass(frozen=True)
class GiveUp:
    """Cancel what was begun under that number."""

    number: int


@dataclass(frozen=True)
class Play:
    """Let clips enter together at the next line of the quantum.

    Attributes:
        clips: by layer; None: the layer stops.
        keep: layers that go on as they are, whatever was to come on them.
        line_seconds: the line in the past that they belong to; None: the next one.
        at_bar: they enter at a bar line, whatever the quantum.
    """

    clips: Mapping[int, str | None]
    keep: tuple[int, ...] = ()
    line_seconds: float | None = None
    at_bar: bool = False


@dataclass(frozen=True)
class Stop:
    """Stop all layers of the loop, at the next line or at once."""

    layers: tuple[int, ...]
    at_once: bool


Action = Take | Vary | Again | GiveUp | Play | Stop
