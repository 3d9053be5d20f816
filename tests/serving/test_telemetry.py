"""The metrics of a server of their own, so that nobody else's requests are counted with them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from cosec.decoding.pairing import PreparedPair
from cosec.serving.api.app import create_app
from cosec.serving.server import build_service
from tests.serving.conftest import serving


@pytest.fixture
def http(tiny_pair: PreparedPair) -> Iterator[httpx2.Client]:
    with serving(tiny_pair) as running, running.client() as one:
        yield one


def count(http: httpx2.Client, name: str) -> float:
    lines = http.get("/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(name))


def streamed_tokens(http: httpx2.Client, asked: dict[str, object]) -> int:
    """How many tokens a stream brought, by its usage; returns at its last byte, before the connection is tidied up."""
    body = {**asked, "stream": True, "stream_options": {"include_usage": True}}
    tokens = 0
    with http.stream("POST", "/v1/completions", json=body) as answer:
        for line in answer.iter_lines():
            if line == "data: [DONE]":
                break
            if line:
                tokens = (json.loads(line.removeprefix("data: ")).get("usage") or {}).get("completion_tokens", 0)
    return tokens


@pytest.mark.parametrize("stream", [False, True])
def test_whoever_has_all_of_an_answer_finds_it_counted(http: httpx2.Client, stream: bool) -> None:
    tokens = accepted = changed = prompt_tokens = 0
    for seed in range(12):  # some of these end with a stop token before five
        asked = {"prompt": "def read(path):\n", "max_tokens": 5, "seed": seed}
        if stream:
            tokens += streamed_tokens(http, asked)
        else:
            answer = http.post("/v1/completions", json=asked).json()
            tokens += answer["usage"]["completion_tokens"]
            prompt_tokens += answer["usage"]["prompt_tokens"]
            accepted += answer["metrics"]["cosec"]["accepted"]
            changed += answer["metrics"]["cosec"]["changed"]
        assert count(http, 'cosec_requests_total{status="200"}') == seed + 1
        assert count(http, "cosec_tokens_total") == tokens
        assert count(http, "cosec_draft_tokens_total") == tokens
    assert count(http, "cosec_inter_token_seconds_count") == tokens - 12
    assert count(http, "cosec_time_to_first_token_seconds_count") == 12
    if not stream:
        assert count(http, "cosec_prompt_tokens_total") == prompt_tokens
        assert count(http, "cosec_accepted_tokens_total") == accepted
        assert count(http, 'cosec_tokens_total{source="security"}') == accepted
        assert 0 < count(http, "cosec_changed_tokens_total") == changed < tokens


def test_a_stream_is_counted_before_its_last_byte_goes_out(tiny_pair: PreparedPair) -> None:
    service = build_service(tiny_pair, ("tiny",))
    body = json.dumps({"prompt": "def read(path):\n", "max_tokens": 5, "seed": 1, "stream": True}).encode()
    headers = [(b"host", b"127.0.0.1"), (b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/v1/completions", "query_string": b"", "headers": headers}
    at_last_byte = []

    async def ask() -> None:
        arriving = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def receive() -> Any:
            return next(arriving, None) or await asyncio.Event().wait()

        async def send(message: Any) -> None:
            if b"[DONE]" in message.get("body", b""):
                at_last_byte.append(service.telemetry.text())

        await create_app(service)({**scope, "client": ("127.0.0.1", 1), "app": None}, receive, send)

    service.scheduler.start()
    try:
        asyncio.run(ask())
    finally:
        service.scheduler.stop()
    assert b'cosec_requests_total{status="200"} 1.0' in at_last_byte[0]


def test_refusals_are_counted_once(http: httpx2.Client) -> None:
    assert http.post("/v1/completions", json={"prompt": ""}).status_code == 400
    assert count(http, 'cosec_requests_total{status="400"}') == 1
    assert count(http, "cosec_requests_total") == 1
