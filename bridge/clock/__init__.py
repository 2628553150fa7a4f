"""Where the music is: sources of time, and the beat clock that they feed."""
