"""Arrays in shared memory, whose maker removes their name and whose users close them."""

from __future__ import annotations

from contextlib import suppress
from multiprocessing.shared_memory import SharedMemory
from typing import Self

import numpy as np

from bridge.process import shared_memory


class SharedArrays:
    """Arrays in one piece of shared memory; a subclass makes them in its constructor.

    The memory is freed when it is unlinked and the last process that has it open closes it or ends;
    an object without references closes itself.

    Attributes:
        name: for `attach` in another process.
    """

    def __init__(self, memory: SharedMemory) -> None:
        self._memory: SharedMemory | None = memory
        self.name = memory.name

    @classmethod
    def attach(cls, name: str) -> Self:
        """Open what this process's parent, or another child of that parent, has made.

        Raises:
            FileNotFoundError: nothing has that name.
        """
        return cls(shared_memory.attach(name))

    def close(self) -> None:
        """Release the memory in this process; a second call does nothing."""
        memory, self._memory = self._memory, None
        if memory is not None:
            # Memory with views cannot be closed.
            arrays = [name for name in vars(self) if isinstance(vars(self)[name], np.ndarray)]
            for name in arrays:
                delattr(self, name)
            memory.close()

    def unlink(self) -> None:
        """Remove the name, once; processes that have the memory open keep it."""
        if self._memory is None:
            raise ValueError(f"a {type(self).__name__} is unlinked before it is closed")
        self._memory.unlink()

    def __del__(self) -> None:
        with suppress(AttributeError, BufferError):  # The constructor failed; a view is in use.
            self.close()


def claimed(size: int) -> SharedMemory:
    """Make memory that is claimed, with a random name; its maker must unlink it.

    Args:
        size: bytes, positive.

    Raises:
        OSError: the system has no room.
    """
    memory = shared_memory.create(size)
    try:
        shared_memory.claim(memory)
    except OSError:
        memory.close()
        memory.unlink()
        raise
    return memory
