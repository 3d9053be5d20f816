from __future__ import annotations

import json
import random
import re
import signal
import subprocess
import sys
from collections.abc import Collection, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from cosec.checking.finding import CheckReport
from cosec.decoding.settings import SamplingSettings
from cosec.errors import CheckerError, SettingsError, StudyError
from cosec.evaluation.judging.judges import Judges
from cosec.evaluation.report.read_results import read_results
from cosec.evaluation.report.text_report import summary_lines
from cosec.evaluation.study.arms import DecodingArm
from cosec.evaluation.study.judge_worker import JudgeWorker
from cosec.evaluation.study.manifest import open_study
from cosec.evaluation.study.records import StudyFolder
from cosec.evaluation.study.settings import StudySettings, study_settings
from cosec.evaluation.study.study import Step, Study
from cosec.evaluation.study.units import units_of
from cosec.evaluation.tasks.tasks import Task
from tests.evaluation.scripted import InlineJudge, PlusChecker, ScriptedGenerator, judges, write_scenarios

ROOT = Path(__file__).parents[3]


def settings(scenarios: Path, **changes: object) -> StudySettings:
    benchmark = {"name": "tiny", "scenarios": str(scenarios), "depth": "decision", "samples": 20}
    return study_settings(
        {"arms": ("origin", "gate:strength=0.1"), "seeds": (0, 1), "benchmarks": (benchmark,), **changes}
    )


def run(
    chosen: StudySettings,
    out: Path,
    pause: float = 0.0,
    judged_by: Judges | None = None,
    beside: bool = False,
    checkers: str = "a",
    rejudge: bool = False,
) -> list[Step]:
    steps: list[Step] = []
    units = units_of(chosen)
    folder = StudyFolder(out)
    open_study(folder, chosen, units, {}, judges=checkers, rejudge=rejudge)

    def generator(arm: DecodingArm) -> ScriptedGenerator:
        return ScriptedGenerator(arm, pause)

    judging = JudgeWorker(out, judged_by or judges()) if beside else InlineJudge(folder, judged_by or judges())
    try:
        Study(chosen, folder, units, generator=generator, judge=judging, on_step=steps.append).run()
    finally:
        if isinstance(judging, JudgeWorker):
            judging.close()
    return steps


def without_times(out: Path) -> dict[str, list[str]]:
    """Every record of a study as text, by file, with the seconds taken out."""
    found = {}
    for file in sorted(out.rglob("*.jsonl")):
        records = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        for record in records:
            record.pop("seconds", None)
        found[str(file.relative_to(out))] = [json.dumps(record, sort_keys=True) for record in records]
    return found


def test_every_arm_seed_and_task_is_completed_and_judged(tmp_path: Path) -> None:
    scenarios = write_scenarios(tmp_path / "scenarios", 4)
    steps = run(settings(scenarios), tmp_path / "out")
    assert steps[-1].done == steps[-1].total == 2 * 2 * 4 * 20
    results = read_results(StudyFolder(tmp_path / "out"))
    assert results.recorded == results.expected == 320
    assert results.arms("tiny") == ["origin", "gate:strength=0.1"]
    states = {str(one.state) for found in results.verdicts.values() for one in found}
    assert states == {"secure", "insecure", "unparsable", "empty"}
    assert any(one.duplicate for one in results.verdicts["tiny", "origin"])
    figure = results.estimate("tiny", "gate:strength=0.1", "engaged_security")
    assert figure is not None
    assert figure.difference is not None
    assert figure.interval.units == 4


def test_two_runs_with_one_seed_give_the_same_records_apart_from_times(tmp_path: Path) -> None:
    scenarios = write_scenarios(tmp_path / "scenarios")
    run(settings(scenarios), tmp_path / "one")
    run(settings(scenarios), tmp_path / "other")
    assert without_times(tmp_path / "one") == without_times(tmp_path / "other")


def test_a_finished_study_is_not_computed_again(tmp_path: Path) -> None:
    scenarios = write_scenarios(tmp_path / "scenarios")
    run(settings(scenarios), tmp_path / "out")
    before = without_times(tmp_path / "out")
    assert all(step.tokens == 0 for step in run(settings(scenarios), tmp_path / "out"))
    assert without_times(tmp_path / "out") == before


