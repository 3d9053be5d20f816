"""The endpoints: those of the OpenAI API and of llama.cpp, verdicts, health, metrics and the playground."""

from __future__ import annotations

import asyncio
import importlib.resources
import time
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from cosec.serving.access.keys import KeyRing
from cosec.serving.access.middleware import AccessMiddleware
from cosec.serving.api.answers import Answer
from cosec.serving.api.event_stream import CLIENT_GONE
from cosec.serving.api.exchange import ClientGone, read_body, unless_client_gone
from cosec.serving.api.llama_cpp.endpoints import llama_cpp_router
from cosec.serving.api.openapi import ERRORS, request_body
from cosec.serving.api.service import Origin, Service, error_response
from cosec.serving.api.wire import ChatRequest, CompletionRequest, VerdictRequest
from cosec.serving.api_errors import ApiError
from cosec.version import __version__

_STARTED = int(time.time())


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
    app.include_router(llama_cpp_router(service))
    _add_check(app, service)
    _add_about(app, service)
    page = Path(str(importlib.resources.files("cosec.serving"))) / "playground"
    app.mount("/playground", StaticFiles(directory=page, html=True), name="playground")
    app.add_middleware(AccessMiddleware, keys=keys)
    if service.limits.cors_origins:  # added last, so that a page can read refusals too
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(service.limits.cors_origins),
            allow_methods=["GET", "POST"],
            allow_headers=["*"],  # clients send headers of their own, such as x-stainless-os
        )
    return app


def _add_error_handlers(app: FastAPI, service: Service) -> None:
    """Handle errors: all of them get the shape of the OpenAI API."""

    async def on_api_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, ApiError)
        if not getattr(request.state, "counted", False):
            service.telemetry.request(error.status)
        return error_response(error)

    async def on_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        known = {
            404: f"There is no endpoint {request.url.path[:80]!r}. The base URL for clients of the OpenAI API is this "
            "server's address and /v1; /openapi.json lists the endpoints.",
            405: "This endpoint takes another method.",
        }
        said = known.get(error.status_code, str(error.detail))
        return error_response(ApiError(error.status_code, said, None, "not_found", headers=dict(error.headers or {})))

    async def on_bug(request: Request, error: Exception) -> Response:
        if not getattr(request.state, "counted", False):
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
    @app.post("/completions", include_in_schema=False)
    @app.post("/v1/completions", openapi_extra=request_body(CompletionRequest), responses=ERRORS)
    async def completions(request: Request) -> Response:
        asking = await read_body(request, CompletionRequest, service.limits)
        model = service.model(asking.model)
        asked = await asyncio.to_thread(service.translator.completion, asking)
        echoed = service.translator.echo(asking) if asking.echo else ()
        answer = Answer(asked, service.pair.tokenizer, model, chat=False, echoed=echoed)
        whole = asking.prompt if asking.suffix is None else {"prompt": asking.prompt, "suffix": asking.suffix}
        origin = _origin(request, asking.user, whole)
        if not asked.max_new_tokens and not asked.scores_prompts:
            return service.echo(asked, answer, origin, stream=bool(asking.stream), usage=asking.wants_usage)
        if asking.stream:
            return await service.stream(request, asked, answer, origin, usage=asking.wants_usage)
        await service.whole(request, asked, answer, origin)
        return JSONResponse(answer.whole())


def _add_chat(app: FastAPI, service: Service) -> None:
    @app.post("/chat/completions", include_in_schema=False)
    @app.post("/v1/chat/completions", openapi_extra=request_body(ChatRequest), responses=ERRORS)
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


def _add_check(app: FastAPI, service: Service) -> None:
    @app.post("/check", openapi_extra=request_body(VerdictRequest), responses=ERRORS)
    async def check(request: Request) -> Response:
        asking = await read_body(request, VerdictRequest, service.limits)
        if service.judge is None:
            raise ApiError(
                404,
                "This server gives no verdicts; see its log.",
                None,
                "not_found",
            )
        judging = asyncio.ensure_future(service.judge.verdict(asking.prompt, asking.completion))
        return JSONResponse(await unless_client_gone(request, judging))


def _add_about(app: FastAPI, service: Service) -> None:
    def described(name: str) -> dict[str, Any]:
        return {
            "id": name,
            "object": "model",
            "created": _STARTED,
            "owned_by": "cosec",
            "max_model_len": service.pair.context_length,
            "cosec": service.translator.defaults,
            "rules": service.translator.rules,
            "checks": service.judge is not None,
        }

    @app.api_route("/models", methods=["GET", "HEAD"], include_in_schema=False)
    @app.head("/v1/models", include_in_schema=False)
    @app.get("/v1/models")
    async def models() -> dict[str, Any]:
        return {"object": "list", "data": [described(name) for name in service.models]}

    @app.get("/models/{name:path}", include_in_schema=False)
    @app.get("/v1/models/{name:path}", responses=ERRORS)
    async def model(name: str) -> dict[str, Any]:
        return described(service.model(name))

    @app.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
    async def root() -> Response:
        return RedirectResponse("playground/")  # relative, for a proxy that serves this under a path of its own

    @app.head("/health", include_in_schema=False)
    @app.api_route("/v1/health", methods=["GET", "HEAD"], include_in_schema=False)
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
