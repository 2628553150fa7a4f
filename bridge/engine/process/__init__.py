"""The engine in a child process, and its supervisor in the daemon's process."""
