"""Why nothing can be recorded, as the sketch screen says it."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar

from bridge.daemon.snapshot import Snapshot
from bridge.screens.sketch.problems import NO_INPUT_SECONDS, Problems

APP: ContextVar[str] = ContextVar("APP")
"""Textual keeps its app in such a variable: a timer that is started without it ends the screen."""


def test_the_list_of_devices_comes_in_the_context_of_the_screen() -> None:
    async def show() -> str:
        APP.set("the screen")
        came: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        seconds = 0.0

        def changed() -> None:
            came.set_result(APP.get("no screen"))

        problems = Problems(changed, lambda: seconds)
        seconds = NO_INPUT_SECONDS
        assert problems.of(Snapshot()) == "no input: looking for one"
        app = await came
        assert "looking" not in problems.of(Snapshot())
        return app

    assert asyncio.run(show()) == "the screen"
