from __future__ import annotations

import numpy as np
import pytest

from cosec.evaluation.report.statistics.audited import Share, corrected_difference, corrected_interval
from cosec.evaluation.report.statistics.intervals import DRAWS, mean_interval

EQUAL = 1.0


def share(right: int, wrong: int) -> Share:
    return Share.of([(EQUAL, True)] * right + [(EQUAL, False)] * wrong)


def test_equal_weights_give_the_plain_share() -> None:
    assert share(18, 2) == Share(pytest.approx(0.9), pytest.approx(20))


def test_weights_count_in_the_share_and_unequal_ones_make_the_sample_smaller() -> None:
    found = Share.of([(3.0, True), (1.0, False)])
    assert found.value == pytest.approx(0.75)
    assert found.size == pytest.approx(16 / 10)


def test_the_interval_agrees_with_the_closed_form_for_a_product_of_two_proportions() -> None:
    """Var(R p) = R² Var(p) + p² Var(R) + Var(R) Var(p) for independent R and p."""
    generator = np.random.default_rng(5)
    table = generator.binomial(1, 0.7, size=(400, 1)).astype(float)
    rate, read = table.mean(), share(170, 30)
    of_rate = rate * (1 - rate) / 400
    of_share = 0.85 * 0.15 / 200
    error = (rate**2 * of_share + 0.85**2 * of_rate + of_rate * of_share) ** 0.5
    found = corrected_interval(table, read, draws=6_000)
    assert found.value == pytest.approx(rate * 0.85)
    assert found.low == pytest.approx(rate * 0.85 - 1.96 * error, abs=0.15 * error)
    assert found.high == pytest.approx(rate * 0.85 + 1.96 * error, abs=0.15 * error)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(6)
    truth, right = 0.6, 0.85
    covered, trials = 0, 400
    for _ in range(trials):
        table = generator.binomial(10, generator.beta(6, 4, size=40)[:, None], size=(40, 2)) / 10
        read = int(generator.binomial(40, right))
        found = corrected_interval(table, share(read, 40 - read), draws=300)
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= truth * right <= found.high
    assert 0.91 <= covered / trials <= 0.985


def test_readings_that_are_all_right_leave_the_value_and_still_widen_the_interval() -> None:
    table = np.random.default_rng(7).binomial(10, 0.6, size=(40, 1)) / 10
    plain, found = mean_interval(table), corrected_interval(table, share(10, 0))
    assert found.value == pytest.approx(plain.value)
    assert found.low is not None
    assert plain.low is not None
    assert found.low < plain.low - 0.01


def test_a_difference_of_equal_arms_varies_with_their_readings_only() -> None:
    table = np.random.default_rng(8).binomial(10, 0.6, size=(40, 2)) / 10
    same = corrected_difference(table, share(9_000, 1_000), table, share(9_000, 1_000))
    assert same.value == 0
    assert same.high == pytest.approx(0, abs=0.02)
    few = corrected_difference(table, share(9, 1), table, share(9, 1))
    assert few.high is not None
    assert few.high > 0.05


def test_worse_readings_of_one_arm_show_as_a_difference() -> None:
    table = np.random.default_rng(9).binomial(10, 0.6, size=(40, 2)) / 10
    found = corrected_difference(table, share(60, 40), table, share(98, 2))
    assert found.value == pytest.approx(table.mean() * (0.6 - 0.98))
    assert found.shows_difference


def test_draws_grow_with_the_number_of_comparisons_so_that_outer_quantiles_are_steady(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn: list[int] = []

    def counted(table: np.ndarray, seed: int, draws: int) -> np.ndarray:
        drawn.append(draws)
        return np.zeros(draws)

    monkeypatch.setattr("cosec.evaluation.report.statistics.audited.bootstrap_means", counted)
    table = np.ones((3, 1))
    corrected_difference(table, share(9, 1), table, share(9, 1), comparisons=4)
    assert drawn == [4 * DRAWS] * 2


def test_undefined_units_are_left_out_and_shapes_must_agree() -> None:
    table = np.array([[0.5, np.nan], [np.nan, np.nan], [1.0, 1.0]])
    assert corrected_interval(table, share(1, 1)).undefined == 1
    assert corrected_interval(np.empty((0, 1)), share(1, 1)).value is None
    assert corrected_difference(table, share(1, 1), np.ones((3, 2)), share(1, 1)).units == 2
    with pytest.raises(ValueError, match="cannot pair"):
        corrected_difference(table, share(1, 1), np.ones((2, 2)), share(1, 1))
