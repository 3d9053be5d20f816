from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from cosec.checking.finding import CheckReport
from cosec.decoding.settings import SamplingSettings
from cosec.errors import CheckerError, StudyError
from cosec.evaluation.judging.judges import Judges
from cosec.evaluation.report.read_results import read_results
from cosec.evaluation.study.judge_units import RecordedUnit
from cosec.evaluation.study.judge_worker import JudgeWorker
from cosec.evaluation.study.records import COMPLETIONS, StudyFolder
from cosec.evaluation.study.units import units_of
from tests.evaluation.scripted import PlusChecker, ScriptedGenerator, write_scenarios
from tests.evaluation.study.runs import run, settings, without_times


def test_a_checker_is_started_once_for_all_scenarios_of_a_unit(tmp_path: Path) -> None:
    checker = PlusChecker()
    scenarios = write_scenarios(tmp_path / "scenarios")
    chosen = settings(scenarios, arms=("origin",), seeds=(0,))
    run(chosen, tmp_path / "out", judged_by=Judges(checkers={"py": (checker,)}, version="a"))
    assert (len(units_of(chosen)), checker.calls) == (1, 1)


class Slow(PlusChecker):
    """Waits for a file, and fails if it does not come."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.file = file

    def check(self, paths: Sequence[Path], *, patterns: Collection[str] | None = None) -> CheckReport:
        until = time.monotonic() + 5
        while not self.file.exists():
            if time.monotonic() > until:
                raise CheckerError("the study waited for its judge")
            time.sleep(0.01)
        return super().check(paths, patterns=patterns)


def test_a_study_does_not_wait_for_a_slow_judge(tmp_path: Path) -> None:
    chosen = settings(write_scenarios(tmp_path / "scenarios", 1), arms=("origin",), seeds=(0,))
    (unit,) = units_of(chosen)
    folder, go_on = StudyFolder(tmp_path / "out"), tmp_path / "go-on"
    (samples,) = ScriptedGenerator(unit.arm).complete(unit.tasks, samples=20, sampling=SamplingSettings(seed=0))
    folder.append(COMPLETIONS, unit.name, map(asdict, samples))
    recorded = RecordedUnit(name=unit.name, tasks=unit.tasks, samples=20, seed=0, functional=False, verdicts="verdicts")
    # More than a pipe holds; nothing of it is left to judge.
    large = replace(recorded, name="large", tasks=(), earlier=("x" * 2**22,))
    with JudgeWorker(folder.path, Judges(checkers={"py": (Slow(go_on),)}, version="a")) as judge:
        judge.submit(recorded)
        judge.submit(large)
        go_on.touch()
        judge.wait()
    assert len(folder.read("verdicts", unit.name)) == 20


class Broken(PlusChecker):
    def check(self, paths: Sequence[Path], *, patterns: Collection[str] | None = None) -> CheckReport:
        raise CheckerError("gone")


def test_a_process_beside_gives_the_same_verdicts(tmp_path: Path) -> None:
    scenarios = write_scenarios(tmp_path / "scenarios")
    run(settings(scenarios), tmp_path / "here")
    run(settings(scenarios), tmp_path / "beside", beside=True)
    assert without_times(tmp_path / "beside") == without_times(tmp_path / "here")


def test_a_checker_that_fails_beside_stops_the_study_and_a_new_run_judges_what_was_recorded(tmp_path: Path) -> None:
    scenarios = write_scenarios(tmp_path / "scenarios")
    with pytest.raises(CheckerError, match="gone"):
        run(
            settings(scenarios),
            tmp_path / "out",
            judged_by=Judges(checkers={"py": (Broken(),)}, version="a"),
            beside=True,
        )
    run(settings(scenarios), tmp_path / "out", beside=True)
    run(settings(scenarios), tmp_path / "whole")
    assert without_times(tmp_path / "out") == without_times(tmp_path / "whole")


class Defective(PlusChecker):
    def check(self, paths: Sequence[Path], *, patterns: Collection[str] | None = None) -> CheckReport:
        raise ValueError("odd text")


def test_a_defect_of_a_judge_names_the_unit(tmp_path: Path) -> None:
    scenarios = write_scenarios(tmp_path / "scenarios")
    judges = Judges(checkers={"py": (Defective(),)}, version="a")
    with pytest.raises(CheckerError, match=r"origin.* cannot be judged \(ValueError: odd text\)"):
        run(settings(scenarios, arms=("origin",)), tmp_path / "out", judged_by=judges, beside=True)


def test_a_failing_checker_leaves_completions_and_no_verdict(tmp_path: Path) -> None:
    scenarios = write_scenarios(tmp_path / "scenarios")
    chosen = settings(scenarios, arms=("origin",), seeds=(0,))
    with pytest.raises(CheckerError, match="gone"):
        run(chosen, tmp_path / "out", judged_by=Judges(checkers={"py": (Broken(),)}, version="a"))
    with pytest.raises(StudyError, match="Nothing was judged"):
        read_results(StudyFolder(tmp_path / "out"))
    steps = run(chosen, tmp_path / "out")
    assert (steps[-1].tokens, steps[-1].done) == (0, 60)
