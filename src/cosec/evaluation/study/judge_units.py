"""Judge the recorded completions of one unit and record the verdicts.

Verdicts are appended to the study's folder under the unit's lock, so any process may judge any unit, and a process may
be stopped at any moment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from cosec.checking.finding import Finding
from cosec.evaluation.judging.identity import task_version
from cosec.evaluation.judging.judge_problems import judge_problem
from cosec.evaluation.judging.judge_scenarios import ScenarioSamples, judge_scenarios
from cosec.evaluation.judging.judges import Judges
from cosec.evaluation.judging.verdict import State, Verdict
from cosec.evaluation.study.records import COMPLETIONS, Record, StudyFolder
from cosec.evaluation.tasks.samples import Sample
from cosec.evaluation.tasks.tasks import Task

JUDGED_BY = "judged_by"
"""Field of a verdict's record: the version of the judges and of the task's data (`task_version`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedUnit:
    """A unit whose completions are recorded."""

    name: str
    """Names its records, such as ``own-decision/origin/seed-0/003``."""

    tasks: tuple[Task, ...]
    """In the order of their verdicts."""

    samples: int
    """Completions of each task."""

    seed: int
    """Of the completions."""

    functional: bool
    """Whether scenarios' functional tests run too."""

    verdicts: str
    """Kind of records that the verdicts are appended to; see `judgements`."""

    earlier: tuple[str, ...] = ()
    """Kinds of records of earlier judgements, the latest first; verdicts on unchanged tasks are copied from them."""


def judge_unit(folder: StudyFolder, unit: RecordedUnit, judges: Judges) -> None:
    """Append the verdicts that are missing; do nothing if another process holds the unit.

    Raises:
        CheckerError: If a checker cannot run; nothing is recorded then.
    """
    with folder.unit(unit.name) as held:
        recorded = len(folder.read(unit.verdicts, unit.name)) if held else 0
        if not held or recorded >= len(unit.tasks) * unit.samples:
            return
        versions = {task.id: task_version(judges.version, task, functional=unit.functional) for task in unit.tasks}
        found = _earlier_verdicts(folder, unit, versions)
        changed = [task for task in unit.tasks if task.id not in found]
        for record in _verdicts(changed, unit, _samples(folder, unit), judges):
            found.setdefault(record["task"], []).append({**record, JUDGED_BY: versions[record["task"]]})
        verdicts = [record for task in unit.tasks for record in found[task.id]]
        folder.append(unit.verdicts, unit.name, verdicts[recorded:])


def _samples(folder: StudyFolder, unit: RecordedUnit) -> dict[str, list[Sample]]:
    """The recorded completions of each task."""
    samples: dict[str, list[Sample]] = {task.id: [] for task in unit.tasks}
    for record in folder.read(COMPLETIONS, unit.name):
        samples[record["task"]].append(Sample(**record))
    return samples


def _earlier_verdicts(folder: StudyFolder, unit: RecordedUnit, versions: Mapping[str, str]) -> dict[str, list[Record]]:
    """Verdicts of earlier judgements that the present judges would repeat, by task; only tasks judged completely."""
    found: dict[str, list[Record]] = {}
    for kind in unit.earlier:
        by_task: dict[str, list[Record]] = {}
        for record in folder.read(kind, unit.name):
            if record.get(JUDGED_BY) == versions.get(record["task"]):
                by_task.setdefault(record["task"], []).append(record)
        complete = {task: records for task, records in by_task.items() if len(records) == unit.samples}
        found = {**complete, **found}
    return found


def _verdicts(
    tasks: Sequence[Task], unit: RecordedUnit, samples: Mapping[str, list[Sample]], judges: Judges
) -> Iterator[Record]:
    """Records of the verdicts on some of the unit's tasks, by task and then by sample."""
    jobs = [
        ScenarioSamples(scenario=task.scenario, samples=samples[task.id], chat=task.format == "chat")
        for task in tasks
        if task.scenario is not None
    ]
    if jobs:
        for judged in judge_scenarios(jobs, judges, seed=unit.seed, functional=unit.functional):
            yield from map(verdict_record, judged)
    for task in tasks:
        if task.problem is not None:
            outcomes = judge_problem(task.problem, samples[task.id], prompt=task.prompt, chat=task.format == "chat")
            for sample, outcome in zip(samples[task.id], outcomes, strict=True):
                yield {
                    "task": task.id,
                    "seed": unit.seed,
                    "sample": sample.sample,
                    "passed": outcome.passed,
                    "reason": outcome.reason,
                    "tokens": sample.tokens,
                    "changed": sample.changed,
                }


def verdict_record(verdict: Verdict) -> Record:
    """A scenario's verdict as a record."""
    record = asdict(verdict)
    record["task"] = record.pop("scenario")
    record["state"] = str(verdict.state)
    record["findings"] = [
        {name: value for name, value in one.to_record().items() if name != "path"} for one in verdict.findings
    ]
    return record


def verdict_of(record: Record) -> Verdict:
    """The verdict that `verdict_record` recorded."""
    fields = {name: value for name, value in record.items() if name != JUDGED_BY}
    findings = tuple(Finding.from_record({"path": "completion", **one}) for one in fields.pop("findings"))
    scenario, state = fields.pop("task"), State(fields.pop("state"))
    return Verdict(scenario=scenario, state=state, findings=findings, **fields)
