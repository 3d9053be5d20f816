"""The service: one pair of models behind a scheduler, answering requests whole or as a stream."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass

from fastapi import Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from cosec.decoding.pairing import PreparedPair
from cosec.serving.access.audit_log import AuditLog
from cosec.serving.access.door import Receive, Scope, Send, until_gone
from cosec.serving.api.answers import Answer, Json
from cosec.serving.api.exchange import Exchange, Gone, as_event, unless_gone
from cosec.serving.api.refusals import Refusal, deadline_passed
from cosec.serving.api.translation import Asked, Translator
from cosec.serving.scheduler.scheduler import Scheduler
from cosec.serving.scheduler.tickets import Progress, PromptScores
from cosec.serving.settings import ServerSettings
from cosec.serving.telemetry import Telemetry
from cosec.serving.verdicts import Judge

Produced = Progress | PromptScores
CLIENT_GONE = 499
"""Status in the metrics and the audit log of a request whose client left."""
_SLOW_READER_SECONDS = 30.0
"""How long a stream may still be read after the request's deadline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a request came from, for the audit log."""

    endpoint: str
    client: str
    user: str | None
    prompt: object
    """As the client sent it."""


@dataclass(slots=True, kw_only=True)
class Service:
    """Everything that endpoints need."""

    pair: PreparedPair
    models: tuple[str, ...]
    """Names clients may use; the first is the model's own."""

    limits: ServerSettings
    translator: Translator
    scheduler: Scheduler
    telemetry: Telemetry
    audit_log: AuditLog | None = None
    judge: Judge | None = None
    """Gives verdicts on completions; None where there are no checkers."""

    def model(self, name: str | None) -> str:
        """The name to answer under.

        Raises:
            Refusal: If no such model is served.
        """
        if name is not None and name not in self.models:
            raise Refusal(
                404,
                f"There is no model {name[:80]!r} here; this server has {', '.join(self.models)}.",
                "model",
                "model_not_found",
            )
        return name or self.models[0]

    def nothing_to_decode(self, asked: Asked, answer: Answer, origin: Origin) -> None:
        """Fill ``answer`` for a request of no tokens, whose prompt is only to be given back."""
        for choice in answer.choices:
            choice.finish_reason = "length"
        self._note(200, asked, answer, origin, time.monotonic())

    async def whole(self, request: Request, asked: Asked, answer: Answer, origin: Origin) -> None:
        """Fill ``answer`` with every completion.

        Raises:
            Refusal: If the request fails.
            Gone: If the client leaves; its rows are free after the block that is running.
        """
        started = time.monotonic()
        exchange = Exchange(self.scheduler, asked, origin.client)

        async def collect() -> None:
            async for progress in exchange.progress():
                answer.take(progress)

        status = 200
        try:
            await unless_gone(request, asyncio.ensure_future(collect()))
        except Refusal as refusal:
            status, refusal.counted = refusal.status, True
            raise
        except (Gone, asyncio.CancelledError):
            status = CLIENT_GONE
            raise
        finally:
            exchange.close()
            self._note(status, asked, answer, origin, started)

    async def stream(self, request: Request, asked: Asked, answer: Answer, origin: Origin, *, usage: bool) -> Response:
        """The answer as server-sent events, once there is a first token.

        Raises:
            Refusal: If the request fails before its first token.
            Gone: If the client leaves before that.
        """
        started = time.monotonic()
        exchange = Exchange(self.scheduler, asked, origin.client)
        events = exchange.progress()
        try:
            first = await unless_gone(request, asyncio.ensure_future(anext(events)))
        except BaseException as error:
            exchange.close()
            status = CLIENT_GONE
            if isinstance(error, Refusal):
                status, error.counted = error.status, True
            self._note(status, asked, answer, origin, started)
            raise

        noted = False

        def done(status: int) -> None:
            nonlocal noted
            exchange.close()
            if not noted:
                noted = True
                self._note(status, asked, answer, origin, started)

        chunks = _chunks(answer, first, events, done, usage=usage)
        return EventStream(chunks, done, self.limits.deadline_seconds + _SLOW_READER_SECONDS)

    def _note(self, status: int, asked: Asked, answer: Answer, origin: Origin, started: float) -> None:
        """Count an answered request and write it to the audit log."""
        usage = answer.usage
        self.telemetry.request(status, usage["prompt_tokens"])
        if self.audit_log is None:
            return
        entry: Json = {
            "endpoint": origin.endpoint,
            "client": origin.client,
            "user": origin.user,
            "status": status,
            "seconds": round(time.monotonic() - started, 4),
            **usage,
            "finish_reasons": [choice.finish_reason for choice in answer.choices],
            **(answer.metrics or {}),
        }
        if self.audit_log.with_text:
            entry["prompt"] = origin.prompt
            entry["completions"] = [choice.text for choice in answer.choices]
        if not self.audit_log.write(entry):
            self.telemetry.audit_failure()


async def _chunks(
    answer: Answer, first: Produced, events: AsyncIterator[Produced], done: Callable[[int], None], *, usage: bool
) -> AsyncIterator[bytes]:
    """A stream's bytes; ``done`` is told the status before the last of them, so that who has all finds it counted."""
    for chunk in answer.opening():
        yield as_event(chunk)
    try:
        for chunk in answer.chunks(first):
            yield as_event(chunk)
        async for event in events:
            for chunk in answer.chunks(event):
                yield as_event(chunk)
    except Refusal as refusal:  # the status is sent already, so the stream itself has to say it
        done(refusal.status)
        yield as_event(refusal.body())
        return
    if usage:
        yield as_event(answer.usage_chunk())
    done(200)
    yield as_event("[DONE]")


class EventStream(StreamingResponse):
    """Server-sent events that end when the client leaves, or reads so slowly that it might as well have."""

    def __init__(self, chunks: AsyncIterator[bytes], done: Callable[[int], None], seconds: float) -> None:
        """Take what to send, whom to tell how it ended (the first word counts), and the time it may take."""
        super().__init__(chunks, media_type="text/event-stream", headers={"Cache-Control": "no-store"})
        self._done = done
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the stream ends, the client leaves, or time is up; then says which of these happened."""
        sending = asyncio.ensure_future(self.stream_response(send))
        leaving = asyncio.ensure_future(until_gone(receive))
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
            self._done(status)


def refused(refusal: Refusal) -> Response:
    """A refusal as an HTTP answer."""
    return JSONResponse(refusal.body(), refusal.status, refusal.headers)
