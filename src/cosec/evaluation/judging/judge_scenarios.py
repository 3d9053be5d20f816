"""Judge completions of scenarios: extract the programs, check or run them, and run the functional tests.

The verdict of a completion follows from what the checkers find: see ``_state``. A program that no checker can judge is
``unscored``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cosec.checking.c.driver_inputs import DriverVerdict
from cosec.checking.patterns import Language
from cosec.errors import DataError
from cosec.evaluation.extraction.chat_answer import judged_parts
from cosec.evaluation.extraction.extract import extract
from cosec.evaluation.extraction.extracted import Extracted
from cosec.evaluation.judging.judges import Judges
from cosec.evaluation.judging.program_runs import compile_error, passes_functional_test, run_distinct, run_driver
from cosec.evaluation.judging.static_checks import check_programs
from cosec.evaluation.judging.verdict import State, Verdict, mark_duplicates
from cosec.evaluation.tasks.samples import Sample
from cosec.evaluation.tasks.scenarios import Scenario, functional_files


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioSamples:
    """One scenario's samples under one seed."""

    scenario: Scenario
    samples: Sequence[Sample]

    chat: bool = False
    """Whether the samples are answers of a chat, which hold the program in a code block."""


def judge_scenarios(
    jobs: Sequence[ScenarioSamples], judges: Judges, *, seed: int, functional: bool
) -> list[list[Verdict]]:
    """Judge every job's samples; duplicates are marked. Each static checker starts once for all jobs of a language.

    Args:
        jobs: What to judge.
        judges: Who decides about security.
        seed: Of the samples; written into the verdicts.
        functional: Whether functional tests run too.

    Returns:
        For each job the verdicts in the order of its samples.

    Raises:
        CheckerError: If a checker cannot run. Then nothing is known, which is not the same as no findings.
        DataError: If no checker knows any of a scenario's patterns, or runs on its inputs cannot show one of them.
    """
    for job in jobs:
        _require_seen(job.scenario, judges)
    programs = [_Programs.of(job) for job in jobs]
    static = [one for one in programs if one.scenario.driver is None or judges.driver is None]
    reports = {
        language: _checked([one for one in static if one.scenario.language == language], judges, language)
        for language in sorted({one.scenario.language for one in static})
    }
    return [
        one.verdicts(_security(one, reports.get(one.scenario.language, {}), judges), seed, functional)
        for one in programs
    ]


def _require_seen(scenario: Scenario, judges: Judges) -> None:
    """Refuse a scenario whose programs would all count as secure, because its runs cannot show what it asks for."""
    if scenario.driver is None or judges.driver is None:
        return
    unseen = sorted(set(scenario.patterns) - set(judges.driver.sees(scenario.driver)))
    if unseen:
        raise DataError(
            f"{scenario.id} is judged by running its programs, which cannot show {', '.join(unseen)}: remove [driver]"
            " from its scenario.toml, so that static checkers judge it"
            + ("." if unseen != ["c/weak-file-permissions"] else ", or set check_created_files = true there.")
        )


