"""The settings of every decoding rule, declared once: names, types, ranges, defaults and help texts.

Command-line flags, request fields, arms, recipes, frontiers and the playground's controls are derived from these
classes. To add a rule, declare its settings here, add the class to ``AnyRule``, and write the module with its law.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cosec.errors import CosecWarning

PresetName = Literal["paper", "release", "cosec", "warped"]
"""Named choices of the three settings in which the paper and its released code differ."""

Distribution = Literal["raw", "warped"]
"""``raw``: softmax of the logits. ``warped``: after temperature and cuts."""

Divergence = Literal["kl", "js", "argmax"]
"""How the gate compares two distributions."""

Contrast = Literal["none", "base", "anti-expert"]
"""What the security model is compared with: nothing, its own base, or an adapter trained on vulnerable code."""

PRESETS: Mapping[str, Mapping[str, Distribution]] = MappingProxyType(
    {
        "paper": {"target_ratio": "raw", "security_ratio": "raw", "fallback": "warped"},
        "release": {"target_ratio": "raw", "security_ratio": "raw", "fallback": "raw"},
        "cosec": {"target_ratio": "raw", "security_ratio": "warped", "fallback": "raw"},
        "warped": {"target_ratio": "warped", "security_ratio": "warped", "fallback": "warped"},
    }
)
"""The presets of docs/method.md: the paper's text, its released code, its predecessor, and the bounded variant."""

RENAMED: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {"rules": {"cosec": "threshold"}, "settings": {"acceptance_threshold": "threshold"}}
)
"""Old names of rules and settings that are still accepted, with their current names."""


class RuleSettings(BaseModel):
    """Base of every rule's settings."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)

    law: ClassVar[str]
    """Import path of the class that implements the rule, as ``module:Class``; called with settings and sampling."""

    needs_base: ClassVar[bool] = False
    """Whether the rule compares the security model with its own base, so that it needs an adapter."""

    marks_decisions: ClassVar[bool] = False
    """Whether the rule treats some positions as security decisions and records which."""

    strength_setting: ClassVar[str | None] = None
    """Setting that a frontier varies and the playground shows first; None if the rule has no strength."""

    replaces: ClassVar[Mapping[str, tuple[str, ...]]] = MappingProxyType({})
    """Settings that stand for several others: giving the key discards these settings of the rule that is changed."""

    name: str
    """Name of the rule."""

    @property
    def contrast(self) -> Contrast:
        """What the rule compares the security model with."""
        return "base" if self.needs_base else "none"

    @property
    def cancels_base(self) -> bool:
        """Whether the law is the security model's own distribution if the target is that model's base."""
        return False

    @classmethod
    def settings(cls) -> tuple[str, ...]:
        """Names of the rule's settings."""
        return tuple(name for name in cls.model_fields if name != "name")


class ThresholdSettings(RuleSettings):
    """The paper's rule: accept a proposed token while the target finds it plausible enough (Algorithm 1, Eq. 9)."""

    law = "cosec.decoding.rules.threshold:ThresholdRule"
    strength_setting = "threshold"
    replaces = MappingProxyType({"preset": ("target_ratio", "security_ratio", "fallback")})

    name: Literal["threshold"] = "threshold"
    """Name of the rule."""

    threshold: Annotated[
        float,
        Field(ge=0.0, allow_inf_nan=False, title="Threshold", json_schema_extra={"slider": {"max": 1.0, "step": 0.05}}),
    ] = 0.3
    """A proposed token is accepted while min(1, target / security) exceeds this; from 1 on the target decides alone."""

    preset: PresetName = "paper"
    """Where the paper and its released code differ, which of them to follow; sets the next three settings."""

    target_ratio: Distribution = "raw"
    """The target's distribution in the acceptance ratio; overrides the preset."""

    security_ratio: Distribution = "raw"
    """The security model's distribution in the acceptance ratio; overrides the preset."""

    fallback: Distribution = "warped"
    """Distribution that the target samples from after a rejection; overrides the preset."""

    @model_validator(mode="before")
    @classmethod
    def _fill_from_preset(cls, given: object) -> object:
        if not isinstance(given, Mapping):
            return given
        name = given.get("preset", "paper")
        preset = PRESETS.get(name) if isinstance(name, str) else None
        return {**preset, **given} if preset is not None else given


class SteerSettings(RuleSettings):
    """Shift the target's distribution at every position by what the adapter changes in its base."""

    law = "cosec.decoding.rules.steer:SteerRule"
    needs_base = True
    strength_setting = "strength"

    name: Literal["steer"] = "steer"
    """Name of the rule."""

    strength: Annotated[
        float,
        Field(
            ge=0.0,
            le=100.0,
            allow_inf_nan=False,
            title="Strength",
            json_schema_extra={"slider": {"max": 6.0, "step": 0.25}},
        ),
    ] = 2.0
    """Factor of the adapter's change; 0 leaves the target as it is."""

    against: Literal["base", "anti-expert"] = "base"
    """What the change is measured against: the adapter's base, or an anti-expert, an adapter for vulnerable code."""

    security_floor: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    """The adapter raises only tokens with at least this share of the security model's highest probability."""

    @property
    def contrast(self) -> Contrast:
        """The base or the anti-expert, as ``against`` says."""
        return self.against

    @property
    def cancels_base(self) -> bool:
        """Whether the law is the security model if the target is its base: strength 1, against the base, no floor."""
        return self.against == "base" and self.strength == 1.0 and self.security_floor == 0.0


