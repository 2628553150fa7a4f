"""Hears the input: a child process with PortAudio, and its last two minutes in shared memory.

The daemon holds a `Listener`; what was heard is in its `Ring`, by frame and by time.
"""
