"""A distribution kept in part: its most likely tokens, and the mass of all others as one outcome.

Seen through it, two distributions are compared over k + 1 outcomes, the last of which is the whole tail. Putting
outcomes together never raises a divergence (data processing), so each is a lower bound of the exact one, reverse KL
included, and none is infinite. What is lost is how student and teacher divide the tail among its tokens.

Axes: positions = predicted tokens, k = tokens kept, vocab = entries that both models share.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class TopTokens:
    """The most likely tokens at some positions."""

    token_ids: Int[Tensor, "positions k"]
    """int64, in no particular order."""

    log_probs: Float[Tensor, "positions k"]
    """Float32, in nats."""

    tail: Float[Tensor, "positions"]
    """Log of the mass of all other tokens."""

    def __getitem__(self, rows: slice) -> "TopTokens":
        """Some of the positions."""
        return TopTokens(token_ids=self.token_ids[rows], log_probs=self.log_probs[rows], tail=self.tail[rows])

    def to(self, device: torch.device) -> "TopTokens":
        """The same on a device."""
        return TopTokens(
            token_ids=self.token_ids.to(device), log_probs=self.log_probs.to(device), tail=self.tail.to(device)
        )

    @property
    def outcomes(self) -> Float[Tensor, "positions outcomes"]:
        """Log-probabilities of the k tokens and of the tail; normalised, as stored ones are rounded."""
        return torch.cat([self.log_probs, self.tail.unsqueeze(-1)], dim=-1).log_softmax(-1)

    def coarsen(self, log_probs: Float[Tensor, "positions vocab"]) -> Float[Tensor, "positions outcomes"]:
        """Another distribution over the same outcomes.

        Args:
            log_probs: Normalised; unchanged afterwards.
        """
        tail = tail_of(log_probs, self.token_ids)
        return torch.cat([log_probs.gather(-1, self.token_ids), tail.unsqueeze(-1)], dim=-1)


def tail_of(
    log_probs: Float[Tensor, "positions vocab"], token_ids: Int[Tensor, "positions k"]
) -> Float[Tensor, "positions"]:
    """Log of the mass outside ``token_ids``, from the tail's own terms: one minus the others would lose its digits.

    Args:
        log_probs: Normalised; changed for a moment and put back.
        token_ids: Fewer than ``vocab``, each once.
    """
    kept = log_probs.gather(-1, token_ids)
    log_probs.scatter_(-1, token_ids, -torch.inf)
    tail = log_probs.logsumexp(-1)
    log_probs.scatter_(-1, token_ids, kept)
    return tail
