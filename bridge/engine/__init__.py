"""The engine as a library: a MusicGen Melody checkpoint in, codes and audio out.

It knows nothing of bars, tempo or files of music: a request is text, chroma and seconds.

    engine = load("pocket")
    waveforms = engine.generate(Request(prompt="warm rhodes, lo-fi drums", seconds=8.0, seed=7))

Importing this package takes no torch: `load` does, once its arguments are checked.
"""

from bridge.engine.engine import Engine, load
from bridge.engine.request import Request
from bridge.engine.stream import Chunk, Stream

__all__ = ["Chunk", "Engine", "Request", "Stream", "load"]
