"""Fields of other servers: the values that change nothing are accepted, others are refused with their reason."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cosec.serving.api.foreign_fields import FOREIGN_FIELDS, without_foreign_fields
from cosec.serving.api.wire import ChatRequest, CompletionRequest
from cosec.serving.api_errors import ApiError

VLLM = {
    "top_k": -1, "min_p": 0, "repetition_penalty": 1.0, "min_tokens": 0, "ignore_eos": False, "length_penalty": 1.0,
    "skip_special_tokens": True, "add_special_tokens": True, "use_beam_search": False, "stop_token_ids": [],
    "prompt_logprobs": None, "guided_json": None, "truncate_prompt_tokens": None, "detokenize": True, "priority": 0,
    "spaces_between_special_tokens": True, "include_stop_str_in_output": False, "seed": -1, "max_tokens": -1,
    "logits_processors": None, "bad_words": [], "structured_outputs": None, "stream_options": {"include_usage": True},
    "request_id": "1", "cache_salt": None, "mm_processor_kwargs": None, "a_field_of_next_year": None, "suffix": None,
    "best_of": 1, "echo": False,
}  # fmt: skip
LLAMA_CPP = {
    "top_k": 0, "typical_p": 1.0, "cache_prompt": True, "samplers": "edkypmxt", "dynatemp_range": 0, "min_p": 0.05,
    "dynatemp_exponent": 1, "xtc_probability": 0, "xtc_threshold": 0.1, "repeat_last_n": 64, "repeat_penalty": 1,
    "presence_penalty": 0, "frequency_penalty": 0, "dry_multiplier": 0, "dry_base": 1.75, "dry_allowed_length": 2,
    "dry_penalty_last_n": -1, "n_predict": -1, "timings_per_token": False, "logit_bias": [], "id_slot": -1,
}  # fmt: skip
OPENAI_CHAT = {
    "tools": [], "tool_choice": "none", "functions": [], "response_format": {"type": "text"}, "service_tier": "auto",
    "parallel_tool_calls": True, "modalities": ["text"], "add_generation_prompt": True, "chat_template_kwargs": {},
    "prediction": {"type": "content", "content": "x"}, "logprobs": False, "top_logprobs": 0, "store": False,
    "audio": None, "logit_bias": {}, "reasoning_effort": None, "prompt_cache_key": "x", "web_search_options": None,
    "continue_final_message": False, "max_completion_tokens": None,
}  # fmt: skip


@pytest.mark.parametrize("fields", [VLLM, LLAMA_CPP, {**OPENAI_CHAT, "max_tokens": -1}])
def test_a_completion_takes_other_servers_defaults(fields: dict[str, object]) -> None:
    given = json.dumps({"prompt": "x", "logprobs": False, **fields})
    asked = CompletionRequest.model_validate_json(given)
    assert (asked.alternatives, asked.max_tokens, asked.wants_usage) == (None, -1, False)


@pytest.mark.parametrize("fields", [VLLM, LLAMA_CPP, OPENAI_CHAT, dict.fromkeys(OPENAI_CHAT)])
def test_a_chat_takes_other_servers_defaults(fields: dict[str, object]) -> None:
    message = {"role": "user", "content": "hi", "tool_calls": None, "a_field_of_next_year": None}
    given = json.dumps({"messages": [message], **fields})
    assert ChatRequest.model_validate_json(given).limit in (None, -1)


def test_a_chat_takes_either_value_of_what_its_template_decides() -> None:
    for value in (True, False):
        body = {"messages": [{"role": "user", "content": "hi"}], "add_special_tokens": value}
        assert ChatRequest.model_validate_json(json.dumps(body)).limit is None


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("presence_penalty", 0.1, "distribution that the rule defines"),
        ("repetition_penalty", 1.1, "send 1"),
        ("logit_bias", {"7": -100}, "distribution"),
        ("tools", [{"type": "function", "function": {"name": "f"}}], "calls no tools"),
        ("tool_choice", "required", "calls no tools"),
        ("response_format", {"type": "json_object"}, "grammar or schema"),
        ("guided_json", {"type": "object"}, "leave it out"),
        ("use_beam_search", True, "send false"),
        ("use_beam_search", 1, "beam search"),
        ("repetition_penalty", True, "distribution"),
        ("typical_p", 0.5, "temperature, min_p, top_k and top_p"),
        ("modalities", ["text", "audio"], "text only"),
        ("prompt_logprobs", 1, "echo"),
        ("suffix", "x", "after the answer"),
        ("best_of", 2, "n answers"),
    ],
)
def test_a_value_that_would_change_something_is_refused_with_its_reason(field: str, value: object, reason: str) -> None:
    body = {"messages": [{"role": "user", "content": "hi"}], field: value}
    with pytest.raises(ApiError, match=reason) as refused:
        ChatRequest.model_validate_json(json.dumps(body))
    assert (refused.value.status, refused.value.param) == (400, field)


def test_null_is_neutral_for_every_field_and_the_endpoints_own_fields_are_left_alone() -> None:
    assert without_foreign_fields(dict.fromkeys(FOREIGN_FIELDS), ()) == {}
    assert without_foreign_fields({"echo": True, "x": 1}, ("echo",)) == {"echo": True, "x": 1}
    assert without_foreign_fields([1], ()) == [1]
    for name, field in FOREIGN_FIELDS.items():
        assert without_foreign_fields(dict.fromkeys([name], *field.neutral[:1] or [None]), ()) == {}


def test_max_tokens_under_both_names_must_agree() -> None:
    asked = CompletionRequest.model_validate_json('{"prompt": "x", "n_predict": 7}')
    assert asked.max_tokens == 7
    with pytest.raises(ApiError, match="disagree"):
        CompletionRequest.model_validate_json('{"prompt": "x", "n_predict": 7, "max_tokens": 8}')


def test_the_documentation_lists_every_field() -> None:
    text = (Path(__file__).parents[3] / "docs" / "serve.md").read_text(encoding="utf-8")
    assert [name for name in FOREIGN_FIELDS if f"`{name}`" not in text] == []
