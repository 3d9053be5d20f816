from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from cosec.evaluation.judging.verdict import State
from cosec.evaluation.report.estimates import ALL, Estimate
from cosec.evaluation.report.formatting import percent
from cosec.evaluation.report.paper_tables import OURS, TITLES, paper_lines, paper_numbers
from cosec.evaluation.report.read_results import read_results
from cosec.evaluation.report.results import Results
from cosec.evaluation.report.statistics.intervals import Interval
from cosec.evaluation.study.records import StudyFolder
from cosec.evaluation.tasks.tasks import Benchmark
from tests.evaluation.scripted import write_scenarios
from tests.evaluation.study.runs import run, settings

PASSED = Estimate(
    benchmark="humaneval",
    arm="origin",
    cwe=ALL,
    metric="pass@1",
    interval=Interval(value=0.25, low=0.2, high=0.3, units=82, undefined=0),
)


def with_function(results: Results, **part: int) -> Results:
    """The results with a figure of HumanEval, or of a part of it."""
    benchmarks = (*results.settings.benchmarks, Benchmark(name="humaneval", problems="humaneval", **part))
    chosen = results.settings.model_copy(update={"benchmarks": benchmarks})
    return replace(results, settings=chosen, estimates=(*results.estimates, PASSED))


def with_figures_for_every_table(results: Results) -> Results:
    """The results with figures of an unseen weakness and of HumanEval."""
    verdicts = results.verdicts["tiny", "origin"]
    unseen = tuple(replace(one, scenario=f"unseen/{one.scenario}", cwe="CWE-502") for one in verdicts)
    known = {**results.verdicts, ("tiny", "origin"): (*verdicts, *unseen)}
    return with_function(replace(results, verdicts=known))


def test_every_printed_table_is_there_whole() -> None:
    counts = Counter(one.table for one in paper_numbers())
    assert counts == {"I": 42, "II": 63, "V": 320, "VI": 96, "VII": 48, "VIII": 48, "IX": 9, "X": 10}
    assert set(counts) == set(TITLES)
    for table, arms in OURS.items():
        assert set(arms) <= {one.arm for one in paper_numbers() if one.table == table}


def test_known_figures_are_as_printed() -> None:
    printed = {(one.table, one.target, one.arm, one.metric): one.value for one in paper_numbers()}
    assert printed["V", "CodeGen-350M", "Origin", "security_ratio_percent total"] == "55.4"
    assert printed["V", "CodeGen-350M", "CoSec+", "security_ratio_percent total"] == "71.1"
    assert printed["X", "CodeGen-6.1B", "CoSec+", "seconds per 20 tokens (A800)"] == "1.25"


def test_an_endpoint_is_named_as_what_was_measured(tmp_path: Path) -> None:
    scenarios = write_scenarios(tmp_path / "scenarios")
    run(settings(scenarios, arms=("origin",), seeds=(0,)), tmp_path / "out")
    results = read_results(StudyFolder(tmp_path / "out"))
    served = results.settings.model_copy(update={"endpoint": "http://h/v1", "endpoint_model": "own-coder"})
    text = "\n".join(paper_lines(replace(results, settings=served)))
    assert "First rows: own-coder, measured here" in text
    assert "smollm2" not in text.split("| CodeGen")[0]


def test_ours_stand_in_the_first_rows_where_they_were_measured(tmp_path: Path) -> None:
    scenarios = write_scenarios(tmp_path / "scenarios")
    run(settings(scenarios, arms=("origin", "cosec-plus"), seeds=(0,)), tmp_path / "out")
    results = read_results(StudyFolder(tmp_path / "out"))
    text = "\n".join(paper_lines(results))
    table = text.split("### Table V: ")[1].split("###")[0].splitlines()
    figure = results.estimate("tiny", "cosec-plus", "security", "CWE-089")
    assert figure is not None
    rows = [line for line in table if line.startswith("| **smollm2-135m** (tiny)")]
    assert [row.split(" | ")[1] for row in rows] == ["Origin", "CoSec+"], "arms without a figure are no rows"
    assert f"| CoSec+ | {percent(figure.interval)} | not measured |" in rows[1]
    assert "| CodeGen-350M | Origin | 85.4 |" in "\n".join(table)


def test_tables_without_a_figure_of_the_study_are_only_named(tmp_path: Path) -> None:
    run(settings(write_scenarios(tmp_path / "scenarios"), arms=("origin",), seeds=(0,)), tmp_path / "out")
    text = "\n".join(paper_lines(read_results(StudyFolder(tmp_path / "out"))))
    assert [title for title in TITLES.values() if f"### {title}" in text] == [TITLES["V"]]
    assert "no figure for them: Tables I, II, VI, VII, VIII, IX, X." in text


def test_validation_scenarios_are_no_row_and_a_total_averages_the_weaknesses_of_its_table(tmp_path: Path) -> None:
    scenarios = write_scenarios(tmp_path / "scenarios")
    run(settings(scenarios, arms=("origin", "steer:strength=2"), seeds=(0,)), tmp_path / "out")
    results = read_results(StudyFolder(tmp_path / "out"))
    (cwe,) = results.cwes("tiny")
    assert cwe == "CWE-089"
    (verdicts,) = (results.verdicts["tiny", "origin"],)
    foreign = tuple(
        replace(one, scenario=f"other/{one.scenario}", cwe="CWE-502", state=State.INSECURE) for one in verdicts
    )
    both = replace(results, verdicts={**results.verdicts, ("tiny", "origin"): (*verdicts, *foreign)})
    lines = list(paper_lines(both))
    row = next(line for line in lines if line.startswith("| **smollm2-135m** (tiny) | Origin"))
    assert row.split(" | ")[-1] == f"{row.split(' | ')[2]} |", "the only trained weakness is the total"
    assert any(line.startswith("| **smollm2-135m** (tiny) | `steer:strength=2`") for line in lines)
    benchmark = results.settings.benchmarks[0].model_copy(update={"split": ("validation",)})
    only = replace(results, settings=results.settings.model_copy(update={"benchmarks": (benchmark,)}))
    assert not any("(tiny)" in line for line in paper_lines(only))


