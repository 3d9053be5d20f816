"""Decide which drafted tokens the target model lets stand (Algorithm 1 and Eq. 9 of the paper).

A drafted token stands while ``min(1, target / security) > acceptance_threshold``; the first one that falls ends the
draft and the target model supplies a *fallback* token in its place. There is no residual distribution and no bonus
token: each emitted token was either proposed by the security model or chosen by the target after a rejection.

Axes: rows = sequences, k = drafted tokens, vocab = entries that both models share.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Float, Int
from torch import Tensor

from cosec.decoding.drafting import Draft
from cosec.decoding.sampling import TokenDistribution, raw_distribution, warped_distribution
from cosec.decoding.settings import DecodingSettings
from cosec.errors import VocabularyMismatch


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """The target model's verdict on a batch of drafts."""

    accepted_count: Int[Tensor, "rows"]
    """How many leading drafted tokens stand; between 0 and k."""

    acceptance_ratios: Float[Tensor, "rows k"]
    """min(1, target / security) of each drafted token."""


@runtime_checkable
class Rule(Protocol):
    """What stands between a draft and the text; the one seam at which decoding rules differ."""

    def proposal(self, security_log_probs: Float[Tensor, "rows vocab"]) -> TokenDistribution:
        """What the security model draws its next proposal from."""
        ...

    def verify(self, draft: Draft, target_log_probs: Float[Tensor, "rows k vocab"]) -> Verification:
        """How far each draft stands."""
        ...

    def fallback(self, target_log_probs: Float[Tensor, "rows vocab"]) -> TokenDistribution:
        """What the token in place of the first rejected one is drawn from."""
        ...


class ThresholdRule:
    """The paper's rule, with every ambiguity an explicit setting (see ``RuleSettings``)."""

    def __init__(self, settings: DecodingSettings) -> None:
        self._rule = settings.rule
        self._temperature = settings.sampling.temperature
        self._top_p = settings.sampling.top_p

    def proposal(self, security_log_probs: Float[Tensor, "rows vocab"]) -> TokenDistribution:
        """The security model after temperature and top-p, in every preset."""
        return warped_distribution(security_log_probs, self._temperature, self._top_p)

    def verify(self, draft: Draft, target_log_probs: Float[Tensor, "rows k vocab"]) -> Verification:
        """Accept the longest prefix of each draft that the target model finds plausible enough.

        Raises:
            VocabularyMismatch: If the two distributions cover different vocabularies.
        """
        if target_log_probs.shape != draft.security_log_probs.shape:
            raise VocabularyMismatch(
                f"The target's scores have shape {tuple(target_log_probs.shape)}, the security model's "
                f"{tuple(draft.security_log_probs.shape)}: slice both to their shared vocabulary first."
            )
        rows, k = draft.token_ids.shape
        drafted = draft.token_ids.unsqueeze(-1)
        if self._rule.target_ratio == "raw":
            target = target_log_probs.gather(-1, drafted).squeeze(-1)
        else:
            warped = warped_distribution(target_log_probs.flatten(0, 1), self._temperature, self._top_p)
            target = warped.prob_of(draft.token_ids.flatten()).log().reshape(rows, k)
        if self._rule.security_ratio == "raw":
            security = draft.security_log_probs.gather(-1, drafted).squeeze(-1)
        else:
            security = draft.proposal_probs.log()
        ratios = (target - security).exp().clamp(max=1.0)
        # cumprod turns "accepted here" into "accepted here and everywhere before".
        standing = (ratios > self._rule.acceptance_threshold).int().cumprod(dim=-1)
        return Verification(accepted_count=standing.sum(dim=-1), acceptance_ratios=ratios)

    def fallback(self, target_log_probs: Float[Tensor, "rows vocab"]) -> TokenDistribution:
        """The target itself: it may repeat the rejected token."""
        if self._rule.fallback == "warped" or self._temperature == 0.0:
            return warped_distribution(target_log_probs, self._temperature, self._top_p)
        return raw_distribution(target_log_probs)
