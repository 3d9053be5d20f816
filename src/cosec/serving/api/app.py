"""The endpoints: those of the OpenAI API, llama.cpp's ``/infill``, verdicts, health, metrics and the playground."""

from __future__ import annotations

import asyncio
import importlib.resources
import time
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from cosec.decoding.rules.schema import rule_schemas
from cosec.serving.access.keys import KeyRing
from cosec.serving.access.middleware import AccessMiddleware
from cosec.serving.api.answers import Answer, Infill
from cosec.serving.api.event_stream import CLIENT_GONE
from cosec.serving.api.exchange import ClientGone, read_body
from cosec.serving.api.service import Origin, Service, error_response
from cosec.serving.api.wire import ChatRequest, CompletionRequest, InfillRequest, VerdictRequest
from cosec.serving.api_errors import ApiError
from cosec.version import __version__

_STARTED = int(time.time())
_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"description": text}
    for status, text in {
        400: "The request cannot succeed as it is",
        401: "No valid API key",
        404: "No such model",
        408: "The body did not arrive in time",
        413: "The body is too large",
        415: "The body is not JSON",
        429: "The queue is full",
        500: "The engine failed",
        503: "The server is shutting down",
        504: "The request took too long",
    }.items()
}


def create_app(service: Service, keys: KeyRing | None = None) -> FastAPI:
    """Create the ASGI application of a service whose scheduler runs.

    Args:
        service: Answers the requests.
        keys: The keys that may use it. None: every request to a host name of loopback is answered.
    """
    app = FastAPI(title="CoSec", version=__version__, docs_url=None, redoc_url=None)
    _add_error_handlers(app, service)
    _add_completions(app, service)
    _add_chat(app, service)
    _add_infill(app, service)
    _add_check(app, service)
    _add_about(app, service)
    page = Path(str(importlib.resources.files("cosec.serving"))) / "playground"
    app.mount("/playground", StaticFiles(directory=page, html=True), name="playground")
    if service.limits.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(service.limits.cors_origins),
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type"],
        )
    app.add_middleware(AccessMiddleware, keys=keys)
    return app


def _takes(model: type[BaseModel]) -> dict[str, Any]:
    """The request body for the OpenAPI schema. The endpoints read the body themselves, to limit its size."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": _inlined(model)}}}}


def _inlined(model: type[BaseModel]) -> Any:
    """The model's JSON schema with all references resolved."""
    schema = model.model_json_schema()
    definitions = schema.pop("$defs", {})

    def resolved(node: Any) -> Any:
        if isinstance(node, dict):
            if "$ref" in node:
                return resolved(definitions[node["$ref"].rpartition("/")[2]])
            return {key: resolved(value) for key, value in node.items()}
        return [resolved(one) for one in node] if isinstance(node, list) else node

    return resolved(schema)


def _add_error_handlers(app: FastAPI, service: Service) -> None:
    """Handle errors: all of them get the shape of the OpenAI API."""

    async def on_api_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, ApiError)
        if not error.counted:
            service.telemetry.request(error.status)
        return error_response(error)

    async def on_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        known = {404: "There is no such endpoint; see /v1/models.", 405: "This endpoint takes another method."}
        said = known.get(error.status_code, str(error.detail))
        return error_response(ApiError(error.status_code, said, None, "not_found", headers=dict(error.headers or {})))

    async def on_bug(request: Request, error: Exception) -> Response:
        service.telemetry.request(500)
        return error_response(
            ApiError(500, "The server failed; its log has the details.", None, "internal", "server_error")
        )

    async def on_gone(request: Request, error: Exception) -> Response:
        return Response(status_code=CLIENT_GONE)

    app.add_exception_handler(ApiError, on_api_error)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(ClientGone, on_gone)
    app.add_exception_handler(Exception, on_bug)


def _origin(request: Request, user: str | None, prompt: object) -> Origin:
    return Origin(endpoint=request.url.path, client=request.state.client, user=user, prompt=prompt)


