"""The server over llama.cpp: streams in a running batch, log-probabilities, chat and filling in the middle."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from cosec import load_pair
from cosec.decoding.blackbox.reading import SecurityReader
from cosec.decoding.blackbox.targets.local_target import LocalTarget
from cosec.decoding.completer import Completer
from cosec.decoding.pairing import PreparedPair
from cosec.decoding.settings import decoding_settings
from cosec.errors import SettingsError
from cosec.runtime import llama_cpp_is_installed
from cosec.serving.server import build_proxy, build_service
from cosec.serving.settings import ServerSettings
from tests.models.gguf_pair import gguf_files
from tests.serving.conftest import Served, serving
from tests.serving.test_chat_and_infill import TEMPLATE

pytestmark = pytest.mark.skipif(not llama_cpp_is_installed(), reason="llama-cpp-python is not installed (cosec[llama])")

PROMPT = "def read(path):\n"


@pytest.fixture(scope="module")
def over_gguf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    files = gguf_files(tmp_path_factory.mktemp("files"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COSEC_CACHE", str(tmp_path_factory.mktemp("cache")))
        pair = load_pair(files.target, files.other_adapter, runtime="llama.cpp")
    pair.tokenizer.chat_template = TEMPLATE
    with serving(pair, limits=ServerSettings(prefill_chunk=8)) as served:
        yield served


def ask(served: Served, path: str = "/v1/completions", **body: Any) -> Any:
    with served.client() as http:
        answer = http.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_completion_is_what_the_engine_says_with_that_seed(over_gguf: Served) -> None:
    found = ask(over_gguf, prompt=PROMPT, max_tokens=12, temperature=0.8, seed=7)["choices"][0]["text"]
    settings = decoding_settings({}, {"temperature": 0.8, "top_p": 1.0, "max_new_tokens": 12, "seed": 7})
    assert found == Completer(over_gguf.service.pair, settings).complete([PROMPT])[0].text


def test_requests_under_different_rules_run_at_once(over_gguf: Served) -> None:
    rules = [{"rule": "threshold"}, {"rule": "gate", "strength": 0.05}, {"enabled": False}, {"rule": "speculative"}]
    bodies = [
        {"prompt": PROMPT + str(index), "max_tokens": 24, "seed": index, "n": 2, "cosec": rules[index % 4]}
        for index in range(12)
    ]
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda body: ask(over_gguf, **body), bodies))
    assert all(len(answer["choices"]) == 2 for answer in answers)
    assert all(answer["usage"]["completion_tokens"] > 0 for answer in answers)


def test_the_target_runs_only_where_something_is_told_about_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COSEC_CACHE", str(tmp_path / "cache"))
    files = gguf_files(tmp_path)
    pair = load_pair(files.target, files.adapter, runtime="llama.cpp")
    kinds: list[dict[str, object]] = [{"cosec": {"audit": audit}} for audit in ("summary", "tokens")]
    with serving(pair, rule={"name": "steer", "strength": 1.0}) as served, ThreadPoolExecutor(8) as pool:
        bodies = [{"prompt": PROMPT, "max_tokens": 12, "seed": 1, "n": 2, **kinds[index % 2]} for index in range(8)]
        answers = list(pool.map(lambda body: ask(served, **body), bodies))
    changed = [answer["metrics"]["cosec"]["changed"] for answer in answers]
    assert changed[::2] == [None] * 4
    assert all(isinstance(count, int) for count in changed[1::2])
    assert all(answer["choices"] for answer in answers)


def test_a_stream_adds_up_to_the_answer(over_gguf: Served) -> None:
    body = {"prompt": PROMPT, "max_tokens": 16, "seed": 3}
    text = ""
    with over_gguf.client() as http, http.stream("POST", "/v1/completions", json={**body, "stream": True}) as lines:
        for line in lines.iter_lines():
            if line.startswith("data: {"):
                text += "".join(choice["text"] for choice in json.loads(line[6:])["choices"])
    assert text == ask(over_gguf, **body)["choices"][0]["text"]


def test_echoed_log_probabilities_are_those_of_the_target(over_gguf: Served) -> None:
    found = ask(over_gguf, prompt=PROMPT, max_tokens=0, echo=True, logprobs=2)["choices"][0]["logprobs"]
    pair = over_gguf.service.pair
    import torch

    ids = pair.tokenizer(PROMPT).input_ids
    logits = pair.target_model().prefill([()]).advance(torch.tensor([ids]))[0].log_softmax(dim=-1)
    expected = [float(logits[place, token]) for place, token in enumerate(ids[1:])]
    assert found["token_logprobs"][1:] == pytest.approx(expected, abs=0.02)


def test_chats_and_infills_are_answered(over_gguf: Served) -> None:
    messages = [{"role": "user", "content": "hi"}]
    chat = ask(over_gguf, "/v1/chat/completions", messages=messages, max_tokens=8, seed=1)
    assert chat["usage"]["completion_tokens"] > 0
    infill = ask(over_gguf, "/infill", input_prefix="def read(", input_suffix="return path", n_predict=8)
    assert "content" in infill


def test_more_rows_than_llama_cpp_runs_are_refused_at_the_start(over_gguf: Served, tiny_pair: PreparedPair) -> None:
    pair, limits = over_gguf.service.pair, ServerSettings(max_rows=200)
    with pytest.raises(SettingsError, match="--max-rows 200 is more than llama"):
        build_service(pair, ("tiny",), limits=limits)
    reader = SecurityReader(tiny_pair)
    with pytest.raises(SettingsError, match="--max-rows 200 is more than llama"):
        build_proxy(lambda run: LocalTarget(pair, run), reader, ("tiny",), limits=limits, target=pair)
