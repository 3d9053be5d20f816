"""A draft: the tokens the security model proposes before the target model looks.

Axes: rows = sequences, k = drafted tokens, vocab = entries that both models share.
"""

from __future__ import annotations

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
