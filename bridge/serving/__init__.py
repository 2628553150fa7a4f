"""The engine for other machines: its server, who may use it, and how many replicas it needs."""
