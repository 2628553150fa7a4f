"""A bounded queue that takes the clients' items in turn."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Generic, TypeVar

from bridge.errors import QueueFull

Item = TypeVar("Item")


class FairQueue(Generic[Item]):
    """Items of several clients, in two classes: live ones go before the others.

    Within a class the clients take turns, whatever number of items each of them has; a client's own
    items keep their order.
    """

    def __init__(self, most: int, most_of_client: int) -> None:
        """Make an empty queue.

        Args:
            most: items in all, 1 or more.
            most_of_client: items of one client, 1 or more.
        """
        self._most, self._most_of_client = most, most_of_client
        # Each class has its clients in the order in which it is their turn.
        self._live: OrderedDict[str, deque[Item]] = OrderedDict()
        self._others: OrderedDict[str, deque[Item]] = OrderedDict()

    def __len__(self) -> int:
        return sum(len(items) for turns in self._classes for items in turns.values())

    @property
    def _classes(self) -> tuple[OrderedDict[str, deque[Item]], ...]:
        return self._live, self._others

    def put(self, client: str, item: Item, *, live: bool) -> None:
        """Add an item.

        Raises:
            QueueFull: the queue, or the client's part of it, has no room.
        """
        if (waiting := len(self)) >= self._most:
            raise QueueFull(f"{waiting} requests wait at the engine, and no more can: ask later")
        of_client = sum(len(turns.get(client, ())) for turns in self._classes)
        if of_client >= self._most_of_client:
            raise QueueFull(
                f"{of_client} requests of {client!r} wait at the engine, and no more can: wait for "
                "one, or cancel one"
            )
        turns = self._live if live else self._others
        turns.setdefault(client, deque()).append(item)

    def pop(self) -> Item | None:
        """Take the next item out; None where there is none."""
        for turns in self._classes:
            if turns:
                client, items = turns.popitem(last=False)
                item = items.popleft()
                if items:
                    turns[client] = items
                return item
        return None

    def remove(self, item: Item) -> bool:
        """Take an item out, wherever it waits; False where it does not wait."""
        for turns in self._classes:
            for client, items in turns.items():
                if item in items:
                    items.remove(item)
                    if not items:
                        del turns[client]
                    return True
        return False

    def in_order(self) -> list[Item]:
        """The items in the order in which they would be taken out."""
        ordered = []
        for turns in self._classes:
            rounds = max((len(items) for items in turns.values()), default=0)
            for index in range(rounds):
                ordered += [items[index] for items in turns.values() if index < len(items)]
        return ordered
