"""Types of the ASGI protocol, and waiting for a client to disconnect."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
"""What is known about a connection."""

Message = MutableMapping[str, Any]
"""One event of a connection."""

Receive = Callable[[], Awaitable[Message]]
"""Gives the next event from the client."""

Send = Callable[[Message], Awaitable[None]]
"""Takes an event for the client."""

Application = Callable[[Scope, Receive, Send], Awaitable[None]]
"""Handles one connection."""


async def until_disconnected(receive: Receive) -> None:
    """Wait until the client of this connection disconnects."""
    while (await receive())["type"] != "http.disconnect":
        pass
