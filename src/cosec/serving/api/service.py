"""The service: one pair of models behind a scheduler, which answers requests whole or as a stream."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from fastapi import Request
from fastapi.responses import JSONResponse, Response

from cosec.decoding.pairing import PreparedPair
from cosec.serving.access.audit_log import AuditLog
from cosec.serving.api.answers import Answer, Json
from cosec.serving.api.event_stream import CLIENT_GONE, EventStream, events_of
from cosec.serving.api.exchange import ClientGone, Exchange, as_event, unless_client_gone
from cosec.serving.api.translation import Translator
from cosec.serving.api_errors import ApiError
from cosec.serving.scheduler.interface import CompletionScheduler
from cosec.serving.scheduler.request import DecodingRequest
from cosec.serving.scheduler.tickets import Progress
from cosec.serving.settings import ServerSettings
from cosec.serving.telemetry import Telemetry
from cosec.serving.verdicts import Judge

_LONGEST_NAME = 256
"""Most characters of a name that is not one of the served ones; every chunk of a stream repeats it."""

_SLOW_READER_SECONDS = 30.0
"""Time to read the end of a stream after the request's deadline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a request came from, for the audit log."""

    endpoint: str
    """Path of the endpoint."""

    client: str
    """Owner of the API key, or the client's address."""

    user: str | None
    """The request's ``user`` field."""

    prompt: object
    """The prompt as the client sent it."""


@dataclass(slots=True, kw_only=True)
class Service:
    """Everything that the endpoints need."""

    pair: PreparedPair
    models: tuple[str, ...]
    """Names by which clients may call the model; the first is its own."""

    any_name: bool = False
    """Whether every name is accepted. Clients of a target server use its own name, which is not known here."""

    limits: ServerSettings
    translator: Translator
    scheduler: CompletionScheduler
    telemetry: Telemetry
    audit_log: AuditLog | None = None
    judge: Judge | None = None
    """Judges completions; None if the server gives no verdicts."""

    def model(self, name: str | None) -> str:
        """The name to answer under.

        Args:
            name: The name in the request, if any.

        Raises:
            ApiError: If no such model is served.
        """
        accepted = self.any_name and len(name or "") <= _LONGEST_NAME
        if name is not None and name not in self.models and not accepted:
            raise ApiError(
                404,
                f"There is no model {name[:80]!r} here; this server has {', '.join(self.models)}.",
                "model",
                "model_not_found",
            )
        return name or self.models[0]

    def echo(self, asked: DecodingRequest, answer: Answer, origin: Origin, *, stream: bool, usage: bool) -> Response:
        """The answer to a request for no tokens, which only gets its prompt back.

        Args:
            asked: What it asks for.
            answer: Its answer.
            origin: Where it came from.
            stream: Whether the answer is a stream.
            usage: Whether a last chunk of a stream has the token counts.
        """
        chunks: list[Json | str] = [*answer.opening()]
        for index in range(len(answer.choices)):
            chunks += answer.chunks(Progress(choice=index, text="", records=(), finish_reason="length"))
        self._record(200, asked, answer, origin, time.monotonic())
        if not stream:
            return JSONResponse(answer.whole())
        if usage:
            chunks.append(answer.usage_chunk())
        body = b"".join(as_event(chunk) for chunk in [*chunks, "[DONE]"])
        return Response(body, media_type="text/event-stream", headers={"Cache-Control": "no-store"})

    async def whole(self, request: Request, asked: DecodingRequest, answer: Answer, origin: Origin) -> None:
        """Wait until ``answer`` has every completion.

        Args:
            request: The HTTP request.
            asked: What it asks for.
            answer: Filled as the completions arrive.
            origin: Where it came from.

        Raises:
            ApiError: If the request fails.
            ClientGone: If the client disconnects; its rows are free after the current decoding step.
        """
        started = time.monotonic()
        exchange = Exchange(self.scheduler, asked, origin.client)

        async def collect() -> None:
            async for progress in exchange.progress():
                answer.take(progress)

        status = 500
        try:
            await unless_client_gone(request, asyncio.ensure_future(collect()))
            status = 200
        except ApiError as error:
            status = error.status
            raise
        except (ClientGone, asyncio.CancelledError):
            status = CLIENT_GONE
            raise
        finally:
            exchange.close()
            request.state.counted = status != 200
            self._record(status, asked, answer, origin, started)

    async def stream(
        self,
        request: Request,
        asked: DecodingRequest,
        answer: Answer,
        origin: Origin,
        *,
        usage: bool,
        done: bool = True,
    ) -> Response:
        """The answer as server-sent events, once its first token is there.

        Args:
            request: The HTTP request.
            asked: What it asks for.
            answer: Filled as the completions arrive.
            origin: Where it came from.
            usage: Whether a last chunk has the token counts.
            done: Whether the stream ends with ``[DONE]``, as in the OpenAI API.

        Raises:
            ApiError: If the request fails before its first token.
            ClientGone: If the client disconnects before that.
        """
        started = time.monotonic()
        exchange = Exchange(self.scheduler, asked, origin.client)
        events = exchange.progress()
        try:
            first = await unless_client_gone(request, asyncio.ensure_future(anext(events)))
        except BaseException as error:
            exchange.close()
            status = CLIENT_GONE if isinstance(error, ClientGone | asyncio.CancelledError) else 500
            if isinstance(error, ApiError):
                status = error.status
            request.state.counted = True
            self._record(status, asked, answer, origin, started)
            raise

        recorded = False

        def on_end(status: int) -> None:
            nonlocal recorded
            exchange.close()
            if not recorded:
                recorded = True
                request.state.counted = status != 200
                self._record(status, asked, answer, origin, started)

        chunks = events_of(answer, first, events, on_end, usage=usage, done=done)
        return EventStream(chunks, on_end, self.limits.deadline_seconds + _SLOW_READER_SECONDS)

    def _record(self, status: int, asked: DecodingRequest, answer: Answer, origin: Origin, started: float) -> None:
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
            "cosec": answer.hardening,
        }
        if asked.hardened:
            entry["security"] = self.pair.security_name
        if asked.target_prompts:
            entry["interventions"] = answer.interventions(with_text=self.audit_log.with_text)
            unchecked = [choice.unchecked_from for choice in answer.choices]
            if any(one is not None for one in unchecked):
                entry["unchecked_from"] = unchecked
        if self.audit_log.with_text:
            entry["prompt"] = origin.prompt
            entry["completions"] = [choice.text for choice in answer.choices]
        if not self.audit_log.write(entry):
            self.telemetry.audit_failure()


def error_response(error: ApiError) -> Response:
    """The HTTP response for an error."""
    return JSONResponse(error.body(), error.status, error.headers)
