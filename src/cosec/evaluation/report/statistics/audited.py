"""Rates that are corrected by an audit: a rate times the share of a sample of its positives that are right.

Both factors are uncertain. The rate has its bootstrap over units. The share has the posterior Beta(right + 1/2,
wrong + 1/2) of a binomial under Jeffreys' prior (Brown, Cai & DasGupta, Interval Estimation for a Binomial Proportion,
2001). The interval holds the middle 95 % of products of independent draws of both. That the sample may be a large part
of all positives is not used, so intervals are then too wide and never too narrow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from cosec.evaluation.report.statistics.intervals import (
    DRAWS,
    LEVEL,
    Interval,
    Table,
    bootstrap_means,
    simultaneous_level,
)

_UNITS, _READINGS, _ORIGIN_READINGS = range(3)
"""Seeds of what is drawn."""


@dataclass(frozen=True, slots=True)
class Share:
    """A weighted share of right answers in a sample."""

    value: float
    """Weight of the right ones among all, 0 to 1."""

    size: float
    """Effective size of the sample: (sum of weights)² / sum of squared weights (Kish, Survey Sampling, 1965)."""

    @classmethod
    def of(cls, answers: Sequence[tuple[float, bool]]) -> Share:
        """Make the share of pairs of weight and whether the answer is right; needs at least one pair."""
        weights = np.array([weight for weight, _ in answers])
        right = np.array([is_right for _, is_right in answers])
        total = weights.sum()
        return cls(float(weights[right].sum() / total), float(total**2 / (weights**2).sum()))

    def draws(self, count: int, seed: int) -> Float[ndarray, "draws"]:
        """Draw from the posterior of the share."""
        right, wrong = self.value * self.size, (1 - self.value) * self.size
        return np.random.default_rng(seed).beta(right + 0.5, wrong + 0.5, size=count)


def corrected_interval(table: Table, share: Share, *, draws: int = DRAWS) -> Interval:
    """The mean of a table's units, times a share.

    Args:
        table: A rate for each unit and seed; NaN where it is undefined.
        share: Of what the rate counts, the part that is right.
        draws: Number of draws.
    """
    kept = table[np.isfinite(table).any(axis=1)]
    if not len(kept):
        return Interval(value=None, low=None, high=None, units=0, undefined=len(table))
    products = None
    if len(kept) > 1:
        products = bootstrap_means(kept, _UNITS, draws) * share.draws(draws, _READINGS)
    return _interval(_mean(kept) * share.value, products, len(kept), len(table) - len(kept))


def corrected_difference(
    table: Table, share: Share, origin: Table, origin_share: Share, *, comparisons: int = 1
) -> Interval:
    """The difference of two corrected rates over the units that both define, whose rates are resampled together.

    Args:
        table: Of one arm.
        share: Of one arm.
        origin: Of the arm that it is compared with; the same units and seeds in the same order.
        origin_share: Of that arm.
        comparisons: Number of arms that are compared with the other one; see ``paired_difference``.

    Raises:
        ValueError: If the shapes differ.
    """
    if table.shape != origin.shape:
        raise ValueError(f"cannot pair {table.shape} with {origin.shape} units and seeds; give the same ones")
    both = np.isfinite(table) & np.isfinite(origin)
    kept = both.any(axis=1)
    one, other = (np.where(both, values, np.nan)[kept] for values in (table, origin))
    if not len(one):
        return Interval(value=None, low=None, high=None, units=0, undefined=len(table))
    gaps = None
    if len(one) > 1:
        # The same seed gives the same units and seeds, as the same values of both tables are defined.
        draws = DRAWS * comparisons
        gaps = bootstrap_means(one, _UNITS, draws) * share.draws(draws, _READINGS)
        gaps = gaps - bootstrap_means(other, _UNITS, draws) * origin_share.draws(draws, _ORIGIN_READINGS)
    value = _mean(one) * share.value - _mean(other) * origin_share.value
    return _interval(value, gaps, len(one), len(table) - len(one), simultaneous_level(comparisons))


def _mean(kept: Table) -> float:
    return float(np.nanmean(kept, axis=1).mean())


def _interval(
    value: float, found: Float[ndarray, "draws"] | None, units: int, undefined: int, level: float = LEVEL
) -> Interval:
    low, high = None, None
    if found is not None:
        low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2]).tolist()
    return Interval(value=value, low=low, high=high, units=units, undefined=undefined)