class GateSettings(RuleSettings):
    """Harden security decisions only: positions at which the adapter changes its base's prediction."""

    law = "cosec.decoding.rules.gate:GateRule"
    needs_base = True
    marks_decisions = True
    strength_setting = "strength"

    name: Literal["gate"] = "gate"
    """Name of the rule."""

    strength: Annotated[
        float,
        Field(
            ge=0.0,
            allow_inf_nan=False,
            title="Gate above (nats)",
            json_schema_extra={"slider": {"max": 1.0, "step": 0.01}},
        ),
    ] = 0.1
    """A position is a security decision if the divergence exceeds this; higher values stay closer to the target."""

    divergence: Divergence = "kl"
    """Measure of the adapter's change: ``kl`` or ``js`` in nats, ``argmax``: 1 if the most likely token changes."""

    decision: Literal["security", "steered"] = "security"
    """Distribution that security decisions are drawn from: the security model's or the steered target's."""

    plausibility_floor: Annotated[float, Field(ge=0.0, le=1.0)] = 0.02
    """Decisions are limited to tokens with at least this share of the target's highest probability."""

    steering_strength: Annotated[float, Field(ge=0.0, le=100.0, allow_inf_nan=False)] | None = None
    """Strength of the steered distribution, 1 if not given; only with decision ``steered``."""

    @model_validator(mode="after")
    def _refuse_unused(self) -> GateSettings:
        if self.steering_strength is not None and self.decision != "steered":
            raise ValueError("steering_strength has no effect without decision steered")
        return self


class SpeculativeSettings(RuleSettings):
    """Sample from the target itself, drafted by the security model: not hardened, possibly faster."""

    law = "cosec.decoding.rules.speculative:SpeculativeRule"

    name: Literal["speculative"] = "speculative"
    """Name of the rule."""


AnyRule = ThresholdSettings | SteerSettings | GateSettings | SpeculativeSettings
"""The settings of one rule; ``name`` says which."""

RULES: Mapping[str, type[RuleSettings]] = MappingProxyType(
    {kind.model_fields["name"].default: kind for kind in get_args(AnyRule)}
)
"""Each rule's settings by the rule's name."""

DEFAULT_RULE = ThresholdSettings().name
"""The rule that applies if neither the user nor the adapter names one: the paper's."""


def rules_without_base() -> str:
    """Names of the rules that work without an adapter, for messages: ``threshold or speculative``."""
    return " or ".join(name for name, kind in RULES.items() if not kind.needs_base)


def rule_schemas() -> dict[str, dict[str, Any]]:
    """Describe every rule for programs, as ``GET /v1/models`` publishes it.

    Returns:
        For each rule's name: ``help``, ``needs_adapter``, ``strength`` (name of the main setting, or None),
        ``replaces`` (settings that stand for others) and ``settings``, a JSON Schema property for each setting. A
        setting may have ``slider``, a range worth trying.
    """
    return {
        name: {
            "help": (kind.__doc__ or "").strip(),
            "needs_adapter": kind.needs_base,
            "strength": kind.strength_setting,
            "replaces": {setting: list(others) for setting, others in kind.replaces.items()},
            "settings": {
                setting: value
                for setting, value in kind.model_json_schema()["properties"].items()
                if setting in kind.settings()
            },
        }
        for name, kind in RULES.items()
    }


def rule_name(rule: object) -> str:
    """Name of the rule that the settings are of: the default rule's if they name none.

    Args:
        rule: A mapping with the rule's ``name`` and settings, or a rule's settings object.
    """
    name = rule.get("name", DEFAULT_RULE) if isinstance(rule, Mapping) else getattr(rule, "name", DEFAULT_RULE)
    return str(name)


def current_names(rule: Mapping[str, object]) -> tuple[dict[str, object], tuple[str, ...]]:
    """Replace old names of a rule and its settings.

    Args:
        rule: The rule's ``name`` and settings.

    Returns:
        The same under current names, and a note for the user about each old name.
    """
    current, notes = dict(rule), []
    name = rule.get("name")
    if isinstance(name, str) and name in RENAMED["rules"]:
        current["name"] = RENAMED["rules"][name]
        notes.append(f"The rule {name!r} is now called {current['name']!r}; the old name will be removed.")
    for old, new in RENAMED["settings"].items():
        if old in current and new not in current:
            current[new] = current.pop(old)
            notes.append(f"The setting {old!r} is now called {new!r}; the old name will be removed.")
    return current, tuple(notes)


def with_current_names(rule: Mapping[str, object]) -> dict[str, object]:
    """Replace old names of a rule and its settings, with a ``CosecWarning`` for each."""
    current, notes = current_names(rule)
    for note in notes:
        warnings.warn(note, CosecWarning, stacklevel=3)
    return current


def changed_rule(base: Mapping[str, object], given: Mapping[str, object]) -> dict[str, object]:
    """Combine the rule that applies by default with the settings that a user gave.

    Settings without a rule's name change the base rule if it has all of them. Otherwise they select the only rule that
    has them. If another rule is named or selected, nothing of the base is kept.

    Args:
        base: Name and settings of the default rule, such as an adapter's own; empty for the paper's.
        given: What the user gave, possibly nothing.

    Returns:
        A name and settings for ``decoding_settings``, which checks them.
    """
    base, given = with_current_names(base), with_current_names(given)
    name = str(given["name"]) if "name" in given else _rule_meant(rule_name(base), given)
    if not given or name != rule_name(base):
        return {**given, "name": name} if given else base
    replaced = {old for key, others in RULES[name].replaces.items() if key in given for old in (key, *others)}
    kept = {setting: value for setting, value in base.items() if setting not in replaced}
    return {**kept, **given, "name": name}


def _rule_meant(base: str, given: Mapping[str, object]) -> str:
    """The base rule if it has all given settings or no other rule is singled out by them; else that other rule."""
    having = [name for name, kind in RULES.items() if given.keys() <= set(kind.settings())]
    return having[0] if base not in having and len(having) == 1 else base
