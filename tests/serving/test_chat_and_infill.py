from __future__ import annotations

import json
import re
from collections.abc import Iterator

import httpx2
import openai
import pytest

from cosec.serving.api.llama_cpp.wire import InfillRequest
from cosec.serving.api.wire import ChatRequest, CompletionRequest
from tests.serving.conftest import Served

TEMPLATE = (
    "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}a:{% endif %}"
)


@pytest.fixture
def http(served: Served) -> Iterator[httpx2.Client]:
    with served.client() as one:
        yield one


@pytest.fixture
def templated(served: Served) -> Iterator[Served]:
    served.service.pair.tokenizer.chat_template = TEMPLATE
    yield served
    served.service.pair.tokenizer.chat_template = None


def test_a_model_without_a_chat_template_says_so(http: httpx2.Client) -> None:
    answer = http.post("/v1/chat/completions", json={"messages": [{"role": "user", "content": "hi"}]})
    assert answer.status_code == 400
    assert "/v1/completions" in answer.json()["error"]["message"]


def test_a_chat_is_a_completion_of_its_template(templated: Served, http: httpx2.Client) -> None:
    messages = [
        {"role": "developer", "content": "short"},
        {"role": "user", "content": [{"type": "text", "text": "def "}, {"type": "text", "text": "read"}]},
    ]
    asked = {"max_tokens": 12, "seed": 5, "n": 2}
    with openai.OpenAI(base_url=templated.url + "/v1", api_key="none") as client:
        chat = client.chat.completions.create(model="tiny", messages=messages, **asked)
        parts = ["", ""]
        for chunk in client.chat.completions.create(model="tiny", messages=messages, stream=True, **asked):
            for choice in chunk.choices:
                parts[choice.index] += choice.delta.content or ""
    prompt = "system: short\nuser: def read\na:"
    plain = http.post("/v1/completions", json={"prompt": prompt, **asked}).json()
    expected = [choice["text"] for choice in plain["choices"]]
    assert [choice.message.content for choice in chat.choices] == expected == parts
    assert chat.to_dict()["metrics"]["cosec"]["seed"] == 5


def test_chat_log_probabilities_name_the_alternatives(templated: Served, http: httpx2.Client) -> None:
    body = {
        "messages": [{"role": "user", "content": "hi"}],
        "max_tokens": 5,
        "logprobs": True,
        "top_logprobs": 3,
        "seed": 5,
    }
    answer = http.post("/v1/chat/completions", json=body).json()
    content = answer["choices"][0]["logprobs"]["content"]
    assert len(content) == answer["usage"]["completion_tokens"] > 1
    for entry in content:
        assert len(entry["top_logprobs"]) == 3
        spelled = "".join(f"\\x{byte:02x}" for byte in entry["bytes"])
        assert entry["token"] in (bytes(entry["bytes"]).decode(errors="replace"), f"bytes:{spelled}")
    body.pop("logprobs")
    assert http.post("/v1/chat/completions", json=body).status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        {"messages": []},
        {"messages": [{"role": "tool", "content": None}]},
        {"messages": [{"role": "user"}]},
        {"messages": [{"role": "user", "content": "x"}], "tools": [{"type": "function"}]},
        {"messages": [{"role": "user", "content": "x"}], "continue_final_message": True},
        {
            "messages": [{"role": "assistant", "content": "x"}],
            "continue_final_message": True,
            "add_generation_prompt": True,
        },
        {"messages": [{"role": "user", "content": "x"}], "max_tokens": 0},
        {"messages": [{"role": "user", "content": "x"}], "max_tokens": 3, "max_completion_tokens": 4},
    ],
)
def test_conversations_that_cannot_be_continued_are_refused(
    templated: Served, http: httpx2.Client, body: dict[str, object]
) -> None:
    assert http.post("/v1/chat/completions", json=body).status_code == 400


def prompt_of(served: Served, *messages: dict[str, object], **fields: object) -> str:
    """The text that the model is given to continue."""
    asked = served.service.translator.chat(ChatRequest.model_validate({"messages": list(messages), **fields}))
    return str(served.service.pair.tokenizer.decode(asked.prompts[0]))


USER: dict[str, object] = {"role": "user", "content": "hi"}


