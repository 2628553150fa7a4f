"""Writes the device: the patcher that one reads, the frozen .amxd that one drags, and its picture.

    python max_for_live/build.py

The first two are the same bytes each time, and committed; a test compares them with the build.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
if __name__ == "__main__":
    # Run as a script, Python looks beside it and not in the repository's root.
    sys.path.insert(0, str(HERE.parent))

from max_for_live.container import pack_frozen  # noqa: E402
from max_for_live.patcher import SCRIPT, build_patcher  # noqa: E402

PATCHER = HERE / "Melody Bridge.maxpat"
DEVICE = HERE / "Melody Bridge.amxd"
PICTURE = HERE.parent / "docs" / "device.png"
EXAMPLE: dict[str, object] = {
    "light": [1.0, 0.7, 0.2, 1.0],
    "state": "busy, pocket",
    "track_meter": 0.62,
    "daemon_meter": 0.71,
    "melody": "last 4 bars",
    "preset_menu": "lofi-keys",
    "prompt_text": "warm electric piano, bass and lo-fi drums, {tempo} bpm, {key}",
    "seed": 4711,
    "variations": 4,
    "launch_a": {"active": 1},
    "launch_b": {"active": 1},
    "target_menu": "Melody Bridge",
    "progress": 0.6,
    "time_left": "2 s",
}
"""What its controls show in the picture, by their scripting names."""


def built() -> dict[Path, bytes]:
    """What the committed patcher and device have to be."""
    patcher = json.dumps(build_patcher(), indent="\t", ensure_ascii=False) + "\n"
    script = (HERE / SCRIPT).read_text(encoding="utf-8")
    return {
        PATCHER: patcher.encode(),
        DEVICE: pack_frozen(DEVICE.name, patcher, {SCRIPT: script}),
    }


def main() -> int:
    """Write all three; the exit status."""
    for path, content in built().items():
        _replace(path, content)
        print(f"{path.name}: {len(content)} bytes")
    # Only the picture needs Pillow: who changes the script alone can do without.
    from max_for_live.drawing import draw

    part = PICTURE.with_suffix(".part.png")
    draw(build_patcher(), shown=EXAMPLE).save(part, optimize=True)
    os.replace(part, PICTURE)
    print(f"{PICTURE.name}: {PICTURE.stat().st_size} bytes")
    return 0


def _replace(path: Path, content: bytes) -> None:
    part = path.with_name(path.name + ".part")
    part.write_bytes(content)
    os.replace(part, path)


if __name__ == "__main__":
    sys.exit(main())
