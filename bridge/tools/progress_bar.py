"""Progress bars on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def progress_bar() -> Iterator[Callable[[str, float | None], None]]:
    """Show a bar with the time left on stderr, if that is a terminal.

    Yields:
        A function to call with the stage of the work and the share done, 0…1; None: not known.
    """
    if sys.stderr is None or not sys.stderr.isatty():
        yield lambda doing, share: None
        return
    with _bar() as bar:
        yield _stages(bar)


@contextmanager
def batch_progress_bar(rows: int) -> Iterator[Callable[[str, float | None, int], None]]:
    """Show one bar for all rows and one for the present work on stderr, if that is a terminal.

    Yields:
        A function to call with the stage of the work, the share done, 0…1 (None: not known), and
        how many rows are done.
    """
    if sys.stderr is None or not sys.stderr.isatty():
        yield lambda doing, share, done: None
        return
    with _bar() as bar:
        whole = bar.add_task("all rows", total=rows)
        stages = _stages(bar)

        def progress(doing: str, share: float | None, done: int) -> None:
            bar.update(whole, completed=done)
            stages(doing, share)

        yield progress


def _bar() -> Any:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        SpinnerColumn,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    # Rich has one stream for the bars and all that is printed meanwhile: stdout may be a file.
    is_shown = sys.stdout is not None and sys.stdout.isatty()
    # The terminal wraps what is printed above the bars, so that a path is copied in one piece.
    console = Console(stderr=True, soft_wrap=True)
    return Progress(*columns, console=console, transient=True, redirect_stdout=is_shown)


def _stages(bar: Any) -> Callable[[str, float | None], None]:
    """A function that shows the present stage as one task of the bar."""
    tasks: dict[str, Any] = {}

    def progress(doing: str, share: float | None) -> None:
        if doing not in tasks:
            for task in tasks.values():
                bar.remove_task(task)
            tasks.clear()
            tasks[doing] = bar.add_task(doing, total=None if share is None else 1.0)
        bar.update(tasks[doing], completed=share)

    return progress
