"""Builds the device: the script, the patcher, the frozen .amxd that users drag, and its picture.

    python max_for_live/build.py

All four are committed. Each build gives the same bytes, and tests compare them with the files.
"""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
if __name__ == "__main__":
    # Python puts this folder in its search path; the imports below need the repository's root.
    sys.path.insert(0, str(HERE.parent))

from max_for_live.constants import LIGHT_COLORS, NAME  # noqa: E402
from max_for_live.container import pack_frozen  # noqa: E402
from max_for_live.patcher import build_patcher  # noqa: E402
from max_for_live.script import SCRIPT, build_script  # noqa: E402

SCRIPT_FILE = HERE / SCRIPT
PATCHER = HERE / f"{NAME}.maxpat"
DEVICE = HERE / f"{NAME}.amxd"
PICTURE = HERE.parent / "docs" / "device.png"
EXAMPLE: dict[str, object] = {
    "light": [*LIGHT_COLORS["wait"], 1.0],
    "state": "busy, pocket",
    "track_meter": 0.62,
    "daemon_meter": 0.71,
    "melody": "last 4 bars",
    "loop_light": [*LIGHT_COLORS["on"], 1.0],
    "loop": {"text": "Stop"},
    "loop_state": "plays, next at bar 13",
    "preset_menu": "lofi-keys",
    "prompt_text": "warm electric piano, bass and lo-fi drums, {tempo} bpm, {key}",
    "seed": 4711,
    "variations": 4,
    "launch_a": {"active": 1},
    "launch_b": {"active": 1},
    "target_menu": NAME,
    "progress": 0.6,
    "time_left": "2 s",
}
"""What the controls show in the picture, by their scripting names."""


def build() -> dict[Path, bytes]:
    """The content of the script, the patcher and the device."""
    script = build_script()
    patcher = json.dumps(build_patcher(), indent="\t", ensure_ascii=False) + "\n"
    return {
        SCRIPT_FILE: script.encode(),
        PATCHER: patcher.encode(),
        DEVICE: pack_frozen(DEVICE.name, patcher, {SCRIPT: script}),
    }


def build_picture() -> bytes:
    """The picture of the device, a PNG."""
    # Only the picture needs Pillow: the rest of the build works without it.
    from max_for_live.drawing import draw

    png = io.BytesIO()
    draw(build_patcher(), shown=EXAMPLE).save(png, "PNG", optimize=True)
    return png.getvalue()


def main() -> int:
    """Write all four files; the exit status."""
    for path, content in build().items():
        _replace(path, content)
    _replace(PICTURE, build_picture())
    return 0


def _replace(path: Path, content: bytes) -> None:
    part = path.with_name(path.name + ".part")
    part.write_bytes(content)
    os.replace(part, path)
    print(f"{path.name}: {len(content)} bytes")


if __name__ == "__main__":
    sys.exit(main())
