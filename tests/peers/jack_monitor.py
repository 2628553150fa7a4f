"""A JACK client that waits for the server, then answers each line with the times of all XRuns."""

from __future__ import annotations

import sys
import time
from contextlib import suppress

import jack

from tests.peers.wait import until


def main() -> None:
    """Run until stdin ends."""
    xruns: list[float] = []
    clients: list[jack.Client] = []

    def connected() -> bool:
        with suppress(jack.JackOpenError):
            clients.append(jack.Client("monitor", no_start_server=True))
        return bool(clients)

    until(connected, "the server accepts clients")
    (client,) = clients
    client.set_xrun_callback(lambda _: xruns.append(time.perf_counter()))
    client.activate()
    print("ready", flush=True)
    for _ in sys.stdin:
        print(*xruns, flush=True)


if __name__ == "__main__":
    main()
