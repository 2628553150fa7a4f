"""A websocket that measures how its bytes arrive. Imports websockets, which are an extra."""

from __future__ import annotations

import time
from typing import Any

from websockets.asyncio.client import ClientConnection

from bridge.engine.process.network_figures import TransferMeter


class MeteredSocket(ClientConnection):
    """A client's websocket.

    Attributes:
        meter: of all bytes from the server.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.meter = TransferMeter()

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        self.meter.received(len(data), time.perf_counter())
        super().data_received(data)
