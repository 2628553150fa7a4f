"""Melody Bridge: a hummed or played melody in, a stereo clip in the session out."""

import os

__version__ = "0.1.0"

# ONNX Runtime, from 1.29 on, keeps a device id and sends reports of its use over the network,
# unless this is set before it is loaded, in each process.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
