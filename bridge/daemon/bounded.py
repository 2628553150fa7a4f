"""A dict of bounded size that forgets its oldest entries."""

from __future__ import annotations

from typing import TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Bounded(dict[Key, Value]):
    """A dict that keeps its newest entries. Setting a key again makes its entry the newest."""

    def __init__(self, most: int) -> None:
        """Args:
        most: entries kept, 1 or more.
        """
        super().__init__()
        self._most = most

    def __setitem__(self, key: Key, value: Value) -> None:
        self.pop(key, None)
        super().__setitem__(key, value)
        if len(self) > self._most:
            del self[next(iter(self))]
