"""A minimal daemon: it keeps an engine generating until it is killed.

    python -m tests.engine.process.parent MODEL

It prints the engine's process number at once, and `generating` once a request is under way.
"""

from __future__ import annotations

import asyncio
import sys

from bridge.engine import Request
from bridge.engine.process.worker import run_engine
from tests.engine.recorder import supervised


async def main(model: str) -> None:
    async with supervised(run_engine, model=model) as (supervisor, recorder):
        print(supervisor.pid, flush=True)
        await recorder.until_generating(supervisor, Request(prompt="warm", seconds=30.0))
        print("generating", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
