"""The target itself, unhardened, drafted by the security model: plain speculative sampling.

Law of one position: the target after temperature and top-p. What remains of the security model is its speed; the
baseline that hardening is compared with.
"""

from __future__ import annotations

from cosec.decoding.rules.draft import Position
from cosec.decoding.rules.lossless import LosslessRule
from cosec.decoding.rules.schema import SpeculativeSettings
from cosec.decoding.sampling import TokenDistribution
from cosec.decoding.settings import SamplingSettings


class SpeculativeRule(LosslessRule):
    """Draw every position from the target."""

    needs_base = SpeculativeSettings.needs_base

    def __init__(self, rule: SpeculativeSettings, sampling: SamplingSettings) -> None:
        super().__init__(sampling)

    def law(self, at: Position) -> TokenDistribution:
        """The target after temperature and top-p."""
        return self._warped(at.target_log_probs)
