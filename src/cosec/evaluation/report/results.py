"""A study's records as tables of numbers: every rate of every arm, with its interval and its difference to another."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cosec.checking.finding import Finding
from cosec.errors import SettingsError, StudyError
from cosec.evaluation.judging.judgements import current_verdicts
from cosec.evaluation.judging.unit_judging import COMPLETIONS
from cosec.evaluation.judging.verdicts import State, Verdict
from cosec.evaluation.report.intervals import Interval, mean_interval, paired_difference
from cosec.evaluation.report.metrics import arm_of, differences, joint_at_k, pass_at_k, rates
from cosec.evaluation.study.arms import ORIGIN
from cosec.evaluation.study.records import Record, StudyFolder
from cosec.evaluation.study.study import StudySettings
from cosec.evaluation.tasks.tasks import tasks_of

KS = (1, 5, 10)
"""pass@k and joint@k that are reported, where there are enough samples."""
ALL = "all"
"""In place of a weakness: over all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number of a report."""

    benchmark: str

    arm: str

    cwe: str
    """``CWE-089``, or ``all``."""

    metric: str
    """``engaged_security``, ``pass@1``, …"""

    interval: Interval

    difference: Interval | None = None
    """To the arm that the results are ``against``, paired; None for that arm, and where it was not measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A completion with its verdict, for pages that show samples."""

    benchmark: str
    arm: str
    task: str
    prompt: str
    text: str
    marks: tuple[tuple[int, int], ...]
    seed: int
    sample: int
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What an arm generated."""

    tokens: int
    """Emitted."""

    changed: int
    """Of them, not the target's most likely one."""

    decisions: int
    """Of them, treated as security decisions, under rules that know such."""

    seconds: float
    """Of generating them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """Everything that a report shows."""

    manifest: Mapping[str, Any]

    settings: StudySettings

    against: str
    """The arm that differences are to."""

    figures: tuple[Figure, ...]

    verdicts: Mapping[tuple[str, str], tuple[Verdict, ...]]
    """By benchmark and arm; of scenario benchmarks."""

    shown: tuple[Shown, ...]
    """Samples of the first seed, by benchmark, task and arm."""

    recorded: int
    """Completions that were judged."""

    expected: int
    """Completions that the study asks for."""

    costs: Mapping[tuple[str, str], Cost]
    """By benchmark and arm."""

    def figure(self, benchmark: str, arm: str, metric: str, cwe: str = ALL) -> Figure | None:
        """One number, or None where it was not measured."""
        wanted = (benchmark, arm, metric, cwe)
        return next((one for one in self.figures if (one.benchmark, one.arm, one.metric, one.cwe) == wanted), None)

    def interval(self, benchmark: str, arm: str, metric: str, cwe: str = ALL) -> Interval | None:
        """One number's interval, or None where it was not measured."""
        found = self.figure(benchmark, arm, metric, cwe)
        return found.interval if found else None

    def arms(self, benchmark: str) -> list[str]:
        """The arms measured on a benchmark, in the study's order."""
        return list(dict.fromkeys(one.arm for one in self.figures if one.benchmark == benchmark))


