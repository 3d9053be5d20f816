"""The paper's rule (Algorithm 1 and Eq. 9): accept a proposal if the target finds it plausible enough.

Drafted tokens are accepted while ``min(1, target / security) > threshold``. The first rejected one ends the draft, and
the target draws a *fallback* token in its place. There is no residual distribution: each emitted token was either
proposed by the security model or drawn from the target after a rejection.

Law of one position, with Sw the security model after temperature and cuts, A the acceptance and F the fallback:
``P(x) = Sw(x) A(x) + F(x) sum over y of Sw(y) (1 - A(y))``.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from cosec.decoding.rules.draft import Draft, Position
from cosec.decoding.rules.schema import ThresholdSettings
from cosec.decoding.rules.verification import Verification, check_widths
from cosec.decoding.sampling import TokenDistribution, Warping, raw_distribution
from cosec.decoding.settings import SamplingSettings


class ThresholdRule:
    """The paper's rule, with an explicit setting for every ambiguity (see ``ThresholdSettings``)."""

    needs_base = ThresholdSettings.needs_base
    draws_acceptance = False

    def __init__(self, rule: ThresholdSettings, sampling: SamplingSettings) -> None:
        self._rule = rule
        self._warped = Warping.of(sampling)

    def proposal(self, security_log_probs: Float[Tensor, "rows vocab"]) -> TokenDistribution:
        """The security model after temperature and cuts, in every preset."""
        return self._warped(security_log_probs)

    def verify(self, draft: Draft, target_log_probs: Float[Tensor, "rows k vocab"]) -> Verification:
        """Accept the longest prefix of each draft that the target finds plausible enough.

        Raises:
            VocabularyMismatch: If the two distributions cover different vocabularies.
        """
        check_widths(draft, target_log_probs)
        rows, k = draft.token_ids.shape
        drafted = draft.token_ids.unsqueeze(-1)
        if self._rule.target_ratio == "raw":
            target = target_log_probs.gather(-1, drafted).squeeze(-1)
        else:
            warped = self._warped(target_log_probs.flatten(0, 1))
            target = warped.prob_of(draft.token_ids.flatten()).log().reshape(rows, k)
        if self._rule.security_ratio == "raw":
            security = draft.security_log_probs.gather(-1, drafted).squeeze(-1)
        else:
            security = draft.proposal_probs.log()
        ratios = (target - security).exp().clamp(max=1.0)
        # cumprod keeps an acceptance only if all earlier tokens are accepted too.
        standing = (ratios > self._rule.threshold).int().cumprod(dim=-1)
        return Verification(accepted_count=standing.sum(dim=-1), acceptance_ratios=ratios)

    def fallback(self, at: Position) -> TokenDistribution:
        """The target's own distribution; it may repeat the rejected token."""
        if self._rule.fallback == "warped" or self._warped.temperature == 0.0:
            return self._warped(at.target_log_probs)
        return raw_distribution(at.target_log_probs)
