"""Writing finished clips and captured takes to disk, and the history of clips."""

from bridge.delivery.history import History, KnownClip
from bridge.delivery.takes import takes_folder, write_take
from bridge.delivery.wav import clip_name, write_clip

__all__ = ["History", "KnownClip", "clip_name", "takes_folder", "write_clip", "write_take"]
