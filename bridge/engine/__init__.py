"""The engine as a library: a MusicGen Melody checkpoint in, codes and audio out.

It does not know bars, tempo or music files: a request is text, chroma and seconds.

    engine = load("pocket")
    waveforms = engine.generate(Request(prompt="warm rhodes, lo-fi drums", seconds=8.0, seed=7))

Importing this package does not import torch; `load` does, after it has checked its arguments.
"""

from bridge.engine.engine import Engine, load
from bridge.engine.request import Request
from bridge.engine.stream import Chunk, Stream

__all__ = ["Chunk", "Engine", "Request", "Stream", "load"]
