"""What a person sets: options, the files they are written in, and presets."""

from bridge.config.options import (
    CLIP_OPTIONS,
    DEFAULT_METER,
    DEFAULT_OSC_PORT,
    DEFAULT_TEMPO_BPM,
    FILE_OPTIONS,
    Options,
    RunOptions,
    merge,
    merge_run,
)
from bridge.config.readers import (
    MAX_PROMPT_CHARACTERS,
    MAX_SEED,
    MAX_VARIATIONS,
    NO_INPUT,
    fill_prompt,
    read_value,
)

__all__ = [
    "CLIP_OPTIONS",
    "DEFAULT_METER",
    "DEFAULT_OSC_PORT",
    "DEFAULT_TEMPO_BPM",
    "FILE_OPTIONS",
    "MAX_PROMPT_CHARACTERS",
    "MAX_SEED",
    "MAX_VARIATIONS",
    "NO_INPUT",
    "Options",
    "RunOptions",
    "fill_prompt",
    "merge",
    "merge_run",
    "read_value",
]
