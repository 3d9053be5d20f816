"""What one examination of a pair of models found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What one examination found."""

    subject: str
    """What was examined: choice, runtime, target, security, adapter, rule, rules, vocabulary, memory or law."""

    good: bool
    """False if the pair cannot be used as it is."""

    text: str
    """What was found, in one line."""
