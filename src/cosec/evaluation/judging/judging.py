"""Judge completions: from texts to verdicts, with the checkers, the C driver and the functional tests.

Nothing here decides what is secure; it asks those who do, and keeps what nobody could say as ``unscored``.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from cosec.checking.c.driver_inputs import DriverInputs, DriverVerdict
from cosec.checking.finding import Checker, CheckReport, Finding
from cosec.checking.patterns import Language
from cosec.errors import DataError
from cosec.evaluation.extraction.c_program import compile_problem
from cosec.evaluation.extraction.extract import Extracted, extract
from cosec.evaluation.extraction.python_program import end_of_function
from cosec.evaluation.judging.function_check import FunctionVerdict, run_functional_test, run_tests
from cosec.evaluation.judging.verdicts import State, Verdict, mark_duplicates
from cosec.evaluation.study.generation import Sample
from cosec.evaluation.tasks.problems import Problem
from cosec.evaluation.tasks.scenarios import Scenario, functional_files

WORKERS = 2
REMEMBERED = 16_384
"""Programs whose fate a process remembers: samples, arms and seeds often write the same, and running takes the time."""


class CDriver(Hashable, Protocol):
    """Runs completed C programs."""

    def judge(self, program: str, inputs: DriverInputs) -> DriverVerdict:
        """Compile and run one program.

        Raises:
            CheckerError: If there is no compiler.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Judges:
    """Who judges."""

    checkers: Mapping[Language, Sequence[Checker]]
    """The checkers of each language; a rule is judged by the union of those that know it."""

    driver: CDriver | None = None
    """Runs C programs whose scenario has inputs; None judges them by the checkers alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioSamples:
    """One scenario's samples under one seed."""

    scenario: Scenario
    samples: Sequence[Sample]


def judge_scenarios(
    jobs: Sequence[ScenarioSamples], judges: Judges, *, seed: int, functional: bool
) -> list[list[Verdict]]:
    """Verdicts of every job's samples, in their order, duplicates marked; each checker is started once for all.

    Raises:
        CheckerError: If a checker cannot run: then nothing is known, rather than nothing found.
        DataError: If no checker knows any of a scenario's rules.
    """
    looked = [_Looked.at(job) for job in jobs]
    to_read = [one for one in looked if one.scenario.driver is None or judges.driver is None]
    reports = {
        language: _read(
            [one for one in to_read if one.scenario.language == language], judges.checkers.get(language, ())
        )
        for language in sorted({one.scenario.language for one in to_read})
    }
    return [
        _verdicts(one, _security(one, reports.get(one.scenario.language, {}), judges), seed, functional)
        for one in looked
    ]


@dataclass(frozen=True, slots=True)
class _Looked:
    """A job whose completions were extracted."""

    scenario: Scenario
    samples: Sequence[Sample]
    extracted: list[Extracted]
    problems: list[str | None]

    @classmethod
    def at(cls, job: ScenarioSamples) -> _Looked:
        scenario = job.scenario
        extracted = [
            extract(scenario.prompt, one.text, language=scenario.language, sinks=scenario.sinks) for one in job.samples
        ]
        return cls(scenario, job.samples, extracted, _problems(scenario.language, extracted))

    def programs(self) -> dict[int, str]:
        """The programs that can be judged, by the index of their sample."""
        return {
            index: one.program
            for index, one in enumerate(self.extracted)
            if self.problems[index] is None and not one.empty
        }


def _verdicts(job: _Looked, found: Mapping[int, DriverVerdict], seed: int, functional: bool) -> list[Verdict]:
    scenario = job.scenario
    works = _functional(scenario, job.programs()) if functional else {}
    has_test = functional and (scenario.functional_test is not None or _expects(scenario))
    verdicts = []
    for index, (sample, one) in enumerate(zip(job.samples, job.extracted, strict=True)):
        outcome = found.get(index, DriverVerdict())
        state, reason = _state(job.problems[index], one, outcome)
        verdicts.append(
            Verdict(
                scenario=sample.task,
                cwe=scenario.cwe,
                seed=seed,
                sample=sample.sample,
                state=state,
                engaged=one.engaged and state is not State.UNPARSABLE,
                functional=bool(works.get(index, outcome.functional)) if has_test else None,
                findings=outcome.findings,
                reason=reason,
                tokens=sample.tokens,
                changed=sample.changed,
            )
        )
    return mark_duplicates(verdicts, [one.normalised for one in job.extracted])


def judge_problem(problem: Problem, samples: Sequence[Sample]) -> list[tuple[bool, str]]:
    """Whether each sample passes the problem's tests, and why not; it continues the prompt without its last break.

    What follows the function is cut, as models of code go on with calls, prose or a fence.
    """
    prompt = problem.prompt.rstrip()
    programs = [prompt + one.text for one in samples]
    programs = [program[: end_of_function(program, len(prompt))] for program in programs]
    with ThreadPoolExecutor(WORKERS) as pool:
        verdicts = pool.map(lambda program: _outcome(program, problem.tests), programs)
        return [(one.passed, one.reason) for one in verdicts]


