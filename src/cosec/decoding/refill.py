"""A batch that stays full: as completions end, waiting requests take their places.

Sequences never influence each other, so the order in which requests join changes the speed and no text.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypeVar

from cosec.decoding.batch import Batch, CompletionRequest

Item = TypeVar("Item")
"""What the caller uses to recognise a request."""


def leaving_together(rows: int) -> int:
    """A good ``leave_together`` for a batch of ``rows`` sequences that is refilled."""
    return rows // 12


class Refill(Generic[Item]):
    """Requests that wait for room in a batch.

    Alternate :meth:`fill` and ``batch.step()`` until :attr:`done`. Requests join when a quarter of the batch is free,
    as each joining costs time.

    Args:
        batch: The batch; nothing else may join it.
        waiting: Requests with the caller's own items. They are taken from the iterable only when there is room.
        rows: Number of sequences decoded at once. A request with more samples runs alone.
        samples: The largest number of samples of a request.
    """

    def __init__(
        self, batch: Batch, waiting: Iterable[tuple[Item, CompletionRequest]], *, rows: int, samples: int
    ) -> None:
        self._batch = batch
        self._waiting = iter(waiting)
        self._exhausted = False
        self._rows = rows
        self._samples = samples
        self._least_room = max(min(samples, rows), rows // 4)

    @property
    def done(self) -> bool:
        """Whether all completions have ended."""
        return self._exhausted and not self._batch.active

    def fill(self) -> list[tuple[Item, list[int]]]:
        """Read and join as many requests as there is room for.

        Returns:
            Each new request's item, with the numbers of its samples' completions.
        """
        room = self._rows - self._batch.active
        if self._exhausted or room < self._least_room:
            return []
        taken: list[tuple[Item, CompletionRequest]] = []
        while not taken or (len(taken) + 1) * self._samples <= room:
            one = next(self._waiting, None)
            if one is None:
                self._exhausted = True
                break
            taken.append(one)
        readings = [self._batch.start_reading(request) for _, request in taken]
        for reading in readings:
            reading.feed()
        return [(item, numbers) for (item, _), numbers in zip(taken, self._batch.join(readings), strict=True)]
