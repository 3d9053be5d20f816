"""How much text is checked at once, from the measured rate of decisions.

One pass over several tokens costs little more than one over a single token. But what the target wrote after a decision
is dropped, so frequent decisions call for smaller pieces. The size never changes a text.
"""

from __future__ import annotations

from collections.abc import Sequence

from cosec.decoding.trace import TokenRecord

_CHARACTERS_PER_TOKEN = 4
_SMALLEST, _LARGEST = 1, 32
"""Range of the size in tokens."""


class Pace:
    """Chooses how much text is checked at once: a half of what lies between two changes, in the mean."""

    def __init__(self) -> None:
        self._tokens, self._changes = 16, 1  # as if one change had been seen, so that the first pieces are short

    def note(self, records: Sequence[TokenRecord]) -> None:
        """Count checked tokens, and those that a decision changed."""
        self._tokens += len(records)
        self._changes += sum(record.changed is True for record in records)

    @property
    def characters(self) -> int:
        """Least number of characters to wait for before the next check."""
        between = self._tokens / self._changes / 2
        return _CHARACTERS_PER_TOKEN * round(min(_LARGEST, max(_SMALLEST, between)))
