"""Bootstrap 95 % intervals over scenarios (or problems) and seeds.

Samples of one scenario are not independent, so the bootstrap has two stages. Each draw takes scenarios with
replacement, and for each of them seeds with replacement. This is a cluster bootstrap (Efron & Tibshirani, An
Introduction to the Bootstrap, 1993). The result is deterministic for a given seed.

Axes of arrays: units are scenarios or problems, seeds are repetitions of the whole experiment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

DRAWS = 2_000
"""Bootstrap draws."""

LEVEL = 0.95
"""Confidence level of intervals."""

NO_DIFFERENCE = "no difference shown"
"""Follows a difference whose interval contains zero."""

Table = Float[ndarray, "units seeds"]
"""A statistic for each unit and seed; NaN where it is undefined."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """An estimate with its interval."""

    value: float | None
    """The mean over units; None if no unit defines it."""

    low: float | None
    """Lower end, a quantile of the bootstrap; None if fewer than two units define the statistic."""

    high: float | None
    """Upper end; None like ``low``."""

    units: int
    """Units that define the statistic."""

    undefined: int
    """Units that do not define it. They are left out."""

    @property
    def shows_difference(self) -> bool:
        """Whether the interval of a difference excludes zero."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


def simultaneous_level(comparisons: int) -> float:
    """Confidence level of each of several intervals, so that all together miss as seldom as a single one (Bonferroni).

    Args:
        comparisons: Number of intervals, at least 1.
    """
    return 1 - (1 - LEVEL) / comparisons


def mean_interval(table: Table, *, seed: int = 0, draws: int = DRAWS, level: float = LEVEL) -> Interval:
    """The mean over units of each unit's mean over seeds.

    Args:
        table: A value for each unit and seed. NaN is left out, never counted as 0 or 1.
        seed: Of the bootstrap.
        draws: Bootstrap draws.
        level: Confidence level.
    """
    defined = np.isfinite(table)
    kept = table[defined.any(axis=1)]
    undefined = len(table) - len(kept)
    if not len(kept):
        return Interval(value=None, low=None, high=None, units=0, undefined=undefined)
    low, high = None, None
    if len(kept) > 1:
        low, high = np.quantile(bootstrap_means(kept, seed, draws), [(1 - level) / 2, (1 + level) / 2]).tolist()
    return Interval(
        value=float(np.nanmean(kept, axis=1).mean()), low=low, high=high, units=len(kept), undefined=undefined
    )


def paired_difference(table: Table, origin: Table, *, comparisons: int = 1) -> Interval:
    """The mean difference to ``origin`` over the units and seeds that both define, resampled together.

    Args:
        table: One arm.
        origin: The arm that it is compared with; the same units and seeds in the same order.
        comparisons: Number of arms that are compared with ``origin``; the interval is wider the more there are. Draws
            grow with it, so that its outer quantiles are steady.

    Raises:
        ValueError: If the shapes differ.
    """
    if table.shape != origin.shape:
        raise ValueError(f"cannot pair {table.shape} with {origin.shape} units and seeds; give the same ones")
    level = simultaneous_level(comparisons)
    return mean_interval(table - origin, draws=DRAWS * comparisons, level=level)


def bootstrap_means(table: Table, seed: int, draws: int) -> Float[ndarray, "draws"]:
    """Means over resampled units, each with as many resampled seeds as it defines.

    Args:
        table: Each unit must define a value.
        seed: Equal seeds resample alike the tables that define the same values.
        draws: Number of means.
    """
    generator = np.random.default_rng(seed)
    defined = np.isfinite(table)
    counts = defined.sum(axis=1)
    # Each row starts with its defined values, so that an index below their number picks one of them.
    values = np.take_along_axis(table, np.argsort(~defined, axis=1, kind="stable"), axis=1)
    units = generator.integers(len(table), size=(draws, len(table)))
    picks = (generator.random((draws, *table.shape)) * counts[units, None]).astype(int)
    used = np.arange(table.shape[1]) < counts[units, None]
    sums = np.where(used, values[units[..., None], picks], 0.0).sum(axis=2)
    means: ndarray = (sums / counts[units]).mean(axis=1)
    return means


def mean_of_groups(tables: Sequence[Table]) -> Interval:
    """The mean over groups of units of each group's mean, with every group resampled by itself.

    Args:
        tables: A table for each group, as for ``mean_interval``; a group that defines no value is left out.

    Returns:
        The mean. Without an interval where a group has a single unit, whose spread nobody knows.
    """
    groups = [table[np.isfinite(table).any(axis=1)] for table in tables]
    undefined = sum(map(len, tables)) - sum(map(len, groups))
    groups = [group for group in groups if len(group)]
    if not groups:
        return Interval(value=None, low=None, high=None, units=0, undefined=undefined)
    low, high = None, None
    if all(len(group) > 1 for group in groups):
        means = np.mean([bootstrap_means(group, index, DRAWS) for index, group in enumerate(groups)], axis=0)
        low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]).tolist()
    value = float(np.mean([np.nanmean(group, axis=1).mean() for group in groups]))
    return Interval(value=value, low=low, high=high, units=sum(map(len, groups)), undefined=undefined)


def in_words(difference: Interval) -> str:
    """The difference as reports print it, in percentage points."""
    if difference.value is None or difference.low is None or difference.high is None:
        return "undefined"
    figures = f"{100 * difference.value:+.1f} [{100 * difference.low:+.1f}, {100 * difference.high:+.1f}]"
    return figures if difference.shows_difference else f"{figures}, {NO_DIFFERENCE}"
