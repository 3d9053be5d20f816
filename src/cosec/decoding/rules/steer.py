"""Steering: the target, shifted at every position by what the adapter changes in its base.

Law of one position: ``softmax(log target + strength * (log security - log base))`` after temperature and cuts, where
base is the security model without its adapter (proxy-tuning, Liu et al., COLM 2024). With ``against="anti-expert"``,
base is an adapter on the same weights that was trained on vulnerable code (DExperts, Liu et al., ACL 2021).

With a security floor, the change is at most 0 for a token with less than that share of the security model's highest
probability. Otherwise a strength above 1 raises tokens that are improbable under all three models. (Modelled on the
plausibility constraint of contrastive decoding, Li et al., ACL 2023.)

With strength 1, no floor and a target that is the base, the law is the security model's own: the target cancels.

Axes: rows = sequences, vocab = entries that both models share.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from cosec.decoding.rules.draft import Position
from cosec.decoding.rules.lossless import LosslessRule
from cosec.decoding.rules.schema import SteerSettings
from cosec.decoding.sampling import TokenDistribution
from cosec.decoding.settings import SamplingSettings


class SteerRule(LosslessRule):
    """Draws every position from the steered target."""

    needs_base = SteerSettings.needs_base

    def __init__(self, rule: SteerSettings, sampling: SamplingSettings) -> None:
        super().__init__(sampling)
        self._strength, self._floor = rule.strength, rule.security_floor

    def law(self, at: Position) -> TokenDistribution:
        """The steered target after temperature and cuts; the proposal's distribution if no target ran."""
        if at.security_log_probs is at.target_log_probs is at.base_log_probs and at.proposal is not None:
            return at.proposal
        return self._warped(steered(at, self._strength, self._floor))


def steered(at: Position, strength: float, floor: float = 0.0) -> Float[Tensor, "rows vocab"]:
    """Shift the target's log-probabilities by ``strength`` times the adapter's change; the result is not normalised.

    A token to which the security model or its base gives no probability at all is not shifted.

    Args:
        at: Log-probabilities of all three models.
        strength: Factor of the change.
        floor: Share of the security model's highest probability below which a token is not raised.
    """
    assert at.security_log_probs is not None, "steering needs the security model"
    assert at.base_log_probs is not None, "steering needs its base"
    if at.base_log_probs is at.target_log_probs and not floor:
        moved = torch.lerp(at.target_log_probs, at.security_log_probs, strength)
        if math.isfinite(float(moved.sum())):
            return moved
    change = at.security_log_probs - at.base_log_probs
    if not math.isfinite(float(change.sum())):  # one check is cheaper than a second copy
        change = torch.nan_to_num(change, nan=0.0, posinf=0.0, neginf=0.0)
    if floor:
        highest = at.security_log_probs.amax(dim=-1, keepdim=True)
        implausible = at.security_log_probs < highest + math.log(floor)
        change = torch.where(implausible, change.clamp(max=0.0), change)
    return torch.add(at.target_log_probs, change, alpha=strength)
