"""The gate: the target's own law at all positions except security decisions.

At each position ``d`` measures how much the adapter changes its base's prediction. If ``d <= strength``, the law is the
target after temperature and cuts, exactly. If ``d > strength``, the position is a security decision. Its law is the
decision distribution (the security model, or the steered target, after temperature and cuts), limited to tokens that
the target finds plausible: ``target >= plausibility_floor * max target``. If no such token has a chance under the
decision distribution, the law is the target's.

Axes: rows = sequences, k = drafted tokens, vocab = entries that both models share.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from cosec.decoding.rules.draft import Draft, Position
from cosec.decoding.rules.lossless import LosslessRule, flattened, judged
from cosec.decoding.rules.schema import Divergence, GateSettings
from cosec.decoding.rules.steer import steered
from cosec.decoding.rules.verification import Verification, check_widths
from cosec.decoding.sampling import TokenDistribution
from cosec.decoding.settings import SamplingSettings


class GateRule(LosslessRule):
    """Draws security decisions from the security model, and every other position from the target."""

    needs_base = GateSettings.needs_base

    def __init__(self, rule: GateSettings, sampling: SamplingSettings) -> None:
        super().__init__(sampling)
        self._rule = rule

    def divergence(self, at: Position) -> Float[Tensor, "rows"]:
        """How much the adapter changes its base's prediction, in nats; 0 or 1 for ``argmax``."""
        assert at.security_log_probs is not None, "the gate needs the security model"
        assert at.base_log_probs is not None, "the gate needs its base"
        return divergence_of(at.security_log_probs, at.base_log_probs, self._rule.divergence)

    def law(self, at: Position) -> TokenDistribution:
        """The decision distribution at security decisions, the target elsewhere."""
        return self._law(at, self.divergence(at) > self._rule.strength)

    def verify(self, draft: Draft, target_log_probs: Float[Tensor, "rows k vocab"]) -> Verification:
        """Judge like every lossless rule, and record divergences and security decisions.

        Raises:
            VocabularyMismatch: If the two models' distributions cover different vocabularies.
        """
        check_widths(draft, target_log_probs)
        at = flattened(draft, target_log_probs)
        divergences = self.divergence(at)
        gated = divergences > self._rule.strength
        shape = draft.token_ids.shape
        verdict = judged(draft, self._law(at, gated))
        return replace(verdict, divergences=divergences.reshape(shape), gated=gated.reshape(shape))

    def _law(self, at: Position, gated: Bool[Tensor, "rows"]) -> TokenDistribution:
        target = self._warped(at.target_log_probs)
        decisions = gated.nonzero().squeeze(-1)
        if not len(decisions):
            return target
        if self._rule.decision == "steered":
            strength = 1.0 if self._rule.steering_strength is None else self._rule.steering_strength
            decided = self._warped(steered(at.of_rows(decisions), strength))
        elif at.proposal is not None:
            decided = at.proposal.of_rows(decisions)
        else:
            assert at.security_log_probs is not None, "the gate needs the security model"
            decided = self._warped(at.security_log_probs[decisions])
        here = at.target_log_probs[decisions]
        plausible = here >= here.amax(dim=-1, keepdim=True) + self._log_floor
        limited, possible = decided.limited_to(plausible)
        return target.replaced_by(limited.of_rows(possible), decisions[possible])

    @property
    def _log_floor(self) -> float:
        floor = self._rule.plausibility_floor
        return math.log(floor) if floor > 0 else -math.inf


def divergence_of(
    security_log_probs: Float[Tensor, "rows vocab"], base_log_probs: Float[Tensor, "rows vocab"], kind: Divergence
) -> Float[Tensor, "rows"]:
    """Measure the divergence of the security model from its base, one number per row.

    Args:
        security_log_probs: The security model's raw log-probabilities.
        base_log_probs: The raw log-probabilities of its base.
        kind: ``kl``: KL(security ‖ base) in nats; ``js``: Jensen-Shannon in nats, at most log 2; ``argmax``: 1 if
            the most likely token changes, else 0.
    """
    if kind == "argmax":
        return (security_log_probs.argmax(dim=-1) != base_log_probs.argmax(dim=-1)).float()
    if kind == "kl":
        return _kl(security_log_probs, base_log_probs)
    middle = torch.logaddexp(security_log_probs, base_log_probs) - math.log(2.0)
    return (_kl(security_log_probs, middle) + _kl(base_log_probs, middle)) / 2


def _kl(log_probs: Float[Tensor, "rows vocab"], other: Float[Tensor, "rows vocab"]) -> Float[Tensor, "rows"]:
    """KL(probs ‖ other), never below 0; 0 * log 0 is 0."""
    # The softmax of log-probabilities is their exponential, and takes two thirds of the time of exp.
    terms = log_probs.softmax(dim=-1).mul_(log_probs - other)
    sums = terms.sum(dim=-1)
    if bool(sums.isnan().any()):
        sums = torch.where(log_probs == -math.inf, 0.0, terms).sum(dim=-1)
    return sums.clamp(min=0.0)
