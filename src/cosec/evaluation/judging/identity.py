"""What decides a verdict: the version of the judges, and the data that a task's completions are judged by.

A study records both, so that its verdicts are never a mixture. Source code is not hashed: moving or documenting code
changes no verdict. A change that may change one raises `JUDGING_VERSION` here or ``CHECKER_VERSION`` in
``checking/version.py``, by hand.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from cosec.checking.version import CHECKER_VERSION
from cosec.evaluation.tasks.scenarios import Scenario, functional_files
from cosec.evaluation.tasks.tasks import Task

JUDGING_VERSION = 4
"""Version of everything between a recorded completion and its verdict, the checkers excepted.

It covers extraction, the states of a verdict, how functional tests run, and the limits of the sandbox. Raise it by one
in each change after which the same completion may get another verdict.
"""

_DIGITS = 12


def judges_version() -> str:
    """Version of the default judges, as manifests and reports show it."""
    return f"checkers {CHECKER_VERSION}, judging {JUDGING_VERSION}"


def task_version(judges: str, task: Task, *, functional: bool) -> str:
    """Twelve hex digits that change when a verdict on the task's completions may change.

    They cover the judges' version and the task's own data: patterns, sinks, inputs of the C driver, and tests with the
    stand-ins for packages that they import. They depend on no path, and on no text that only people read.

    Args:
        judges: Version of the judges (`judges_version`).
        task: What was completed.
        functional: Whether the functional tests of scenarios run.
    """
    return _digest({"judges": judges, **_sources(task, functional)})


def study_version(judges: str, tasks: Iterable[tuple[str, bool, Task]]) -> str:
    """Version of the judges and of the data of all tasks, as one line: ``checkers 1, judging 1, tests 5f0c…``.

    Args:
        judges: Version of the judges.
        tasks: The tasks of a study, each with its benchmark's name and whether functional tests run there.
    """
    sources = {f"{name}/{task.id}": _digest(_sources(task, functional)) for name, functional, task in tasks}
    return f"{judges}, tests {_digest(sources)}"


def _sources(task: Task, functional: bool) -> dict[str, Any]:
    chat = {"format": "chat"} if task.format == "chat" else {}
    if task.scenario is not None:
        return {**chat, **_scenario_sources(task.scenario, functional)}
    return {**chat, "tests": task.problem.tests if task.problem is not None else None}


def _scenario_sources(scenario: Scenario, functional: bool) -> dict[str, Any]:
    tested = functional and scenario.functional_test is not None
    return {
        "cwe": scenario.cwe,
        "language": scenario.language,
        "patterns": sorted(scenario.patterns),
        "sinks": sorted(scenario.sinks),
        "driver": scenario.driver.model_dump(mode="json") if scenario.driver is not None else None,
        "tests": functional_files(scenario, "") if tested else None,
    }


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", errors="surrogatepass")).hexdigest()[:_DIGITS]
