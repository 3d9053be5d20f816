"""A study: arms, seeds and benchmarks, completed and judged unit by unit, continued where it was stopped.

A unit is a few tasks of one benchmark under one arm and one seed. Their order puts seeds one after the other and arms
next to each other, so that a study stopped early still compares arms on the same tasks.
"""

from __future__ import annotations

import hashlib
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from cosec.decoding.settings import SamplingSettings
from cosec.errors import DataError, SettingsError
from cosec.evaluation.arms import DecodingArm, parse_arm
from cosec.evaluation.generation import Generator, Sample
from cosec.evaluation.judging import Judges, ScenarioSamples, judge_problem, judge_scenarios
from cosec.evaluation.records import Record, StudyFolder
from cosec.evaluation.tasks import Benchmark, Task, tasks_of
from cosec.evaluation.verdicts import Verdict

UNIT_ROWS = 60
"""Completions of a unit, about; decoded as one batch."""

COMPLETIONS, VERDICTS = "completions", "verdicts"
WAIT_SECONDS = 2.0
"""Between looks at units that another process works on."""


class StudySettings(BaseModel):
    """What a study computes; a recipe file holds the same names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = "study"
    """Title of its report."""

    target: str = "smollm2-135m"

    security: str = "default"

    endpoint: str | None = None
    """Measure a served model instead: its only arm is ``endpoint``."""

    endpoint_model: str | None = None

    arms: tuple[str, ...] = ("origin", "cosec-plus")
    """See `cosec.evaluation.arms`."""

    seeds: tuple[int, ...] = Field(default=(0,), min_length=1)

    temperature: float = Field(default=0.4, ge=0.0)

    top_p: float = Field(default=0.95, gt=0.0, le=1.0)

    benchmarks: tuple[Benchmark, ...] = Field(min_length=1)

    @field_validator("arms")
    @classmethod
    def _known_arms(cls, arms: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(arms)) != len(arms) or not arms:
            raise ValueError("arms must be named, each once")
        return arms

    @field_validator("benchmarks")
    @classmethod
    def _distinct_names(cls, benchmarks: tuple[Benchmark, ...]) -> tuple[Benchmark, ...]:
        if len({one.name for one in benchmarks}) != len(benchmarks):
            raise ValueError("every benchmark needs a name of its own")
        return benchmarks

    def decoding_arms(self) -> list[DecodingArm]:
        """The arms, read.

        Raises:
            SettingsError: If one is unknown.
        """
        if self.endpoint is not None:
            return [DecodingArm(name="endpoint", alone="target")]
        return [parse_arm(one) for one in self.arms]


def study_settings(values: Mapping[str, Any]) -> StudySettings:
    """Settings from plain values, with the error a user can act on.

    Raises:
        SettingsError: If a value is unknown or out of range; names it.
    """
    try:
        settings = StudySettings.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "study"
        raise SettingsError(
            f"{place}: {first['msg'][:1].lower()}{first['msg'][1:]} (got {first['input']!r})."
        ) from error
    settings.decoding_arms()
    return settings


def read_recipe(path: Path, reader: Callable[[Mapping[str, Any]], StudySettings] = study_settings) -> StudySettings:
    """A study's settings from a TOML file.

    Args:
        path: The recipe.
        reader: Makes settings of its values.

    Raises:
        DataError: If the file cannot be read.
        SettingsError: If it names something unknown; says what.
    """
    try:
        return reader(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError(f"Cannot read the recipe {path}: {error}.") from error
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """What is completed and judged at once."""

    benchmark: Benchmark
    arm: DecodingArm
    seed: int
    chunk: int
    tasks: tuple[Task, ...]

    @property
    def name(self) -> str:
        """Where its records lie: ``own-decision/gate;strength=0.1/seed-0/003``."""
        return f"{self.benchmark.name}/{self.arm.name.replace(':', ';')}/seed-{self.seed}/{self.chunk:03}"

    @property
    def size(self) -> int:
        """Its completions."""
        return len(self.tasks) * self.benchmark.samples


def units_of(settings: StudySettings) -> list[Unit]:
    """All units: every benchmark under the first seed, then under the next; arms of the same tasks side by side.

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


GROWING = ("arms", "seeds")
"""What a study may gain later: units belong to one arm and one seed."""


def open_study(
    folder: StudyFolder,
    settings: StudySettings,
    units: Sequence[Unit],
    models: Mapping[str, Any],
    environment: Mapping[str, Any] | None = None,
) -> None:
    """Write a study's manifest, or check that the folder's study is this one, with perhaps fewer arms or seeds.

    Raises:
        StudyError: If the folder holds another study; names the setting that differs.
    """
    each = sum(unit.size for unit in units) // (len(settings.arms) * len(settings.seeds))
    manifest = {
        "name": settings.name,
        "identity": identity(settings, units, models),
        "completions_each": each,
        "environment": dict(environment or {}),
    }
    folder.open(manifest, GROWING)


