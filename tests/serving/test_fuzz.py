"""Requests that no client would send: the server answers every one, never with 500, and stays as large as it was."""

from __future__ import annotations

import json
import random
import socket
from collections import Counter
from pathlib import Path
from typing import Any

import httpx2
import pytest

from cosec.decoding.pairing import PreparedPair
from cosec.serving.wire import ChatRequest, CompletionRequest, CosecFields, InfillRequest
from tests.serving.conftest import Served, serving

ENDPOINTS = {"/v1/completions": CompletionRequest, "/v1/chat/completions": ChatRequest, "/infill": InfillRequest}
ODD: list[Any] = [
    None, True, False, 0, 1, -1, 2**31, 2**63, 10**30, 0.5, -0.0, 1e308, float("nan"), float("inf"), "", " ", "a",
    "0.3", "\x00", "\u202e", "\ud800", "é" * 300, "x" * 3000, [], [[]], [1, "a"], [[1], ["a"]], [-1], [10**9], {},
    {"a": 1},
    {"role": "user"}, [{"role": "user", "content": "hi"}], [{"role": "robot", "content": 1}], "gate", "steer", "tokens",
]  # fmt: skip


def odd_body(chance: random.Random, endpoint: str) -> bytes:
    """A body with a few fields of the endpoint's, their values at random."""
    body: dict[str, Any] = {"prompt": "def", "max_tokens": 2} if "chat" not in endpoint else {"messages": ODD[-5]}
    names = [*ENDPOINTS[endpoint].model_fields, "unheard_of"]
    for name in chance.sample(names, chance.randrange(0, 4)):
        body[name] = chance.choice(ODD)
    if chance.random() < 0.4:
        known = [*CosecFields.model_fields, "cwes", "x"]
        body["cosec"] = {name: chance.choice(ODD) for name in chance.sample(known, chance.randrange(0, 4))}
    if chance.random() < 0.2:
        body["n"] = chance.choice([1, 2, 3, 200])
    text = json.dumps(body).encode()
    if chance.random() < 0.1:
        place = chance.randrange(len(text))
        text = text[:place] + bytes([chance.randrange(256)]) + text[place + chance.randrange(3) :]
    if chance.random() < 0.02:
        text = b'{"prompt":' + b"[" * 20_000
    return text


def resident_kib() -> int:
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])


def fuzz(served: Served, count: int, seed: int) -> Counter[int]:
    chance, codes = random.Random(seed), Counter[int]()
    with served.client() as http:
        for _ in range(count):
            endpoint = chance.choice(list(ENDPOINTS))
            body = odd_body(chance, endpoint)
            answer = http.post(endpoint, content=body, headers={"Content-Type": "application/json"})
            codes[answer.status_code] += 1
            assert answer.status_code in (200, 400, 404, 413, 415), (endpoint, body, answer.text)
            if answer.status_code != 200:
                assert answer.json()["error"]["message"]
    return codes


def test_odd_requests_are_answered_and_never_with_500(served: Served) -> None:
    codes = fuzz(served, 400, seed=1)
    assert codes[200] > 10, "all refused would show little"
    assert codes[400] > 100


def test_broken_connections_leave_nothing_behind(served: Served) -> None:
    port = int(served.url.rpartition(":")[2])
    body = json.dumps({"prompt": "def", "max_tokens": 90, "stream": True}).encode()
    head = b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    complete = head + f"Content-Length: {len(body)}\r\n\r\n".encode() + body
    for sent in (
        b"",
        b"\x16\x03\x01\x00",
        head,
        complete[: len(head) + 25],
        complete[:-5],
        complete,
        complete + complete,
    ):
        for half_closed in (True, False):
            with socket.create_connection(("127.0.0.1", port)) as connection:
                connection.sendall(sent)
                if half_closed:
                    connection.shutdown(socket.SHUT_WR)
    with served.client() as http:
        answer: httpx2.Response = http.post("/v1/completions", json={"prompt": "def", "max_tokens": 3})
    assert answer.status_code == 200
    assert served.service.scheduler.drain(10), "rows of broken connections are free"


@pytest.mark.slow
def test_ten_thousand_odd_requests_leave_the_memory_as_it_was(tiny_pair: PreparedPair) -> None:
    with serving(tiny_pair) as running:
        fuzz(running, 2000, seed=2)
        before = resident_kib()
        codes = fuzz(running, 10_000, seed=3)
        after = resident_kib()
    print(f"\n{dict(codes)}; resident before {before} KiB, after {after} KiB")  # noqa: T201 - the measurement
    assert after < before * 1.05
