"""The time of what is done at once, shared so that the shares add up to no more than the time that passed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class SharedClock:
    """Shares the time that passes equally among what is under way."""

    def __init__(self) -> None:
        self._under_way, self._ticked = 0, 0.0
        self._each = 0.0
        """Seconds of something that had been under way all the time."""

    @contextmanager
    def share(self) -> Iterator[Callable[[], float]]:
        """Take part in the time that passes inside; what is returned tells the seconds so far."""
        begun = self._tick()
        self._under_way += 1
        try:
            yield lambda: self._tick() - begun
        finally:
            self._tick()
            self._under_way -= 1

    def _tick(self) -> float:
        """Share the time since the last tick."""
        now = time.perf_counter()
        if self._under_way:
            self._each += (now - self._ticked) / self._under_way
        self._ticked = now
        return self._each