@pytest.mark.parametrize("kept", [1, 10, 33, 59])
def test_a_unit_that_was_cut_off_is_completed_where_it_ended(tmp_path: Path, kept: int) -> None:
    scenarios = write_scenarios(tmp_path / "scenarios")
    run(settings(scenarios), tmp_path / "out")
    before = without_times(tmp_path / "out")
    for file in (tmp_path / "out").rglob("*.jsonl"):
        data = file.read_bytes()
        lines = data.splitlines(keepends=True)
        file.write_bytes(b"".join(lines[:kept]) + lines[kept][: len(lines[kept]) // 2])
    run(settings(scenarios), tmp_path / "out")
    assert without_times(tmp_path / "out") == before


def test_a_process_begins_where_no_other_works(tmp_path: Path) -> None:
    chosen = settings(write_scenarios(tmp_path / "scenarios", 4))
    units, folder, order = units_of(chosen), StudyFolder(tmp_path / "out"), list[tuple[str, int]]()
    open_study(folder, chosen, units, {}, judges="a")
    with ExitStack() as elsewhere:
        assert elsewhere.enter_context(folder.unit(units[0].name)), "the other process is at the first group"

        class Noting(ScriptedGenerator):
            def complete(self, tasks: Iterable[Task], *, samples: int, sampling: SamplingSettings) -> Any:
                order.append((self.arm.name, sampling.seed))
                elsewhere.close()  # the other process ends
                return super().complete(tasks, samples=samples, sampling=sampling)

        judging = InlineJudge(folder, judges())
        Study(chosen, folder, units, generator=Noting, judge=judging, on_step=lambda step: None).run()
    gate = "gate:strength=0.1"
    assert order == [(gate, 0), ("origin", 1), (gate, 1), ("origin", 0)]
    assert read_results(folder).recorded == 320


def test_completions_may_be_judged_later(tmp_path: Path) -> None:
    chosen = settings(write_scenarios(tmp_path / "scenarios"))
    units, folder = units_of(chosen), StudyFolder(tmp_path / "out")
    open_study(folder, chosen, units, {}, judges="a")
    steps: list[Step] = []
    Study(chosen, folder, units, generator=ScriptedGenerator, judge=None, on_step=steps.append).run()
    assert steps[-1].done == steps[-1].total == 240
    with pytest.raises(StudyError, match="Nothing was judged"):
        read_results(folder)
    # Checkers that came later are as good as those of the day: they are the first to judge.
    assert sum(step.tokens for step in run(chosen, tmp_path / "out", checkers="b")) == 0
    assert [one["checkers"].split(",")[0] for one in folder.manifest()["judged"]] == ["b"]
    run(chosen, tmp_path / "at-once")
    assert without_times(tmp_path / "out") == without_times(tmp_path / "at-once")


def test_another_study_is_not_mixed_into_a_folder(tmp_path: Path) -> None:
    scenarios = write_scenarios(tmp_path / "scenarios")
    run(settings(scenarios), tmp_path / "out")
    with pytest.raises(StudyError, match=r"holds another study: its temperature is 0\.4, this one's is 1"):
        run(settings(scenarios, temperature=1.0), tmp_path / "out")
    (scenarios / "cwe-089" / "lookup-0" / "decision.py").write_text(
        "import sqlite3\n\n\ndef lookup_0(connection, name):\n    connection.executemany(", encoding="utf-8"
    )
    with pytest.raises(StudyError, match="prompts_sha256"):
        run(settings(scenarios), tmp_path / "out")


def test_a_folder_may_gain_arms_and_seeds_and_keeps_what_it_has(tmp_path: Path) -> None:
    scenarios = write_scenarios(tmp_path / "scenarios")
    run(settings(scenarios, arms=("origin",), seeds=(1,)), tmp_path / "out")
    before = without_times(tmp_path / "out")
    steps = run(settings(scenarios, name="more", arms=("lora", "origin"), seeds=(0, 1)), tmp_path / "out")
    assert sum(step.tokens > 0 for step in steps) == 3
    results = read_results(StudyFolder(tmp_path / "out"))
    assert (results.settings.name, results.settings.arms, results.settings.seeds) == (
        "study",
        ("origin", "lora"),
        (1, 0),
    )
    assert results.recorded == results.expected == 4 * 60
    assert before.items() <= without_times(tmp_path / "out").items()


def test_a_smaller_study_continues_a_folder_without_taking_anything_from_it(tmp_path: Path) -> None:
    scenarios = write_scenarios(tmp_path / "scenarios")
    run(settings(scenarios), tmp_path / "out")
    steps = run(settings(scenarios, arms=("origin",), seeds=(0,)), tmp_path / "out")
    assert [step.tokens for step in steps] == [0]
    results = read_results(StudyFolder(tmp_path / "out"))
    assert (results.settings.seeds, results.recorded, results.expected) == ((0, 1), 240, 240)


def test_a_checker_is_started_once_for_all_scenarios_of_a_unit(tmp_path: Path) -> None:
    checker = PlusChecker()
    scenarios = write_scenarios(tmp_path / "scenarios")
    chosen = settings(scenarios, arms=("origin",), seeds=(0,))
    run(chosen, tmp_path / "out", judged_by=Judges(checkers={"py": (checker,)}, version="a"))
    assert (len(units_of(chosen)), checker.calls) == (1, 1)


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
    with pytest.raises(StudyError, match=r"other checkers or tests \(a, tests (\w+); now b, tests \1\).*--rejudge"):
        run(settings(scenarios), tmp_path / "out", checkers="b")
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


def test_a_failing_checker_leaves_completions_and_no_verdict(tmp_path: Path) -> None:
    scenarios = write_scenarios(tmp_path / "scenarios")
    chosen = settings(scenarios, arms=("origin",), seeds=(0,))
    with pytest.raises(CheckerError, match="gone"):
        run(chosen, tmp_path / "out", judged_by=Judges(checkers={"py": (Broken(),)}, version="a"))
    with pytest.raises(StudyError, match="Nothing was judged"):
        read_results(StudyFolder(tmp_path / "out"))
    steps = run(chosen, tmp_path / "out")
    assert (steps[-1].tokens, steps[-1].done) == (0, 60)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"arms": ("orgin",)}, "choose one of origin"),
        ({"arms": ("origin:strength=1",)}, "runs one model alone"),
        ({"arms": ("gate:threshold=0.1",)}, "has no threshold"),
        ({"arms": ("gate:strenth=0.1",)}, "Unknown setting 'strenth'"),
        ({"arms": ("origin", "origin")}, "each once"),
        ({"seeds": ()}, "seeds"),
        ({"benchmark": ()}, "benchmark: extra inputs"),
    ],
)
def test_a_mistaken_recipe_is_refused_by_name(tmp_path: Path, values: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        settings(tmp_path, **values)


SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[4])
from tests.evaluation.study.test_study import run, settings
if __name__ == "__main__":
    run(settings(Path(sys.argv[1])), Path(sys.argv[2]), pause=float(sys.argv[3]), beside=True)
