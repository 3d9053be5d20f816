"""Every choice that shapes the text, in one frozen object that gives flags, recipes and manifests."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from cosec.errors import SettingsError

PresetName = Literal["paper", "release", "cosec", "warped"]
Distribution = Literal["raw", "warped"]
"""``raw``: softmax of the logits. ``warped``: after temperature and top-p."""


class RuleSettings(BaseModel):
    """The acceptance rule (Algorithm 1, Eq. 9), with the places where paper and released code disagree."""

    model_config = ConfigDict(frozen=True, extra="forbid")

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


class DecodingSettings(BaseModel):
    """One run's rule and sampling; ``model_dump()`` of it goes into every manifest."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rule: RuleSettings = RuleSettings()
    sampling: SamplingSettings = SamplingSettings()


def decoding_settings(rule: Mapping[str, object], sampling: Mapping[str, object]) -> DecodingSettings:
    """Settings from plain values, with the error a user can act on.

    Raises:
        SettingsError: If a setting is unknown or out of range; names it and what it may be.
    """
    try:
        return DecodingSettings.model_validate({"rule": dict(rule), "sampling": dict(sampling)})
    except ValidationError as error:
        first = error.errors()[0]
        place = next(
            (str(part) for part in reversed(first["loc"]) if str(part) in _FIELDS), ".".join(map(str, first["loc"]))
        )
        raise SettingsError(
            f"{place}: {first['msg'][:1].lower()}{first['msg'][1:]} (got {first['input']!r})."
        ) from error


_FIELDS = frozenset({*RuleSettings.model_fields, *SamplingSettings.model_fields})