def _add_completions(app: FastAPI, service: Service) -> None:
    @app.post("/v1/completions", openapi_extra=_takes(CompletionRequest), responses=_ERRORS)
    async def completions(request: Request) -> Response:
        asking = await read_body(request, CompletionRequest, service.limits)
        model = service.model(asking.model)
        asked = await asyncio.to_thread(service.translator.completion, asking)
        echoed = service.translator.echo(asking) if asking.echo else ()
        answer = Answer(asked, service.pair.tokenizer, model, chat=False, echoed=echoed)
        origin = _origin(request, asking.user, asking.prompt)
        if not asked.max_new_tokens and not asked.scores_prompts:
            service.nothing_to_decode(asked, answer, origin)
            return JSONResponse(answer.whole())
        if asking.stream:
            return await service.stream(request, asked, answer, origin, usage=asking.wants_usage)
        await service.whole(request, asked, answer, origin)
        return JSONResponse(answer.whole())


def _add_chat(app: FastAPI, service: Service) -> None:
    @app.post("/v1/chat/completions", openapi_extra=_takes(ChatRequest), responses=_ERRORS)
    async def chat(request: Request) -> Response:
        asking = await read_body(request, ChatRequest, service.limits)
        model = service.model(asking.model)
        asked = await asyncio.to_thread(service.translator.chat, asking)
        answer = Answer(asked, service.pair.tokenizer, model, chat=True)
        origin = _origin(request, asking.user, [message.model_dump() for message in asking.messages])
        if asking.stream:
            return await service.stream(request, asked, answer, origin, usage=asking.wants_usage)
        await service.whole(request, asked, answer, origin)
        return JSONResponse(answer.whole())


def _add_infill(app: FastAPI, service: Service) -> None:
    @app.post("/infill", openapi_extra=_takes(InfillRequest), responses=_ERRORS)
    async def infill(request: Request) -> Response:
        asking = await read_body(request, InfillRequest, service.limits)
        asked = await asyncio.to_thread(service.translator.infill, asking)
        answer = Infill(asked, service.pair.tokenizer, service.models[0], silent=asking.n_predict == 0)
        origin = _origin(request, None, asking.input_prefix)
        if asking.stream:
            return await service.stream(request, asked, answer, origin, usage=False)
        await service.whole(request, asked, answer, origin)
        return JSONResponse(answer.whole())


def _add_check(app: FastAPI, service: Service) -> None:
    @app.post("/check", openapi_extra=_takes(VerdictRequest), responses=_ERRORS)
    async def check(request: Request) -> Response:
        asking = await read_body(request, VerdictRequest, service.limits)
        if service.judge is None:
            raise ApiError(
                404,
                "This server gives no verdicts; see its log.",
                None,
                "not_found",
            )
        return JSONResponse(await service.judge.verdict(asking.prompt, asking.completion))


def _add_about(app: FastAPI, service: Service) -> None:
    def described(name: str) -> dict[str, Any]:
        return {
            "id": name,
            "object": "model",
            "created": _STARTED,
            "owned_by": "cosec",
            "max_model_len": service.pair.context_length,
            "cosec": service.translator.defaults,
            "rules": rule_schemas(),
            "checks": service.judge is not None,
        }

    @app.get("/v1/models")
    async def models() -> dict[str, Any]:
        return {"object": "list", "data": [described(name) for name in service.models]}

    @app.get("/v1/models/{name:path}", responses=_ERRORS)
    async def model(name: str) -> dict[str, Any]:
        return described(service.model(name))

    @app.get("/health")
    async def health() -> Response:
        if not service.scheduler.alive:
            return JSONResponse({"status": "error"}, 500)
        if service.scheduler.draining:
            return JSONResponse({"status": "draining"}, 503)
        if service.audit_log is not None and service.audit_log.problem is not None:
            return JSONResponse({"status": "degraded", "audit_log": service.audit_log.problem})
        return JSONResponse({"status": "ok"})

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(service.telemetry.text(), media_type="text/plain; version=0.0.4; charset=utf-8")
