"""Rules whose law does not depend on the draft: accept at random, and draw from the residual after a rejection.

Such a rule defines the distribution ``law`` of each position. A proposal ``x`` drawn from D is accepted with
probability ``min(1, law(x) / D(x))``. A rejected proposal is replaced by a token from the residual
``max(0, law - D)``, renormalised. The emitted token then follows ``law`` exactly, for every D and every draft length
(Leviathan et al., Fast inference from transformers via speculative decoding, ICML 2023).

Axes: rows = sequences, k = drafted tokens, vocab = entries that both models share.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace

from jaxtyping import Float
from torch import Tensor

from cosec.decoding.rules.draft import Draft, Position
from cosec.decoding.rules.verification import Verification, check_widths
from cosec.decoding.sampling import TokenDistribution, Warping
from cosec.decoding.settings import SamplingSettings


class LosslessRule(ABC):
    """Draws every position from ``law``, with proposals from the security model.

    The acceptance ratio of a proposal is ``min(1, law / D)``, with D the security model after temperature and cuts.
    """

    needs_base = False
    draws_acceptance = True

    def __init__(self, sampling: SamplingSettings) -> None:
        self._warped = Warping.of(sampling)

    @abstractmethod
    def law(self, at: Position) -> TokenDistribution:
        """The distribution of the token at a position."""

    def proposal(self, security_log_probs: Float[Tensor, "rows vocab"]) -> TokenDistribution:
        """The security model after temperature and cuts."""
        return self._warped(security_log_probs)

    def verify(self, draft: Draft, target_log_probs: Float[Tensor, "rows k vocab"]) -> Verification:
        """Accept each proposal with probability ``min(1, law / D)``, up to the first rejection.

        Raises:
            VocabularyMismatch: If the two models' distributions cover different vocabularies.
        """
        check_widths(draft, target_log_probs)
        return judged(draft, self.law(flattened(draft, target_log_probs)))

    def fallback(self, at: Position) -> TokenDistribution:
        """The residual of the law over the proposal distribution; the law itself if the target runs alone."""
        law = at.law or self.law(at)
        if at.security_log_probs is None:
            return law
        proposal = at.proposal or self.proposal(at.security_log_probs)
        return law.beyond(proposal, at.target_log_probs.shape[-1])


def flattened(draft: Draft, target_log_probs: Float[Tensor, "rows k vocab"]) -> Position:
    """Arrange every position of a draft as a row of its own: (rows * k, vocab)."""
    places = Position.picked(
        lambda each: each.flatten(0, 1), target_log_probs, draft.security_log_probs, draft.base_log_probs
    )
    return replace(places, proposal=draft.proposals)


def judged(draft: Draft, law: TokenDistribution) -> Verification:
    """Accept each proposal with probability ``min(1, law / D)``; ``law`` has the positions of the draft as its rows."""
    assert draft.chances is not None, "this rule accepts by chance"
    wanted = law.prob_of(draft.token_ids.flatten()).reshape(draft.token_ids.shape)
    ratios = (wanted / draft.proposal_probs).clamp(max=1.0)
    standing = (draft.chances.to(ratios.device) < ratios).int().cumprod(dim=-1)
    return Verification(accepted_count=standing.sum(dim=-1), acceptance_ratios=ratios, law=law)