def read_results(folder: StudyFolder, against: str = ORIGIN) -> Results:
    """Compute every figure of a study, finished or not.

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
    records: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for unit, record in folder.records(current_verdicts(folder)):
        benchmark, arm, *_ = unit.split("/")
        records[benchmark, arm.replace(";", ":")].append(record)
    if not records:
        raise StudyError(f"Nothing was judged yet in {folder.path}; run the study first.")
    order = {arm.name: index for index, arm in enumerate(settings.decoding_arms())}
    keys = sorted(records, key=lambda key: ([one.name for one in settings.benchmarks].index(key[0]), order[key[1]]))
    verdicts = {key: tuple(map(verdict_of, records[key])) for key in keys if "state" in records[key][0]}
    functions = {key: records[key] for key in keys if "passed" in records[key][0]}
    completions = [_Completion(unit, record) for unit, record in folder.records(COMPLETIONS)]
    return Results(
        manifest=manifest,
        settings=settings,
        against=against,
        figures=(
            *_scenario_figures(verdicts, against),
            *_function_figures(functions, against),
            *_acceptance_figures(completions, keys, against),
        ),
        verdicts=verdicts,
        shown=_shown(completions, settings, verdicts),
        recorded=sum(map(len, records.values())),
        expected=int(manifest["completions_each"]) * len(settings.arms) * len(settings.seeds),
        costs=_costs(completions),
    )


class _Completion:
    """A recorded completion, with what the name of its unit says."""

    def __init__(self, unit: str, record: Record) -> None:
        self.benchmark, arm, seed, _ = unit.split("/")
        self.arm, self.seed = arm.replace(";", ":"), int(seed.removeprefix("seed-"))
        self.record = record


def verdict_of(record: Record) -> Verdict:
    """A recorded verdict of a scenario."""
    fields = dict(record)
    findings = tuple(Finding.from_record({"path": "completion", **one}) for one in fields.pop("findings"))
    scenario, state = fields.pop("task"), State(fields.pop("state"))
    return Verdict(scenario=scenario, state=state, findings=findings, **fields)


def _scenario_figures(verdicts: Mapping[tuple[str, str], Sequence[Verdict]], against: str) -> Iterator[Figure]:
    arms = {key: arm_of(found) for key, found in verdicts.items()}
    for (benchmark, name), arm in arms.items():
        other = None if name == against else arms.get((benchmark, against))
        for cwe in (None, *sorted(set(arm.cwes))):
            shown = differences(arm, other, cwe) if other is not None else {}
            for metric, interval in rates(arm, cwe).items():
                yield Figure(
                    benchmark=benchmark,
                    arm=name,
                    cwe=cwe or ALL,
                    metric=metric,
                    interval=interval,
                    difference=shown.get(metric),
                )
        for k in KS:
            table = arm.table(lambda samples, k=k: joint_at_k(samples, k))  # type: ignore[misc]
            if np.isfinite(table).any():
                yield Figure(benchmark=benchmark, arm=name, cwe=ALL, metric=f"joint@{k}", interval=mean_interval(table))


def _function_figures(functions: Mapping[tuple[str, str], Sequence[Record]], against: str) -> Iterator[Figure]:
    counted = {key: _counts(found) for key, found in functions.items()}
    for (benchmark, name), counts in counted.items():
        other = counted.get((benchmark, against))
        for k in KS:
            table = _pass_table(counts, counts, k)
            if not np.isfinite(table).any():
                continue
            difference = None
            if other is not None and name != against:
                difference = paired_difference(_pass_table(counts, other, k), _pass_table(other, counts, k))
            yield Figure(
                benchmark=benchmark,
                arm=name,
                cwe=ALL,
                metric=f"pass@{k}",
                interval=mean_interval(table),
                difference=difference,
            )


Counts = dict[tuple[str, int], tuple[int, int]]
"""(task, seed) → (samples, passed)."""


def _counts(records: Sequence[Record]) -> Counts:
    counts: Counts = {}
    for record in records:
        samples, passed = counts.get((record["task"], record["seed"]), (0, 0))
        counts[record["task"], record["seed"]] = (samples + 1, passed + bool(record["passed"]))
    return counts


def _pass_table(counts: Counts, other: Counts, k: int) -> np.ndarray:
    """pass@k per task and seed that both arms have."""
    return _shared_table({key: pass_at_k(*found, k) for key, found in counts.items()}, other)


def _shared_table(
    values: Mapping[tuple[str, int], float | None], other: Mapping[tuple[str, int], object]
) -> np.ndarray:
    """A value per task and seed that both arms have; NaN where it is undefined."""
    tasks = sorted({task for task, _ in values} & {task for task, _ in other})
    seeds = sorted({seed for _, seed in values} & {seed for _, seed in other})
    rows = [[values.get((task, seed)) for seed in seeds] for task in tasks]
    return np.array([[np.nan if one is None else one for one in row] for row in rows], dtype=float)


def _acceptance_figures(
    completions: Sequence[_Completion], keys: Sequence[tuple[str, str]], against: str
) -> Iterator[Figure]:
    """How many of the security model's proposals stand, among those at emitted tokens."""
    sums: dict[tuple[str, str], dict[tuple[str, int], list[int]]] = defaultdict(lambda: defaultdict(lambda: [0, 0]))
    for one in completions:
        if one.record["drafted"]:
            counted = sums[one.benchmark, one.arm][one.record["task"], one.seed]
            counted[0] += one.record["accepted"]
            counted[1] += one.record["drafted"]
    shares = {key: {place: part / whole for place, (part, whole) in counted.items()} for key, counted in sums.items()}
    for benchmark, name in keys:
        if (own := shares.get((benchmark, name))) is None:
            continue
        other, difference = shares.get((benchmark, against)), None
        if other is not None and name != against:
            difference = paired_difference(_shared_table(own, other), _shared_table(other, own))
        interval = mean_interval(_shared_table(own, own))
        yield Figure(
            benchmark=benchmark, arm=name, cwe=ALL, metric="accepted", interval=interval, difference=difference
        )


def _costs(completions: Sequence[_Completion]) -> dict[tuple[str, str], Cost]:
    """Sums over each benchmark and arm."""
    sums: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0, 0, 0, 0.0])
    for one in completions:
        for index, name in enumerate(("tokens", "changed", "decisions", "seconds")):
            sums[one.benchmark, one.arm][index] += one.record[name]
    return {
        key: Cost(tokens=int(tokens), changed=int(changed), decisions=int(decisions), seconds=seconds)
        for key, (tokens, changed, decisions, seconds) in sums.items()
    }


def _shown(
    completions: Sequence[_Completion], settings: StudySettings, verdicts: Mapping[tuple[str, str], Sequence[Verdict]]
) -> tuple[Shown, ...]:
    prompts = {task.id: task.prompt for one in settings.benchmarks if one.scenarios for task in tasks_of(one)}
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
                Shown(
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
