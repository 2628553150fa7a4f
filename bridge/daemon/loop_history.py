"""What a loop has played: arrangements of clips on layers, and which of them plays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

Arrangement = Mapping[int, str]
"""The clip on each layer, by the layer's number, the newest layer last."""
MOST_KEPT = 8
"""Arrangements before the present one that `undo` can go back to."""


class LoopHistory:
    """The arrangements of one loop, in the order in which they came."""

    def __init__(self) -> None:
        self._arrangements: list[Arrangement] = []
        self._index = -1

    @property
    def present(self) -> Arrangement:
        """The one that plays, or that played last; empty before the first."""
        return self._arrangements[self._index] if self._arrangements else {}

    def beside(self, steps: int, of: Arrangement | None = None) -> Arrangement | None:
        """The one so many steps later, negative for earlier; None: there is none.

        Args:
            of: count from this one; where it is unknown, from the present one.
        """
        index = self._index
        if of is not None and of in self._arrangements:
            index = self._arrangements.index(of)
        index += steps
        return self._arrangements[index] if 0 <= index < len(self._arrangements) else None

    def enter(self, arrangement: Arrangement, *, replaces: bool = False) -> None:
        """Another arrangement plays now: one beside the present one, or a new one.

        Args:
            replaces: the new one takes the present one's place.
        """
        if arrangement == self.present:
            return
        for index, known in enumerate(self._arrangements):
            if known == arrangement:
                self._index = index
                return
        del self._arrangements[self._index + (0 if replaces and self._arrangements else 1) :]
        self._arrangements.append(dict(arrangement))
        del self._arrangements[: -MOST_KEPT - 1]
        self._index = len(self._arrangements) - 1

    def saved(self) -> tuple[tuple[Arrangement, ...], int]:
        """All arrangements, and the index of the present one; -1: there is none."""
        return tuple(self._arrangements), self._index

    def restore(self, arrangements: Sequence[Arrangement], index: int) -> None:
        """Take over what `saved` gave."""
        self._arrangements, self._index = list(arrangements), index

    def clear(self) -> None:
        """Forget everything."""
        self._arrangements.clear()
        self._index = -1

    def clips(self) -> Iterator[tuple[int, str]]:
        """Each layer and clip that can still be played."""
        for arrangement in self._arrangements:
            yield from arrangement.items()
