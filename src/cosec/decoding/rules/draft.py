"""A draft: the tokens the security model proposes before the target model looks; and what the models said at a place.

Axes: rows = sequences, k = drafted tokens, vocab = entries that both models share.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor

from cosec.decoding.sampling import TokenDistribution


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

    proposals: TokenDistribution | None = None
    """What the tokens were drawn from, where it is at hand: one drafted token a row, and one rule for all rows."""


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

    law: TokenDistribution | None = None
    """What the rule's verdict said that the place is drawn from; None where it has to be worked out (again)."""

    proposal: TokenDistribution | None = None
    """What the proposal was drawn from; None where it has to be worked out (again)."""

    def of_rows(self, rows: Sequence[int] | Int[Tensor, "chosen"]) -> Position:
        """These rows only, in this order, without what was worked out before."""
        return Position.picked(
            lambda each: each[rows], self.target_log_probs, self.security_log_probs, self.base_log_probs
        )

    @classmethod
    def picked(
        cls,
        pick: Callable[[Tensor], Tensor],
        target_log_probs: Float[Tensor, "*places vocab"],
        security_log_probs: Float[Tensor, "*places vocab"] | None,
        base_log_probs: Float[Tensor, "*places vocab"] | None,
    ) -> Position:
        """What ``pick`` makes of each of the three; a base that is the target stays the very same tensor."""
        target = pick(target_log_probs)
        base: Tensor | None = target
        if base_log_probs is not target_log_probs:
            base = None if base_log_probs is None else pick(base_log_probs)
        return cls(
            target_log_probs=target,
            security_log_probs=None if security_log_probs is None else pick(security_log_probs),
            base_log_probs=base,
        )
