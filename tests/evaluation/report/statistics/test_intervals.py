from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest

from cosec.evaluation.report.statistics.intervals import (
    NO_DIFFERENCE,
    Interval,
    in_words,
    mean_interval,
    mean_of_groups,
    paired_difference,
)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    """Units differ and samples of a unit are alike: an interval over samples would be far too narrow here."""
    generator = np.random.default_rng(1)
    covered, trials = 0, 300
    for _ in range(trials):
        truths = generator.beta(2, 2, size=40)
        table = generator.binomial(10, truths[:, None], size=(40, 3)) / 10
        interval = mean_interval(table, draws=300)
        assert interval.low is not None
        assert interval.high is not None
        covered += interval.low <= 0.5 <= interval.high
    assert 0.90 <= covered / trials <= 0.985


def test_the_bootstrap_agrees_with_the_normal_approximation() -> None:
    values = np.random.default_rng(2).normal(size=(400, 1))
    interval = mean_interval(values)
    error = values.std() / 20
    assert interval.low == pytest.approx(values.mean() - 1.96 * error, abs=0.15 * error)
    assert interval.high == pytest.approx(values.mean() + 1.96 * error, abs=0.15 * error)


def test_undefined_values_are_left_out_and_counted() -> None:
    table = np.array([[1.0, np.nan], [0.0, 0.5], [np.nan, np.nan]])
    interval = mean_interval(table)
    assert interval.value == pytest.approx((1.0 + 0.25) / 2)
    assert (interval.units, interval.undefined) == (2, 1)


def test_one_unit_has_a_value_and_no_interval() -> None:
    interval = mean_interval(np.array([[0.3]]))
    assert (interval.value, interval.low, interval.high) == (0.3, None, None)


def test_nothing_defined_is_undefined() -> None:
    for table in (np.empty((0, 2)), np.full((3, 2), np.nan)):
        assert mean_interval(table).value is None
        assert paired_difference(table, table).value is None


def test_the_same_seed_gives_the_same_interval() -> None:
    table = np.random.default_rng(3).random((20, 2))
    assert mean_interval(table, seed=4) == mean_interval(table, seed=4)
    assert mean_interval(table, seed=4) != mean_interval(table, seed=5)


def test_pairing_finds_a_small_difference_between_very_different_units() -> None:
    generator = np.random.default_rng(5)
    origin = generator.random((60, 2))
    better = origin + 0.03 + generator.normal(scale=0.01, size=origin.shape)
    difference = paired_difference(better, origin)
    assert difference.shows_difference
    assert difference.value == pytest.approx(0.03, abs=0.005)
    assert not mean_interval(better).low > mean_interval(origin).high, "unpaired intervals would overlap"  # type: ignore[operator]


@pytest.mark.parametrize("comparisons", [1, 6])
def test_intervals_of_several_comparisons_have_the_width_of_bonferronis_level(comparisons: int) -> None:
    generator = np.random.default_rng(7)
    origin = np.zeros((400, 1))
    table = generator.normal(scale=0.2, size=origin.shape)
    found = paired_difference(table, origin, comparisons=comparisons)
    assert found.low is not None
    assert found.high is not None
    quantile = NormalDist().inv_cdf(1 - 0.05 / comparisons / 2)
    expected = 2 * quantile * table.std() / math.sqrt(len(table))
    assert found.high - found.low == pytest.approx(expected, rel=0.06)


def test_a_unit_that_one_arm_leaves_undefined_is_left_out_of_the_difference() -> None:
    one, other = np.array([[1.0], [1.0], [np.nan]]), np.array([[0.0], [np.nan], [0.0]])
    difference = paired_difference(one, other)
    assert (difference.value, difference.units, difference.undefined) == (1.0, 1, 2)


def test_arms_of_different_units_or_seeds_cannot_be_paired() -> None:
    with pytest.raises(ValueError, match=r"\(3, 1\) with \(2, 1\)"):
        paired_difference(np.zeros((3, 1)), np.zeros((2, 1)))


def test_seeds_are_resampled_among_the_defined_ones() -> None:
    table = np.array([[0.0, np.nan, np.nan], [np.nan, 0.0, np.nan], [np.nan, np.nan, 0.0]])
    interval = mean_interval(table)
    assert (interval.low, interval.high) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0.01, 0.05, "+3.0 [+1.0, +5.0]"),
        (-0.01, 0.07, f"+3.0 [-1.0, +7.0], {NO_DIFFERENCE}"),
        (None, None, "undefined"),
    ],
)
def test_a_difference_is_put_into_words(low: float | None, high: float | None, words: str) -> None:
    assert in_words(Interval(value=0.03, low=low, high=high, units=9, undefined=0)) == words


def test_a_mean_of_groups_weighs_groups_alike_and_leaves_out_those_without_a_value() -> None:
    groups = [np.array([[0.0], [0.0], [0.0], [0.0]]), np.array([[1.0], [1.0], [np.nan]]), np.array([[np.nan]])]
    interval = mean_of_groups(groups)
    assert (interval.value, interval.units, interval.undefined) == (0.5, 6, 2)
    assert (interval.low, interval.high) == (0.5, 0.5), "groups are resampled by themselves"
    assert mean_of_groups([]).value is None


def test_a_mean_of_groups_has_the_interval_of_its_units() -> None:
    generator = np.random.default_rng(0)
    whole = generator.random((40, 1))
    groups, table = mean_of_groups([whole[:20], whole[20:]]), mean_interval(whole)
    assert groups.value == pytest.approx(table.value)
    assert groups.low == pytest.approx(table.low, abs=0.02)
    assert groups.high == pytest.approx(table.high, abs=0.02)
    assert mean_of_groups([whole[:20], whole[:1]]).low is None, "one unit does not say how far units spread"
