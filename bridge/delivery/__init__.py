"""Where finished clips go, and the takes that led them; which clips there are."""

from bridge.delivery.history import History, KnownClip
from bridge.delivery.takes import write_take
from bridge.delivery.wav import clip_name, write_clip

__all__ = ["History", "KnownClip", "clip_name", "write_clip", "write_take"]
