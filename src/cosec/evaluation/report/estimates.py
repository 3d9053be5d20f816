"""Estimates of a report: every metric of every arm, with its interval and its difference to another arm."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cosec.evaluation.judging.verdict import Verdict
from cosec.evaluation.report.statistics.intervals import Interval, mean_interval, paired_difference
from cosec.evaluation.report.statistics.metrics import arm_of, differences, joint_at_k, pass_at_k, rates
from cosec.evaluation.study.records import Record

KS = (1, 5, 10)
"""Values of k for which pass@k and joint@k are reported, as far as there are enough samples."""

ALL = "all"
"""Takes the place of a weakness in estimates over all of them."""

Key = tuple[str, str]
"""Name of a benchmark and name of an arm."""

_Place = tuple[str, int]
"""Id of a task and seed."""

_Counts = dict[_Place, tuple[int, int]]
"""Samples and samples that passed, by task and seed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """One number of a report."""

    benchmark: str
    """Name of the benchmark."""

    arm: str
    """Name of the arm."""

    cwe: str
    """``CWE-089``, or ``all``."""

    metric: str
    """``engaged_security``, ``pass@1``, …"""

    interval: Interval
    """Its value with a 95 % interval."""

    difference: Interval | None = None
    """Paired difference to the arm that results are ``against``; None for that arm or if it was not measured."""

    simultaneous: Interval | None = None
    """The same difference with an interval that is corrected for the number of arms; only over all weaknesses."""


@dataclass(frozen=True, slots=True)
class RecordedCompletion:
    """A recorded completion, with what the name of its unit says."""

    benchmark: str
    arm: str
    seed: int
    record: Record

    @classmethod
    def of(cls, unit: str, record: Record) -> RecordedCompletion:
        """Read the name of the unit, such as ``own-decision/gate;strength=0.1/seed-0/003``."""
        benchmark, arm, seed, _ = unit.split("/")
        return cls(benchmark, arm.replace(";", ":"), int(seed.removeprefix("seed-")), record)


def scenario_estimates(verdicts: Mapping[Key, Sequence[Verdict]], against: str) -> Iterator[Estimate]:
    """Every rate of every arm on scenarios, over all weaknesses and for each, and joint@k over all.

    Args:
        verdicts: By benchmark and arm.
        against: The arm that differences are to.
    """
    arms = {key: arm_of(found) for key, found in verdicts.items()}
    for (benchmark, name), arm in arms.items():
        other = None if name == against else arms.get((benchmark, against))
        for cwe in (None, *sorted(set(arm.cwes))):
            shown = differences(arm, other, cwe) if other is not None else {}
            simultaneous = {}
            if other is not None and cwe is None:
                simultaneous = differences(arm, other, comparisons=compared_arms(arms, benchmark, against))
            for metric, interval in rates(arm, cwe).items():
                yield Estimate(
                    benchmark=benchmark,
                    arm=name,
                    cwe=cwe or ALL,
                    metric=metric,
                    interval=interval,
                    difference=shown.get(metric),
                    simultaneous=simultaneous.get(metric),
                )
        for k in KS:
            table = arm.table(lambda samples, k=k: joint_at_k(samples, k))  # type: ignore[misc]
            if np.isfinite(table).any():
                yield Estimate(
                    benchmark=benchmark, arm=name, cwe=ALL, metric=f"joint@{k}", interval=mean_interval(table)
                )


def problem_estimates(verdicts: Mapping[Key, Sequence[Record]], against: str) -> Iterator[Estimate]:
    """pass@k of every arm on function problems.

    Args:
        verdicts: Records of verdicts, by benchmark and arm.
        against: The arm that differences are to.
    """
    counted = {key: _counts(found) for key, found in verdicts.items()}
    for (benchmark, name), counts in counted.items():
        other = counted.get((benchmark, against))
        for k in KS:
            table = _pass_table(counts, counts, k)
            if not np.isfinite(table).any():
                continue
            difference = simultaneous = None
            if other is not None and name != against:
                pair = _pass_table(counts, other, k), _pass_table(other, counts, k)
                difference = paired_difference(*pair)
                simultaneous = paired_difference(*pair, comparisons=compared_arms(counted, benchmark, against))
            yield Estimate(
                benchmark=benchmark,
                arm=name,
                cwe=ALL,
                metric=f"pass@{k}",
                interval=mean_interval(table),
                difference=difference,
                simultaneous=simultaneous,
            )


def compared_arms(keys: Collection[Key], benchmark: str, against: str) -> int:
    """Number of the benchmark's arms that are compared with ``against``.

    Args:
        keys: Benchmarks and arms that were measured.
        benchmark: Name of the benchmark.
        against: The arm that differences are to.
    """
    return sum(name == benchmark and arm != against for name, arm in keys)


def _counts(records: Sequence[Record]) -> _Counts:
    counts: _Counts = {}
    for record in records:
        samples, passed = counts.get((record["task"], record["seed"]), (0, 0))
        counts[record["task"], record["seed"]] = (samples + 1, passed + bool(record["passed"]))
    return counts


def _pass_table(counts: _Counts, other: _Counts, k: int) -> np.ndarray:
    """pass@k for each task and seed that both arms have, of shape (tasks, seeds)."""
    return _shared_table({key: pass_at_k(*found, k) for key, found in counts.items()}, other)


def _shared_table(values: Mapping[_Place, float | None], other: Mapping[_Place, object]) -> np.ndarray:
    """A value for each task and seed that both arms have, of shape (tasks, seeds); NaN where it is undefined."""
    tasks = sorted({task for task, _ in values} & {task for task, _ in other})
    seeds = sorted({seed for _, seed in values} & {seed for _, seed in other})
    rows = [[values.get((task, seed)) for seed in seeds] for task in tasks]
    found = [[np.nan if one is None else one for one in row] for row in rows]
    return np.array(found, dtype=float).reshape(len(tasks), len(seeds))


def acceptance_estimates(
    completions: Sequence[RecordedCompletion], keys: Sequence[Key], against: str
) -> Iterator[Estimate]:
    """Share of the security model's proposals that were accepted, among those at emitted tokens.

    Args:
        completions: Of the whole study.
        keys: Benchmarks and arms to report, in this order; those without proposals are left out.
        against: The arm that differences are to.
    """
    sums: dict[Key, dict[_Place, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0, 0]))
    for one in completions:
        if one.record["drafted"]:
            counted = sums[one.benchmark, one.arm][one.record["task"], one.seed]
            counted[0] += one.record["accepted"]
            counted[1] += one.record["drafted"]
    shares = {key: {place: part / whole for place, (part, whole) in counted.items()} for key, counted in sums.items()}
    for benchmark, name in keys:
        if (own := shares.get((benchmark, name))) is None:
            continue
        other, difference, simultaneous = shares.get((benchmark, against)), None, None
        if other is not None and name != against:
            pair = _shared_table(own, other), _shared_table(other, own)
            difference = paired_difference(*pair)
            simultaneous = paired_difference(*pair, comparisons=compared_arms(keys, benchmark, against))
        yield Estimate(
            benchmark=benchmark,
            arm=name,
            cwe=ALL,
            metric="accepted",
            interval=mean_interval(_shared_table(own, own)),
            difference=difference,
            simultaneous=simultaneous,
        )
