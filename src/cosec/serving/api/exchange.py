"""Between the scheduler's thread and an HTTP connection: events in order, bodies with limits, disconnects."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect

from cosec.serving.api_errors import ApiError, invalid, of_validation
from cosec.serving.asgi import until_disconnected
from cosec.serving.scheduler.interface import CompletionScheduler
from cosec.serving.scheduler.request import DecodingRequest
from cosec.serving.scheduler.tickets import Event, Progress, PromptScores, Ticket
from cosec.serving.settings import ServerSettings

Model = TypeVar("Model", bound=BaseModel)
"""The type of a request body."""


class ClientGone(Exception):  # noqa: N818 - it says what happened
    """The client disconnected before its answer was ready."""


class Exchange:
    """The events of one request, passed from the scheduler's thread to the event loop."""

    def __init__(self, scheduler: CompletionScheduler, asked: DecodingRequest, client: str) -> None:
        """Submit a request.

        Args:
            scheduler: Decodes it.
            asked: What it asks for.
            client: Whose request it is.

        Raises:
            ApiError: If the scheduler does not take it.
        """
        self._scheduler = scheduler
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self.ticket: Ticket = scheduler.submit(asked, client, self._post)
        """The request's state in the scheduler."""

    def _post(self, event: Event) -> None:
        try:
            self._loop.call_soon_threadsafe(self._events.put_nowait, event)
        except RuntimeError:  # the event loop is closed, so nobody waits for the answer
            self.ticket.cancelled = True

    async def progress(self) -> AsyncIterator[Progress | PromptScores]:
        """Yield the progress of completions and the scores of prompts until all completions are done.

        Raises:
            ApiError: If the request failed.
        """
        left = self.ticket.asked.samples * len(self.ticket.asked.prompts)
        while left:
            event = await self._events.get()
            if isinstance(event, ApiError):
                raise event
            left -= isinstance(event, Progress) and event.finish_reason is not None
            yield event

    def close(self) -> None:
        """Cancel the request if it is not done."""
        if not self.ticket.over:
            self._scheduler.cancel(self.ticket)


async def unless_client_gone(request: Request, waiting: asyncio.Task[Any]) -> Any:
    """Wait for a task, unless the client disconnects first.

    Args:
        request: The client's request.
        waiting: The task.

    Returns:
        The task's result.

    Raises:
        ClientGone: If the client disconnects; the task is cancelled.
    """
    leaving = asyncio.ensure_future(until_disconnected(request.receive))
    try:
        await asyncio.wait({waiting, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            raise ClientGone
        return await waiting
    finally:
        leaving.cancel()
        waiting.cancel()


async def read_body(request: Request, model: type[Model], limits: ServerSettings) -> Model:
    """Read the body of a request.

    Args:
        request: The request.
        model: What the endpoint takes.
        limits: Size and time limits.

    Returns:
        The body as an instance of ``model``.

    Raises:
        ApiError: 413 if the body is too large, 415 if its header does not say JSON, 408 if it does not arrive in time,
            400 if it does not fit the model.
        ClientGone: If the client disconnects before the body is complete.
    """
    # A page of another origin can send text/plain without a preflight request, but not JSON.
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise ApiError(415, "Send JSON with the header Content-Type: application/json.", None, "unsupported_media_type")
    too_large = ApiError(
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
        raise ApiError(408, "The body did not arrive in time; send it again.", None, "body_timeout") from None
    except ClientDisconnect:
        raise ClientGone from None
    try:
        return model.model_validate_json(bytes(body))
    except ValidationError as error:
        raise of_validation(error, model) from None
    except RecursionError:
        raise invalid("The body is nested too deeply.", None, "invalid_json") from None


def as_event(data: dict[str, Any] | str) -> bytes:
    """One server-sent event."""
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return f"data: {text}\n\n".encode()
