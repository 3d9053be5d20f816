"""Speculative sampling: the target itself, drafted by the security model and not hardened.

Law of one position: the target after temperature and cuts. It is a baseline for the other rules: the security model
only affects the speed.
"""

from __future__ import annotations

from cosec.decoding.rules.draft import Position
from cosec.decoding.rules.lossless import LosslessRule
from cosec.decoding.rules.schema import SpeculativeSettings
from cosec.decoding.sampling import TokenDistribution
from cosec.decoding.settings import SamplingSettings


class SpeculativeRule(LosslessRule):
    """Draws every position from the target."""

    needs_base = SpeculativeSettings.needs_base

    def __init__(self, rule: SpeculativeSettings, sampling: SamplingSettings) -> None:
        super().__init__(sampling)

    def law(self, at: Position) -> TokenDistribution:
        """The target after temperature and cuts."""
        return self._warped(at.target_log_probs)
