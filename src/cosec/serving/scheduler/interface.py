"""What the endpoints and the server need of a scheduler."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from cosec.serving.scheduler.request import DecodingRequest
from cosec.serving.scheduler.tickets import Event, Ticket


class CompletionScheduler(Protocol):
    """Takes requests from any thread and completes them."""

    @property
    def running(self) -> int:
        """Number of completions under way."""
        ...

    @property
    def draining(self) -> bool:
        """Whether new requests are refused."""
        ...

    @property
    def alive(self) -> bool:
        """Whether requests can be completed."""
        ...

    def start(self) -> None:
        """Begin to complete requests."""
        ...

    def stop(self) -> None:
        """Fail the requests that are running, and end."""
        ...

    def refuse_new(self) -> None:
        """Answer new requests with 503 from now on. Takes no lock, so a signal handler may call it."""
        ...

    def drain(self, seconds: float) -> bool:
        """Refuse new requests, and wait until the others are done; whether they were done in time."""
        ...

    def submit(self, asked: DecodingRequest, client: str, post: Callable[[Event], None]) -> Ticket:
        """Accept a request.

        Args:
            asked: What to complete.
            client: Identity of the client.
            post: Called with every event, on a thread of the scheduler; must not block.

        Raises:
            ApiError: 429 when the queue is full, 503 when the server is shutting down.
        """
        ...

    def cancel(self, ticket: Ticket) -> None:
        """Give up a request."""
        ...
