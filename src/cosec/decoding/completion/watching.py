"""Watchers: what ends a completion by its text, beside stop texts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Watcher(Protocol):
    """Watches the text of one completion while it grows."""

    def place(self, text: str) -> int | None:
        """Number of characters that are kept once the completion has ended; None while it goes on.

        Args:
            text: The whole text so far, after every token.
        """
        ...

    def held_back(self, text: str) -> int:
        """Number of characters at the end of the text that may yet be cut off, and are not shown before."""
        ...


MakeWatcher = Callable[[], Watcher]
"""Makes the watcher of one completion."""
