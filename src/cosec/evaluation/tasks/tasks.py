"""Benchmarks and their tasks: scenarios and function problems alike, as one ordered list of prompts."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from cosec.checking.patterns import Language
from cosec.errors import DataError
from cosec.evaluation.tasks.problems import MbppSplit, Problem, human_eval, humaneval_format, mbpp
from cosec.evaluation.tasks.scenarios import Depth, Scenario, Split, own_scenarios
from cosec.evaluation.tasks.sven_scenarios import sven_scenarios

PYTHON_STOPS = ("\ndef ", "\nasync def ", "\nclass ", "\n@", "\nif __name__", "\nprint(", "\nimport ", "\nfrom ")
"""Texts that show that a completion has left its Python function. Extraction cuts the rest by parsing."""
C_STOPS = ("\n}",)
"""A brace in the first column ends a C function. Extraction puts it back."""

PromptFormat = Literal["completion", "chat"]
"""``completion``: the model continues the code. ``chat``: a user asks it to, in the model's chat format."""


_REPORTED: tuple[Split, ...] = ("trained", "unseen")
"""Splits of scenarios that results are reported on."""


class Benchmark(BaseModel):
    """A set of tasks, and how often and how long they are completed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9-]+$")
    """Names its records: ``own-decision``, ``humaneval``."""

    scenarios: str | None = None
    """``own``, or a folder in our layout or in SVEN's. ``$NAME`` stands for an environment variable."""

    problems: str | None = None
    """``humaneval``, ``mbpp:FILE`` (its test part), ``mbpp-training:FILE``, or a file in HumanEval's format. Either
    this or ``scenarios`` is given.
    """

    depth: Depth | None = None
    """Only prompts of this depth; both if None."""

    split: tuple[Split, ...] = _REPORTED
    """Only scenarios of these splits. Validation scenarios are for calibration and not among them by default."""

    functional: bool = True
    """Whether the functional tests of scenarios run too. The joint rate needs them."""

    samples: int = Field(default=10, ge=1)
    """Completions of each task under one seed."""

    max_new_tokens: int = Field(default=200, ge=1)
    """Length limit of a completion, in tokens."""

    limit: int | None = Field(default=None, ge=1)
    """Maximum number of tasks, evenly spread over the set; all if None."""

    # Left out of a study's identity if not set, as it is in studies recorded before this field existed.
    shortest: int | None = Field(default=None, ge=1, exclude_if=lambda value: value is None)
    """Number of problems with the shortest reference solutions; all if None. These are easy, chosen without a model."""

    format: PromptFormat = Field(default="completion", exclude_if=lambda value: value == "completion")
    """How the model is asked. In a chat it repeats code, so that answers need more tokens than completions."""

    # True in studies recorded before this field existed.
    strip_prompts: bool = Field(default=True, exclude_if=lambda value: value)
    """Whether a problem's prompt ends with its last visible character, as small models need it, or with the line break
    that its set gives it. Larger ones may take a missing line break for the end of the function."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One prompt of a benchmark."""

    id: str
    """``own/cwe-089/book-search@open`` or ``HumanEval/0``."""

    prompt: str

    stop: tuple[str, ...]
    """Texts that end a completion."""

    scenario: Scenario | None = None
    """The scenario, unless the task is a function problem."""

    problem: Problem | None = None
    """The function problem, unless the task is a scenario."""

    format: PromptFormat = "completion"
    """How the model is asked to complete the prompt."""

    @property
    def language(self) -> Language:
        """Language of the prompt."""
        return "py" if self.scenario is None else self.scenario.language