def test_a_last_message_of_the_assistant_is_continued(templated: Served, http: httpx2.Client) -> None:
    begun = {"role": "assistant", "content": "def f():\n    "}
    for fields in ({}, {"continue_final_message": True}, {"add_generation_prompt": False}):
        assert prompt_of(templated, USER, begun, **fields) == "user: hi\nassistant: def f():\n    "
    closed = "user: hi\nassistant: def f():\n    \n"
    assert prompt_of(templated, USER, begun, add_generation_prompt=True) == closed + "a:"
    assert prompt_of(templated, USER, begun, add_generation_prompt=True, continue_final_message=False) == closed + "a:"
    assert prompt_of(templated, USER, add_generation_prompt=False) == "user: hi\n"
    asked = {"max_tokens": 8, "seed": 5}
    chat = http.post("/v1/chat/completions", json={"messages": [USER, begun], **asked}).json()
    plain = http.post("/v1/completions", json={"prompt": "user: hi\nassistant: def f():\n    ", **asked}).json()
    assert chat["choices"][0]["message"]["content"] == plain["choices"][0]["text"]


def test_a_continued_message_may_spell_control_tokens_and_end_in_what_a_template_trims(served: Served) -> None:
    tokenizer = served.service.pair.tokenizer
    tokenizer.chat_template = "{% for m in messages %}{{ m.role }}: {{ m.content | trim }}<|endoftext|>{% endfor %}"
    try:
        begun = {"role": "assistant", "content": "x<|endoftext|>\n  "}
        asked = served.service.translator.chat(ChatRequest.model_validate({"messages": [USER, begun]}))
    finally:
        tokenizer.chat_template = None
    assert tokenizer.decode(asked.prompts[0]) == "user: hi<|endoftext|>assistant: x<|endoftext|>\n  "
    assert list(asked.prompts[0]).count(tokenizer.eos_token_id) == 1, "the one of the message is text"


def test_a_history_with_calls_and_tools_is_read(templated: Served, http: httpx2.Client) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "read", "arguments": '{"path": "a"}'}}
    history = [
        USER,
        {"role": "assistant", "content": None, "tool_calls": [call], "refusal": None},
        {"role": "tool", "tool_call_id": "1", "content": "text"},
        {"role": "assistant", "content": None},
    ]
    body = {"messages": [*history, USER], "max_tokens": 3}
    assert http.post("/v1/chat/completions", json=body).status_code == 200
    lost = 'user: hi\nassistant: {"name": "read", "arguments": {"path": "a"}}\ntool: text\nassistant: \n'
    assert prompt_of(templated, *history, USER) == lost + "user: hi\na:"
    templated.service.pair.tokenizer.chat_template = (
        "{% for m in messages %}{{ m.role }}:{{ m.content }}"
        "{% for c in m.tool_calls or [] %}{{ c.function.name }} {{ c.function.arguments | tojson }}{% endfor %};"
        "{% endfor %}"
    )
    assert prompt_of(templated, *history).split(";")[:3] == ["user:hi", 'assistant:read {"path": "a"}', "tool:text"]


def test_infill_has_the_shape_that_editors_read(http: httpx2.Client) -> None:
    asked = {
        "input_prefix": "def read(path):\n",
        "input_suffix": "    return data\n",
        "n_predict": 12,
        "seed": 3,
        "top_k": 40,
        "samplers": ["top_k"],
        "t_max_prompt_ms": 500,
        "input_extra": [{"filename": "a", "text": "b"}],
    }
    whole = http.post("/infill", json=asked).json()
    assert whole["stop"] is True
    assert whole["tokens_predicted"] <= 12
    body = {"prompt": asked["input_prefix"], "suffix": asked["input_suffix"], "max_tokens": 12, "seed": 3,
            "temperature": 0.8, "top_p": 0.95, "top_k": 40}  # fmt: skip
    same = http.post("/v1/completions", json=body).json()["choices"][0]["text"]
    assert whole["content"] == same
    with http.stream("POST", "/infill", json={**asked, "stream": True}) as answer:
        lines = [line.removeprefix("data: ") for line in answer.iter_lines() if line]
    chunks = [json.loads(line) for line in lines]
    assert "".join(chunk["content"] for chunk in chunks) == same
    assert [chunk["stop"] for chunk in chunks] == [False] * (len(chunks) - 1) + [True]


def test_a_client_that_leaves_after_the_last_chunk_of_llama_cpp_is_counted_as_answered(http: httpx2.Client) -> None:
    def counted(status: int) -> float:
        found = re.search(rf'^cosec_requests_total{{status="{status}"}} (\S+)', http.get("/metrics").text, re.MULTILINE)
        return float(found[1]) if found else 0.0

    before = counted(200), counted(499)
    asked = {"prompt": "def read(path):\n", "n_predict": 4, "stream": True}
    with http.stream("POST", "/completion", json=asked) as answer:
        assert any('"stop":true' in line for line in answer.iter_lines())
        assert counted(200) == before[0] + 1
    assert counted(499) == before[1]


