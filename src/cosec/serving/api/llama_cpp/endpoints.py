"""llama.cpp's endpoints: ``/completion``, ``/infill``, ``/tokenize``, ``/detokenize``, ``/props`` and ``/slots``."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from cosec.serving.api.exchange import read_body
from cosec.serving.api.llama_cpp.answers import LlamaCppAnswer
from cosec.serving.api.llama_cpp.wire import (
    DetokenizeRequest,
    InfillRequest,
    LlamaCppCompletionRequest,
    LlamaCppRequest,
    TokenizeRequest,
)
from cosec.serving.api.openapi import ERRORS, request_body
from cosec.serving.api.service import Origin, Service
from cosec.serving.api.token_texts import TokenTexts
from cosec.serving.api_errors import ApiError
from cosec.serving.scheduler.request import DecodingRequest
from cosec.version import __version__


def llama_cpp_router(service: Service) -> APIRouter:
    """The routes of one service."""
    router = APIRouter()
    _add_generation(router, service)
    _add_tokens(router, service)
    _add_state(router, service)
    return router


def _add_generation(router: APIRouter, service: Service) -> None:
    async def answered(
        request: Request, asking: LlamaCppRequest, asked: DecodingRequest, prompt: object, echoed: tuple[str, ...]
    ) -> Response:
        answer = LlamaCppAnswer(asked, service.pair.tokenizer, service.models[0], asking, echoed)
        origin = Origin(endpoint=request.url.path, client=request.state.client, user=None, prompt=prompt)
        if asking.stream:
            return await service.stream(request, asked, answer, origin, usage=False, done=False)
        await service.whole(request, asked, answer, origin)
        return JSONResponse(answer.whole())

    @router.post("/infill", openapi_extra=request_body(InfillRequest), responses=ERRORS)
    async def infill(request: Request) -> Response:
        asking = await read_body(request, InfillRequest, service.limits)
        asked = await asyncio.to_thread(service.translator.infill, asking)
        whole = asking.model_dump(include={"input_prefix", "prompt", "input_suffix"})
        return await answered(request, asking, asked, whole, ())

    @router.post("/completion", openapi_extra=request_body(LlamaCppCompletionRequest), responses=ERRORS)
    async def completion(request: Request) -> Response:
        asking = await read_body(request, LlamaCppCompletionRequest, service.limits)
        asked = await asyncio.to_thread(service.translator.llama_cpp_completion, asking)
        prompts = tuple(str(service.pair.tokenizer.decode(list(prompt))) for prompt in asked.prompts)
        return await answered(request, asking, asked, asking.prompt, prompts)


def _add_tokens(router: APIRouter, service: Service) -> None:
    names = TokenTexts(service.pair.tokenizer)

    def piece(token_id: int) -> dict[str, Any]:
        spelling = names.bytes_of(token_id)
        try:
            return {"id": token_id, "piece": spelling.decode()}
        except UnicodeDecodeError:
            return {"id": token_id, "piece": list(spelling)}

    @router.post("/tokenize", openapi_extra=request_body(TokenizeRequest), responses=ERRORS)
    async def tokenize(request: Request) -> Response:
        asking = await read_body(request, TokenizeRequest, service.limits)
        encode = service.translator.prompts.tokenized
        ids = await asyncio.to_thread(encode, asking.content, special=asking.add_special, spelled=asking.parse_special)
        return JSONResponse({"tokens": [piece(token) for token in ids] if asking.with_pieces else ids})

    @router.post("/detokenize", openapi_extra=request_body(DetokenizeRequest), responses=ERRORS)
    async def detokenize(request: Request) -> Response:
        asking = await read_body(request, DetokenizeRequest, service.limits)
        service.translator.prompts.check_tokens(asking.tokens, "tokens")
        return JSONResponse({"content": str(service.pair.tokenizer.decode(asking.tokens))})


def _add_state(router: APIRouter, service: Service) -> None:
    @router.get("/props")
    async def props() -> dict[str, Any]:
        tokenizer = service.pair.tokenizer
        return {
            "default_generation_settings": {"n_ctx": service.pair.context_length, "params": _default_parameters()},
            "total_slots": service.limits.max_rows,
            "model_alias": service.models[0],
            "model_path": service.models[0],
            "chat_template": str(tokenizer.chat_template or ""),
            "bos_token": str(tokenizer.bos_token or ""),
            "eos_token": str(tokenizer.eos_token or ""),
            "modalities": {"vision": False, "audio": False},
            "build_info": f"cosec {__version__}",
            "is_sleeping": False,
        }

    @router.get("/slots")
    async def slots(fail_on_no_slot: bool = False) -> list[dict[str, Any]]:
        rows, running = service.limits.max_rows, service.scheduler.running
        if fail_on_no_slot and running >= rows:
            raise ApiError(503, "All rows are in use; retry in a moment.", None, "no_slot", "server_error")
        context = service.pair.context_length
        return [{"id": row, "n_ctx": context, "is_processing": row < running} for row in range(rows)]


def _default_parameters() -> dict[str, Any]:
    """What applies to a request of ``/completion`` or ``/infill`` that says nothing else."""
    others = {"return_tokens", "response_fields", "cosec", "grammar", "json_schema"}
    defaults = LlamaCppRequest().model_dump(exclude=others)
    return {**defaults, "max_tokens": defaults["n_predict"], "samplers": ["temperature", "min_p", "top_k", "top_p"]}