def tasks_of(benchmark: Benchmark) -> list[Task]:
    """The benchmark's tasks, in a fixed order.

    Raises:
        DataError: If the benchmark names both or neither kind or a setting of the other kind, or its data cannot be
            read.
    """
    if (benchmark.scenarios is None) == (benchmark.problems is None):
        raise DataError(f"The benchmark {benchmark.name!r} needs either scenarios or problems; give one of them.")
    _refuse_without_effect(benchmark)
    if benchmark.scenarios is not None:
        tasks = [_scenario_task(one, benchmark.format) for one in _scenarios(benchmark)]
    else:
        problems = read_problems(benchmark.problems or "")
        tasks = [_problem_task(one, benchmark) for one in _shortest(problems, benchmark.shortest)]
    if not tasks:
        raise DataError(f"The benchmark {benchmark.name!r} selects no task; widen its depth or split.")
    return _spread(tasks, benchmark.limit)


def _refuse_without_effect(benchmark: Benchmark) -> None:
    """Refuse settings that choose among tasks of the other kind; defaults, which manifests record, choose nothing."""
    if benchmark.scenarios is not None:
        has, others = "scenarios", "problems"
        given = {"shortest": benchmark.shortest is not None, "strip_prompts": not benchmark.strip_prompts}
    else:
        has, others = "problems", "scenarios"
        given = {"depth": benchmark.depth is not None, "split": benchmark.split != _REPORTED}
    unused = [setting for setting, is_given in given.items() if is_given]
    if unused:
        raise DataError(f"The benchmark {benchmark.name!r} has {has}; {unused[0]} is for {others} only. Leave it out.")


def read_problems(name: str) -> tuple[Problem, ...]:
    """Problems by ``humaneval``, ``mbpp:FILE``, ``mbpp-training:FILE``, or a file in HumanEval's format.

    Raises:
        DataError: If they cannot be read.
    """
    if name == "humaneval":
        return human_eval()
    splits: dict[str, MbppSplit] = {"mbpp": "test", "mbpp-training": "training"}
    kind, separator, file = name.partition(":")
    if separator and kind in splits:
        return mbpp(Path(expand(file)), splits[kind])
    return humaneval_format(Path(expand(name)))


def expand(name: str) -> str:
    """Replace ``$NAME`` by the value of an environment variable, so that a recipe does not depend on a machine's paths.

    Raises:
        DataError: If a variable is not set; names it.
    """
    expanded = os.path.expandvars(name)
    if "$" in expanded:
        raise DataError(f"{name!r} names an environment variable that is not set; set it to the path of the data.")
    return expanded


def _shortest(problems: Sequence[Problem], count: int | None) -> list[Problem]:
    """The problems with the shortest reference solutions, in the set's order."""
    kept = sorted(problems, key=lambda one: len(one.reference.strip()))[:count]
    return [one for one in problems if one in kept]


def _scenarios(benchmark: Benchmark) -> list[Scenario]:
    name = benchmark.scenarios or ""
    folder = None if name == "own" else Path(expand(name))
    if folder is not None and any((folder / one).is_dir() for one in ("trained", "gen_1", "gen_2")):
        found: Sequence[Scenario] = sven_scenarios(folder)
    else:
        found = own_scenarios(folder)
    return [one for one in found if benchmark.depth in (None, one.depth) and one.split in benchmark.split]


def _scenario_task(scenario: Scenario, format: PromptFormat) -> Task:
    stop = PYTHON_STOPS if scenario.language == "py" else C_STOPS
    return Task(
        id=f"{scenario.id}@{scenario.depth}",
        prompt=scenario.prompt,
        stop=stop if format == "completion" else (),
        scenario=scenario,
        format=format,
    )


def _problem_task(problem: Problem, benchmark: Benchmark) -> Task:
    return Task(
        id=problem.task_id,
        prompt=problem.prompt.rstrip() if benchmark.strip_prompts else problem.prompt,
        stop=problem.stop if benchmark.format == "completion" else (),
        problem=problem,
        format=benchmark.format,
    )


def _spread(tasks: list[Task], limit: int | None) -> list[Task]:
    if limit is None or limit >= len(tasks):
        return tasks
    return [tasks[index * len(tasks) // limit] for index in range(limit)]
