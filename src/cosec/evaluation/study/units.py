"""Units of a study: a few tasks of one benchmark under one arm and one seed, recorded in one file.

Their order puts seeds one after the other and arms next to each other, so that a study stopped early still compares
arms on the same tasks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cosec.evaluation.study.arms import DecodingArm
from cosec.evaluation.study.settings import StudySettings
from cosec.evaluation.tasks.tasks import Benchmark, Task, tasks_of

UNIT_ROWS = 60
"""Approximate number of completions in a unit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """Completions that are recorded and judged together."""

    benchmark: Benchmark
    """The benchmark that its tasks belong to."""

    arm: DecodingArm
    """How they are completed."""

    seed: int
    """Seed of the completions."""

    chunk: int
    """Index among the units of the same benchmark, arm and seed."""

    tasks: tuple[Task, ...]
    """Some of the benchmark's tasks, in its order."""

    @property
    def name(self) -> str:
        """Names its records: ``own-decision/gate;strength=0.1/seed-0/003``."""
        return f"{self.benchmark.name}/{self.arm.name.replace(':', ';')}/seed-{self.seed}/{self.chunk:03}"

    @property
    def size(self) -> int:
        """Number of completions."""
        return len(self.tasks) * self.benchmark.samples


def units_of(settings: StudySettings) -> list[Unit]:
    """All units of a study: every benchmark under the first seed, then under the next, arms of the same tasks in a row.

    Raises:
        DataError: If a benchmark cannot be read.
        SettingsError: If an arm is unknown.
    """
    arms = settings.decoding_arms()
    chunks = [
        (benchmark, index, chunk)
        for benchmark in settings.benchmarks
        for index, chunk in enumerate(_chunks(tasks_of(benchmark), max(1, UNIT_ROWS // benchmark.samples)))
    ]
    return [
        Unit(benchmark=benchmark, arm=arm, seed=seed, chunk=index, tasks=chunk)
        for seed in settings.seeds
        for benchmark, index, chunk in chunks
        for arm in arms
    ]


def _chunks(tasks: Sequence[Task], size: int) -> list[tuple[Task, ...]]:
    return [tuple(tasks[start : start + size]) for start in range(0, len(tasks), size)]
