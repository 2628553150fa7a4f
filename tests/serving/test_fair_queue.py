"""The order in which a server takes its clients' requests."""

from __future__ import annotations

import random

import pytest

from bridge.errors import QueueFull
from bridge.serving.fair_queue import FairQueue


def drained(queue: FairQueue[str]) -> list[str]:
    items = []
    while (item := queue.pop()) is not None:
        items.append(item)
    return items


def test_clients_take_turns_and_keep_their_own_order() -> None:
    queue = FairQueue[str](most=9, most_of_client=9)
    for item in ("a1", "a2", "a3", "b1", "c1", "c2"):
        queue.put(item[0], item, live=True)
    assert drained(queue) == ["a1", "b1", "c1", "a2", "c2", "a3"]


def test_a_client_that_comes_back_waits_for_its_turn() -> None:
    queue = FairQueue[str](most=9, most_of_client=9)
    for item in ("a1", "a2", "b1"):
        queue.put(item[0], item, live=True)
    assert queue.pop() == "a1"
    queue.put("a", "a3", live=True)
    assert drained(queue) == ["b1", "a2", "a3"]


def test_live_items_go_before_every_other() -> None:
    queue = FairQueue[str](most=9, most_of_client=9)
    queue.put("a", "batch", live=False)
    queue.put("b", "loop", live=True)
    assert drained(queue) == ["loop", "batch"]


def test_the_queue_is_bounded_for_all_and_for_each() -> None:
    queue = FairQueue[str](most=3, most_of_client=2)
    queue.put("a", "a1", live=True)
    queue.put("a", "a2", live=False)
    with pytest.raises(QueueFull, match="2 requests of 'a' wait"):
        queue.put("a", "a3", live=True)
    queue.put("b", "b1", live=True)
    with pytest.raises(QueueFull, match="3 requests wait"):
        queue.put("c", "c1", live=True)
    assert len(queue) == 3


def test_the_order_shown_is_the_order_taken_also_after_removals() -> None:
    seeded = random.Random(20)
    for _ in range(200):
        queue = FairQueue[int](most=99, most_of_client=99)
        for item in range(seeded.randrange(30)):
            queue.put(seeded.choice("abcd"), item, live=seeded.random() < 0.5)
            if seeded.random() < 0.2:
                queue.pop()
        items = queue.in_order()
        for item in items[::3]:
            assert queue.remove(item)
            assert not queue.remove(item)
        left = queue.in_order()
        assert len(left) == len(queue) == len(items) - len(items[::3])
        taken = []
        while (next_item := queue.pop()) is not None:
            taken.append(next_item)
        assert taken == left
