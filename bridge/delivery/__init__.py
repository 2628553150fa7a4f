"""Where finished clips go."""

from bridge.delivery.wav import clip_name, write_clip

__all__ = ["clip_name", "write_clip"]
