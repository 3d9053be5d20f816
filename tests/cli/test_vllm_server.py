"""``cosec serve --engine vllm`` with the real vLLM: answers, settings of a request, metrics, keys, and the end."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import httpx2
import pytest

from cosec.cli.launching.processes import ENTRY
from cosec.models.loading.embedded import BUNDLED_MODELS

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(1800)]

TARGET = "smollm2-135m"
ROOM = ["--max-model-len", "1024", "--kv-cache-memory-bytes", str(2**29), "--enforce-eager"]


class Running:
    """A started command and what it has said."""

    def __init__(self, flags: list[str]) -> None:
        command = [sys.executable, "-c", ENTRY, "serve", "--engine", "vllm", "--port", "0", *flags]
        self.process = subprocess.Popen(
            command,
            stderr=subprocess.STDOUT,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "VLLM_API_KEY": "k"},
        )
        self.said: list[str] = []
        self.url = ""
        self._ready = threading.Event()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line)
            found = re.search(r"cosec: serving .* at (http://\S+)", line)
            if found:
                self.url = found[1]
                self._ready.set()
        self._ready.set()

    def wait(self) -> None:
        """Wait until the server answers."""
        assert self._ready.wait(1500), "".join(self.said[-30:])
        assert self.url, "".join(self.said[-30:])

    def end(self) -> None:
        """Read what was said to the end; the process must have ended."""
        self._reader.join(60)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def post(self, path: str, body: dict[str, object]) -> httpx2.Response:
        headers = {"Authorization": "Bearer k"}
        return httpx2.post(self.url + path, json=body, headers=headers, timeout=300, trust_env=False)

    def metric(self, name: str) -> float:
        text = httpx2.get(f"{self.url}/metrics", timeout=60, trust_env=False).text
        return sum(float(one) for one in re.findall(rf"^{name}(?:{{.*}})? (\S+)$", text, flags=re.MULTILINE))


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    if not BUNDLED_MODELS[TARGET].is_pulled:
        pytest.skip(f"{TARGET} is not here")
    started = Running(["--target", TARGET, *ROOM])
    try:
        started.wait()
        yield started
    finally:
        started.process.kill()
        started.process.wait()
        started.end()


def test_completions_follow_the_requests_rule(running: Running) -> None:
    asked = {"model": TARGET, "prompt": "def find(cursor, name):\n    ", "max_tokens": 24, "temperature": 0, "n": 1}
    texts = {}
    for name, cosec in (("own", None), ("target", {"enabled": False}), ("strong", {"rule": "steer", "strength": 8.0})):
        answer = running.post("/v1/completions", {**asked, "cosec": cosec})
        assert answer.status_code == 200, answer.text
        texts[name] = answer.json()["choices"][0]["text"]
    assert texts["strong"] != texts["target"]
    assert (
        running.post("/v1/completions", {**asked, "cosec": {"threshold": -1.0, "rule": "threshold"}}).status_code == 400
    )
    assert running.post("/v1/completions", {**asked, "cosec": {"audit": "tokens"}}).status_code == 400


def test_what_would_choose_tokens_without_a_rule_gets_400(running: Running) -> None:
    asked = {"model": TARGET, "prompt": "def find(cursor, name):\n    ", "max_tokens": 4}
    chat = {"model": TARGET, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4}
    for path, body, field in (
        ("/v1/completions", asked, {"use_beam_search": True, "n": 2}),
        ("/v1/chat/completions", chat, {"use_beam_search": True, "n": 2}),
        ("/v1/chat/completions", chat, {"response_format": {"type": "json_object"}}),
        ("/v1/completions", asked, {"min_p": 0.1}),
        ("/v1/completions", asked, {"vllm_xargs": {"cosec_rule": ["gate"]}}),
        ("/v1/responses", {"model": TARGET, "input": "Hello"}, {"cosec": {"rule": "gates"}}),
    ):
        answer = running.post(path, {**body, **field})
        assert answer.status_code == 400, (path, field, answer.text)


def test_metrics_count_every_token_once_at_full_acceptance_too(running: Running) -> None:
    names = ("cosec_tokens_total", "cosec_accepted_tokens_total", "cosec_draft_tokens_total")
    before = [running.metric(name) for name in names]
    assert before[0] > 0
    # At threshold 0 every proposal is accepted.
    asked = {"model": TARGET, "prompt": "import os\n", "max_tokens": 32, "ignore_eos": True, "temperature": 1.0}
    rule = {"cosec_rule": "threshold", "cosec_threshold": 0.0}
    assert running.post("/v1/completions", {**asked, "vllm_xargs": rule}).status_code == 200
    tokens, accepted, drafted = (running.metric(name) - old for name, old in zip(names, before, strict=True))
    assert tokens == accepted == drafted == 32
    assert running.metric("vllm:spec_decode_num_accepted_tokens_total") > 0


def test_without_a_key_there_is_no_answer(running: Running) -> None:
    answer = httpx2.post(f"{running.url}/v1/completions", json={"prompt": "x"}, timeout=60, trust_env=False)
    assert answer.status_code == 401


def test_a_signal_ends_the_server_and_nothing_is_left(running: Running) -> None:
    running.process.send_signal(signal.SIGTERM)
    running.process.wait(120)
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(f"{running.url}/health", timeout=5, trust_env=False)
