"""The user's settings: the table of options, configuration files, and presets."""

from bridge.config.entry import Option, Place
from bridge.config.options import (
    DEFAULT_OSC_PORT,
    OPTIONS,
    Options,
    RunOptions,
    merge,
    merge_run,
    merge_sketch,
    options_in,
    read_value,
)
from bridge.config.prompt import fill_prompt
from bridge.config.readers import DEFAULT_DEVICE, MAX_SEED, MAX_VARIATIONS, NO_INPUT, NO_OUTPUT
from bridge.config.sketch_options import SketchOptions

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
    "SketchOptions",
    "fill_prompt",
    "merge",
    "merge_run",
    "merge_sketch",
    "options_in",
    "read_value",
]