def identity(settings: StudySettings, units: Sequence[Unit], models: Mapping[str, Any]) -> dict[str, Any]:
    """What two runs must share for one to continue the other: settings but for the title, prompts, models."""
    prompts = sorted({f"{unit.benchmark.name}\0{task.id}\0{task.prompt}" for unit in units for task in unit.tasks})
    digest = hashlib.sha256("\0".join(prompts).encode()).hexdigest()
    return {**settings.model_dump(mode="json", exclude={"name"}), "prompts_sha256": digest, "models": dict(models)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Progress after a unit."""

    unit: str
    done: int
    """Completions recorded in the whole study, as far as this process has seen."""

    total: int
    tokens: int
    """Generated for this unit now."""

    seconds: float
    """Spent on generating them."""


class Study:
    """A study's units with everything that is needed to work on them."""

    def __init__(
        self,
        settings: StudySettings,
        folder: StudyFolder,
        units: Sequence[Unit],
        *,
        generator: Callable[[DecodingArm], Generator],
        judges: Judges,
        on_step: Callable[[Step], None],
    ) -> None:
        self._settings, self._folder, self._units = settings, folder, units
        self._generator, self._judges, self._on_step = generator, judges, on_step
        self._generators: dict[str, Generator] = {}
        self._total = sum(unit.size for unit in units)
        self._recorded = {unit.name: folder.count(COMPLETIONS, unit.name) for unit in units}
        self._done = sum(self._recorded.values())

    def run(self) -> None:
        """Work until every unit is complete, those that other processes hold included.

        Raises:
            CosecError: If generation or a checker fails; what was recorded is kept and a new run continues.
        """
        waiting = list(self._units)
        while waiting:
            left = [unit for unit in waiting if not self._work_on(unit)]
            if len(left) == len(waiting):
                time.sleep(WAIT_SECONDS)
            waiting = left

    def _work_on(self, unit: Unit) -> bool:
        """Complete a unit; False where another process holds it."""
        with self._folder.unit(unit.name) as held:
            if not held:
                return False
            tokens, seconds = self._generate(unit)
            self._judge(unit)
        self._done += unit.size - self._recorded[unit.name]
        self._recorded[unit.name] = unit.size
        self._on_step(Step(unit=unit.name, done=self._done, total=self._total, tokens=tokens, seconds=seconds))
        return True

    def _generate(self, unit: Unit) -> tuple[int, float]:
        """Append the samples that are missing; tokens generated and the seconds it took."""
        recorded = {(one["task"], one["sample"]) for one in self._folder.read(COMPLETIONS, unit.name)}
        wanted = range(unit.benchmark.samples)
        missing = [task for task in unit.tasks if any((task.id, sample) not in recorded for sample in wanted)]
        if not missing:
            return 0, 0.0
        sampling = SamplingSettings(
            temperature=self._settings.temperature,
            top_p=self._settings.top_p,
            max_new_tokens=unit.benchmark.max_new_tokens,
            seed=unit.seed,
        )
        started = time.perf_counter()
        if unit.arm.name not in self._generators:
            self._generators[unit.arm.name] = self._generator(unit.arm)
        samples = self._generators[unit.arm.name].complete(missing, samples=len(wanted), sampling=sampling)
        seconds = time.perf_counter() - started
        new = [asdict(one) for one in samples if (one.task, one.sample) not in recorded]
        self._folder.append(COMPLETIONS, unit.name, new)
        return sum(one.tokens for one in samples), seconds

    def _judge(self, unit: Unit) -> None:
        recorded = len(self._folder.read(VERDICTS, unit.name))
        if recorded >= unit.size:
            return
        samples: dict[str, list[Sample]] = {task.id: [] for task in unit.tasks}
        for record in self._folder.read(COMPLETIONS, unit.name):
            samples[record["task"]].append(Sample(**record))
        verdicts = list(self._verdicts(unit, samples))
        self._folder.append(VERDICTS, unit.name, verdicts[recorded:])

    def _verdicts(self, unit: Unit, samples: Mapping[str, list[Sample]]) -> Iterator[Record]:
        """The unit's verdicts, by task and then by sample."""
        jobs = [
            ScenarioSamples(scenario=task.scenario, samples=samples[task.id])
            for task in unit.tasks
            if task.scenario is not None
        ]
        if jobs:
            for judged in judge_scenarios(jobs, self._judges, seed=unit.seed, functional=unit.benchmark.functional):
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
        {name: value for name, value in asdict(one).items() if name != "path"} for one in verdict.findings
    ]
    return record