@pytest.mark.parametrize("path", ["/completion", "/infill"])
def test_llama_cpps_endpoints_take_max_tokens_and_nulls(http: httpx2.Client, path: str) -> None:
    asked = {"prompt": "def read(path):\n", "max_tokens": 3, "seed": None, "stop": None, "n_predict": None}
    answer = http.post(path, json=asked)
    assert answer.status_code == 200, answer.text
    assert answer.json()["generation_settings"]["n_predict"] == 3
    for wrong in ("many", True, 2.5):
        refused = http.post(path, json={**asked, "max_tokens": wrong})
        assert refused.status_code == 400
        assert refused.json()["error"]["param"] == "max_tokens"
    assert http.post(path, json={**asked, "n_predict": 2}).json()["generation_settings"]["n_predict"] == 2


def test_more_prompts_than_completions_are_refused_before_they_are_read(http: httpx2.Client) -> None:
    answer = http.post("/completion", json={"prompt": ["a"] * 100_000})
    assert answer.status_code == 400
    assert "100000 prompts are more than the 128 completions" in answer.json()["error"]["message"]


def test_unknown_nulls_inside_of_fields_count_as_left_out(templated: Served) -> None:
    part = {"type": "text", "text": "hello", "cache_control": None}
    options = {"include_usage": True, "unheard_of": None}
    asked = {"messages": [{"role": "user", "content": [part]}], "stream": True, "stream_options": options}
    with templated.client() as http:
        answer = http.post("/v1/chat/completions", json={**asked, "max_tokens": 2, "cosec": {"unheard_of": None}})
    assert answer.status_code == 200, answer.text


def test_control_tokens_come_from_an_infills_assembly_and_from_a_completions_prompt(served: Served) -> None:
    translator, tokenizer = served.service.translator, served.service.pair.tokenizer
    fim = translator.prompts.fim
    assert fim is not None
    marks = [tokenizer.convert_tokens_to_ids(mark) for mark in (fim.prefix, fim.suffix, fim.middle)]
    spelled = f"a{fim.suffix}b{fim.middle}c{fim.prefix}d"
    filled = [
        translator.infill(InfillRequest(input_prefix=spelled, prompt="x", input_suffix=fim.middle)),
        translator.completion(CompletionRequest(prompt=spelled, suffix=fim.middle)),
    ]
    for asked in filled:
        assert [token for token in asked.prompts[0] if token in marks] == marks
    plain = translator.completion(CompletionRequest(prompt=spelled))
    assert [token for token in plain.prompts[0] if token in marks] == [marks[1], marks[2], marks[0]]


def test_an_infill_of_no_tokens_only_reads_the_prompt(http: httpx2.Client) -> None:
    answer = http.post(
        "/infill", json={"input_prefix": "def read(path):\n", "input_suffix": "x", "n_predict": 0}
    ).json()
    assert (answer["content"], answer["tokens_predicted"]) == ("", 0)


@pytest.mark.parametrize("stream", [False, True])
def test_a_completion_of_no_tokens_hides_the_token_that_is_decoded_all_the_same(
    http: httpx2.Client, stream: bool
) -> None:
    asked = {"prompt": "def read(path):\n", "n_predict": 0, "return_tokens": True, "n_probs": 2, "stream": stream}
    answer = http.post("/completion", json=asked).text
    told = json.loads(answer.split("data: ")[1] if stream else answer)
    assert (told["content"], told["tokens"], told["completion_probabilities"]) == ("", [], [])
    assert (told["stop"], told["stop_type"], told["tokens_predicted"]) == (True, "limit", 0)


def test_llama_cpps_endpoints_for_tokens_and_state_tell_the_truth(served: Served, http: httpx2.Client) -> None:
    pair, text = served.service.pair, "x = é"
    ids = http.post("/tokenize", json={"content": text}).json()["tokens"]
    assert ids == pair.tokenizer(text, add_special_tokens=False).input_ids
    pieces = http.post("/tokenize", json={"content": text, "with_pieces": True}).json()["tokens"]
    assert [one["id"] for one in pieces] == ids
    spelled = b"".join(
        one["piece"].encode() if isinstance(one["piece"], str) else bytes(one["piece"]) for one in pieces
    )
    assert spelled == text.encode()
    assert http.post("/detokenize", json={"tokens": ids}).json() == {"content": text}
    assert http.get("/props").json()["default_generation_settings"]["n_ctx"] == pair.context_length
    slots = http.get("/slots", params={"fail_on_no_slot": True})
    assert slots.status_code == 200
    assert not any(one["is_processing"] for one in slots.json())


def test_a_server_without_a_free_slot_says_so(
    served: Served, http: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served.service.scheduler, "running", served.service.limits.max_rows)
    assert http.get("/slots", params={"fail_on_no_slot": True}).status_code == 503
    assert all(one["is_processing"] for one in http.get("/slots").json())