"""


def start(scenarios: Path, out: Path, pause: float) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", SCRIPT, str(scenarios), str(out), str(pause), str(ROOT)])


def test_two_processes_share_the_work(tmp_path: Path) -> None:
    scenarios = write_scenarios(tmp_path / "scenarios", 9)
    run(settings(scenarios), tmp_path / "alone")
    both = [start(scenarios, tmp_path / "shared", 0.05) for _ in range(2)]
    assert [one.wait(timeout=120) for one in both] == [0, 0]
    assert without_times(tmp_path / "shared") == without_times(tmp_path / "alone")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_study_killed_at_twenty_random_moments_ends_like_an_uninterrupted_one(tmp_path: Path) -> None:
    scenarios = write_scenarios(tmp_path / "scenarios", 9)
    run(settings(scenarios), tmp_path / "alone")
    chance, killed, folders = random.Random(0), 0, 0
    while killed < 20:
        process = start(scenarios, tmp_path / f"killed-{folders}", 0.3)
        try:
            process.wait(timeout=2.0 + chance.random() * 3.0)
            folders += 1  # it came to its end: the next kills hit another study
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            killed += 1
    for folder in range(folders + 1):
        assert start(scenarios, tmp_path / f"killed-{folder}", 0.0).wait(timeout=120) == 0
        assert without_times(tmp_path / f"killed-{folder}") == without_times(tmp_path / "alone")
