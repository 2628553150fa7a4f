"""The user's settings: the table of options, configuration files, and presets."""

from bridge.config.options import (
    DEFAULT_OSC_PORT,
    OPTIONS,
    Option,
    Options,
    Place,
    RunOptions,
    merge,
    merge_run,
    options_in,
    read_value,
)
from bridge.config.prompt import fill_prompt
from bridge.config.readers import DEFAULT_DEVICE, MAX_SEED, MAX_VARIATIONS, NO_INPUT, NO_OUTPUT

__all__ = [
    "DEFAULT_DEVICE",
    "DEFAULT_OSC_PORT",
    "MAX_SEED",
    "MAX_VARIATIONS",
    "NO_INPUT",
    "NO_OUTPUT",
    "OPTIONS",
    "Option",
    "Options",
    "Place",
    "RunOptions",
    "fill_prompt",
    "merge",
    "merge_run",
    "options_in",
    "read_value",
]
