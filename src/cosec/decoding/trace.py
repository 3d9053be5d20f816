"""The trace of a completion: for each token, which model chose it, by what margin, and whether it changed the text.

Traces are plain data. ``summary`` counts them, and the command line colours text by them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum


class TokenOrigin(StrEnum):
    """Which model chose a token."""

    SECURITY = "security"
    """Proposed by the security model and accepted."""

    TARGET = "target"
    """Chosen by the target alone, or in place of a rejected proposal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRecord:
    """One emitted token."""

    position: int
    """Index in the completion, from 0."""

    token_id: int
    """The emitted token."""

    origin: TokenOrigin
    """The model that chose it."""

    changed: bool | None
    """Whether it differs from the target's most likely token at this position; None if the target was not asked."""

    target_log_prob: float | None
    """Raw log-probability of the emitted token under the target; None if it was not asked or only gives text."""

    security_log_prob: float | None = None
    """Raw log-probability of the emitted token under the security model; None when the target runs alone."""

    proposed_id: int | None = None
    """The token the security model proposed here: the emitted one when accepted, the rejected one otherwise."""

    acceptance_ratio: float | None = None
    """The ratio that decided acceptance: min(1, target / security) under the paper's rule, else min(1, law / draft)."""

    divergence: float | None = None
    """How much the adapter changes its base's prediction here, in nats; None for rules that do not measure it."""

    gated: bool | None = None
    """Whether the rule treated the position as a security decision; None for rules without decisions."""

    top_logprobs: tuple[tuple[int, float], ...] | None = None
    """The target's most likely tokens with their log-probabilities, best first; None unless requested."""

    def to_json(self) -> dict[str, object]:
        """The record as JSON-compatible values, without fields that are None."""
        return {key: value for key, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceSummary:
    """Counts over the tokens of one or more completions."""

    tokens: int
    """Number of emitted tokens."""

    drafted: int
    """Number of judged proposals: one for each emitted token of a hardened completion."""

    accepted: int
    """Number of accepted proposals."""

    changed: int
    """Number of emitted tokens that are known to differ from the target's most likely one."""

    decisions: int = 0
    """Number of emitted tokens at security decisions."""

    target_asked: bool = True
    """Whether the records say what the target's most likely tokens are; if not, ``changed`` counts nothing."""

    @property
    def acceptance_rate(self) -> float | None:
        """``accepted / drafted``; None if nothing was drafted."""
        return self.accepted / self.drafted if self.drafted else None


def summary(records: Iterable[TokenRecord]) -> TraceSummary:
    """Count the records of a trace."""
    tokens = drafted = accepted = changed = decisions = 0
    target_asked = True
    for record in records:
        tokens += 1
        drafted += record.proposed_id is not None
        accepted += record.origin is TokenOrigin.SECURITY
        changed += record.changed is True
        decisions += bool(record.gated)
        target_asked = target_asked and record.changed is not None
    return TraceSummary(
        tokens=tokens,
        drafted=drafted,
        accepted=accepted,
        changed=changed,
        decisions=decisions,
        target_asked=target_asked,
    )
