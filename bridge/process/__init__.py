"""The base of the child processes: start and end, shared memory, signals, memory in use."""
