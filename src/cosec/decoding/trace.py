"""What happened at each position: who chose the token, how close the call was, would the target have said it.

Traces are plain data; ``summary`` counts them and the command line colours them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum


class TokenOrigin(StrEnum):
    """Which model chose a token."""

    SECURITY = "security"
    """Proposed by the security model and left to stand."""

    TARGET = "target"
    """Chosen by the target on its own, or in place of a rejected proposal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRecord:
    """One emitted token."""

    position: int
    """Place in the completion, from 0."""

    token_id: int
    """The emitted token."""

    origin: TokenOrigin
    """Who chose it."""

    changed: bool
    """Whether it differs from the target's most likely token at this place."""

    target_log_prob: float
    """Raw log-probability of the emitted token under the target."""

    security_log_prob: float | None = None
    """Raw log-probability of the emitted token under the security model; None when the target runs alone."""

    proposed_id: int | None = None
    """The token the security model proposed here: the emitted one when accepted, the rejected one otherwise."""

    acceptance_ratio: float | None = None
    """What the proposal was judged by: min(1, target / security) under the paper's rule, else min(1, law / draft)."""

    divergence: float | None = None
    """How much the adapter changes the security model's prediction here, in nats; for rules that ask."""

    gated: bool | None = None
    """Whether the rule treated the place as a security decision; None for rules that know no such places."""

    top_logprobs: tuple[tuple[int, float], ...] | None = None
    """The target's most likely tokens with their log-probabilities, when asked for."""

    def to_json(self) -> dict[str, object]:
        """The record as JSON-ready values; what was not recorded is left out."""
        return {key: value for key, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceSummary:
    """Totals of one or many completions."""

    tokens: int
    """Emitted tokens."""

    drafted: int
    """Proposals that were judged, one for each emitted token of a hardened run."""

    accepted: int
    """Proposals that stood."""

    changed: int
    """Emitted tokens that differ from the target's most likely one."""

    decisions: int = 0
    """Emitted tokens at places that the rule treated as security decisions."""

    @property
    def acceptance_rate(self) -> float | None:
        """Accepted / drafted; None when nothing was drafted."""
        return self.accepted / self.drafted if self.drafted else None


def summary(records: Iterable[TokenRecord]) -> TraceSummary:
    """Count a trace."""
    tokens = drafted = accepted = changed = decisions = 0
    for record in records:
        tokens += 1
        drafted += record.proposed_id is not None
        accepted += record.origin is TokenOrigin.SECURITY
        changed += record.changed
        decisions += bool(record.gated)
    return TraceSummary(tokens=tokens, drafted=drafted, accepted=accepted, changed=changed, decisions=decisions)
