"""Compute the results of a study from its folder."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from pydantic import ValidationError

from cosec.errors import DataError, SettingsError, StudyError
from cosec.evaluation.extraction.chat_answer import judged_parts
from cosec.evaluation.judging.verdict import Verdict
from cosec.evaluation.report.audit import audit_counts, audit_estimates, readings_of
from cosec.evaluation.report.estimates import (
    Key,
    RecordedCompletion,
    acceptance_estimates,
    problem_estimates,
    scenario_estimates,
)
from cosec.evaluation.report.results import Cost, Results, ShownSample
from cosec.evaluation.report.statistics.metrics import CHANGED
from cosec.evaluation.study.arms import ORIGIN
from cosec.evaluation.study.judge_units import verdict_of
from cosec.evaluation.study.judgements import current_verdicts
from cosec.evaluation.study.records import COMPLETIONS, MANIFEST, Record, StudyFolder
from cosec.evaluation.study.settings import StudySettings
from cosec.evaluation.tasks.tasks import Task, tasks_of


def read_results(folder: StudyFolder, against: str = ORIGIN) -> Results:
    """Compute every number of a study's report, whether or not the study is finished.

    Numbers come from the records alone. Prompts are read to show samples; if a benchmark's data are missing here, its
    samples are left out and ``unreadable`` says why.

    Args:
        folder: The study.
        against: The arm that the others are compared with.

    Raises:
        StudyError: If the folder holds no study, one that this release cannot read, or nothing was judged yet.
        SettingsError: If the study has no arm ``against``.
    """
    manifest = folder.manifest()
    settings = _settings(folder, manifest)
    if against != ORIGIN and against not in settings.arms:
        raise SettingsError(f"The study has no arm {against!r} to compare with, only {', '.join(settings.arms)}.")
    records = _judged(folder)
    keys = _in_order(records, settings)
    verdicts = {key: tuple(map(verdict_of, records[key])) for key in keys if "state" in records[key][0]}
    problems = {key: records[key] for key in keys if "passed" in records[key][0]}
    completions = [RecordedCompletion.of(unit, record) for unit, record in folder.records(COMPLETIONS)]
    tasks, unreadable = _tasks(settings)
    readings = readings_of(folder)
    return Results(
        manifest=manifest,
        settings=settings,
        against=against,
        estimates=(
            *(
                one
                for one in scenario_estimates(verdicts, against)
                if one.metric != CHANGED or settings.endpoint is None  # an endpoint does not tell which tokens changed
            ),
            *audit_estimates(verdicts, readings, against),
            *problem_estimates(problems, against),
            *acceptance_estimates(completions, keys, against),
        ),
        verdicts=verdicts,
        shown=_shown(completions, tasks, settings, verdicts),
        recorded=sum(map(len, records.values())),
        expected=int(manifest["completions_each"]) * len(settings.arms) * len(settings.seeds),
        costs=_costs(completions),
        unreadable=unreadable,
        audits=audit_counts(verdicts, readings),
    )


def _settings(folder: StudyFolder, manifest: Record) -> StudySettings:
    known = {"name": manifest["name"], **manifest["identity"]}
    try:
        return StudySettings.model_validate({k: v for k, v in known.items() if k in StudySettings.model_fields})
    except ValidationError as error:
        first = error.errors()[0]
        raise StudyError(
            f"The settings that {folder.path / MANIFEST} records cannot be read "
            f"({'.'.join(map(str, first['loc']))}: {first['msg']}); use the release of cosec that recorded the study."
        ) from error


def _judged(folder: StudyFolder) -> dict[Key, list[Record]]:
    """The verdicts that count, by benchmark and arm."""
    records: dict[Key, list[Record]] = defaultdict(list)
    for unit, record in folder.records(current_verdicts(folder)):
        benchmark, arm, *_ = unit.split("/")
        records[benchmark, arm.replace(";", ":")].append(record)
    if not records:
        raise StudyError(f"Nothing was judged yet in {folder.path}; run the study first.")
    return dict(records)


def _in_order(keys: Iterable[Key], settings: StudySettings) -> list[Key]:
    benchmarks = [one.name for one in settings.benchmarks]
    arms = [arm.name for arm in settings.decoding_arms()]
    return sorted(keys, key=lambda key: (benchmarks.index(key[0]), arms.index(key[1])))


def _costs(completions: Sequence[RecordedCompletion]) -> dict[Key, Cost]:
    """Sums over each benchmark and arm."""
    sums: dict[Key, list[float]] = defaultdict(lambda: [0, 0, 0, 0.0])
    for one in completions:
        for index, name in enumerate(("tokens", "changed", "decisions", "seconds")):
            sums[one.benchmark, one.arm][index] += one.record[name]
    return {
        key: Cost(tokens=int(tokens), changed=int(changed), decisions=int(decisions), seconds=seconds)
        for key, (tokens, changed, decisions, seconds) in sums.items()
    }


def _tasks(settings: StudySettings) -> tuple[dict[tuple[str, str], Task], dict[str, str]]:
    """The tasks of all scenarios by benchmark and id, and why a benchmark's prompts cannot be read, by its name."""
    tasks: dict[tuple[str, str], Task] = {}
    unreadable: dict[str, str] = {}
    for benchmark in settings.benchmarks:
        if benchmark.scenarios is None:
            continue
        try:
            tasks.update(((benchmark.name, task.id), task) for task in tasks_of(benchmark))
        except DataError as error:
            unreadable[benchmark.name] = str(error)
    return tasks, unreadable


def _shown(
    completions: Sequence[RecordedCompletion],
    tasks: Mapping[tuple[str, str], Task],
    settings: StudySettings,
    verdicts: Mapping[Key, Sequence[Verdict]],
) -> tuple[ShownSample, ...]:
    judged = {
        (benchmark, arm, one.scenario, one.seed, one.sample): one
        for (benchmark, arm), found in verdicts.items()
        for one in found
        if one.seed == settings.seeds[0]
    }
    shown = []
    for one in completions:
        record = one.record
        key = (one.benchmark, one.arm, record["task"], one.seed, record["sample"])
        task = tasks.get((one.benchmark, record["task"]))
        if key in judged and task is not None:
            given, own = judged_parts(task.prompt, record["text"], task.language, chat=task.format == "chat")
            shown.append(
                ShownSample(
                    benchmark=one.benchmark,
                    arm=one.arm,
                    task=record["task"],
                    prompt=given,
                    text=own,
                    marks=_marks_in(own, record),
                    seed=one.seed,
                    sample=record["sample"],
                    verdict=judged[key],
                )
            )
    order = [arm.name for arm in settings.decoding_arms()]
    return tuple(sorted(shown, key=lambda one: (one.benchmark, one.task, order.index(one.arm), one.sample)))


def _marks_in(own: str, record: Record) -> tuple[tuple[int, int], ...]:
    """The marks of a recorded text, at their places in the code that was taken from it.

    There are none if the text does not hold the code letter by letter, exactly once.
    """
    text, code, moved = record["text"], own.strip("\n"), 0
    if own != text:
        if text.count(code) != 1:
            return ()
        moved = own.index(code) - text.index(code)
    marks = ((start + moved, length) for start, length in record["marks"])
    return tuple((start, length) for start, length in marks if 0 <= start < len(own))
