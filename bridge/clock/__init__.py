"""The position in the music: sources of time, and the beat clock that they feed."""
