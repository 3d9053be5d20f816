"""A rule in its users' words: the flags of the command line and the fields of a request, named once for both."""

from __future__ import annotations

from types import MappingProxyType
from typing import Literal

from pydantic import BaseModel, ConfigDict

from cosec.decoding.settings import AnyRule, Distribution, Divergence, PresetName, RuleName

_SETTINGS = MappingProxyType({"rule": "name", "threshold": "acceptance_threshold"})
"""What the settings call what users call otherwise."""


class RuleChoice(BaseModel):
    """The decoding rule and its settings; what is not given has the rule's default."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    rule: RuleName | None = None
    """cosec: the paper's; gate: act at security decisions only; steer: act everywhere; speculative: target as it is."""

    threshold: float | None = None
    """cosec: a proposal stands while min(1, target / security) exceeds this (0.3); 1 or more is the target alone."""

    strength: float | None = None
    """steer: factor of the adapter's change (2). gate: divergence above which a position is a decision (0.1)."""

    preset: PresetName | None = None
    """cosec: where paper and released code disagree, whom to follow (paper); see docs/method.md."""

    target_ratio: Distribution | None = None
    """cosec: overrides the preset: the target's distribution in the ratio."""

    security_ratio: Distribution | None = None
    """cosec: overrides the preset: the security model's distribution in the ratio."""

    fallback: Distribution | None = None
    """cosec: overrides the preset: what the target samples from after a rejection."""

    divergence: Divergence | None = None
    """gate: how the adapter's change is measured (kl)."""

    decision: Literal["security", "steered"] | None = None
    """gate: what security decisions are drawn from (security)."""

    plausibility_floor: float | None = None
    """gate: decisions keep to tokens with this share of the target's highest probability (0.02)."""

    steering_strength: float | None = None
    """gate with decision steered: strength of the steered distribution (1)."""

    def settings(self) -> dict[str, object]:
        """The rule's name and settings that were given, as ``decoding_settings`` takes them."""
        given = self.model_dump(include=set(RuleChoice.model_fields), exclude_none=True)
        return {_SETTINGS.get(name, name): value for name, value in given.items()}


def in_users_words(rule: AnyRule) -> dict[str, object]:
    """A rule's name and settings under the names of :class:`RuleChoice`."""
    words = {setting: word for word, setting in _SETTINGS.items()}
    return {words.get(name, name): value for name, value in rule.model_dump(exclude_none=True).items()}


def in_words(rule: AnyRule) -> str:
    """A rule and its settings, for people."""
    return ", ".join(f"{word} {value}" for word, value in in_users_words(rule).items())
