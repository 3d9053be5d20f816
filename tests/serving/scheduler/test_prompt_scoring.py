"""``echo`` with ``logprobs``: what the target thinks of the prompt itself, as evaluation harnesses ask for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
import torch

from cosec.decoding.pairing import PreparedPair
from cosec.serving.settings import ServerSettings
from tests.serving.conftest import Served, serving

PROMPT = "def read(path):\n    with open(path) as file:\n"


@pytest.fixture(scope="module")
def scoring(tiny_pair: PreparedPair) -> Iterator[Served]:
    # Prompts are read five tokens at a time, so that every one of them is read in pieces.
    with serving(tiny_pair, limits=ServerSettings(prefill_chunk=5)) as running:
        yield running


@pytest.fixture(scope="module")
def http(scoring: Served) -> Iterator[httpx2.Client]:
    with scoring.client() as one:
        yield one


def ask(http: httpx2.Client, **body: Any) -> Any:
    answer = http.post("/v1/completions", json={"echo": True, "logprobs": 2, "seed": 3, **body})
    assert answer.status_code == 200, answer.text
    return answer.json()


def of_the_target(pair: PreparedPair, ids: list[int]) -> list[float]:
    """The plain formula: one forward of the whole prompt."""
    with torch.inference_mode():
        log_probs = pair.pair.target.model(torch.tensor([ids])).logits[0].float().log_softmax(dim=-1)
    return [float(log_probs[place, token]) for place, token in enumerate(ids[1:])]


def test_a_prompt_alone_is_scored_by_the_target(http: httpx2.Client, tiny_pair: PreparedPair) -> None:
    ids = tiny_pair.tokenizer(PROMPT).input_ids
    answer = ask(http, prompt=PROMPT, max_tokens=0)
    choice, logprobs = answer["choices"][0], answer["choices"][0]["logprobs"]
    assert choice["text"] == "".join(logprobs["tokens"]) == PROMPT
    assert choice["finish_reason"] == "length"
    assert logprobs["token_logprobs"][0] is logprobs["top_logprobs"][0] is None
    assert logprobs["token_logprobs"][1:] == pytest.approx(of_the_target(tiny_pair, ids), abs=1e-4)
    assert logprobs["text_offset"] == [len("".join(logprobs["tokens"][:place])) for place in range(len(ids))]
    for found, best in zip(logprobs["token_logprobs"][1:], logprobs["top_logprobs"][1:], strict=True):
        assert 1 <= len(best) <= 3  # the two most likely, and the token itself
        assert found <= max(best.values()) + 1e-6
    assert answer["usage"] == {"prompt_tokens": len(ids), "completion_tokens": 0, "total_tokens": len(ids)}


def test_a_completion_after_a_scored_prompt_is_the_one_without_scores(http: httpx2.Client) -> None:
    plain = ask(http, prompt=PROMPT, max_tokens=6, echo=False)["choices"][0]
    both = ask(http, prompt=PROMPT, max_tokens=6)["choices"][0]
    assert both["text"] == PROMPT + plain["text"]
    assert both["logprobs"]["tokens"][-len(plain["logprobs"]["tokens"]) :] == plain["logprobs"]["tokens"]
    assert both["logprobs"]["text_offset"][-1] == len(PROMPT) + plain["logprobs"]["text_offset"][-1]


@pytest.mark.parametrize("max_tokens", [0, 3])
def test_several_prompts_and_samples_each_get_their_own_scores(
    http: httpx2.Client, tiny_pair: PreparedPair, max_tokens: int
) -> None:
    prompts = [tiny_pair.tokenizer(text).input_ids for text in (PROMPT, "int main(", "x")]
    choices = ask(http, prompt=prompts, n=2, max_tokens=max_tokens)["choices"]
    assert [choice["index"] for choice in choices] == list(range(6))
    for index, choice in enumerate(choices):
        ids = prompts[index // 2]
        found = choice["logprobs"]["token_logprobs"][: len(ids)]
        assert found == [None, *(pytest.approx(value, abs=1e-4) for value in of_the_target(tiny_pair, ids))]


def test_a_stream_brings_the_scores_with_the_echo(http: httpx2.Client) -> None:
    whole = ask(http, prompt=[PROMPT, "int main("], max_tokens=4)["choices"]
    texts, tokens = ["", ""], [[], []]
    body = {"prompt": [PROMPT, "int main("], "max_tokens": 4, "seed": 3, "echo": True, "logprobs": 2, "stream": True}
    with http.stream("POST", "/v1/completions", json=body) as answer:
        for line in answer.iter_lines():
            for choice in json.loads(line[6:])["choices"] if line and line != "data: [DONE]" else []:
                texts[choice["index"]] += choice["text"]
                tokens[choice["index"]] += (choice["logprobs"] or {}).get("token_logprobs", [])
    assert texts == [choice["text"] for choice in whole]
    assert tokens == [
        [None if one is None else pytest.approx(one, abs=1e-4) for one in choice["logprobs"]["token_logprobs"]]
        for choice in whole
    ]


def test_a_request_of_no_tokens_is_counted(http: httpx2.Client) -> None:
    def counted() -> float:
        lines = http.get("/metrics").text.splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith("cosec_requests_total"))

    before = counted()
    ask(http, prompt=PROMPT, max_tokens=0)
    ask(http, prompt=PROMPT, max_tokens=0, logprobs=None)
    assert counted() == before + 2
