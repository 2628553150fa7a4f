"""One file of a repository on Hugging Face: from the cache, or fetched with progress."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

POLL_SECONDS = 0.1
"""How often progress is reported, and how soon a cancel is noticed."""
ANSWER_SECONDS = 10.0
"""How long the hub may take to answer; without a network its own client tries for 25 s."""


def hub_file(
    repository: str,
    name: str,
    progress: Callable[[float | None], None] = lambda share: None,
    *,
    fetch: bool = True,
) -> Path:
    """The file in Hugging Face's cache, fetched if it is not there.

    Args:
        progress: called ten times a second while the file is fetched, with the share that is here,
            0…1; None: the hub has not answered yet. An error that it raises ends the fetching; what
            has come stays in the cache, and the next call goes on from there.
        fetch: False finds only what is on this machine already.

    Raises:
        FileNotFoundError: it is not on this machine, and is not to be fetched.
        TimeoutError: the hub does not answer.
        Exception: the hub's errors, which come from three libraries and share no base.
    """
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(repository, name, local_files_only=True))
    except FileNotFoundError:
        if not fetch:
            raise
        fetching = _Fetching(repository, name)
    fetching.start()
    until = time.monotonic() + ANSWER_SECONDS
    try:
        while fetching.is_alive():
            if fetching.share is None and time.monotonic() > until:
                raise TimeoutError(f"no answer in {ANSWER_SECONDS:g} s")
            progress(fetching.share)
            fetching.join(POLL_SECONDS)
    except BaseException:
        fetching.is_cancelled = True
        raise
    if fetching.error is not None:
        raise fetching.error
    assert fetching.path is not None
    return fetching.path


class _Stopped(Exception):
    """The file is not wanted any more."""


class _Fetching(threading.Thread):
    """Fetches a file in a thread, because a network that is silent cannot be interrupted.

    Attributes:
        share: of the file that is here, 0…1; None: the hub has not answered yet.
        is_cancelled: the thread ends at the next bytes that come.
        path: the file, once it is whole.
        error: why it cannot be fetched.
    """

    def __init__(self, repository: str, name: str) -> None:
        super().__init__(name=f"fetch {name}", daemon=True)
        self._repository, self._file = repository, name
        self.share: float | None = None
        self.is_cancelled = False
        self.path: Path | None = None
        self.error: Exception | None = None

    def run(self) -> None:
        from huggingface_hub import hf_hub_download

        # It logs each of its attempts; the last error says all.
        logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
        try:
            path = hf_hub_download(self._repository, self._file, tqdm_class=self._bar())
        except Exception as error:
            self.error = error
        else:
            self.path = Path(path)

    def _bar(self) -> Any:
        """A progress bar's class, which draws nothing and reports here."""
        from huggingface_hub.utils.tqdm import tqdm

        fetching = self

        class Bar(tqdm):
            def __init__(self, *arguments: Any, **options: Any) -> None:
                super().__init__(*arguments, **{**options, "disable": True})  # type: ignore[no-untyped-call]
                fetching.share = fetching.share or 0.0

            def update(self, n: float | None = 1) -> bool | None:
                """Count bytes that have come."""
                if fetching.is_cancelled:
                    raise _Stopped
                self.n += n or 0
                if self.total:
                    fetching.share = min(max(self.n / self.total, fetching.share or 0.0), 1.0)
                return None

        return Bar
