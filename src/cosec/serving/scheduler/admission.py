"""Which requests a scheduler takes."""

from __future__ import annotations

from cosec.serving import api_errors

_RETRY_AFTER = 2
"""Value of ``Retry-After`` in seconds, when the queue is full or the server is shutting down."""


def check_admission(*, open_to_new: bool, waiting: int, count: int, most: int) -> None:
    """Refuse a request that a scheduler cannot take.

    Args:
        open_to_new: Whether the scheduler runs and takes new requests.
        waiting: Completions that wait already.
        count: Completions that the request asks for.
        most: Most completions that may wait.

    Raises:
        ApiError: 429 when the queue is full, 503 when the server is shutting down.
    """
    if not open_to_new:
        raise api_errors.draining(_RETRY_AFTER)
    if waiting + count > most:
        raise api_errors.overloaded(
            f"{waiting} completions are waiting and {count} more do not fit (at most {most}); retry in a moment.",
            _RETRY_AFTER,
        )
