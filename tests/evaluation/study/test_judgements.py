from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from pathlib import Path

import pytest

from cosec.checking.finding import CheckReport
from cosec.errors import StudyError
from cosec.evaluation.judging.judges import Judges
from cosec.evaluation.report.read_results import read_results
from cosec.evaluation.report.text_report import summary_lines
from cosec.evaluation.study.manifest import open_study
from cosec.evaluation.study.records import StudyFolder
from cosec.evaluation.study.units import units_of
from tests.evaluation.scripted import PlusChecker, write_scenarios
from tests.evaluation.study.runs import run, settings, without_times


class Lenient(PlusChecker):
    def check(self, paths: Sequence[Path], *, patterns: Collection[str] | None = None) -> CheckReport:
        return CheckReport()


def test_judging_again_keeps_the_earlier_verdicts_and_generates_nothing(tmp_path: Path) -> None:
    scenarios, out = write_scenarios(tmp_path / "scenarios"), tmp_path / "out"
    run(settings(scenarios), out)
    before = without_times(out)
    lenient = Judges(checkers={"py": (Lenient(),)}, version="b")
    for _ in range(2):
        steps = run(settings(scenarios), out, judged_by=lenient, checkers="b", rejudge=True)
        assert sum(step.tokens for step in steps) == 0
    assert before.items() <= without_times(out).items()
    assert sorted(one.name for one in out.glob("verdicts*")) == ["verdicts", "verdicts-2"]
    results = read_results(StudyFolder(out))
    assert results.recorded == 240
    assert {str(one.state) for found in results.verdicts.values() for one in found}.isdisjoint({"insecure"})
    assert re.search(r"- judged by: b, tests \w{12}; judgement 2 of", "".join(summary_lines(results)))


def test_verdicts_of_two_versions_of_the_checkers_are_not_mixed(tmp_path: Path) -> None:
    scenarios = write_scenarios(tmp_path / "scenarios")
    run(settings(scenarios, seeds=(0,)), tmp_path / "out")
    run(settings(scenarios, seeds=(0,)), tmp_path / "out", checkers="b")  # nothing is left to judge
    folder, units = StudyFolder(tmp_path / "out"), units_of(settings(scenarios, seeds=(0,)))
    assert open_study(folder, settings(scenarios, seeds=(0,)), units, {}, judges="a")
    assert not open_study(folder, settings(scenarios, seeds=(0,)), units, {}, judges="b")
    with pytest.raises(StudyError, match=r"other checkers or tests \(a, tests (\w+); now b, tests \1\).*--rejudge"):
        run(settings(scenarios), tmp_path / "out", checkers="b")
    assert folder.manifest()["identity"]["seeds"] == [0], "a refused run leaves the folder as it was"
    both = units_of(settings(scenarios))
    assert not open_study(folder, settings(scenarios), both, {}, judges="b", adds_verdicts=False)
    run(settings(scenarios), tmp_path / "out", checkers="b", rejudge=True)
    assert read_results(StudyFolder(tmp_path / "out")).recorded == 240


class Noting(PlusChecker):
    """Remembers which programs it was asked about."""

    def __init__(self) -> None:
        super().__init__()
        self.programs: list[str] = []

    def check(self, paths: Sequence[Path], *, patterns: Collection[str] | None = None) -> CheckReport:
        self.programs += [path.read_text(encoding="utf-8") for path in paths]
        return super().check(paths, patterns=patterns)


def test_after_one_scenario_changed_only_that_scenario_is_judged_again(tmp_path: Path) -> None:
    scenarios, out = write_scenarios(tmp_path / "scenarios"), tmp_path / "out"
    run(settings(scenarios, seeds=(0,)), out)
    before = without_times(out)
    card = scenarios / "cwe-089" / "lookup-1" / "scenario.toml"
    card.write_text(card.read_text(encoding="utf-8").replace("execute", "executemany"), encoding="utf-8")
    with pytest.raises(StudyError, match=r"other checkers or tests \(a, tests \w+; now a, tests \w+\).*--rejudge"):
        run(settings(scenarios), out)
    noting = Noting()
    run(settings(scenarios, seeds=(0,)), out, judged_by=Judges(checkers={"py": (noting,)}, version="a"), rejudge=True)
    assert noting.programs
    assert all("def lookup_1(" in program for program in noting.programs)
    after = without_times(out)
    assert before.items() <= after.items()
    for file in sorted(one for one in before if one.startswith("verdicts/")):
        again = after[file.replace("verdicts", "verdicts-2", 1)]
        for earlier, now in zip(map(json.loads, before[file]), map(json.loads, again), strict=True):
            assert (earlier == now) == ("lookup-1" not in earlier["task"])
            assert not ("lookup-1" in now["task"] and now["engaged"]), "the new sink is reached by none"
