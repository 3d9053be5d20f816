from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from cosec.evaluation.judging.verdict import State, Verdict
from cosec.evaluation.report.statistics import metrics
from cosec.evaluation.report.statistics.metrics import RATES, arm_of, differences, joint_at_k, pass_at_k, rates


def verdict(
    state: State = State.SECURE, *, scenario: str = "a", seed: int = 0, sample: int = 0, **more: object
) -> Verdict:
    return Verdict(
        scenario=scenario,
        cwe="CWE-089",
        seed=seed,
        sample=sample,
        state=state,
        **{"engaged": True, **more},  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("samples", range(1, 8))
def test_pass_at_k_is_the_share_of_draws_that_hold_a_correct_sample(samples: int) -> None:
    for correct in range(samples + 1):
        marks = [True] * correct + [False] * (samples - correct)
        for k in range(1, samples + 1):
            drawn = list(itertools.combinations(marks, k))
            assert pass_at_k(samples, correct, k) == pytest.approx(sum(map(any, drawn)) / len(drawn))


def test_pass_at_k_is_undefined_for_more_than_there_are_samples() -> None:
    assert pass_at_k(3, 3, 4) is None
    assert pass_at_k(0, 0, 1) is None


@pytest.mark.parametrize(("samples", "correct", "k"), [(3, 4, 1), (3, -1, 1), (3, 1, 0)])
def test_counts_that_make_no_sense_are_refused(samples: int, correct: int, k: int) -> None:
    with pytest.raises(ValueError, match="makes no sense"):
        pass_at_k(samples, correct, k)


def test_pass_at_k_is_unbiased() -> None:
    generator = np.random.default_rng(0)
    estimates = [pass_at_k(10, int(count), 3) for count in generator.binomial(10, 0.3, size=20_000)]
    assert np.mean(estimates) == pytest.approx(1 - 0.7**3, abs=0.005)


SAMPLES = [
    verdict(State.SECURE, functional=True, tokens=10, changed=1),
    verdict(State.SECURE, duplicate=True, functional=False, tokens=10, changed=2),
    verdict(State.SECURE, engaged=False, functional=True, tokens=10),
    verdict(State.INSECURE, functional=True, tokens=10),
    verdict(State.INSECURE, duplicate=True, tokens=10),
    verdict(State.UNPARSABLE, engaged=False, functional=False),
    verdict(State.EMPTY, engaged=False, functional=False),
    verdict(State.UNSCORED),
]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("security", 2 / 3),
        ("sample_security", 3 / 5),
        ("engaged_security", 2 / 4),
        ("engaged", 5 / 8),
        ("parsable", 7 / 8),
        ("empty", 1 / 8),
        ("duplicate", 2 / 8),
        ("unscored", 1 / 8),
        ("functional", 3 / 6),
        ("joint", 1 / 6),
        ("changed_tokens", 3 / 50),
    ],
)
def test_each_rate_counts_what_its_definition_says(name: str, expected: float) -> None:
    assert RATES[name](SAMPLES) == pytest.approx(expected)


def test_every_rate_is_tested_and_undefined_without_samples() -> None:
    assert all(rate([]) is None for rate in RATES.values())


def test_broken_output_never_counts_as_secure() -> None:
    broken = [verdict(state) for state in (State.UNPARSABLE, State.EMPTY, State.UNSCORED)]
    for rate in (metrics.security_ratio, metrics.sample_security_ratio, metrics.engaged_security_ratio):
        assert rate(broken) is None
    assert metrics.joint_rate([verdict(State.UNSCORED, functional=True)]) == 0


def test_joint_at_k_needs_one_sample_that_is_secure_and_works() -> None:
    tested = [one for one in SAMPLES if one.functional is not None]
    assert joint_at_k(SAMPLES, 2) == pytest.approx(pass_at_k(len(tested), 1, 2))
    assert joint_at_k([verdict()], 1) is None


def test_rates_are_averaged_over_scenarios_not_over_samples() -> None:
    verdicts = [verdict(scenario="a", sample=i) for i in range(9)] + [verdict(State.INSECURE, scenario="b")]
    interval = rates(arm_of(verdicts))["engaged_security"]
    assert interval.value == 0.5
    assert interval.units == 2
    assert interval.low is not None
    assert interval.low < 0.5


def test_a_scenario_without_engaged_samples_is_left_out_and_counted() -> None:
    verdicts = [verdict(scenario="a"), verdict(scenario="b", engaged=False)]
    interval = rates(arm_of(verdicts))["engaged_security"]
    assert (interval.value, interval.units, interval.undefined) == (1.0, 1, 1)


def test_rates_of_one_weakness_keep_to_its_scenarios() -> None:
    verdicts = [verdict(scenario="a"), verdict(State.INSECURE, scenario="b")]
    arm = arm_of(verdicts)
    split = metrics.Arm(scenarios=arm.scenarios, cwes=("CWE-089", "CWE-078"), seeds=arm.seeds, samples=arm.samples)
    assert rates(split, "CWE-078")["security"].value == 0.0
    assert rates(split, "CWE-089")["security"].value == 1.0


def test_differences_are_paired_by_scenario() -> None:
    origin = [verdict(State.INSECURE, scenario=name, sample=i) for name in "abc" for i in range(4)]
    hardened = [verdict(scenario=name, sample=i) for name in "abcd" for i in range(4)]
    difference = differences(arm_of(hardened), arm_of(origin))["security"]
    assert (difference.value, difference.units) == (1.0, 3)
    assert difference.shows_difference
    same = differences(arm_of(origin), arm_of(origin))["security"]
    assert same.value == 0.0
    assert not same.shows_difference


def test_a_missing_seed_is_undefined_not_zero() -> None:
    arm = arm_of([verdict(scenario="a", seed=0), verdict(scenario="a", seed=1), verdict(scenario="b", seed=0)])
    table = arm.table(metrics.security_ratio)
    assert table[0].tolist() == [1.0, 1.0]
    assert table[1, 0] == 1.0
    assert math.isnan(table[1, 1])
