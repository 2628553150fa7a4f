"""Melody Bridge: a hummed or played melody in, a stereo clip in the session out."""

__version__ = "0.1.0"
