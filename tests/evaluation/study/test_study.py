from __future__ import annotations

import random
import signal
import subprocess
import sys
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from cosec.decoding.settings import SamplingSettings
from cosec.errors import StudyError
from cosec.evaluation.report.read_results import read_results
from cosec.evaluation.study.manifest import open_study
from cosec.evaluation.study.records import StudyFolder
from cosec.evaluation.study.study import Step, Study
from cosec.evaluation.study.units import units_of
from cosec.evaluation.tasks.tasks import Task
from tests.evaluation.scripted import InlineJudge, ScriptedGenerator, judges, write_scenarios
from tests.evaluation.study.runs import run, settings, without_times


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


ROOT = Path(__file__).parents[3]


SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[4])
from tests.evaluation.study.runs import run, settings
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