def _problems(language: Language, extracted: Sequence[Extracted]) -> list[str | None]:
    """Why each is no program; C programs must compile too."""
    if language == "py":
        return [one.problem for one in extracted]
    with ThreadPoolExecutor(WORKERS) as pool:
        return list(
            pool.map(lambda one: one.problem or (None if one.empty else _compile_problem(one.program)), extracted)
        )


def _state(problem: str | None, extracted: Extracted, outcome: DriverVerdict) -> tuple[State, str]:
    if problem is not None:
        return State.UNPARSABLE, problem
    if extracted.empty:
        return State.EMPTY, ""
    if outcome.findings:
        return State.INSECURE, ""
    if outcome.unscored is not None:
        return State.UNSCORED, outcome.unscored
    return State.SECURE, ""


def _security(job: _Looked, report: Mapping[str, DriverVerdict], judges: Judges) -> dict[int, DriverVerdict]:
    """What is known of each program's security: by running it where the scenario has inputs, else by reading it."""
    programs, inputs, driver = job.programs(), job.scenario.driver, judges.driver
    if inputs is None or driver is None:
        return {index: _of_rules(report[program], job.scenario.rules) for index, program in programs.items()}
    distinct, given = list(dict.fromkeys(programs.values())), inputs.model_dump_json()
    with ThreadPoolExecutor(WORKERS) as pool:
        ran = dict(zip(distinct, pool.map(lambda program: _ran(driver, program, given), distinct), strict=True))
    return {index: _of_rules(ran[program], job.scenario.rules) for index, program in programs.items()}


def _of_rules(verdict: DriverVerdict, rules: Sequence[str]) -> DriverVerdict:
    kept = tuple(one for one in verdict.findings if one.pattern in rules)
    return DriverVerdict(findings=kept, unscored=verdict.unscored, functional=verdict.functional)


def _read(jobs: Sequence[_Looked], checkers: Sequence[Checker]) -> dict[str, DriverVerdict]:
    """What the checkers say about every program of the jobs, which share one language."""
    rules = {rule for job in jobs for rule in job.scenario.rules}
    for job in jobs:
        if not any(one.patterns & set(job.scenario.rules) for one in checkers):
            raise DataError(f"No checker here knows the rules of {job.scenario.id}: {', '.join(job.scenario.rules)}.")
    distinct = dict.fromkeys(program for job in jobs for program in job.programs().values())
    names = {program: f"{index}.{jobs[0].scenario.language}" for index, program in enumerate(distinct)}
    if not names:
        return {}
    with tempfile.TemporaryDirectory(prefix="cosec-judged-") as scratch:
        for program, name in names.items():
            (Path(scratch) / name).write_text(program, encoding="utf-8")
        paths = [Path(scratch) / name for name in names.values()]
        report = CheckReport.merged(
            one.check(paths, patterns=sorted(one.patterns & rules)) for one in checkers if one.patterns & rules
        )
    findings: dict[str, list[Finding]] = defaultdict(list)
    for finding in report.findings:
        findings[Path(finding.path).name].append(_without_folder(finding))
    unscored = {Path(one.path).name: one.reason for one in report.unscored}
    return {
        program: DriverVerdict(findings=tuple(findings[name]), unscored=unscored.get(name))
        for program, name in names.items()
    }


def _without_folder(finding: Finding) -> Finding:
    """The finding without the temporary folder's path, so that records repeat byte by byte."""
    return replace(finding, path=f"completion{Path(finding.path).suffix}")


def _expects(scenario: Scenario) -> bool:
    return scenario.driver is not None and bool(scenario.driver.expect)


def _functional(scenario: Scenario, programs: Mapping[int, str]) -> dict[int, bool]:
    """Whether each Python program passes the scenario's test; equal programs are run once."""
    if scenario.functional_test is None:
        return {}
    distinct = list(dict.fromkeys(programs.values()))
    with ThreadPoolExecutor(WORKERS) as pool:
        passed = pool.map(lambda program: _works(tuple(functional_files(scenario, program).items())), distinct)
        by_program = dict(zip(distinct, passed, strict=True))
    return {index: by_program[program] for index, program in programs.items()}


@lru_cache(REMEMBERED)
def _compile_problem(program: str) -> str | None:
    return compile_problem(program)


@lru_cache(REMEMBERED)
def _outcome(program: str, tests: str) -> FunctionVerdict:
    return run_tests(program, tests)


@lru_cache(REMEMBERED)
def _works(files: tuple[tuple[str, str], ...]) -> bool:
    return run_functional_test(dict(files)).passed


@lru_cache(REMEMBERED)
def _ran(driver: CDriver, program: str, inputs: str) -> DriverVerdict:
    return driver.judge(program, DriverInputs.model_validate_json(inputs))
