"""A queue in which clients take turns, so that one client's many requests do not delay another client's."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")
"""What waits in the queue."""


class FairQueue(Generic[Item]):
    """First in, first out within a client; round robin between clients."""

    def __init__(self) -> None:
        self._lines: OrderedDict[str, deque[Item]] = OrderedDict()

    def __len__(self) -> int:
        return sum(map(len, self._lines.values()))

    def __iter__(self) -> Iterator[Item]:
        return (item for line in self._lines.values() for item in line)

    def push(self, client: str, item: Item) -> None:
        """Append an item to its client's line."""
        self._lines.setdefault(client, deque()).append(item)

    def pop(self) -> Item | None:
        """Take out the next item; its client then comes last. None if the queue is empty."""
        if not self._lines:
            return None
        client, line = self._lines.popitem(last=False)
        item = line.popleft()
        if line:
            self._lines[client] = line
        return item

    def put_back(self, client: str, item: Item) -> None:
        """Put an item back that was served only in part; it is the next one again."""
        self._lines.setdefault(client, deque()).appendleft(item)
        self._lines.move_to_end(client, last=False)

    def remove(self, leaves: Callable[[Item], bool]) -> list[Item]:
        """Take out all items for which ``leaves`` is true, and return them."""
        gone: list[Item] = []
        for client in list(self._lines):
            gone.extend(item for item in self._lines[client] if leaves(item))
            left = deque(item for item in self._lines[client] if not leaves(item))
            if left:
                self._lines[client] = left
            else:
                del self._lines[client]
        return gone
