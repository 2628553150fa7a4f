"""What ONNX Runtime must be asked before it is loaded."""

from __future__ import annotations

import os


def keep_reports_home() -> None:
    """Keep ONNX Runtime from reporting its use; call it before it is loaded, in each process.

    From 1.29 on it keeps a device id and sends reports over the network otherwise (its
    docs/Privacy.md). A user's own setting stays.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
