"""Requests that no client would send: the server answers every one, never with 500, and stays as large as it was."""

from __future__ import annotations

import json
import random
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path

import httpx2
import pytest
from benchmarks.odd_requests import ENDPOINTS, odd_body
from pydantic import ValidationError

from cosec.decoding.pairing import PreparedPair
from cosec.serving.api.wire import CompletionRequest
from tests.decoding.pairs import shared_folders
from tests.serving.conftest import Served, serving

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


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
    codes = fuzz(served, 120, seed=1)
    assert codes[200] > 10, "all refused would show little"
    assert codes[400] > 30


@pytest.mark.parametrize(
    ("fields", "named"),
    [({"seed": 2**63}, "seed"), ({"stop": [""]}, "stop text"), ({"stop": ["x" * 401]}, "stop text")],
)
def test_an_infill_with_values_that_completions_refuse_is_refused_too(
    served: Served, fields: dict[str, object], named: str
) -> None:
    with served.client() as http:
        answer = http.post("/infill", json={"input_prefix": "def", "n_predict": 2, **fields})
    assert answer.status_code == 400
    assert named in answer.json()["error"]["message"]


def test_a_text_far_too_long_is_refused_by_its_beginning(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = served.service.pair.tokenizer
    cut: list[int] = []
    call = type(tokenizer).__call__

    def counted(self: object, text: str, **options: object) -> object:
        cut.append(len(text))
        return call(self, text, **options)

    monkeypatch.setattr(type(tokenizer), "__call__", counted)
    text = "x = 1\n" * 100_000
    with served.client() as http:
        for path, body in (
            ("/v1/completions", {"prompt": text}),
            ("/infill", {"input_prefix": "x", "input_suffix": text}),
        ):
            answer = http.post(path, json=body)
            assert (answer.status_code, answer.json()["error"]["code"]) == (400, "context_length_exceeded")
        sparse = http.post("/v1/completions", json={"prompt": "x" + " " * 3000 + "= 1\n" * 200})
    assert sparse.json()["error"]["code"] == "context_length_exceeded"
    assert max(cut) < 10_000


@pytest.mark.parametrize(
    "field",
    [{"prompt": [7] * 50_000 + ["a"]}, {"prompt": ["a"] * 50_000 + [1]}, {"prompt": [[]] * 50_000 + ["a"]},
     {"prompt": "a", "stop": [1] * 50_000}],
)  # fmt: skip
def test_a_list_is_refused_by_its_first_bad_item(field: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as refused:
        CompletionRequest.model_validate_json(json.dumps(field))
    assert refused.value.error_count() < 10


def test_a_wrong_method_is_told_the_right_one(served: Served) -> None:
    with served.client() as http:
        answer = http.get("/v1/completions")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")


def test_broken_connections_leave_nothing_behind(tiny_pair: PreparedPair) -> None:
    with serving(tiny_pair) as served:
        _break_connections(served)
        assert served.service.scheduler.drain(10), "rows of broken connections are free"


def _break_connections(served: Served) -> None:
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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "flags"), [("fuzzing.py", ("--requests", "300")), ("soak.py", ("--minutes", "0.5"))]
)
def test_the_recorded_runs_find_nothing_wrong(script: str, flags: tuple[str, ...], tmp_path: Path) -> None:
    pytest.importorskip("schemathesis")
    target, adapter = shared_folders(tmp_path)
    command = [sys.executable, str(BENCHMARKS / script), str(tmp_path / "found.json"), *flags]
    finished = subprocess.run([*command, "--target", str(target), "--security", str(adapter)], timeout=280)
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["passed"], found
    assert finished.returncode == 0
