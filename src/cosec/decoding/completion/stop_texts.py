"""Stop texts in a growing text: where one ends it, and what may become one."""

from __future__ import annotations

from collections.abc import Sequence


def first_stop(text: str, before: int, stop: Sequence[str]) -> tuple[int, str] | None:
    """The stop text that is complete first, however the text was split into pieces.

    Args:
        text: The text so far.
        before: Its length before its newest piece, in which a stop text has to end.
        stop: The stop texts.

    Returns:
        Where it begins, and the stop text; None if there is none.
    """
    found = [
        (place + len(one), place, one) for one in stop if (place := text.find(one, max(0, before - len(one) + 1))) >= 0
    ]
    return min(found)[1:] if found else None


def possible_stop(text: str, stop: Sequence[str]) -> int:
    """Length of the longest end of a text that is the beginning of a stop text."""
    return max((size for one in stop for size in range(1, len(one)) if text.endswith(one[:size])), default=0)
