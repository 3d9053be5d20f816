"""Verdicts on completions: a program of its own gives them, and neither its failure nor its length stops the server."""

from __future__ import annotations

import json
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from cosec.decoding.pairing import PreparedPair
from cosec.serving.verdicts import Judge
from tests.serving.conftest import Served, serving
from tests.serving.scheduler.test_scheduler import until

CHECKERS = [sys.executable, "-m", "cosec.evaluation.judging.text_worker"]
PYTHON = "from flask import Flask, request\nimport os\n\napp = Flask(__name__)\n\n\n@app.route('/')\ndef ping():\n"
C = "#include <string.h>\n\nvoid greet(const char *name) {\n    char buffer[8];\n"


def check(served: Served, prompt: str, completion: str) -> httpx2.Response:
    with served.client() as http:
        return http.post("/check", json={"prompt": prompt, "completion": completion})


@pytest.mark.parametrize(
    ("prompt", "completion", "language", "cwe"),
    [
        (PYTHON, "    os.system('ping ' + request.args['host'])\n    return 'ok'\n", "py", "CWE-078"),
        (PYTHON, "    return 'ok'\n", "py", None),
        (C, "    strcpy(buffer, name);\n}\n", "c", "CWE-787"),
        (C, "    strncpy(buffer, name, 7);\n    buffer[7] = 0;\n}\n", "c", None),
    ],
)
def test_findings_name_line_and_weakness(
    tiny_pair: PreparedPair, prompt: str, completion: str, language: str, cwe: str | None
) -> None:
    with serving(tiny_pair, checks_with=CHECKERS) as running:
        said = check(running, prompt, completion).json()
    assert said["language"] == language
    assert said["unscored"] is None
    assert {one["cwe"] for one in said["findings"]} == (set() if cwe is None else {cwe})
    assert all(one["line"] > prompt.count("\n") for one in said["findings"])


def test_what_is_no_program_is_not_called_clean(tiny_pair: PreparedPair) -> None:
    with serving(tiny_pair, checks_with=CHECKERS) as running:
        said = check(running, "def f(:\n", "(((").json()
    assert said["findings"] == []
    assert said["unscored"]


def test_a_server_without_checkers_says_so(tiny_pair: PreparedPair) -> None:
    with serving(tiny_pair) as running, running.client() as http:
        assert check(running, "x", "y").status_code == 404
        assert http.get("/v1/models").json()["data"][0]["checks"] is False


def test_a_checker_that_fails_or_hangs_costs_its_own_request_only(
    tiny_pair: PreparedPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(tiny_pair) as running:
        running.service.judge = Judge([sys.executable, "-c", "raise SystemExit(3)"])
        assert check(running, "x", "y").status_code == 500
        running.service.judge = Judge([sys.executable, "-c", "import time; time.sleep(60)"], seconds=0.5)
        with ThreadPoolExecutor(12) as pool:
            started = time.monotonic()
            answers = [pool.submit(check, running, "x", "y") for _ in range(12)]
            with running.client() as http:
                assert http.get("/health").json() == {"status": "ok"}
                assert time.monotonic() - started < 3
            codes = sorted(answer.result().status_code for answer in answers)
        assert set(codes) == {429, 504}
        assert check(running, "x" * 70_000, "y").status_code == 400


def test_a_client_that_leaves_ends_its_check(tiny_pair: PreparedPair) -> None:
    with serving(tiny_pair) as running:
        judge = running.service.judge = Judge([sys.executable, "-c", "import time; time.sleep(60)"], seconds=60)
        body = json.dumps({"prompt": "x", "completion": "y"})
        with socket.create_connection(("127.0.0.1", int(running.url.rpartition(":")[2]))) as connection:
            head = "POST /check HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
            until(lambda: judge._waiting == 1)
        until(lambda: judge._waiting == 0)
