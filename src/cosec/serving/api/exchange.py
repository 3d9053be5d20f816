"""Between the scheduler's thread and a client's connection: ordered events, bodies with limits, clients that leave."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect

from cosec.serving.access.door import until_gone
from cosec.serving.api.refusals import Refusal, invalid, of_validation
from cosec.serving.api.translation import Asked
from cosec.serving.scheduler.scheduler import Scheduler
from cosec.serving.scheduler.tickets import Event, Progress, PromptScores, Ticket
from cosec.serving.settings import ServerSettings

Model = TypeVar("Model", bound=BaseModel)


class Gone(Exception):  # noqa: N818 - it says what happened to the client
    """The client went away before its answer was ready."""


class Exchange:
    """One request's events, taken from the scheduler; leaving the context gives up what is not done."""

    def __init__(self, scheduler: Scheduler, asked: Asked, client: str) -> None:
        self._scheduler = scheduler
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self.ticket: Ticket = scheduler.submit(asked, client, self._post)
        """Where the request stands."""

    def _post(self, event: Event) -> None:
        try:
            self._loop.call_soon_threadsafe(self._events.put_nowait, event)
        except RuntimeError:  # the server's loop is closed: nobody waits any more
            self.ticket.cancelled = True

    async def progress(self) -> AsyncIterator[Progress | PromptScores]:
        """Every block's progress, and scores of prompts, until all completions are done.

        Raises:
            Refusal: If the request failed.
        """
        left = self.ticket.asked.samples * len(self.ticket.asked.prompts)
        while left:
            event = await self._events.get()
            if isinstance(event, Refusal):
                raise event
            left -= isinstance(event, Progress) and event.finish_reason is not None
            yield event

    def close(self) -> None:
        """Free the rows of a request that is not done; does nothing to one that is."""
        if not self.ticket.over:
            self._scheduler.cancel(self.ticket)


async def unless_gone(request: Request, waiting: asyncio.Task[Any]) -> Any:
    """The task's result, unless the client goes away first.

    Raises:
        Gone: If it does; the task is cancelled.
    """
    leaving = asyncio.ensure_future(until_gone(request.receive))
    try:
        await asyncio.wait({waiting, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            raise Gone
        return await waiting
    finally:
        leaving.cancel()
        waiting.cancel()


async def read_body(request: Request, model: type[Model], limits: ServerSettings) -> Model:
    """The request's body as a model.

    Raises:
        Refusal: 413 for a body that is too large, 415 for one that is not JSON by its header, 408 for one that does not
            arrive, 400 for one that is not what the endpoint takes.
        Gone: If the client left before it was complete.
    """
    # A page of another origin can send text/plain without asking first; it cannot send JSON.
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refusal(415, "Send JSON with the header Content-Type: application/json.", None, "unsupported_media_type")
    too_large = Refusal(
        413, f"The body is larger than {limits.max_body_bytes} bytes, this server's limit.", None, "body_too_large"
    )
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared[:20]) > limits.max_body_bytes:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(limits.body_seconds):
            async for part in request.stream():
                body += part
                if len(body) > limits.max_body_bytes:
                    raise too_large
    except TimeoutError:
        raise Refusal(408, "The body did not arrive in time; send it again.", None, "body_timeout") from None
    except ClientDisconnect:
        raise Gone from None
    try:
        return model.model_validate_json(bytes(body))
    except ValidationError as error:
        raise of_validation(error) from None
    except RecursionError:
        raise invalid("The body is nested too deeply.", None, "invalid_json") from None


def as_event(data: dict[str, Any] | str) -> bytes:
    """One server-sent event."""
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return f"data: {text}\n\n".encode()
