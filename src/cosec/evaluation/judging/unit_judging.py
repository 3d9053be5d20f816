"""Judge the recorded completions of a study's units: here, or in a process beside the one that generates.

Verdicts are appended to the study's folder under the unit's lock, so it does not matter who judges a unit, or whether
the process was stopped half-way.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Protocol

from cosec.errors import CheckerError, CosecError
from cosec.evaluation.judging.judging import Judges, ScenarioSamples, judge_problem, judge_scenarios
from cosec.evaluation.judging.verdicts import Verdict
from cosec.evaluation.study.generation import Sample
from cosec.evaluation.study.records import Record, StudyFolder
from cosec.evaluation.tasks.tasks import Task

COMPLETIONS = "completions"
NICENESS = 10
"""Added to a judging process, so that it takes what generation leaves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedUnit:
    """A unit whose completions are recorded."""

    name: str

    tasks: tuple[Task, ...]

    samples: int
    """Of each task."""

    seed: int

    functional: bool
    """Whether scenarios' functional tests run too."""

    verdicts: str
    """The kind of records that the verdicts are appended to; see `judgements`."""


def judge_unit(folder: StudyFolder, unit: RecordedUnit, judges: Judges) -> None:
    """Append the verdicts that are missing; nothing where another process holds the unit.

    Raises:
        CheckerError: If a checker cannot run; nothing is recorded then.
    """
    with folder.unit(unit.name) as held:
        recorded = len(folder.read(unit.verdicts, unit.name)) if held else 0
        if not held or recorded >= len(unit.tasks) * unit.samples:
            return
        samples: dict[str, list[Sample]] = {task.id: [] for task in unit.tasks}
        for record in folder.read(COMPLETIONS, unit.name):
            samples[record["task"]].append(Sample(**record))
        verdicts = list(_verdicts(unit, samples, judges))
        folder.append(unit.verdicts, unit.name, verdicts[recorded:])


def _verdicts(unit: RecordedUnit, samples: Mapping[str, list[Sample]], judges: Judges) -> Iterator[Record]:
    """The unit's verdicts, by task and then by sample."""
    jobs = [
        ScenarioSamples(scenario=task.scenario, samples=samples[task.id])
        for task in unit.tasks
        if task.scenario is not None
    ]
    if jobs:
        for judged in judge_scenarios(jobs, judges, seed=unit.seed, functional=unit.functional):
            yield from map(verdict_record, judged)
    for task in unit.tasks:
        if task.problem is not None:
            outcomes = judge_problem(task.problem, samples[task.id])
            for sample, (passed, reason) in zip(samples[task.id], outcomes, strict=True):
                yield {
                    "task": task.id,
                    "seed": unit.seed,
                    "sample": sample.sample,
                    "passed": passed,
                    "reason": reason,
                    "tokens": sample.tokens,
                    "changed": sample.changed,
                }


def verdict_record(verdict: Verdict) -> Record:
    """A scenario's verdict as it is recorded."""
    record = asdict(verdict)
    record["task"] = record.pop("scenario")
    record["state"] = str(verdict.state)
    record["findings"] = [
        {name: value for name, value in one.to_record().items() if name != "path"} for one in verdict.findings
    ]
    return record


class Judging(Protocol):
    """Takes units to judge."""

    def submit(self, unit: RecordedUnit) -> None:
        """Judge a unit, now or later.

        Raises:
            CosecError: If judging it, or one before, failed.
        """
        ...

    def wait(self) -> None:
        """Return when all that was submitted is judged.

        Raises:
            CosecError: If judging failed.
        """
        ...


class JudgingHere:
    """Judges a unit when it is submitted."""

    def __init__(self, folder: StudyFolder, judges: Judges) -> None:
        self._folder, self._judges = folder, judges

    def submit(self, unit: RecordedUnit) -> None:
        """See `Judging`."""
        judge_unit(self._folder, unit, self._judges)

    def wait(self) -> None:
        """See `Judging`; nothing is ever left."""


class JudgingBeside:
    """Judges in a process of lower priority, one unit after the other, while this one goes on.

    The process ends with this one: its pipe closes then, even if this process was killed.
    """

    def __init__(self, folder: Path, judges: Judges) -> None:
        context = get_context("spawn")
        self._pipe, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other, folder, judges), daemon=True)
        self._process.start()
        other.close()
        self._left = 0

    def submit(self, unit: RecordedUnit) -> None:
        """See `Judging`."""
        while self._left and self._pipe.poll():
            self._receive()
        try:
            self._pipe.send(unit)
        except OSError as error:
            raise CheckerError("The judging process ended; start again to continue.") from error
        self._left += 1

    def wait(self) -> None:
        """See `Judging`."""
        while self._left:
            self._receive()

    def close(self) -> None:
        """End the process, whatever it is doing; records are whole lines at any moment."""
        self._pipe.close()
        self._process.terminate()
        self._process.join()

    def __enter__(self) -> JudgingBeside:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _receive(self) -> None:
        try:
            answer = self._pipe.recv()
        except EOFError as error:
            raise CheckerError("The judging process ended; start again to continue.") from error
        self._left -= 1
        if isinstance(answer, Exception):
            raise answer


def _serve(pipe: Connection, folder: Path, judges: Judges) -> None:
    """Judge units until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the generating process decides when to stop
    os.nice(NICENESS)
    while True:
        try:
            unit = pipe.recv()
        except EOFError:
            return
        try:
            judge_unit(StudyFolder(folder), unit, judges)
            answer: CosecError | None = None
        except CosecError as error:
            answer = error
        try:
            pipe.send(answer)
        except OSError:
            return
