"""`pocket`: the small MusicGen Melody checkpoint that travels with the project, and its recipe.

Importing this package imports no torch; `python -m bridge.pocket` trains the model.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def checkpoint_folder() -> Path:
    """The folder of the embedded checkpoint, for `from_pretrained`."""
    return Path(str(files(__name__))) / "checkpoint"
