"""What cannot be given up any more is finished, however often it is asked to stop."""

from __future__ import annotations

import asyncio

from bridge.session import finished_anyway


def test_what_was_begun_is_finished_though_it_is_cancelled_twice() -> None:
    async def run() -> str:
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def write() -> str:
            begun.set()
            await go_on.wait()
            return "written"

        task = asyncio.create_task(finished_anyway(write()))
        await begun.wait()
        for _ in range(2):
            task.cancel()
            # One turn of the loop, in which the cancellation arrives.
            await asyncio.sleep(0)
        go_on.set()
        return await task

    assert asyncio.run(run()) == "written"
