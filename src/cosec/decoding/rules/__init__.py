"""The decoding rules, one law a module in closed form; they know neither models nor lanes."""

from __future__ import annotations

from pkgutil import resolve_name
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from cosec.decoding.rules.verification import Rule
    from cosec.decoding.settings import DecodingSettings

__all__ = ["rule_for"]


def rule_for(settings: DecodingSettings) -> Rule:
    """Build the rule that the settings describe."""
    return cast("Rule", resolve_name(settings.rule.law)(settings.rule, settings.sampling))
