"""Arms: the columns of a comparison. Each is one way to decode with a pair of models.

An arm is written ``NAME`` or ``NAME:setting=value,…``: ``origin``, ``cosec-plus:threshold=0.5``, ``gate:strength=0.1``.
``NAME@MODEL`` uses another security model than the study's: ``lora@aligned``, ``gate@aligned:strength=0.1``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from cosec.decoding.rules.schema import RENAMED, RULES, Contrast, with_current_names
from cosec.decoding.settings import DecodingSettings, SamplingSettings, decoding_settings
from cosec.errors import SettingsError

_RULE_OF_ARM: Mapping[str, Mapping[str, object]] = MappingProxyType(
    {
        "cosec-plus": {"name": "threshold", "preset": "paper"},
        "cosec": {"name": "threshold", "preset": "cosec"},
        "release": {"name": "threshold", "preset": "release"},
        "warped": {"name": "threshold", "preset": "warped"},
        **{name: {"name": name} for name in RULES},
    }
)
"""The paper's arms, which are its rule under each preset, and every rule with its default settings."""

ORIGIN = "origin"
"""The target alone."""

LORA = "lora"
"""The security model alone."""

ENDPOINT = "endpoint"
"""A served model, which is measured as it is; the only arm of its study."""

PREFIX = "prefix"
"""The target after a prefix that was trained to secure it, alone."""

CUE = "cue"
"""The target alone, told in its prompt to write secure code (`tasks.chat_prompts`)."""

ALONE: Mapping[str, Literal["target", "security"]] = MappingProxyType(
    {ORIGIN: "target", CUE: "target", LORA: "security", PREFIX: "security"}
)
"""Arms in which one model runs alone, with that model."""

ARM_NAMES = (*ALONE, *_RULE_OF_ARM)
"""All names of arms. Those that are not in `ALONE` decode with both models under a rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodingArm:
    """One way to decode."""

    name: str
    """The arm as it was written; unique within a study."""

    alone: Literal["target", "security"] | None
    """The only model that runs, or None if a rule decides between both."""

    rule: Mapping[str, object] = field(default_factory=dict)
    """Name and settings of the rule; empty if a model runs alone."""

    security: str | None = None
    """Name of one of the study's ``security_models``; None for its ``security``."""

    needs_prefix: bool = False
    """Whether the security model must be a prefix."""

    cue: bool = False
    """Whether the prompt tells the model to write secure code."""

    @property
    def contrast(self) -> Contrast:
        """What the arm compares the security model with."""
        return "none" if self.alone is not None else self.settings(SamplingSettings()).rule.contrast

    def settings(self, sampling: SamplingSettings) -> DecodingSettings:
        """Decoding settings of the arm with these sampling settings."""
        return decoding_settings(self.rule, sampling.model_dump())


def parse_arm(text: str) -> DecodingArm:
    """Read an arm as it is written on the command line and in recipes.

    Raises:
        SettingsError: If the name or a setting is unknown, or a setting does not belong to the arm's rule.
    """
    written = text.strip()
    head, _, rest = written.partition(":")
    name, at, security = head.partition("@")
    if name not in ARM_NAMES:
        raise SettingsError(f"There is no arm {name!r}; choose one of {', '.join(ARM_NAMES)}.")
    if at and (ALONE.get(name) == "target" or not security):
        raise SettingsError(f"The arm {written!r} takes no security model, or none follows @; write only {name!r}.")
    given = dict(_setting(text, part) for part in rest.split(",") if part)
    if name in ALONE:
        if given:
            raise SettingsError(f"The arm {name!r} runs one model alone and has no settings; write only {head!r}.")
        return DecodingArm(
            name=written,
            alone=ALONE[name],
            security=security or None,
            needs_prefix=name == PREFIX,
            cue=name == CUE,
        )
    rule = with_current_names({**_RULE_OF_ARM[name], **given})
    arm = DecodingArm(name=written, alone=None, rule=rule, security=security or None)
    arm.settings(SamplingSettings())  # raises if a setting does not belong to the rule
    return arm


def _setting(arm: str, part: str) -> tuple[str, object]:
    key, equals, value = part.partition("=")
    if not equals or not key.strip():
        raise SettingsError(f"{part!r} in the arm {arm!r} is not a setting; write name=value.")
    key = key.strip()
    known = {name for kind in RULES.values() for name in kind.settings()}
    if key not in known and key not in RENAMED["settings"]:
        raise SettingsError(f"Unknown setting {key!r} in the arm {arm!r}; there are {', '.join(sorted(known))}.")
    try:
        return key, float(value)
    except ValueError:
        return key, value.strip()
