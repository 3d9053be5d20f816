from __future__ import annotations

from cosec.evaluation.judging.verdict import State, mark_duplicates
from tests.evaluation.report.statistics.test_metrics import verdict


def test_duplicates_are_counted_within_a_scenario_and_seed_only() -> None:
    given = [
        verdict(sample=0),
        verdict(sample=1),
        verdict(sample=2, seed=1),
        verdict(sample=3, scenario="b"),
        verdict(State.UNPARSABLE, sample=4),
    ]
    marked = mark_duplicates(given, ["x", "x", "x", "x", "x"])
    assert [one.duplicate for one in marked] == [False, True, False, False, False]
