"""What the child processes rest on: their life, shared memory, and signals."""