def test_the_papers_rows_of_the_same_family_stand_right_below_ours(tmp_path: Path) -> None:
    run(settings(write_scenarios(tmp_path / "scenarios"), arms=("origin",), seeds=(0,)), tmp_path / "out")
    results = with_figures_for_every_table(read_results(StudyFolder(tmp_path / "out")))
    qwen = replace(results, settings=results.settings.model_copy(update={"target": "qwen2.5-coder-0.5b"}))
    for table, of_family in (("V", 4), ("VI", 4), ("VII", 0)):
        text = "\n".join(paper_lines(qwen)).split(f"### Table {table}: ")[1].split("###")[0]
        theirs = [line for line in text.splitlines()[4:] if line.startswith("| ") and "**" not in line]
        assert [line.startswith("| Qwen2.5-Coder-14B |") for line in theirs[:5]] == [
            index < of_family for index in range(5)
        ]


@pytest.mark.parametrize("own_weights", [{"security": "b"}, {"base": "b", "adapter": "c"}])
def test_a_security_model_of_its_own_weights_alone_is_not_the_papers_lora(
    tmp_path: Path, own_weights: dict[str, str]
) -> None:
    run(settings(write_scenarios(tmp_path / "scenarios"), arms=("origin", "lora"), seeds=(0,)), tmp_path / "out")
    results = read_results(StudyFolder(tmp_path / "out"))
    identity = {**results.manifest["identity"], "models": {"target": "a", **own_weights}}
    own = replace(results, manifest={**results.manifest, "identity": identity})

    def cells(shown: str, found: Results) -> str:
        table = "\n".join(paper_lines(found)).split("### Table V: ")[1].split("###")[0]
        return "".join(line for line in table.splitlines() if line.startswith(f"| **smollm2-135m** (tiny) | {shown} |"))

    measured = cells("LoRA", results)
    assert "not measured | not" in measured
    assert measured.split(" | ")[2] != "not measured"
    assert cells("LoRA", own) == ""
    assert cells("Security Model", own).split(" | ")[2:] == measured.split(" | ")[2:]
    verdicts = {**own.verdicts, ("tiny", "lora@target"): own.verdicts["tiny", "origin"]}
    named = results.settings.model_copy(update={"arms": ("origin", "lora@target")})
    for trained in (replace(own, verdicts=verdicts), replace(results, verdicts=verdicts, settings=named)):
        assert cells("LoRA", trained).split(" | ")[2:] == cells("Origin", own).split(" | ")[2:]


def test_a_part_of_humaneval_is_named_and_its_shortest_problems_are_no_row(tmp_path: Path) -> None:
    run(settings(write_scenarios(tmp_path / "scenarios"), arms=("origin",), seeds=(0,)), tmp_path / "out")
    results = read_results(StudyFolder(tmp_path / "out"))

    def row(**part: int) -> str | None:
        lines = paper_lines(with_function(results, **part))
        _, _, table = "\n".join(lines).partition("### Table VI: ")
        return next((line for line in table.splitlines() if line.startswith("| **")), None)

    figures = "25.0 [20.0, 30.0] | not measured | not measured |"
    assert row() == f"| **smollm2-135m** | Origin | {figures}"
    assert row(limit=82) == f"| **smollm2-135m** (82 of 164 problems) | Origin | {figures}"
    assert row(shortest=20) is None


def test_table_ix_has_the_students_that_are_named_by_their_divergence(tmp_path: Path) -> None:
    run(settings(write_scenarios(tmp_path / "scenarios"), arms=("origin",), seeds=(0,)), tmp_path / "out")
    results = with_function(read_results(StudyFolder(tmp_path / "out")))
    students = [replace(PASSED, arm=f"lora@{name}") for name in ("reverse", "other")]
    text = "\n".join(paper_lines(replace(results, estimates=(*results.estimates, *students))))
    table = text.split("### Table IX: ")[1].split("###")[0]
    rows = [line.split(" | ")[1:] for line in table.splitlines() if line.startswith("| **")]
    assert rows == [["Origin", "25.0 [20.0, 30.0] |"], ["rKLD", "25.0 [20.0, 30.0] |"]]


def test_table_viii_has_the_security_models_that_are_named_by_the_part_they_lack(tmp_path: Path) -> None:
    arms = ("origin", "cosec-plus", "cosec-plus@without-oversampling")
    run(settings(write_scenarios(tmp_path / "scenarios"), arms=arms[:2], seeds=(0,)), tmp_path / "out")
    results = read_results(StudyFolder(tmp_path / "out"))
    without = {("tiny", arms[2]): results.verdicts["tiny", "origin"]}
    text = "\n".join(paper_lines(replace(results, verdicts={**results.verdicts, **without})))
    table = text.split("### Table VIII: ")[1].split("###")[0]
    rows = [line.split(" | ")[1] for line in table.splitlines() if line.startswith("| **")]
    assert rows == ["Cosec+", "without Oversampling"]
