"""Where the server ends completions of code: by default before a fence, as the request says, and never in chats."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cosec.decoding.pairing import PreparedPair
from cosec.serving.api.llama_cpp.wire import InfillRequest
from cosec.serving.api.translation import Translator
from cosec.serving.api.wire import CompletionRequest
from cosec.serving.settings import ServerSettings
from tests.decoding.pairs import shared_pair
from tests.serving.conftest import Served
from tests.serving.test_chat_and_infill import TEMPLATE

CODE = "def f(a):\n"
FENCED = "    return a\n```\nIt returns a.\n"


@pytest.fixture
def translator(tiny_pair: PreparedPair) -> Translator:
    return Translator(tiny_pair, ServerSettings(), {})


def ends(translator: Translator, **body: Any) -> list[int | None]:
    """For each prompt, where a completion that is `FENCED` ends."""
    asked = translator.completion(CompletionRequest(**body))
    return [None if make is None else make().place(FENCED) for make in asked.watchers]


def test_a_prompt_of_code_ends_before_a_fence_and_another_prompt_goes_on(translator: Translator) -> None:
    assert ends(translator, prompt=[CODE, "Write a poem about f.", "# Title\n```\nx;\n```\n"]) == [
        len("    return a\n"),
        None,
        None,
    ]


def test_token_ids_are_read_as_text(translator: Translator, tiny_pair: PreparedPair) -> None:
    ids = tiny_pair.tokenizer(CODE).input_ids
    assert ends(translator, prompt=ids) == [len("    return a\n")]


def test_the_request_decides_and_else_the_server(tiny_pair: PreparedPair) -> None:
    server = Translator(tiny_pair, ServerSettings(code_end="none"), {})
    assert ends(server, prompt=CODE) == [None]
    assert ends(server, prompt=CODE, cosec={"code_end": "fence"}) == [len("    return a\n")]
    assert ends(server, prompt=CODE, vllm_xargs={"cosec_code_end": "fence"}) == [len("    return a\n")]
    text = "    return a\n\nf(1)\n"
    asked = server.completion(CompletionRequest(prompt=CODE, cosec={"code_end": "function"}))
    assert [make().place(text) for make in asked.watchers if make is not None] == [len("    return a\n\n")]
    default = Translator(tiny_pair, ServerSettings(), {})
    assert ends(default, prompt=CODE, cosec={"code_end": "none"}) == [None]


@pytest.fixture
def fenced(served: Served, monkeypatch: pytest.MonkeyPatch) -> Served:
    """A server whose watchers end every completion after four characters, and hold nothing back."""

    class AfterFour:
        def place(self, text: str) -> int | None:
            return 4 if len(text) > 4 else None

        def held_back(self, text: str) -> int:
            return max(0, len(text) - 4)

    monkeypatch.setattr("cosec.serving.api.translation.code_watcher", lambda text, end: AfterFour)
    return served


def test_completions_and_streams_end_where_the_watcher_says(fenced: Served) -> None:
    body = {"prompt": CODE, "seed": 1, "max_tokens": 20}
    with fenced.client() as http:
        whole = http.post("/v1/completions", json=body).json()["choices"][0]
        streamed = http.post("/v1/completions", json={**body, "stream": True}).text
    assert len(whole["text"]) == 4
    assert whole["finish_reason"] == "stop"
    chunks = [json.loads(line[6:]) for line in streamed.splitlines() if line.startswith("data: {")]
    assert "".join(chunk["choices"][0]["text"] for chunk in chunks if chunk["choices"]) == whole["text"]


@pytest.mark.parametrize("stream", [False, True])
def test_the_log_probabilities_end_where_the_text_does(fenced: Served, stream: bool) -> None:
    body = {"prompt": CODE, "seed": 1, "max_tokens": 20, "logprobs": 0, "stream": stream}
    with fenced.client() as http:
        answer = http.post("/v1/completions", json=body).text
    lines = [line[6:] for line in answer.splitlines() if line.startswith("data: {")] if stream else [answer]
    choices = [choice for line in lines for choice in json.loads(line)["choices"]]
    offsets = [at for choice in choices for at in (choice["logprobs"] or {}).get("text_offset", [])]
    assert offsets
    assert max(offsets) < 4


def test_a_chat_goes_on_and_refuses_an_end_of_code(fenced: Served) -> None:
    fenced.service.pair.tokenizer.chat_template = TEMPLATE
    try:
        body = {"messages": [{"role": "user", "content": CODE}], "seed": 1, "max_tokens": 20}
        with fenced.client() as http:
            answer = http.post("/v1/chat/completions", json=body).json()
            refused = http.post("/v1/chat/completions", json={**body, "cosec": {"code_end": "fence"}})
        assert len(answer["choices"][0]["message"]["content"]) > 4
        assert refused.status_code == 400
        assert "code_end has no effect in a chat" in refused.json()["error"]["message"]
    finally:
        fenced.service.pair.tokenizer.chat_template = None


def test_an_infill_ends_before_a_fence(tmp_path_factory: pytest.TempPathFactory) -> None:
    pair = shared_pair(tmp_path_factory.mktemp("qwen"), "qwen2")
    asked = Translator(pair, ServerSettings(), {}).infill(InfillRequest(input_prefix=CODE, input_suffix="\n"))
    assert [make().place(FENCED) for make in asked.watchers if make is not None] == [len("    return a\n")]
