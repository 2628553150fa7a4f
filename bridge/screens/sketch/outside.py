"""The desktop around the terminal: its clipboard, and the program that opens folders."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

COPIERS = (
    ("pbcopy",),
    ("wl-copy",),
    ("xclip", "-selection", "clipboard"),
    ("xsel", "--clipboard", "--input"),
    ("clip.exe",),
)
"""Programs that copy their stdin, of macOS, Wayland, X11 and Windows."""
NEEDS = {"wl-copy": "WAYLAND_DISPLAY", "xclip": "DISPLAY", "xsel": "DISPLAY"}
"""The variable without which a program has no clipboard."""
OPENERS = {"darwin": "open", "win32": "explorer"}
COPY_SECONDS = 1.0


def copy(text: str) -> bool:
    """Copy a text to the desktop's clipboard; return whether a program did."""
    for program, *arguments in COPIERS:
        path = shutil.which(program)
        if path is None or (program in NEEDS and not os.environ.get(NEEDS[program])):
            continue
        try:
            done = subprocess.run(
                [path, *arguments],
                input=text.encode(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=COPY_SECONDS,
            )
        except (OSError, subprocess.TimeoutExpired):
            continue
        if done.returncode == 0:
            return True
    return False


def open_folder(folder: Path) -> bool:
    """Open a folder in the desktop's program; return whether there is one."""
    path = shutil.which(OPENERS.get(sys.platform, "xdg-open"))
    is_headless = sys.platform not in OPENERS and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )
    if path is None or is_headless:
        return False
    try:
        # Of a session of its own: it outlives the screen, and writes nothing on it.
        subprocess.Popen(
            [path, str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        return False
    return True
