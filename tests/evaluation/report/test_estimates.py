"""What a report compares, and intervals that hold together."""

from __future__ import annotations

import pytest

from cosec.evaluation.judging.verdict import State, Verdict
from cosec.evaluation.report.estimates import ALL, problem_estimates, scenario_estimates
from cosec.evaluation.report.statistics.metrics import arm_of, differences


def verdicts(*, secure_every: int) -> list[Verdict]:
    return [
        Verdict(
            scenario=f"s{scenario}",
            cwe="CWE-089",
            seed=0,
            sample=sample,
            state=State.SECURE if (scenario + sample) % secure_every == 0 else State.INSECURE,
            engaged=True,
        )
        for scenario in range(8)
        for sample in range(5)
    ]


MEASURED = {
    ("own", "origin"): verdicts(secure_every=3),
    ("own", "one"): verdicts(secure_every=2),
    ("own", "two"): verdicts(secure_every=1),
    ("other", "origin"): verdicts(secure_every=3),
    ("other", "one"): verdicts(secure_every=2),
}


def test_differences_over_all_weaknesses_hold_together_for_the_arms_of_their_benchmark() -> None:
    checked = 0
    for one in scenario_estimates(MEASURED, "origin"):
        if one.arm == "origin" or one.cwe != ALL or one.metric != "engaged_security":
            continue
        arm, origin = (arm_of(MEASURED[one.benchmark, name]) for name in (one.arm, "origin"))
        compared = 2 if one.benchmark == "own" else 1
        assert one.difference == differences(arm, origin)[one.metric]
        assert one.simultaneous == differences(arm, origin, comparisons=compared)[one.metric]
        assert (one.simultaneous == one.difference) == (compared == 1)
        checked += 1
    assert checked == 3


def test_differences_on_problems_hold_together_too() -> None:
    def records(step: int) -> list[dict[str, object]]:
        return [
            {"task": f"T/{task}", "seed": 0, "sample": sample, "passed": (task * sample) % step == 0}
            for task in range(8)
            for sample in range(3)
        ]

    measured = {("p", "origin"): records(5), ("p", "one"): records(3), ("p", "two"): records(2)}
    found = [one for one in problem_estimates(measured, "origin") if one.arm != "origin" and one.metric == "pass@1"]
    assert len(found) == 2
    for one in found:
        assert one.difference is not None
        assert one.simultaneous is not None
        assert one.simultaneous.value == pytest.approx(one.difference.value)
        assert one.simultaneous.low < one.difference.low  # type: ignore[operator]
