from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cosec.checking.c.driver_inputs import DriverInputs, DriverRun
from cosec.checking.version import CHECKER_VERSION
from cosec.evaluation.judging.identity import judges_version, study_version, task_version
from cosec.evaluation.tasks import scenarios
from cosec.evaluation.tasks.problems import Problem
from cosec.evaluation.tasks.scenarios import own_scenarios
from cosec.evaluation.tasks.tasks import Task
from tests.evaluation.scripted import write_scenarios


def task(folder: Path, **changes: object) -> Task:
    (scenario,) = (one for one in own_scenarios(folder) if one.depth == "decision")
    return Task(id="own/x@decision", prompt="", stop=(), scenario=replace(scenario, **changes))  # type: ignore[arg-type]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = write_scenarios(tmp_path / "scenarios", 1)
    (place / "cwe-089" / "lookup-0" / "test.py").write_text("import program\n", encoding="utf-8")
    return place


def version(one: Task, functional: bool = True) -> str:
    return task_version("a", one, functional=functional)


def test_the_same_data_in_another_folder_have_the_same_version(folder: Path) -> None:
    before = version(task(folder))
    assert version(task(folder.rename(folder.with_name("moved")))) == before


@pytest.mark.parametrize(
    "changes",
    [
        {"patterns": ("py/sql-injection", "py/log-injection")},
        {"sinks": ("executemany",)},
        {"functional_test": "import program, os\n"},
        {"driver": DriverInputs(runs=(DriverRun(stdin="x"),))},
    ],
)
def test_what_decides_a_verdict_changes_the_version(folder: Path, changes: dict[str, object]) -> None:
    assert version(task(folder, **changes)) != version(task(folder))


def test_what_only_people_read_and_the_order_of_patterns_change_nothing(folder: Path) -> None:
    known = ("py/log-injection", "py/sql-injection")
    one = task(folder, patterns=known)
    assert version(
        task(folder, patterns=known[::-1], description="other", references=(), split="validation")
    ) == version(one)


def test_a_functional_test_counts_only_where_it_runs(folder: Path) -> None:
    changed = task(folder, functional_test="import program, os\n")
    assert version(changed, functional=False) == version(task(folder), functional=False)


def test_a_stand_in_for_a_package_counts(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = version(task(folder))
    fakes = tmp_path / "shipped" / scenarios.FAKES
    fakes.mkdir(parents=True)
    (fakes / "flask.py").write_text("request = None\n", encoding="utf-8")
    monkeypatch.setattr(scenarios, "shipped_folder", lambda: tmp_path / "shipped")
    assert version(task(folder)) != before


def test_the_tests_of_a_problem_and_the_version_of_the_judges_count() -> None:
    problem = Problem(task_id="T", prompt="", tests="assert f()", entry_point="f", stop=(), reference="")
    one = Task(id="T", prompt="", stop=(), problem=problem)
    other = replace(one, problem=replace(problem, tests="assert not f()"))
    assert len({version(one), version(other), task_version("b", one, functional=True)}) == 3


def test_a_study_is_of_one_version_whatever_the_order_of_its_tasks() -> None:
    problem = Problem(task_id="T", prompt="", tests="assert f()", entry_point="f", stop=(), reference="")
    tasks = [("x", True, Task(id=f"T/{index}", prompt="", stop=(), problem=problem)) for index in range(3)]
    assert study_version("a", tasks) == study_version("a", tasks[::-1]) != study_version("a", tasks[1:])
    assert study_version(judges_version(), tasks).startswith(f"checkers {CHECKER_VERSION}, judging ")


def test_a_chat_has_a_version_of_its_own_and_a_completion_keeps_the_one_it_had(folder: Path) -> None:
    one = task(folder)
    assert version(replace(one, format="chat")) != version(one)
    problem = Task(id="p", prompt="", stop=(), problem=None)
    # As releases before the chat format recorded it.
    assert task_version("checkers 1, judging 1", problem, functional=True) == "ed6f13ed8403"
