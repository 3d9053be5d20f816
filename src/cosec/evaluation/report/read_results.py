"""Compute the results of a study from its folder."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from cosec.errors import DataError, SettingsError, StudyError
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
from cosec.evaluation.study.arms import ORIGIN
from cosec.evaluation.study.judge_units import verdict_of
from cosec.evaluation.study.judgements import current_verdicts
from cosec.evaluation.study.records import COMPLETIONS, Record, StudyFolder
from cosec.evaluation.study.settings import StudySettings
from cosec.evaluation.tasks.tasks import tasks_of


def read_results(folder: StudyFolder, against: str = ORIGIN) -> Results:
    """Compute every number of a study's report, whether or not the study is finished.

    Numbers come from the records alone. Prompts are read to show samples; if a benchmark's data are missing here, its
    samples are left out and ``unreadable`` says why.

    Args:
        folder: The study.
        against: The arm that the others are compared with.

    Raises:
        StudyError: If the folder holds no study, or nothing was judged yet.
        SettingsError: If the study has no arm ``against``.
    """
    manifest = folder.manifest()
    known = {"name": manifest["name"], **manifest["identity"]}
    settings = StudySettings.model_validate({k: v for k, v in known.items() if k in StudySettings.model_fields})
    if against != ORIGIN and against not in settings.arms:
        raise SettingsError(f"The study has no arm {against!r} to compare with, only {', '.join(settings.arms)}.")
    records = _judged(folder)
    keys = _in_order(records, settings)
    verdicts = {key: tuple(map(verdict_of, records[key])) for key in keys if "state" in records[key][0]}
    problems = {key: records[key] for key in keys if "passed" in records[key][0]}
    completions = [RecordedCompletion.of(unit, record) for unit, record in folder.records(COMPLETIONS)]
    prompts, unreadable = _prompts(settings)
    readings = readings_of(folder)
    return Results(
        manifest=manifest,
        settings=settings,
        against=against,
        estimates=(
            *scenario_estimates(verdicts, against),
            *audit_estimates(verdicts, readings, against),
            *problem_estimates(problems, against),
            *acceptance_estimates(completions, keys, against),
        ),
        verdicts=verdicts,
        shown=_shown(completions, prompts, settings, verdicts),
        recorded=sum(map(len, records.values())),
        expected=int(manifest["completions_each"]) * len(settings.arms) * len(settings.seeds),
        costs=_costs(completions),
        unreadable=unreadable,
        audits=audit_counts(verdicts, readings),
    )


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


def _prompts(settings: StudySettings) -> tuple[dict[str, str], dict[str, str]]:
    """The prompts of all scenarios by task, and why a benchmark's prompts cannot be read, by its name."""
    prompts: dict[str, str] = {}
    unreadable: dict[str, str] = {}
    for benchmark in settings.benchmarks:
        if benchmark.scenarios is None:
            continue
        try:
            prompts.update((task.id, task.prompt) for task in tasks_of(benchmark))
        except DataError as error:
            unreadable[benchmark.name] = str(error)
    return prompts, unreadable


def _shown(
    completions: Sequence[RecordedCompletion],
    prompts: Mapping[str, str],
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
        if key in judged and record["task"] in prompts:
            shown.append(
                ShownSample(
                    benchmark=one.benchmark,
                    arm=one.arm,
                    task=record["task"],
                    prompt=prompts[record["task"]],
                    text=record["text"],
                    marks=tuple((start, length) for start, length in record["marks"]),
                    seed=one.seed,
                    sample=record["sample"],
                    verdict=judged[key],
                )
            )
    order = [arm.name for arm in settings.decoding_arms()]
    return tuple(sorted(shown, key=lambda one: (one.benchmark, one.task, order.index(one.arm), one.sample)))
