"""How one request is decoded: its rule, how it samples, and its random identity, from vLLM's sampling parameters."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from cosec.decoding.rules.schema import RULES, changed_rule
from cosec.decoding.sampling.randomness import sequence_key
from cosec.decoding.settings import DecodingSettings, decoding_settings
from cosec.errors import SettingsError
from cosec.vllm_plugin.settings import REQUEST_PREFIX, PluginSettings

UNUSED_IF: Mapping[str, tuple[Any, ...]] = {
    "presence_penalty": (0.0,),
    "frequency_penalty": (0.0,),
    "repetition_penalty": (1.0,),
    "min_tokens": (0,),
    "logit_bias": (None, {}),
    "bad_words": (None, []),
    "allowed_token_ids": (None,),
    "structured_outputs": (None,),
    "thinking_token_budget": (None,),
    "logprob_token_ids": (None, []),
}
"""Sampling parameters that change the target's scores only, so that no law holds; with the values that do nothing."""


class SamplingParameters(Protocol):
    """The part of vLLM's ``SamplingParams`` that decides how a request is decoded."""

    temperature: float
    """Divides the logits; 0 takes the most likely token."""

    top_p: float
    """Share of the mass to keep."""

    top_k: int
    """Number of tokens to keep; 0 or -1 keeps all."""

    min_p: float
    """Least share of the highest probability."""

    seed: int | None
    """Seed of the request, if it names one."""

    logprobs: int | None
    """Number of alternatives to report; -1 for the whole vocabulary."""

    extra_args: Mapping[str, Any] | None
    """Arguments that vLLM passes on, ours among them."""


def request_settings(params: SamplingParameters, server: PluginSettings) -> DecodingSettings:
    """The rule and the sampling settings of a request.

    Args:
        params: The request's sampling parameters. Names in ``extra_args`` that start with ``cosec_`` change the
            server's rule; others are not ours.
        server: The server's settings.

    Raises:
        SettingsError: If a rule setting is unknown or out of range, if the rule needs a base that the server does not
            have, or if a sampling parameter cannot be used with our rules.
    """
    for name, allowed in UNUSED_IF.items():
        value = getattr(params, name, allowed[0])
        if value not in allowed:
            got = f" (got {value!r})" if isinstance(value, (int, float)) else ""
            raise SettingsError(
                f"{name} is not supported with CoSec's rules{got}: it would change the target's scores and not the "
                "security model's. Leave it out."
            )
    if params.logprobs == -1:
        raise SettingsError("logprobs of the whole vocabulary are not supported; name a number of alternatives.")
    settings = decoding_settings(
        changed_rule(server.rule, _rule_given(params.extra_args or {})),
        {
            "temperature": params.temperature,
            "top_p": params.top_p,
            "top_k": max(0, params.top_k),
            "min_p": params.min_p,
        },
    )
    if RULES[settings.rule.name].needs_base and server.base is None:
        raise SettingsError(
            f"The rule {settings.rule.name!r} needs the security model's base; this server has none. Start it with a "
            "rule that needs it, such as --rule gate."
        )
    if settings.rule.contrast == "anti-expert":
        raise SettingsError("An anti-expert is not supported inside vLLM; steer against the base.")
    return settings


def _rule_given(extra_args: Mapping[str, Any]) -> dict[str, object]:
    """The rule's name and settings among a request's extra arguments."""
    given = {name.removeprefix(REQUEST_PREFIX): value for name, value in extra_args.items() if _is_ours(name)}
    known = {"rule", *(setting for kind in RULES.values() for setting in kind.settings())}
    for name in given:
        if name not in known:
            raise SettingsError(
                f"Unknown argument {REQUEST_PREFIX + name!r}; CoSec's are "
                f"{', '.join(REQUEST_PREFIX + one for one in sorted(known))}."
            )
    if "rule" in given:
        given["name"] = given.pop("rule")
        if not isinstance(given["name"], str) or given["name"] not in RULES:
            raise SettingsError(f"There is no rule {given['name']!r}; choose one of {', '.join(RULES)}.")
    return given


def _is_ours(name: str) -> bool:
    return name.startswith(REQUEST_PREFIX)


def random_key(params: SamplingParameters, prompt_ids: Sequence[int], request_id: str, engine_seed: int) -> bytes:
    """The random identity of a request.

    A request with a seed has the key of the same prompt and seed in CoSec's own engine, so that both write the same
    text. Without one, the key is drawn from the request's id, which is the same on all workers of a request.
    """
    if params.seed is not None:
        return sequence_key(params.seed % 2**64, prompt_ids, 0)
    digest = hashlib.blake2b(digest_size=16)
    digest.update(f"{engine_seed}:{request_id}".encode())
    return digest.digest()
