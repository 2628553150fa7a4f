"""Converts checkpoints of audiocraft, MusicGen's original code, to folders of transformers."""

from bridge.engine.convert.convert import Conversion, convert

__all__ = ["Conversion", "convert"]
