"""A file's name as people read it."""

from __future__ import annotations

import os
from pathlib import Path


def shown_name(file: Path) -> str:
    """The name without folders; bytes that are not UTF-8 become replacement characters."""
    return os.fsencode(file.name).decode("utf-8", "replace")
