"""`melody-bridge run`: the daemon beside the DAW, which wires the stages."""
