from __future__ import annotations

import csv
import io
import tomllib
import warnings
from dataclasses import replace
from pathlib import Path

import pytest

from cosec.errors import CosecWarning, StudyError
from cosec.evaluation.report.calibration import choose, rule_toml
from cosec.evaluation.report.frontier import Point, frontier_figure, points_csv, points_of
from cosec.evaluation.report.read_results import read_results
from cosec.evaluation.report.results import Results
from cosec.evaluation.report.statistics.intervals import Interval
from cosec.evaluation.study.arms import parse_arm
from cosec.evaluation.study.records import StudyFolder
from cosec.evaluation.study.settings import frontier_settings
from tests.evaluation.report.test_report import PROBLEM
from tests.evaluation.scripted import write_scenarios
from tests.evaluation.study.runs import run


def point(arm: str, security: float, function: float, changed: float = 0.1, *, gain: float | None = None) -> Point:
    gained = security - 0.60 if gain is None else gain
    return Point(
        arm=arm,
        alone=parse_arm(arm).alone is not None,
        security=Interval(value=security, low=security - 0.05, high=security + 0.05, units=9, undefined=0),
        gain=None
        if arm == "origin"
        else Interval(value=gained, low=gained - 0.05, high=gained + 0.05, units=8, undefined=1),
        function=Interval(value=function, low=function - 0.02, high=function + 0.02, units=9, undefined=0),
        joint=None,
        changed=changed,
        decisions=0.0,
        time_ratio=None,
    )


POINTS = [
    point("origin", 0.60, 0.100),
    point("lora", 0.95, 0.100),
    point("gate:strength=0.1", 0.80, 0.092),
    point("gate:strength=0.02", 0.90, 0.060),
    point("steer:strength=1", 0.80, 0.095, changed=0.3),
]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    root = tmp_path_factory.mktemp("frontier")
    (root / "problems.jsonl").write_text("".join(PROBLEM % index for index in range(4)), encoding="utf-8")
    scenarios = write_scenarios(root / "scenarios")
    benchmarks = [
        {"name": "security", "scenarios": str(scenarios), "depth": "decision", "samples": 20},
        {"name": "function", "problems": str(root / "problems.jsonl"), "samples": 5},
    ]
    chosen = frontier_settings({"strengths": {"gate": [0.1, 0.5], "cosec-plus": [0.3]}, "benchmarks": benchmarks})
    assert chosen.arms == ("origin", "lora", "gate:strength=0.1", "gate:strength=0.5", "cosec-plus:threshold=0.3")
    run(chosen, root / "out")
    return read_results(StudyFolder(root / "out"))


def test_every_arm_is_a_point_with_security_function_and_costs(results: Results) -> None:
    points = points_of(results, "security")
    assert [one.arm for one in points] == list(results.settings.arms)
    assert [one.curve for one in points] == ["origin", "lora", "gate", "gate", "cosec-plus"]
    assert points[0].time_ratio == pytest.approx(1.0)
    assert all(0 < one.changed < 1 for one in points)
    gate = results.estimate("function", "gate:strength=0.1", "pass@1")
    assert gate is not None
    assert points[2].function == gate.interval
    rows = list(csv.DictReader(io.StringIO(points_csv(points))))
    assert float(rows[2]["security"]) == pytest.approx(points[2].security.value)
    drawn = frontier_figure(points, function_label="pass@1 (%)")
    assert drawn is not None
    assert drawn.startswith("<svg")
    assert drawn == frontier_figure(points, function_label="pass@1 (%)")


def test_a_rule_with_another_setting_is_a_curve_of_its_own() -> None:
    split = {
        "origin": ("origin", ""),
        "gate": ("gate", ""),
        "gate:strength=0.1": ("gate", "0.1"),
        "gate:decision=steered,strength=0.1": ("gate:decision=steered", "0.1"),
        "gate@small:strength=0.1": ("gate@small", "0.1"),
        "steer:against=anti-expert": ("steer:against=anti-expert", ""),
        "steer:strength=0.5,against=anti-expert": ("steer:against=anti-expert", "0.5"),
        "gate:strength=0.05, decision=steered, steering_strength=2": (
            "gate:decision=steered,steering_strength=2",
            "0.05",
        ),
        "threshold:threshold=0.3,preset=cosec": ("threshold:preset=cosec", "0.3"),
        "cosec-plus:acceptance_threshold=0.3": ("cosec-plus", "0.3"),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CosecWarning)  # about the old name
        points = [point(arm, 0.9, 0.1) for arm in split]
    assert {one.arm: (one.curve, one.strength) for one in points} == split


def test_points_are_labelled_with_their_strength_wherever_it_stands_in_the_arm() -> None:
    first, last = (
        frontier_figure([replace(point("gate", 0.8, 0.1), arm=arm)], function_label="pass@1 (%)")
        for arm in ("gate:strength=0.05,divergence=js", "gate:divergence=js,strength=0.05")
    )
    assert first is not None
    assert first == last


def test_the_choice_is_the_most_secure_within_the_budget_and_never_one_model_alone() -> None:
    assert choose(POINTS, budget=0.01).point.arm == "gate:strength=0.1", "as secure as steer, with fewer tokens changed"
    assert choose(POINTS, budget=0.05).point.arm == "gate:strength=0.02"
    assert choose(POINTS, budget=0.006).point.arm == "steer:strength=1"


def test_an_arm_is_not_chosen_for_avoiding_the_scenarios_that_are_hard() -> None:
    avoiding = point("gate:strength=0.5", 1.00, 0.100, gain=0.0)
    unknown = replace(point("gate:strength=1", 1.00, 0.100), gain=None)
    assert choose([*POINTS, avoiding, unknown], budget=0.01).point.arm == "gate:strength=0.1"


def test_the_reason_gives_the_gain_and_the_scenarios_that_it_compares() -> None:
    assert "(+20.0 points over the 8 scenarios in which both engage)" in choose(POINTS, budget=0.01).reason


def test_a_model_alone_is_no_candidate_whatever_it_is_called() -> None:
    alone = [point(arm, 0.99, 0.100) for arm in ("cue", "prefix", "lora@tuned")]
    assert choose([*POINTS, *alone], budget=0.01).point.arm == "gate:strength=0.1"
    with pytest.raises(StudyError, match="at least one strength"):
        choose([POINTS[0], *alone], budget=0.01)


def test_a_point_says_whether_one_model_runs_alone_and_is_then_drawn_as_a_square(results: Results) -> None:
    points = points_of(results, "security")
    assert [one.arm for one in points if one.alone] == ["origin", "lora"]
    square = frontier_figure([point("cue", 0.6, 0.1)], function_label="pass@1 (%)")
    circle = frontier_figure([replace(point("cue", 0.6, 0.1), alone=False)], function_label="pass@1 (%)")
    assert square != circle
    assert square == frontier_figure([replace(point("cue", 0.6, 0.1), alone=True)], function_label="pass@1 (%)")


def test_a_budget_that_nothing_keeps_names_the_nearest() -> None:
    with pytest.raises(StudyError, match="nearest is steer:strength=1"):
        choose(POINTS, budget=0.001)
    with pytest.raises(StudyError, match="not known for origin"):
        choose(POINTS[1:], budget=0.01)


def test_the_choice_is_written_as_a_rule_that_can_be_read_back(results: Results, tmp_path: Path) -> None:
    text = rule_toml(choose(POINTS, budget=0.05), results)
    assert tomllib.loads(text) == {"rule": {"name": "gate", "strength": 0.02}}
    assert "4 of" not in text
    assert "3 of 3 candidates keep to the budget of 5 points" in text
