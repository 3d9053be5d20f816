"""A request in the terms of the decoding engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cosec.decoding.blackbox.targets.text_target import TargetPrompt
from cosec.decoding.completion import MakeWatcher
from cosec.decoding.settings import DecodingSettings

Audit = Literal["none", "summary", "tokens"]
"""How much an answer says about the hardening: nothing, totals, or totals and every token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodingRequest:
    """One request for completions of one or more prompts under one rule."""

    prompts: tuple[tuple[int, ...], ...]
    """Token ids of each prompt."""

    samples: int
    """Completions of each prompt."""

    settings: DecodingSettings
    """Rule and sampling, with the seed that is used."""

    hardened: bool
    """Whether the security model takes part; False for the target alone."""

    max_new_tokens: int
    """Length limit of each completion, in tokens; 0 if only the prompt is wanted."""

    min_new_tokens: int = 0
    """Number of tokens before which no stop token is drawn and no stop text ends a completion."""

    stop_token_ids: frozenset[int] = frozenset()
    """Tokens that end a completion in addition to the target's."""

    ignore_eos: bool = False
    """Whether the target's stop tokens are tokens like others."""

    audit: Audit
    """How much the answer says about the hardening."""

    watchers: tuple[MakeWatcher | None, ...] = ()
    """For each prompt, what ends its completions where their code ends; empty if nothing does."""

    notes: tuple[str, ...] = ()
    """Warnings for the client, such as that a name it used is deprecated."""

    scores_prompts: bool = False
    """Whether the answer has the target's log-probabilities of the prompts' tokens."""

    target_prompts: tuple[TargetPrompt, ...] = ()
    """What a target server continues for each prompt; empty if the target is in this process."""
