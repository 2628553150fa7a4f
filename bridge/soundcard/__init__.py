"""Records the input: a child process with PortAudio, and its last two minutes in shared memory.

The daemon holds a `Listener`; its `Ring` has the recorded audio, by frame and by time.
"""
