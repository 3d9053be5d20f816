"""A draft: the tokens the security model proposes before the target model looks; and what the models said at a place.

Axes: rows = sequences, k = drafted tokens, vocab = entries that both models share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What the security model proposes, with everything a rule may want to know about the proposal."""

    token_ids: Int[Tensor, "rows k"]
    """The drafted tokens."""

    security_log_probs: Float[Tensor, "rows k vocab"]
    """The security model's raw log-probabilities at each drafted position."""

    proposal_probs: Float[Tensor, "rows k"]
    """Probability with which each token was drawn (after temperature and top-p)."""

    base_log_probs: Float[Tensor, "rows k vocab"] | None = None
    """The same for the security model's own base, its adapter off; for rules that compare the two."""

    chances: Float[Tensor, "rows k"] | None = None
    """One uniform number in [0, 1) for each proposal; for rules that accept by chance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """What the models said at one place of each row."""

    target_log_probs: Float[Tensor, "rows vocab"]
    """The target's raw log-probabilities."""

    security_log_probs: Float[Tensor, "rows vocab"] | None = None
    """The security model's; None when the target runs alone."""

    base_log_probs: Float[Tensor, "rows vocab"] | None = None
    """The security model's own base's; None when the rule does not ask for it. Where the target *is* the base, the very
    same tensor, which a rule may take as a sign."""

    def of_rows(self, rows: Sequence[int] | Int[Tensor, "chosen"]) -> Position:
        """These rows only, in this order."""
        security, base, target = self.security_log_probs, self.base_log_probs, self.target_log_probs[rows]
        return Position(
            target_log_probs=target,
            security_log_probs=None if security is None else security[rows],
            base_log_probs=target if base is self.target_log_probs else None if base is None else base[rows],
        )
