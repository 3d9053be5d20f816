"""Completions through the official client and by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from cosec.decoding.completer import Completer
from cosec.decoding.pairing import PreparedPair
from cosec.decoding.rules.schema import rule_schemas
from cosec.decoding.settings import DecodingSettings, SamplingSettings, decoding_settings
from cosec.models.loading.load import load_pair
from tests.decoding.pairs import shared_folders, shared_pair
from tests.serving.conftest import Served, serving
from tests.tiny import save_tiny

PROMPT = "def read(path):\n"


@pytest.fixture(scope="module")
def client(served: Served) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=served.url + "/v1", api_key="none", max_retries=0) as one:
        yield one


@pytest.fixture(scope="module")
def http(served: Served) -> Iterator[httpx2.Client]:
    with served.client() as one:
        yield one


def ask(http: httpx2.Client, **body: Any) -> Any:
    answer = http.post("/v1/completions", json={"prompt": PROMPT, **body})
    assert answer.status_code == 200, answer.text
    return answer.json()


def refused(http: httpx2.Client, **body: Any) -> Any:
    answer = http.post("/v1/completions", json={"prompt": PROMPT, **body})
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    return error


def direct(
    pair: PreparedPair, prompt: str, settings: DecodingSettings, n: int = 1, *, hardened: bool = True
) -> list[str]:
    completer = Completer(pair, settings, alone=None if hardened else "target")
    return [one.text for one in completer.complete([prompt], n=n)]


def test_a_completion_is_what_the_engine_says_with_that_seed(client: openai.OpenAI, tiny_pair: PreparedPair) -> None:
    answer = client.completions.create(
        model="tiny", prompt=PROMPT, max_tokens=20, temperature=0.8, top_p=0.9, n=2, seed=7
    )
    settings = DecodingSettings(sampling=SamplingSettings(temperature=0.8, top_p=0.9, max_new_tokens=20, seed=7))
    assert [choice.text for choice in answer.choices] == direct(tiny_pair, PROMPT, settings, n=2)
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == len(tiny_pair.tokenizer(PROMPT).input_ids)
    metrics = answer.to_dict()["metrics"]["cosec"]
    assert metrics["seed"] == 7
    assert metrics["rule"] == "threshold"
    assert metrics["threshold"] == 0.3
    assert metrics["drafted"] == metrics["tokens"] == answer.usage.completion_tokens
    assert metrics["accept_rate"] == pytest.approx(metrics["accepted"] / metrics["drafted"], abs=1e-4)


@pytest.mark.parametrize(
    "cosec",
    [
        {"threshold": 0.9},
        {"rule": "steer", "strength": 1.5},
        {"rule": "gate", "strength": 0.01, "divergence": "js"},
        {"rule": "speculative"},
        {"preset": "release"},
    ],
)
def test_every_rule_can_be_asked_for(client: openai.OpenAI, tiny_pair: PreparedPair, cosec: dict[str, object]) -> None:
    answer = client.completions.create(model="tiny", prompt=PROMPT, max_tokens=20, seed=3, extra_body={"cosec": cosec})
    words = {"rule": "name"}
    rule = {words.get(name, name): value for name, value in cosec.items()}
    settings = decoding_settings(rule, {"temperature": 1.0, "top_p": 1.0, "max_new_tokens": 20, "seed": 3})
    assert answer.choices[0].text == direct(tiny_pair, PROMPT, settings)[0]


@pytest.mark.parametrize("carried", ["by the adapter", "by the server"])
def test_a_request_that_names_no_rule_gets_the_servers_or_the_adapters(carried: str, tmp_path: Path) -> None:
    steer: dict[str, object] = {"name": "steer", "strength": 1.5}
    shared_folders(tmp_path)
    if carried == "by the adapter":
        (tmp_path / "adapter" / "rule.toml").write_text('[rule]\nname = "steer"\nstrength = 1.5\n')
    rule = steer if carried == "by the server" else None
    with serving(shared_pair(tmp_path), rule=rule) as running, running.client() as http:
        told = http.get("/v1/models").json()["data"][0]["cosec"]
        assert told == {"enabled": True, "rule": "steer", "strength": 1.5, "against": "base", "security_floor": 0.0}
        assert ask(http)["metrics"]["cosec"]["rule"] == "steer"
        assert ask(http, cosec={"strength": 1.0})["metrics"]["cosec"]["strength"] == 1.0
        # No other rule has a threshold, so it says which one is meant.
        for asked in ({"cosec": {"threshold": 0.7}}, {"vllm_xargs": {"cosec_threshold": 0.7}}):
            metrics = ask(http, **asked)["metrics"]["cosec"]
            assert (metrics["rule"], metrics["threshold"]) == ("threshold", 0.7)


def test_the_old_name_of_the_papers_rule_is_accepted_with_a_warning_entry(http: httpx2.Client) -> None:
    current, old = (ask(http, seed=1, cosec={"rule": name}) for name in ("threshold", "cosec"))
    assert old["choices"] == current["choices"]
    metrics = old["metrics"]["cosec"]
    assert metrics["rule"] == "threshold"
    assert "now called 'threshold'" in metrics["warnings"][0]
    assert "warnings" not in current["metrics"]["cosec"]


def test_every_rules_schema_is_published(http: httpx2.Client) -> None:
    told = http.get("/v1/models").json()["data"][0]
    assert told["rules"] == rule_schemas()
    assert told["cosec"]["rule"] in told["rules"]


def test_the_target_alone_on_request(http: httpx2.Client, tiny_pair: PreparedPair) -> None:
    answer = ask(http, max_tokens=20, seed=3, cosec={"enabled": False})
    settings = DecodingSettings(sampling=SamplingSettings(temperature=1.0, top_p=1.0, max_new_tokens=20, seed=3))
    assert answer["choices"][0]["text"] == direct(tiny_pair, PROMPT, settings, hardened=False)[0]
    assert answer["metrics"]["cosec"]["enabled"] is False
    assert "accepted" not in answer["metrics"]["cosec"]


def test_xargs_say_the_same_as_cosec(http: httpx2.Client) -> None:
    one = ask(http, seed=1, max_tokens=20, cosec={"threshold": 0.9})
    other = ask(http, seed=1, max_tokens=20, vllm_xargs={"cosec_threshold": 0.9})
    assert one["choices"] == other["choices"]
    assert other["metrics"]["cosec"]["threshold"] == 0.9
    assert "vllm_xargs.cosec_treshold" in refused(http, vllm_xargs={"cosec_treshold": 0.9})["param"]
    assert "disagree" in refused(http, cosec={"threshold": 0.3}, vllm_xargs={"cosec_threshold": 0.9})["message"]


@pytest.mark.parametrize("cosec", [{"threshold": 0.9}, {"rule": "steer"}, {"enabled": False}])
def test_top_k_and_min_p_are_the_engines(
    http: httpx2.Client, tiny_pair: PreparedPair, cosec: dict[str, object]
) -> None:
    sampling = {"top_k": 5, "min_p": 0.1, "temperature": 1.3, "top_p": 0.9, "seed": 3}
    answer = ask(http, max_tokens=20, cosec=cosec, **sampling)
    hardened = cosec.pop("enabled", True)
    rule = {"name" if name == "rule" else name: value for name, value in cosec.items()}
    settings = decoding_settings(rule, {**sampling, "max_new_tokens": 20})
    assert answer["choices"][0]["text"] == direct(tiny_pair, PROMPT, settings, hardened=bool(hardened))[0]
    assert (
        ask(http, max_tokens=20, top_k=1, temperature=2.0, seed=9, cosec={"enabled": False})["choices"]
        == (ask(http, max_tokens=20, temperature=0, seed=9, cosec={"enabled": False})["choices"])
    )


def test_stop_tokens_end_a_text_and_not_before_the_minimum(http: httpx2.Client, tiny_pair: PreparedPair) -> None:
    asked = {"max_tokens": 24, "seed": 2, "cosec": {"audit": "tokens"}}
    plain = ask(http, **asked)["choices"][0]["cosec"]["tokens"]
    stop = plain[5]["token_id"]
    first = next(place for place, token in enumerate(plain) if token["token_id"] == stop)
    choice = ask(http, **asked, stop_token_ids=[stop])["choices"][0]
    assert (choice["finish_reason"], len(choice["cosec"]["tokens"])) == ("stop", first + 1)
    longer = ask(http, **asked, stop_token_ids=[stop], min_tokens=12)["choices"][0]["cosec"]["tokens"]
    assert len(longer) > 12
    assert stop not in [token["token_id"] for token in longer[:12]]
    text = ask(http, **asked, min_tokens=12, stop=[" ", "e", "a", "r"])["choices"][0]
    assert len(text["cosec"]["tokens"]) > 12


def test_the_models_own_stop_token_can_be_a_token_like_others(http: httpx2.Client, tiny_pair: PreparedPair) -> None:
    end = next(iter(tiny_pair.stop_token_ids))
    for seed in range(60):
        asked = {"max_tokens": 40, "seed": seed, "temperature": 3.0, "cosec": {"audit": "tokens"}}
        ended = ask(http, **asked)["choices"][0]
        if ended["finish_reason"] == "stop":
            break
    on = ask(http, **asked, ignore_eos=True)["choices"][0]
    tokens = [token["token_id"] for token in on["cosec"]["tokens"]]
    assert (on["finish_reason"], len(tokens)) == ("length", 40)
    assert end in tokens
    assert tokens[: len(ended["cosec"]["tokens"])] == [token["token_id"] for token in ended["cosec"]["tokens"]]


def test_a_prompt_of_white_space_is_completed(http: httpx2.Client) -> None:
    for prompt in ("\n", " ", "\t\n "):
        assert ask(http, prompt=prompt, seed=1)["usage"]["completion_tokens"] > 0


def test_no_limit_is_what_the_context_leaves(http: httpx2.Client, tiny_pair: PreparedPair) -> None:
    answer = ask(http, max_tokens=-1, seed=1, ignore_eos=True)
    assert answer["usage"]["total_tokens"] == tiny_pair.context_length


def test_a_stream_adds_up_to_the_whole(client: openai.OpenAI) -> None:
    asked: dict[str, Any] = {"model": "tiny", "prompt": [PROMPT, "int main("], "max_tokens": 20, "n": 2, "seed": 5}
    whole = client.completions.create(**asked)
    texts, reasons, usage = [""] * 4, [""] * 4, None
    for chunk in client.completions.create(**asked, stream=True, stream_options={"include_usage": True}):
        for choice in chunk.choices:
            texts[choice.index] += choice.text
            reasons[choice.index] = choice.finish_reason or reasons[choice.index]
        usage = chunk.usage or usage
    assert texts == [choice.text for choice in whole.choices]
    assert reasons == [choice.finish_reason for choice in whole.choices]
    assert usage == whole.usage


def test_a_stream_ends_with_metrics_and_done(http: httpx2.Client) -> None:
    with http.stream("POST", "/v1/completions", json={"prompt": PROMPT, "stream": True, "seed": 1}) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = [line.removeprefix("data: ") for line in answer.iter_lines() if line]
    assert lines[-1] == "[DONE]"
    chunks = [json.loads(line) for line in lines[:-1]]
    assert ["metrics" in chunk for chunk in chunks] == [False] * (len(chunks) - 1) + [True]


def test_token_ids_are_prompts(http: httpx2.Client, tiny_pair: PreparedPair) -> None:
    ids = tiny_pair.tokenizer(PROMPT).input_ids
    text = ask(http, seed=2)["choices"][0]["text"]
    assert ask(http, prompt=ids, seed=2)["choices"][0]["text"] == text
    assert [one["text"] for one in ask(http, prompt=[ids, ids], seed=2)["choices"]] == [text, text]
    assert "no token 99999" in refused(http, prompt=[1, 99999])["message"]


def test_echo_gives_the_prompt_back(http: httpx2.Client) -> None:
    text = ask(http, seed=2)["choices"][0]["text"]
    assert ask(http, seed=2, echo=True)["choices"][0]["text"] == PROMPT + text
    assert ask(http, echo=True, max_tokens=0)["choices"][0]["text"] == PROMPT
    assert "only with echo" in refused(http, max_tokens=0)["message"]


def test_an_echo_without_new_tokens_is_a_stream_too(http: httpx2.Client) -> None:
    asked = {"prompt": [PROMPT, "x = 1"], "echo": True, "max_tokens": 0, "stream": True}
    answer = http.post("/v1/completions", json={**asked, "stream_options": {"include_usage": True}})
    assert answer.headers["content-type"].startswith("text/event-stream")
    *chunks, last = [line.removeprefix("data: ") for line in answer.text.splitlines() if line]
    assert last == "[DONE]"
    *told, usage = map(json.loads, chunks)
    choices = [choice for chunk in told for choice in chunk["choices"]]
    assert [(one["index"], one["text"], one["finish_reason"]) for one in choices] == [
        (0, PROMPT, None), (1, "x = 1", None), (0, "", "length"), (1, "", "length"),
    ]  # fmt: skip
    assert usage["usage"]["completion_tokens"] == 0


def test_logprobs_are_the_targets(http: httpx2.Client) -> None:
    choice = ask(http, seed=2, max_tokens=6, logprobs=3, cosec={"audit": "tokens"})["choices"][0]
    logprobs = choice["logprobs"]
    assert len(logprobs["tokens"]) == len(logprobs["token_logprobs"]) == len(logprobs["text_offset"]) == 6
    assert all(3 <= len(one) <= 4 for one in logprobs["top_logprobs"])
    for entry, token in zip(choice["cosec"]["tokens"], logprobs["tokens"], strict=True):
        assert entry["text"] == token or token.startswith("bytes:")
    assert {entry["origin"] for entry in choice["cosec"]["tokens"]} <= {"security", "target"}
    assert all(0 <= entry["acceptance_ratio"] <= 1 for entry in choice["cosec"]["tokens"])


def test_a_stop_text_ends_and_is_left_out(http: httpx2.Client) -> None:
    whole = ask(http, seed=2, max_tokens=30)["choices"][0]["text"]
    stop = next(char for char in whole[3:] if char.isascii() and char.isprintable())
    choice = ask(http, seed=2, max_tokens=30, stop=[stop, "never said"])["choices"][0]
    assert choice["text"] == whole.split(stop)[0]
    assert choice["finish_reason"] == "stop"


def test_audit_none_says_nothing(http: httpx2.Client) -> None:
    assert "metrics" not in ask(http, cosec={"audit": "none"})


def test_without_a_seed_two_answers_differ_and_can_be_repeated(http: httpx2.Client) -> None:
    one, other = ask(http, max_tokens=30), ask(http, max_tokens=30)
    assert one["choices"] != other["choices"]
    again = ask(http, max_tokens=30, seed=one["metrics"]["cosec"]["seed"])
    assert again["choices"] == one["choices"]


def test_many_at_once_with_different_settings_say_what_each_says_alone(http: httpx2.Client) -> None:
    rules = [{}, {"threshold": 0.7}, {"rule": "steer"}, {"rule": "gate"}, {"enabled": False}, {"rule": "speculative"}]
    asked = [
        {
            "prompt": PROMPT * (1 + index % 3),
            "seed": index,
            "max_tokens": 10 + 3 * (index % 8),
            "temperature": 0.5 + index % 4 / 5,
            "cosec": rules[index % len(rules)],
        }
        for index in range(24)
    ]
    alone = [ask(http, **one) for one in asked]
    with ThreadPoolExecutor(24) as pool:
        together = list(pool.map(lambda one: ask(http, **one), asked))
    assert [one["choices"] for one in together] == [one["choices"] for one in alone]
    assert [one["metrics"] for one in together] == [one["metrics"] for one in alone]
    assert len({one["choices"][0]["text"] for one in alone}) > 20


@pytest.mark.parametrize(
    ("body", "param", "message"),
    [
        ({"cosec": {"treshold": 0.3, "foo": 1}}, "cosec.treshold", "cosec.treshold, cosec.foo"),
        ({"cosec": {"cwes": ["CWE-89"]}}, "cosec.cwes", "hardens against all"),
        ({"cosec": {"strength": 1.0}}, "cosec", "strength belongs to steer and gate"),
        ({"cosec": {"rule": "steer", "threshold": 0.3}}, "cosec", "has no threshold"),
        ({"cosec": {"rule": "gate", "strength": -1}}, "cosec", "strength"),
        ({"cosec": {"enabled": False, "threshold": 0.3}}, "cosec", "no effect"),
        ({"cosec": {"enabled": False, "rule": "gate"}}, "cosec", "rule has no effect"),
        ({"cosec": {"threshold": "0.3"}}, "cosec.threshold", "number"),
        ({"unheard_of": 1}, "unheard_of", "Unknown field"),
        ({"max_tokens": -2}, "max_tokens", "greater"),
        ({"max_tokens": 100_000}, "max_tokens", "at most"),
        ({"max_tokens": 125}, "max_tokens", "context"),
        ({"prompt": "x" * 5000}, "prompt", "tokens"),
        ({"prompt": ""}, "prompt", "empty"),
        ({"prompt": []}, "prompt", "empty"),
        ({"prompt": {"a": 1}}, "prompt", "must be a text"),
        ({"prompt": ["a", 1]}, "prompt.1", "another kind"),
        ({"prompt": ["a", "b", ""]}, "prompt.2", "empty"),
        ({"prompt": ["a", "x" * 5000]}, "prompt.1", "tokens"),
        ({"prompt": [[1, 2], []]}, "prompt.1", "empty"),
        ({"prompt": [[1, 2], [3, -7]]}, "prompt.1.1", "greater"),
        ({"prompt": [1, "a"]}, "prompt.1", "another kind"),
        ({"prompt": [1, 99999]}, "prompt.1", "no token 99999"),
        ({"stop_token_ids": [1, 99999]}, "stop_token_ids.1", "no token 99999"),
        ({"min_tokens": 20}, "min_tokens", "max_tokens is 16"),
        ({"min_p": 1.5}, "min_p", "less"),
        ({"top_k": -2}, "top_k", "greater"),
        ({"n": 0}, "n", "greater"),
        ({"n": 10**9}, "n", "completions"),
        ({"temperature": -0.1}, "temperature", "greater"),
        ({"top_p": 0}, "top_p", "greater"),
        ({"logprobs": 21}, "logprobs", "less"),
        ({"presence_penalty": 1.0}, None, "presence_penalty"),
        ({"stop": ["a", ""]}, "stop.1", "stop text"),
        ({"stop": ["a", 1]}, "stop.1", "string"),
        ({"stop": ["a"] * 33}, "stop", "more than 32"),
        ({"seed": -2}, "seed", "greater"),
        ({"n": 2, "best_of": 3}, None, "best_of"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(
    http: httpx2.Client, body: dict[str, object], param: str | None, message: str
) -> None:
    error = refused(http, **body)
    assert message in error["message"]
    assert error["type"] == "invalid_request_error"
    if param is not None:
        assert error["param"].startswith(param)


def test_a_suffix_needs_a_family_that_fills_in_the_middle(http: httpx2.Client, tiny_pair: PreparedPair) -> None:
    # The tiny Llama has DeepSeek-Coder's markers.
    answer = ask(http, suffix="    return data\n", seed=4)
    marks = tiny_pair.pair.target.family.fim  # type: ignore[union-attr] # the tiny Llama has one
    ids = tiny_pair.tokenizer.get_vocab()
    cut = [tiny_pair.tokenizer(text).input_ids for text in (PROMPT, "    return data\n")]
    filled = [ids[marks.prefix], *cut[0], ids[marks.suffix], *cut[1], ids[marks.middle]]  # type: ignore[union-attr]
    assert ask(http, prompt=filled, seed=4)["choices"][0]["text"] == answer["choices"][0]["text"]
    assert "not of token ids" in refused(http, prompt=[5, 6], suffix="x")["message"]


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"prompt": NaN}', b'{"prompt": "a", "temperature": NaN}',
        b'{"prompt": "a", "temperature": 1e999}', b'{"prompt": "\xff"}', b'{"prompt": "\\ud800"}',
        b'{"prompt":' + b"[" * 100_000, b'{"prompt": "a", "seed": ' + b"9" * 5000 + b"}",
        b'{"prompt": "a", "n": 1.5}', b'{"prompt": "a", "stream": "yes"}',
    ],
)  # fmt: skip
def test_a_body_that_is_no_request_is_refused(http: httpx2.Client, body: bytes) -> None:
    answer = http.post("/v1/completions", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_large_bodies_and_other_media_types_are_refused(http: httpx2.Client) -> None:
    large = {"prompt": "x" * (3 * 2**20)}
    assert http.post("/v1/completions", json=large).status_code == 413
    chunked = (b"x" * 65536 for _ in range(64))
    header = {"Content-Type": "application/json"}
    assert http.post("/v1/completions", content=chunked, headers=header).status_code == 413
    assert http.post("/v1/completions", content="{}", headers={"Content-Type": "text/plain"}).status_code == 415


def test_the_official_client_raises_its_own_errors(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="no model 'gpt-4'"):
        client.completions.create(model="gpt-4", prompt="x")
    with pytest.raises(openai.BadRequestError, match=r"cosec\.cwes") as caught:
        client.completions.create(model="tiny", prompt="x", extra_body={"cosec": {"cwes": ["CWE-22"]}})
    assert caught.value.param == "cosec.cwes"


def test_models_health_and_pages_that_do_not_exist(client: openai.OpenAI, http: httpx2.Client) -> None:
    assert [model.id for model in client.models.list()] == ["tiny"]
    assert client.models.retrieve("tiny").id == "tiny"
    assert http.get("/health").json() == {"status": "ok"}
    for answer in (http.get("/nothing"), http.get("/v1/completions"), http.get("/v1/models/other")):
        assert answer.status_code in (404, 405)
        assert "message" in answer.json()["error"]
    assert http.get("/health").headers["content-security-policy"].startswith("default-src 'none'")
    assert "base URL" in http.post("/v1/v1/completions", json={}).json()["error"]["message"]


def test_a_base_url_without_v1_works_and_the_root_leads_to_the_playground(served: Served, http: httpx2.Client) -> None:
    with openai.OpenAI(base_url=served.url, api_key="none", max_retries=0) as client:
        assert [model.id for model in client.models.list()] == ["tiny"]
        assert client.models.retrieve("tiny").id == "tiny"
        one = client.completions.create(model="tiny", prompt=PROMPT, seed=1)
    assert one.choices[0].text == ask(http, seed=1)["choices"][0]["text"]
    root = http.get("/")
    assert (root.status_code, root.headers["location"]) == (307, "playground/")


def test_head_is_answered_like_get_without_a_body(http: httpx2.Client) -> None:
    for path in ("/health", "/v1/health", "/models", "/v1/models", "/"):
        answer = http.head(path, follow_redirects=True)
        assert (answer.status_code, answer.content) == (200, b"")


def test_a_server_without_a_security_model_says_that_nothing_can_be_hardened(tmp_path: Path) -> None:
    alone = PreparedPair(load_pair(str(save_tiny("llama", tmp_path / "alone")), "none", dtype="float32"))
    with serving(alone) as running, running.client() as http:
        for fields in ({"rule": "gate"}, {"enabled": True}):
            assert "runs the target alone" in refused(http, cosec=fields)["message"]
        assert ask(http, cosec={"enabled": False})["metrics"]["cosec"]["enabled"] is False
