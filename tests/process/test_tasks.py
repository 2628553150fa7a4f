"""Background tasks begin again after a defect, and closing goes on after one."""

from __future__ import annotations

import asyncio
import logging

import pytest

from bridge.process.tasks import all_of, keep_running


def test_a_task_that_raises_is_logged_and_begins_again(caplog: pytest.LogCaptureFixture) -> None:
    runs = 0

    async def work() -> None:
        nonlocal runs
        runs += 1
        if runs < 3:
            raise ZeroDivisionError("unexpected")

    async def run() -> None:
        await keep_running("watching", work, pause_seconds=0.0)

    with caplog.at_level(logging.ERROR):
        asyncio.run(run())
    assert runs == 3
    assert caplog.text.count("watching failed, and begins again") == 2
    assert "ZeroDivisionError: unexpected" in caplog.text


def test_a_task_that_is_cancelled_ends() -> None:
    async def run() -> bool:
        task = keep_running("waiting", asyncio.Event().wait)  # type: ignore[arg-type]
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        return task.cancelled()

    assert asyncio.run(run())


def test_every_step_is_carried_out_whatever_the_others_raise(
    caplog: pytest.LogCaptureFixture,
) -> None:
    done: list[str] = []

    async def fails() -> None:
        raise ZeroDivisionError("unexpected")

    async def works() -> None:
        done.append("works")

    with caplog.at_level(logging.ERROR):
        asyncio.run(all_of({"first": fails, "second": works}))
    assert done == ["works"] and "first failed" in caplog.text