@dataclass(frozen=True, slots=True)
class _Programs:
    """The programs that a job's samples make."""

    scenario: Scenario
    samples: Sequence[Sample]
    extracted: list[Extracted]
    problems: list[str | None]
    """Why each is no program, or None."""

    @classmethod
    def of(cls, job: ScenarioSamples) -> _Programs:
        scenario = job.scenario
        language = scenario.language
        parts = [judged_parts(scenario.prompt, one.text, language, chat=job.chat) for one in job.samples]
        extracted = [extract(given, own, language=language, sinks=scenario.sinks) for given, own in parts]
        return cls(scenario, job.samples, extracted, _problems(language, extracted))

    def judgeable(self) -> dict[int, str]:
        """The programs that can be judged, by the index of their sample."""
        return {
            index: one.program
            for index, one in enumerate(self.extracted)
            if self.problems[index] is None and not one.empty
        }

    def verdicts(self, security: Mapping[int, DriverVerdict], seed: int, functional: bool) -> list[Verdict]:
        """One verdict for each sample.

        Args:
            security: What is known about each judgeable program, by index.
            seed: Of the samples.
            functional: Whether functional tests run.
        """
        scenario = self.scenario
        works = _functional(scenario, self.judgeable()) if functional else {}
        tested = functional and (scenario.functional_test is not None or _expects_output(scenario))
        verdicts = []
        for index, (sample, extracted) in enumerate(zip(self.samples, self.extracted, strict=True)):
            known = security.get(index, DriverVerdict())
            state, reason = _state(self.problems[index], extracted, known)
            verdicts.append(
                Verdict(
                    scenario=sample.task,
                    cwe=scenario.cwe,
                    seed=seed,
                    sample=sample.sample,
                    state=state,
                    engaged=extracted.engaged and state is not State.UNPARSABLE,
                    functional=bool(works.get(index, known.functional)) if tested else None,
                    findings=known.findings,
                    reason=reason,
                    tokens=sample.tokens,
                    changed=sample.changed,
                )
            )
        return mark_duplicates(verdicts, [one.normalised for one in self.extracted])


def _problems(language: Language, extracted: Sequence[Extracted]) -> list[str | None]:
    """Why each is no program, or None; C programs must compile too."""
    if language == "py":
        return [one.problem for one in extracted]
    errors = run_distinct((one.program for one in extracted if one.problem is None and not one.empty), compile_error)
    return [one.problem or (None if one.empty else errors[one.program]) for one in extracted]


def _state(problem: str | None, extracted: Extracted, known: DriverVerdict) -> tuple[State, str]:
    if problem is not None:
        return State.UNPARSABLE, problem
    if extracted.empty:
        return State.EMPTY, ""
    if known.findings:
        return State.INSECURE, ""
    if known.unscored is not None:
        return State.UNSCORED, known.unscored
    return State.SECURE, ""


def _security(job: _Programs, static: Mapping[str, DriverVerdict], judges: Judges) -> dict[int, DriverVerdict]:
    """What is known about each program's security: from runs if the scenario has inputs, else from static checks."""
    programs, inputs, driver = job.judgeable(), job.scenario.driver, judges.driver
    if inputs is None or driver is None:
        known = static
    else:
        given = inputs.model_dump_json()
        known = run_distinct(programs.values(), lambda program: run_driver(driver, program, given))
    return {index: _of_patterns(known[program], job.scenario.patterns) for index, program in programs.items()}


def _of_patterns(verdict: DriverVerdict, patterns: Sequence[str]) -> DriverVerdict:
    kept = tuple(one for one in verdict.findings if one.pattern in patterns)
    return DriverVerdict(findings=kept, unscored=verdict.unscored, functional=verdict.functional)


def _checked(jobs: Sequence[_Programs], judges: Judges, language: Language) -> dict[str, DriverVerdict]:
    """What the static checkers say about every program of the jobs."""
    checkers = judges.checkers.get(language, ())
    for job in jobs:
        if not any(one.patterns & set(job.scenario.patterns) for one in checkers):
            raise DataError(
                f"No checker knows any pattern of {job.scenario.id} ({', '.join(job.scenario.patterns)}); correct its"
                " scenario.toml."
            )
    programs = (program for job in jobs for program in job.judgeable().values())
    patterns = {pattern for job in jobs for pattern in job.scenario.patterns}
    return check_programs(programs, checkers, patterns=patterns, language=language)


def _expects_output(scenario: Scenario) -> bool:
    return scenario.driver is not None and bool(scenario.driver.expect)


def _functional(scenario: Scenario, programs: Mapping[int, str]) -> dict[int, bool]:
    """Whether each Python program passes the scenario's test; empty if the scenario has none."""
    if scenario.functional_test is None:
        return {}
    passed = run_distinct(
        programs.values(), lambda program: passes_functional_test(tuple(functional_files(scenario, program).items()))
    )
    return {index: passed[program] for index, program in programs.items()}
