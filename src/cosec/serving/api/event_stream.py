"""An answer as server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

from fastapi.responses import StreamingResponse

from cosec.serving.api.answers import Answer
from cosec.serving.api.exchange import as_event
from cosec.serving.api_errors import ApiError, deadline_passed
from cosec.serving.asgi import Receive, Scope, Send, until_disconnected
from cosec.serving.scheduler.tickets import Progress, PromptScores

CLIENT_GONE = 499
"""Status, in the metrics and the audit log, of a request whose client disconnected."""

OnEnd = Callable[[int], None]
"""Called with the status of a request when its stream ends; only the first call counts."""


async def events_of(
    answer: Answer,
    first: Progress | PromptScores,
    rest: AsyncIterator[Progress | PromptScores],
    on_end: OnEnd,
    *,
    usage: bool,
    done: bool,
) -> AsyncIterator[bytes]:
    """The bytes of a stream.

    ``on_end`` is called before the last of them, so that a client with a whole answer finds it counted.

    Args:
        answer: Filled as the events arrive.
        first: The first event, which was waited for before the stream began.
        rest: All other events.
        on_end: Called with the status.
        usage: Whether a last chunk has the token counts.
        done: Whether the stream ends with ``[DONE]``, as in the OpenAI API.
    """
    for chunk in answer.opening():
        yield as_event(chunk)
    try:
        async for event in _all(first, rest):
            chunks = answer.chunks(event)
            if not done and not answer.open:
                on_end(200)
            for chunk in chunks:
                yield as_event(chunk)
    except ApiError as error:  # the HTTP status is already sent, so the stream carries the error
        on_end(error.status)
        yield as_event(error.body())
        return
    if usage:
        yield as_event(answer.usage_chunk())
    on_end(200)
    if done:
        yield as_event("[DONE]")


async def _all(
    first: Progress | PromptScores, rest: AsyncIterator[Progress | PromptScores]
) -> AsyncIterator[Progress | PromptScores]:
    yield first
    async for event in rest:
        yield event


class EventStream(StreamingResponse):
    """Server-sent events that end if the client disconnects or does not read them in time."""

    def __init__(self, events: AsyncIterator[bytes], on_end: OnEnd, seconds: float) -> None:
        """Prepare to send.

        Args:
            events: The bytes of the stream.
            on_end: Called with the status when the stream ends.
            seconds: Time limit for the whole stream.
        """
        super().__init__(events, media_type="text/event-stream", headers={"Cache-Control": "no-store"})
        self._on_end = on_end
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the stream ends, the client disconnects or the time is up."""
        sending = asyncio.ensure_future(self.stream_response(send))
        leaving = asyncio.ensure_future(until_disconnected(receive))
        status = CLIENT_GONE
        try:
            await asyncio.wait({sending, leaving}, timeout=self._seconds, return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                status = 500
                sending.result()
                status = 200
            elif not leaving.done():
                status = deadline_passed(self._seconds).status
        finally:
            for task in (sending, leaving):
                task.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await task
            self._on_end(status)
