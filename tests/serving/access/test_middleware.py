"""Which requests reach an endpoint, and whose they are."""

from __future__ import annotations

import asyncio
import json
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import openai
import pytest

from cosec.decoding.pairing import PreparedPair
from cosec.serving.access.audit_log import AuditLog
from cosec.serving.access.keys import add_key, read_keys
from cosec.serving.access.middleware import AccessMiddleware
from cosec.serving.asgi import Receive, Scope, Send
from cosec.serving.settings import ServerSettings
from tests.serving.conftest import serving


def test_only_a_known_key_gets_an_answer(tiny_pair: PreparedPair, tmp_path: Path) -> None:
    key = add_key(tmp_path / "keys", "anna")
    with serving(tiny_pair, keys=read_keys(tmp_path / "keys")) as running:
        with openai.OpenAI(base_url=running.url + "/v1", api_key=key) as client:
            assert client.completions.create(model="tiny", prompt="def", max_tokens=2).choices
        with (
            openai.OpenAI(base_url=running.url + "/v1", api_key=key[:-1] + "_") as client,
            pytest.raises(openai.AuthenticationError, match="API key"),
        ):
            client.completions.create(model="tiny", prompt="def", max_tokens=2)
        with running.client() as http:
            assert http.get("/metrics").status_code == 401
            assert http.get("/v1/models", headers={"Authorization": key}).status_code == 401
            assert http.get("/health").status_code == 200


def test_a_page_that_points_its_own_name_at_loopback_is_turned_away(tiny_pair: PreparedPair) -> None:
    with serving(tiny_pair) as running, running.client() as http:
        assert http.get("/v1/models", headers={"Host": "evil.example"}).status_code == 400
        assert http.get("/v1/models", headers={"Host": "localhost:1234"}).status_code == 200
        assert http.get("/v1/models", headers={"Host": "[::1]:80"}).status_code == 200
        assert http.get("/v1/models", headers={"Host": "127.8.8.8:8000"}).status_code == 200


def test_no_other_origin_may_call_unless_named(tiny_pair: PreparedPair) -> None:
    asking = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
    with serving(tiny_pair) as running, running.client() as http:
        assert "access-control-allow-origin" not in http.options("/v1/completions", headers=asking).headers
    limits = ServerSettings(cors_origins=("https://app.example",))
    with serving(tiny_pair, limits=limits) as running, running.client() as http:
        allowed = http.options("/v1/completions", headers=asking).headers
        assert allowed["access-control-allow-origin"] == "https://app.example"


def test_a_page_may_send_headers_of_its_client_and_read_a_refusal(tiny_pair: PreparedPair, tmp_path: Path) -> None:
    limits = ServerSettings(cors_origins=("https://app.example",))
    add_key(tmp_path / "keys", "anna")
    keys = read_keys(tmp_path / "keys")
    with serving(tiny_pair, limits=limits, keys=keys) as running, running.client() as http:
        origin = {"Origin": "https://app.example"}
        asking = {**origin, "Access-Control-Request-Method": "POST"}
        preflight = http.options(
            "/v1/completions", headers={**asking, "Access-Control-Request-Headers": "authorization,x-stainless-os"}
        )
        assert preflight.status_code == 200
        assert "x-stainless-os" in preflight.headers["access-control-allow-headers"]
        refused = http.post("/v1/completions", headers={**origin, "Authorization": "Bearer wrong"}, json={})
        assert refused.status_code == 401
        assert refused.headers["access-control-allow-origin"] == "https://app.example"


@pytest.mark.parametrize(
    ("proxies", "forwarded", "client"),
    [
        ((), "198.51.100.7", "127.0.0.1"),
        (("10.0.0.0/8",), "198.51.100.7", "127.0.0.1"),
        (("127.0.0.1",), "198.51.100.7", "198.51.100.7"),
        (("127.0.0.1",), "203.0.113.9, 198.51.100.7", "198.51.100.7"),
        (("127.0.0.0/8", "10.0.0.0/8"), "203.0.113.9, 198.51.100.7, 10.1.2.3", "198.51.100.7"),
        (("127.0.0.1",), None, "127.0.0.1"),
    ],
)
def test_a_client_is_who_it_says_only_through_a_trusted_proxy(
    tiny_pair: PreparedPair, tmp_path: Path, proxies: tuple[str, ...], forwarded: str | None, client: str
) -> None:
    log = tmp_path / "audit.jsonl"
    with (
        serving(tiny_pair, audit_log=AuditLog(log), trusted_proxies=proxies) as running,
        running.client(headers={} if forwarded is None else {"X-Forwarded-For": forwarded}) as http,
    ):
        assert http.post("/v1/completions", json={"prompt": "def", "max_tokens": 1}).status_code == 200
    assert json.loads(log.read_text())["client"] == client


CLOSED = "unable to perform operation on <TCPTransport closed=True>; the handler is closed"


@pytest.mark.parametrize(
    ("said", "heard", "raises"), [(CLOSED, True, False), (CLOSED, False, False), ("a bug", True, True)]
)
def test_an_answer_to_a_client_that_has_left_is_no_failure_and_ends(said: str, heard: bool, raises: bool) -> None:
    async def answering(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 400, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def nothing() -> MutableMapping[str, Any]:
        if not heard:
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def fails(message: MutableMapping[str, Any]) -> None:
        raise RuntimeError(said)

    scope = {"type": "http", "path": "/", "method": "GET", "headers": [(b"host", b"localhost")], "client": None}
    visit = AccessMiddleware(answering, None)(scope, nothing, fails)
    if raises:
        with pytest.raises(RuntimeError, match=said):
            asyncio.run(asyncio.wait_for(visit, 20))
    else:
        asyncio.run(asyncio.wait_for(visit, 20))
