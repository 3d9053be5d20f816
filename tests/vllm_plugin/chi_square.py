"""Pearson's test of counted tokens against a law."""

from __future__ import annotations

import numpy as np
from scipy.stats import chi2

RARE = 5.0
"""Tokens that are expected less often are counted together."""


def statistic(counts: np.ndarray, law: np.ndarray) -> tuple[float, int]:
    """Pearson's statistic and its degrees of freedom; infinite if a token without probability was seen."""
    expected = law / law.sum() * counts.sum()
    if counts[expected <= 0].any():
        return np.inf, 1
    frequent = expected >= RARE
    seen = [*counts[frequent], counts[~frequent].sum()]
    wanted = [*expected[frequent], expected[~frequent].sum()]
    if wanted[-1] < RARE and len(wanted) > 1:  # too few even together: count them with the least frequent of the others
        rest_seen, rest_wanted = seen.pop(), wanted.pop()
        least = int(np.argmin(wanted))
        seen[least] += rest_seen
        wanted[least] += rest_wanted
    value = sum((one - other) ** 2 / other for one, other in zip(seen, wanted, strict=True) if other > 0)
    return float(value), len(wanted) - 1


def p_value(counts: np.ndarray, law: np.ndarray) -> float:
    """The probability of counts at least as far from the law, if they follow it."""
    value, freedom = statistic(counts, law)
    return float(chi2.sf(value, freedom)) if freedom else float(np.isfinite(value))
