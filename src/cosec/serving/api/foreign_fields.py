"""Fields of other servers' APIs: vLLM's, llama.cpp's and those of OpenAI that this server does not have.

Clients send such fields with the value that changes nothing, often in every request. These values are accepted. Another
value would change the answer, so it is refused with the reason; nothing is ignored silently.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from cosec.serving.api_errors import invalid

_LAW = "it would change the distribution that the rule defines"
_SAMPLERS = "temperature, min_p, top_k and top_p apply in this order, and no other sampler does"
_STRUCTURE = "this server does not constrain texts to a grammar or schema"
_TOOLS = "this server calls no tools"
_SEARCH = "this server samples; it has no beam search"
_MEDIA = "this server reads and writes text only"
_ADAPTERS = "the server's security model cannot be chosen or scaled in a request"
_REPORTS = "this server's answers do not contain that"
_CONTEXT = "the prompt is read as it is"
_STORE = "this server keeps no answers"


@dataclass(frozen=True, slots=True)
class ForeignField:
    """One field that this server does not have."""

    reason: str
    """Why other values are refused, as the end of a message."""

    neutral: tuple[object, ...] = ()
    """Values that change nothing, besides null."""

    any_value: bool = False
    """Whether every value changes nothing, as of the parameters of a sampler that is off."""

    def accepts(self, value: object) -> bool:
        """Whether a value other than null changes nothing. True and 1 are different values."""
        return self.any_value or any(
            value == one and isinstance(value, bool) == isinstance(one, bool) for one in self.neutral
        )


def _off(reason: str, *neutral: object) -> ForeignField:
    return ForeignField(reason, neutral)


_WITHOUT_EFFECT = ForeignField("it has no effect", any_value=True)

FOREIGN_FIELDS: Mapping[str, ForeignField] = MappingProxyType(
    {
        # penalties and biases
        "presence_penalty": _off(_LAW, 0),
        "frequency_penalty": _off(_LAW, 0),
        "repetition_penalty": _off(_LAW, 1),
        "repeat_penalty": _off(_LAW, 1),
        "repeat_last_n": _WITHOUT_EFFECT,
        "no_repeat_ngram_size": _off(_LAW, 0),
        "logit_bias": _off(_LAW, {}, []),
        "bad_words": _off(_LAW, []),
        "allowed_token_ids": _off(_LAW),
        "logits_processors": _off(_LAW, []),
        "dry_multiplier": _off(_LAW, 0),
        **dict.fromkeys(("dry_base", "dry_allowed_length", "dry_penalty_last_n"), _WITHOUT_EFFECT),
        "dry_sequence_breakers": _WITHOUT_EFFECT,
        # other samplers
        "samplers": _off(
            _SAMPLERS,
            [],
            "dkypmxt",
            "edkypmxt",
            "edskypmxt",
            ["dry", "top_k", "typ_p", "top_p", "min_p", "xtc", "temperature"],
            ["penalties", "dry", "top_k", "typ_p", "top_p", "min_p", "xtc", "temperature"],
            ["penalties", "dry", "top_n_sigma", "top_k", "typ_p", "top_p", "min_p", "xtc", "temperature"],
        ),
        **dict.fromkeys(("typical_p", "typical", "tfs_z"), _off(_SAMPLERS, 1)),
        **dict.fromkeys(("top_a", "epsilon_cutoff", "eta_cutoff", "smoothing_factor"), _off(_SAMPLERS, 0)),
        "top_n_sigma": _off(_SAMPLERS, -1),
        "xtc_probability": _off(_SAMPLERS, 0),
        "dynatemp_range": _off(_SAMPLERS, 0),
        "mirostat": _off(_SAMPLERS, 0),
        **dict.fromkeys(("xtc_threshold", "dynatemp_exponent", "mirostat_tau", "mirostat_eta"), _WITHOUT_EFFECT),
        "min_keep": _off(_SAMPLERS, 0, 1),
        # beam search
        "use_beam_search": _off(_SEARCH, False),
        "num_beams": _off(_SEARCH, 1),
        "length_penalty": _off(_SEARCH, 1, 0),
        "early_stopping": _off(_SEARCH, False),
        # text
        "skip_special_tokens": _off("control tokens are never part of a text", True),
        "spaces_between_special_tokens": _WITHOUT_EFFECT,
        "include_stop_str_in_output": _off("a stop text is never part of a text", False),
        "add_special_tokens": _off(_CONTEXT, True),
        "detokenize": _off("an answer is text", True),
        "truncate_prompt_tokens": _off(_CONTEXT),
        "truncation_side": _WITHOUT_EFFECT,
        "n_keep": _off(_CONTEXT, 0, -1),
        "n_indent": _off("indentation is not enforced", 0),
        # structure
        **dict.fromkeys(
            ("guided_json", "guided_regex", "guided_choice", "guided_grammar", "structural_tag", "structured_outputs"),
            _off(_STRUCTURE),
        ),
        **dict.fromkeys(("guided_decoding_backend", "guided_whitespace_pattern"), _WITHOUT_EFFECT),
        "grammar": _off(_STRUCTURE, ""),
        "json_schema": _off(_STRUCTURE),
        "response_format": _off(_STRUCTURE, {"type": "text"}),
        # tools
        "tools": _off(_TOOLS, []),
        "tool_choice": _off(_TOOLS, "none", "auto"),
        "functions": _off(_TOOLS, []),
        "function_call": _off(_TOOLS, "none", "auto"),
        "parallel_tool_calls": _WITHOUT_EFFECT,
        "web_search_options": _off(_TOOLS),
        # chat
        "chat_template": _off("the model's own chat template is used"),
        "chat_template_kwargs": _off("the chat template takes no arguments", {}),
        "documents": _off("the chat template takes no documents", []),
        "modalities": _off(_MEDIA, ["text"]),
        "mm_processor_kwargs": _off(_MEDIA, {}),
        "audio": _off(_MEDIA),
        "prediction": _WITHOUT_EFFECT,  # of the API: it changes how fast an answer comes, not the answer
        "reasoning_effort": _off("this server's models do not reason apart from their answer", "none"),
        "reasoning_format": _off("this server's models do not reason apart from their answer", "none", "auto"),
        "include_reasoning": _WITHOUT_EFFECT,
        "verbosity": _off("the model decides how much it says", "medium"),
        # what the other of completions and chats has
        "echo": _off("a chat is not echoed", False),
        "suffix": _off("a chat has no text after the answer", ""),
        "best_of": _off("a chat has n answers", 1),
        "top_logprobs": _off("a completion has its number of alternatives in logprobs", 0),
        "max_completion_tokens": _off("a completion has max_tokens"),
        **dict.fromkeys(("add_generation_prompt", "continue_final_message"), _WITHOUT_EFFECT),
        # what the answer contains
        "prompt_logprobs": _off("use echo with logprobs"),
        "n_probs": _off("use logprobs", 0),
        "return_token_ids": _off(_REPORTS, False),
        "return_tokens_as_token_ids": _off(_REPORTS, False),
        "return_tokens": _off(_REPORTS, False),
        "return_progress": _off(_REPORTS, False),
        "timings_per_token": _off(_REPORTS, False),
        "post_sampling_probs": _off("log-probabilities are the target's own", False),
        # operation
        **dict.fromkeys(("cache_prompt", "prompt_cache_key", "prompt_cache_retention"), _WITHOUT_EFFECT),
        "n_cache_reuse": _WITHOUT_EFFECT,
        **dict.fromkeys(("safety_identifier", "request_id", "cache_salt"), _WITHOUT_EFFECT),
        **dict.fromkeys(("id_slot", "slot_id"), _off("rows cannot be chosen", -1)),
        "priority": _off("clients take turns", 0),
        "service_tier": _off("all requests are served alike", "auto", "default"),
        "store": _off(_STORE, False),
        "kv_transfer_params": _off("key-value caches are not transferred"),
        "lora": _off(_ADAPTERS, []),
        "t_max_prompt_ms": _WITHOUT_EFFECT,
        "t_max_predict_ms": _off("use the server's --deadline-seconds", 0, -1),
    }
)
"""Every field that is accepted with a neutral value only; ``docs/serve.md`` lists them."""


def without_foreign_fields(given: object, known: Collection[str]) -> object:
    """A request body without foreign fields that have a neutral value, and without unknown fields that are null.

    Args:
        given: The body.
        known: Fields that the endpoint itself has; they are left alone.

    Returns:
        The body, or what was given if it is no object. Other unknown fields stay, for the model to refuse.

    Raises:
        ApiError: If a foreign field has a value that would change the answer.
    """
    if not isinstance(given, Mapping):
        return given
    kept: dict[Any, object] = {}
    for name, value in without_nulls(given, known).items():
        field = None if name in known or not isinstance(name, str) else FOREIGN_FIELDS.get(name)
        if field is None:
            kept[name] = value
        elif not field.accepts(value):
            raise invalid(_refusal(name, field), name, "unsupported_parameter")
    return kept


def without_nulls(given: Mapping[Any, object], known: Collection[str]) -> dict[Any, object]:
    """An object without unknown fields that are null: whatever they mean, they were not set."""
    return {name: value for name, value in given.items() if value is not None or name in known}


def _refusal(name: str, field: ForeignField) -> str:
    remedy = f"leave it out or send {json.dumps(field.neutral[0])}" if field.neutral else "leave it out"
    return f"{name} is not supported with this value: {field.reason}; {remedy}."
