"""Every choice that shapes the text, in one frozen object that gives flags, recipes and manifests."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    field_validator,
    model_validator,
)

from cosec.errors import SettingsError

PresetName = Literal["paper", "release", "cosec", "warped"]
Distribution = Literal["raw", "warped"]
"""``raw``: softmax of the logits. ``warped``: after temperature and top-p."""


RuleName = Literal["cosec", "steer", "gate", "speculative"]
Divergence = Literal["kl", "js", "argmax"]


class RuleSettings(BaseModel):
    """The paper's rule (Algorithm 1, Eq. 9), with the places where paper and released code disagree."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Literal["cosec"] = "cosec"
    """Which rule this is."""

    preset: PresetName = "paper"
    """Where the three settings below come from unless they are given."""

    acceptance_threshold: Annotated[float, Field(ge=0.0, allow_inf_nan=False)] = 0.3
    """A proposed token stands while min(1, target / security) exceeds this; 1 or more means the target alone."""

    target_ratio: Distribution = "raw"
    """Which distribution of the target enters the ratio."""

    security_ratio: Distribution = "raw"
    """Which distribution of the security model enters the ratio."""

    fallback: Distribution = "warped"
    """What the target samples from after a rejection."""

    @model_validator(mode="before")
    @classmethod
    def _fill_from_preset(cls, given: object) -> object:
        if not isinstance(given, Mapping):
            return given
        name = given.get("preset", "paper")
        preset = PRESETS.get(name) if isinstance(name, str) else None
        return {**preset, **given} if preset is not None else given


class SteerSettings(BaseModel):
    """The target moved by what the adapter changes in its own base, at every position."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Literal["steer"] = "steer"
    """Which rule this is."""

    strength: Annotated[float, Field(ge=0.0, le=100.0, allow_inf_nan=False)] = 2.0
    """Factor of the adapter's change; 0 is the target itself."""


class GateSettings(BaseModel):
    """The target everywhere but at security decisions, where the adapter changes its base's prediction."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Literal["gate"] = "gate"
    """Which rule this is."""

    strength: Annotated[float, Field(ge=0.0, allow_inf_nan=False)] = 0.1
    """A position is a security decision where the divergence exceeds this; the higher, the closer to the target."""

    divergence: Divergence = "kl"
    """How the change is measured: ``kl`` and ``js`` in nats, ``argmax``: 1 where the most likely token changed."""

    decision: Literal["security", "steered"] = "security"
    """What security decisions are drawn from."""

    plausibility_floor: Annotated[float, Field(ge=0.0, le=1.0)] = 0.02
    """Decisions are limited to tokens with at least this share of the target's highest probability."""

    steering_strength: Annotated[float, Field(ge=0.0, le=100.0, allow_inf_nan=False)] | None = None
    """Strength of the steered distribution (1 unless given); only for ``decision="steered"``."""

    @model_validator(mode="after")
    def _refuse_unused(self) -> GateSettings:
        if self.steering_strength is not None and self.decision != "steered":
            raise ValueError('steering_strength has no effect unless decision is "steered"')
        return self


class SpeculativeSettings(BaseModel):
    """The target itself, drafted by the security model: nothing is hardened, decoding may be faster."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Literal["speculative"] = "speculative"
    """Which rule this is."""


PRESETS: Mapping[str, Mapping[str, Distribution]] = MappingProxyType(
    {
        "paper": {"target_ratio": "raw", "security_ratio": "raw", "fallback": "warped"},
        "release": {"target_ratio": "raw", "security_ratio": "raw", "fallback": "raw"},
        "cosec": {"target_ratio": "raw", "security_ratio": "warped", "fallback": "raw"},
        "warped": {"target_ratio": "warped", "security_ratio": "warped", "fallback": "warped"},
    }
)
"""The named settings of docs/method.md: the paper's text, its released code, its predecessor, and the bounded
variant.
"""


class SamplingSettings(BaseModel):
    """How tokens are drawn; the same for every arm of a comparison."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperature: Annotated[float, Field(ge=0.0, le=100.0, allow_inf_nan=False)] = 0.4
    """Divides the logits; 0 takes the most likely token."""

    top_p: Annotated[float, Field(gt=0.0, le=1.0)] = 0.95
    """Keep the most likely tokens that together reach this probability."""

    max_new_tokens: Annotated[int, Field(ge=1)] = 256
    """Length limit of a completion, in tokens."""

    draft_length: Annotated[int, Field(ge=1, le=64)] | Literal["auto"] = "auto"
    """Tokens proposed before one verification; changes the speed and never the text."""

    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """The same seed gives the same text."""

    stop: tuple[str, ...] = ()
    """Texts that end a completion; they are not part of it."""

    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    """Record the target's log-probability of each token and of this many alternatives; None records neither."""

    @field_validator("stop")
    @classmethod
    def _refuse_empty_stops(cls, stop: tuple[str, ...]) -> tuple[str, ...]:
        if not all(stop):
            raise ValueError("a stop text must not be empty")
        return stop


