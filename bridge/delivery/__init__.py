"""Writing finished clips and captured takes to disk, and the history of clips."""

from bridge.delivery.history import History
from bridge.delivery.sidecar import KnownClip
from bridge.delivery.takes import take_link, takes_folder, write_notes, write_take
from bridge.delivery.wav import clip_name, raw_clip_name, write_clip

__all__ = [
    "History",
    "KnownClip",
    "clip_name",
    "raw_clip_name",
    "take_link",
    "takes_folder",
    "write_clip",
    "write_notes",
    "write_take",
]
