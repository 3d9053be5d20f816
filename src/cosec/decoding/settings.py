"""Every choice that shapes the text, in one frozen object that flags, recipes and manifests share."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from cosec.decoding.completion.code_end import CodeEnd
from cosec.decoding.rules.schema import (
    RULES,
    AnyRule,
    ThresholdSettings,
    current_names,
    rule_name,
    with_current_names,
)
from cosec.errors import SettingsError

Temperature = Annotated[float, Field(ge=0.0, le=100.0, allow_inf_nan=False)]
"""Type of a sampling temperature."""

TopP = Annotated[float, Field(gt=0.0, le=1.0)]
"""Type of a share of probability to sample from."""

Seed = Annotated[int, Field(ge=0, lt=2**63)]
"""Type of a sampling seed."""


LONGEST_DRAFT = 64
"""Most tokens that can be proposed before one verification."""


class SamplingSettings(BaseModel):
    """How tokens are drawn; the same for every arm of a comparison."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    temperature: Temperature = 0.4
    """Divides the logits; 0 takes the most likely token."""

    top_p: TopP = 0.95
    """Keep the most likely tokens that together reach this probability."""

    top_k: Annotated[int, Field(ge=0)] = 0
    """Keep this many most likely tokens; 0 keeps all."""

    min_p: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    """Keep tokens with at least this share of the highest probability; 0 keeps all."""

    max_new_tokens: Annotated[int, Field(ge=1)] = 256
    """Maximum length of a completion, in tokens."""

    draft_length: Annotated[int, Field(ge=1, le=LONGEST_DRAFT)] | Literal["auto"] = "auto"
    """Tokens proposed before one verification; changes the speed and never the text."""

    seed: Seed = 0
    """The same seed gives the same text."""

    stop: tuple[str, ...] = ()
    """Texts that end a completion; they are not part of it."""

    code_end: CodeEnd = "fence"
    """Where the completion of a prompt that is code ends: ``fence``: before a Markdown fence outside strings and
    comments; ``function``: there, or where the function that the prompt left open ends; ``none``: nowhere.
    """

    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    """Record the target's log-probability of each token and of this many alternatives; None records neither."""

    @field_validator("stop")
    @classmethod
    def _refuse_empty_stops(cls, stop: tuple[str, ...]) -> tuple[str, ...]:
        if not all(stop):
            raise ValueError("a stop text must not be empty")
        return stop


class DecodingSettings(BaseModel):
    """A decoding rule and how tokens are drawn; its ``model_dump()`` is part of every manifest."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    rule: Annotated[AnyRule, Field(discriminator="name")] = ThresholdSettings()
    """The decoding rule and its settings."""

    sampling: SamplingSettings = SamplingSettings()
    """How tokens are drawn."""

    @field_validator("rule", mode="before")
    @classmethod
    def _complete_name(cls, rule: object) -> object:
        """Accept a mapping without a name, and the names that earlier releases recorded."""
        return {"name": rule_name(rule), **current_names(rule)[0]} if isinstance(rule, Mapping) else rule

    def for_one_model(self) -> DecodingSettings:
        """The same sampling for a model that runs alone: a preset's raw fallback is for its hardened arm only."""
        return self.model_copy(update={"rule": ThresholdSettings()})


def decoding_settings(rule: Mapping[str, object], sampling: Mapping[str, object]) -> DecodingSettings:
    """Build settings from plain values.

    Args:
        rule: ``name`` (default: the paper's rule) and settings of that rule only.
        sampling: Entries of :class:`SamplingSettings`.

    Raises:
        SettingsError: If a setting is unknown, out of range or not of this rule; the message names what is allowed.
    """
    rule = with_current_names(rule)
    name = rule_name(rule)
    if name not in RULES:
        raise SettingsError(f"There is no rule {name!r}; choose one of {', '.join(RULES)}.")
    known = RULES[name].model_fields
    for setting in rule:
        if setting not in known:
            raise SettingsError(_unused(setting, name))
    try:
        return DecodingSettings.model_validate({"rule": rule, "sampling": dict(sampling)})
    except ValidationError as error:
        raise _refusal(error, {*known, *SamplingSettings.model_fields}) from error


def _refusal(error: ValidationError, fields: set[str]) -> SettingsError:
    """The first problem, with the names of the settings that it is about."""
    first = error.errors()[0]
    said = first["msg"].removeprefix("Value error, ")
    place = next((str(part) for part in reversed(first["loc"]) if str(part) in fields), None)
    if place is None:  # a rule about several settings, which names them
        return SettingsError(f"{said}.", settings=tuple(fields.intersection(said.split())))
    return SettingsError(f"{place}: {said[:1].lower()}{said[1:]} (got {first['input']!r}).", settings=(place,))


def _unused(setting: str, name: str) -> str:
    """The message about a setting that the rule ``name`` does not have."""
    users = [other for other, kind in RULES.items() if setting in kind.settings()]
    has = ", ".join(RULES[name].settings()) or "no settings"
    if users:
        return f"The rule {name!r} has no {setting} (it has {has}); {setting} belongs to {' and '.join(users)}."
    near = difflib.get_close_matches(setting, [field for kind in RULES.values() for field in kind.settings()], n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    return f"Unknown setting {setting!r} of the rule {name!r}, which has {has}.{hint}"