def _rule_name(given: object) -> str:
    """Which rule's settings these are; the paper's where none is named."""
    name = given.get("name", "cosec") if isinstance(given, Mapping) else getattr(given, "name", "cosec")
    return str(name)


AnyRule = Annotated[
    Annotated[RuleSettings, Tag("cosec")]
    | Annotated[SteerSettings, Tag("steer")]
    | Annotated[GateSettings, Tag("gate")]
    | Annotated[SpeculativeSettings, Tag("speculative")],
    Discriminator(_rule_name),
]
"""The settings of one rule; ``name`` says which."""

RULES: Mapping[str, type[BaseModel]] = MappingProxyType(
    {"cosec": RuleSettings, "steer": SteerSettings, "gate": GateSettings, "speculative": SpeculativeSettings}
)
"""Every rule's settings by its name."""


class DecodingSettings(BaseModel):
    """One run's rule and sampling; ``model_dump()`` of it goes into every manifest."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rule: AnyRule = RuleSettings()
    sampling: SamplingSettings = SamplingSettings()

    def for_one_model(self) -> DecodingSettings:
        """The same sampling for a model that runs alone: a preset's raw fallback belongs to its hardened arm."""
        return self.model_copy(update={"rule": RuleSettings()})


def decoding_settings(rule: Mapping[str, object], sampling: Mapping[str, object]) -> DecodingSettings:
    """Settings from plain values, with the error a user can act on.

    Args:
        rule: ``name`` (default: the paper's rule) and settings of that rule only.
        sampling: Entries of :class:`SamplingSettings`.

    Raises:
        SettingsError: If a setting is unknown, out of range or not of this rule; names it and what it may be.
    """
    name = _rule_name(rule)
    if name not in RULES:
        raise SettingsError(f"There is no rule {name!r}; choose one of {', '.join(RULES)}.")
    known = RULES[name].model_fields
    for setting in rule:
        if setting not in known:
            raise SettingsError(_unused(setting, name))
    try:
        return DecodingSettings.model_validate({"rule": dict(rule), "sampling": dict(sampling)})
    except ValidationError as error:
        first = error.errors()[0]
        fields = {*known, *SamplingSettings.model_fields}
        place = next(
            (str(part) for part in reversed(first["loc"]) if str(part) in fields), ".".join(map(str, first["loc"]))
        )
        raise SettingsError(
            f"{place}: {first['msg'][:1].lower()}{first['msg'][1:]} (got {first['input']!r})."
        ) from error


def _unused(setting: str, name: str) -> str:
    """What to say about a setting that the rule ``name`` does not have."""
    users = [other for other, kind in RULES.items() if setting in kind.model_fields]
    has = ", ".join(field for field in RULES[name].model_fields if field != "name") or "no settings"
    if users:
        return f"The rule {name!r} has no {setting} (it has {has}); {setting} belongs to {' and '.join(users)}."
    near = difflib.get_close_matches(setting, [field for kind in RULES.values() for field in kind.model_fields], n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    return f"Unknown setting {setting!r} of the rule {name!r}, which has {has}.{hint}"
