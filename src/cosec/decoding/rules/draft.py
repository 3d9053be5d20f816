"""The data that decoding rules see: a draft of the security model, and the models' scores at one position.

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
    """The security model's proposals for one block, with what rules need to judge them."""

    token_ids: Int[Tensor, "rows k"]
    """The drafted tokens."""

    security_log_probs: Float[Tensor, "rows k vocab"]
    """The security model's raw log-probabilities at each drafted position."""

    proposal_probs: Float[Tensor, "rows k"]
    """The probability with which each token was drawn, after temperature and cuts."""

    base_log_probs: Float[Tensor, "rows k vocab"] | None = None
    """Raw log-probabilities of what a rule compares the security model with: its own base, or an anti-expert."""

    chances: Float[Tensor, "rows k"] | None = None
    """A random number in [0, 1) for each proposal; for rules that accept at random."""

    proposals: TokenDistribution | None = None
    """The distributions the tokens were drawn from; set only for k = 1 and one rule for all rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """The models' scores at one position of each row."""

    target_log_probs: Float[Tensor, "rows vocab"]
    """The target's raw log-probabilities."""

    security_log_probs: Float[Tensor, "rows vocab"] | None = None
    """The security model's raw log-probabilities; None when one model runs alone.

    The same tensor object as ``target_log_probs`` if the security model stands in the target's place.
    """

    base_log_probs: Float[Tensor, "rows vocab"] | None = None
    """Raw log-probabilities of the security model's own base, or of an anti-expert; None unless the rule needs them.

    If the target is the base, this is the same tensor object as ``target_log_probs``, which rules may test for.
    """

    law: TokenDistribution | None = None
    """The law of the position, if the rule's verdict already computed it; else None."""

    proposal: TokenDistribution | None = None
    """The distribution of the proposal, if it is still known; else None."""

    def of_rows(self, rows: Sequence[int] | Int[Tensor, "chosen"]) -> Position:
        """These rows only, in this order, without ``law`` and ``proposal``."""
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
        """A position with ``pick`` applied to each tensor; what is the target's tensor object stays the same one."""
        target = pick(target_log_probs)
        security, base = (
            target if each is target_log_probs else None if each is None else pick(each)
            for each in (security_log_probs, base_log_probs)
        )
        return cls(target_log_probs=target, security_log_probs=security, base_log_probs=base)
