"""Views of the daemon's state for people."""
