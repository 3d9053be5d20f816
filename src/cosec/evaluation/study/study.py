"""A study: arms, seeds and benchmarks, completed and judged unit by unit, continued where it was stopped.

A unit is a few tasks of one benchmark under one arm and one seed. Their order puts seeds one after the other and arms
next to each other, so that a study stopped early still compares arms on the same tasks.
"""

from __future__ import annotations

import hashlib
import time
import tomllib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from cosec.decoding.settings import SamplingSettings
from cosec.errors import DataError, SettingsError
from cosec.evaluation.judging import judgements
from cosec.evaluation.judging.unit_judging import COMPLETIONS, Judging, RecordedUnit
from cosec.evaluation.study.arms import DecodingArm, parse_arm
from cosec.evaluation.study.generation import Generator, Sample
from cosec.evaluation.study.records import Record, StudyFolder
from cosec.evaluation.tasks.tasks import Benchmark, Task, tasks_of
from cosec.sandbox import BackendName

UNIT_ROWS = 60
"""Completions of a unit, about."""

WAIT_SECONDS = 2.0
"""Between looks at units that another process works on."""


class StudySettings(BaseModel):
    """What a study computes; a recipe file holds the same names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = "study"
    """Title of its report."""

    target: str = "smollm2-135m"
    """An embedded name, a hub id or a folder; ``$NAME`` stands for an environment variable, here and below."""

    security: str = "default"

    security_models: Mapping[str, str] = Field(default_factory=dict)
    """Other security models, by the names that arms call them by: ``cosec-plus@NAME``."""

    endpoint: str | None = None
    """Measure a served model instead: its only arm is ``endpoint``."""

    endpoint_model: str | None = None
    arms: tuple[str, ...] = ("origin", "cosec-plus")
    """See `cosec.evaluation.study.arms`."""
    seeds: tuple[int, ...] = Field(default=(0,), min_length=1)

    temperature: float = Field(default=0.4, ge=0.0)
    top_p: float = Field(default=0.95, gt=0.0, le=1.0)

    benchmarks: tuple[Benchmark, ...] = Field(min_length=1)

    sandbox: BackendName | None = Field(default=None, exclude=True)
    """Isolates what is run, unless ``--sandbox`` or ``COSEC_SANDBOX`` is given; not part of a study's identity."""

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
        """The arms, read; raises SettingsError if one is unknown, or its security model is."""
        if self.endpoint is not None:
            return [DecodingArm(name="endpoint", alone="target")]
        arms = [parse_arm(one) for one in self.arms]
        for arm in arms:
            if arm.security is not None and arm.security not in self.security_models:
                raise SettingsError(
                    f"The arm {arm.name!r} takes a security model {arm.security!r}; give it under [security_models] in "
                    f"the recipe (there: {', '.join(self.security_models) or 'none'})."
                )
        return arms


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
        wrong = f"{first['msg'][:1].lower()}{first['msg'][1:]} (got {first['input']!r})"
        raise SettingsError(f"{place}: {wrong}.") from error
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


GROWING = ("arms", "seeds", "security_models", "security_models_sha256")
"""What a study may gain later: units belong to one arm and one seed."""


def open_study(
    folder: StudyFolder,
    settings: StudySettings,
    units: Sequence[Unit],
    models: Mapping[str, Any],
    *,
    named: Mapping[str, str] | None = None,
    environment: Mapping[str, Any] | None = None,
    checkers: str = judgements.UNKNOWN,
    rejudge: bool = False,
) -> None:
    """Write a study's manifest, or check that the folder's study is this one, with perhaps fewer arms or seeds.

    Args:
        folder: Where it lies.
        settings: What it computes.
        units: All of it.
        models: Hashes of the weights.
        named: The same of ``security_models``, as far as arms take them.
        environment: The machine and versions, for the record.
        checkers: Version of what judges.
        rejudge: Judge what is recorded again, if other checkers judged it.

    Raises:
        StudyError: If the folder holds another study (names the setting that differs), or one that other checkers
            judged in part.
    """
    each = sum(unit.size for unit in units) // (len(settings.arms) * len(settings.seeds))
    manifest = {
        "name": settings.name,
        "identity": {**identity(settings, units, models), "security_models_sha256": dict(named or {})},
        "completions_each": each,
        "environment": dict(environment or {}),
        **judgements.first_judgement(checkers),
    }
    folder.open(manifest, GROWING)
    if rejudge:
        judgements.judge_again(folder, checkers)
    verdicts = judgements.current_verdicts(folder)
    if any(folder.count(verdicts, unit.name) < unit.size for unit in units):
        judgements.refuse_other_checkers(folder, checkers)


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
    """Generated by this process since the step before."""

    seconds: float
    """Since the step before."""


@dataclass(slots=True)
class _Held:
    """A unit whose lock is held while its missing samples are generated."""

    unit: Unit
    lock: ExitStack
    recorded: set[tuple[str, int]]
    """Task and sample of what was there before."""

    open_tasks: set[str]
    new: dict[str, list[Sample]] = field(default_factory=dict)

    def records(self) -> list[Record]:
        """What is to be appended, by task and then by sample."""
        samples = [one for task in self.unit.tasks for one in self.new.get(task.id, ())]
        return [asdict(one) for one in samples if (one.task, one.sample) not in self.recorded]


class Study:
    """A study's units with everything that is needed to work on them; without ``judging``, another run judges."""

    def __init__(
        self,
        settings: StudySettings,
        folder: StudyFolder,
        units: Sequence[Unit],
        *,
        generator: Callable[[DecodingArm], Generator],
        judging: Judging | None,
        on_step: Callable[[Step], None],
    ) -> None:
        self._settings, self._folder, self._units = settings, folder, units
        self._generator, self._judging, self._on_step = generator, judging, on_step
        self._generators: dict[str, Generator] = {}
        self._total = sum(unit.size for unit in units)
        self._known = {unit.name: folder.count(COMPLETIONS, unit.name) for unit in units}
        self._done = sum(self._known.values())
        self._verdicts = judgements.current_verdicts(folder)
        self._submitted: set[str] = set()
        self._told: set[str] = set()
        self._tokens, self._since = 0, time.perf_counter()

    def run(self) -> None:
        """Work until every unit is complete, those that other processes hold included.

        Units of one arm, seed and benchmark are generated in one go, so that the batch stays full; a process begins
        with those that no other works on.

        Raises:
            CosecError: If generation or a checker fails; what was recorded is kept and a new run continues.
        """
        groups: dict[tuple[int, str, str], list[Unit]] = defaultdict(list)
        for unit in self._units:
            groups[unit.seed, unit.benchmark.name, unit.arm.name].append(unit)
        while True:
            for share in (False, True):
                for group in groups.values():
                    self._generate(group, share=share)
            if self._judging is not None:
                self._judging.wait()
            self._submitted = {unit.name for unit in self._units if self._complete(unit)}
            if len(self._submitted) == len(self._units):
                return
            time.sleep(WAIT_SECONDS)

    def _complete(self, unit: Unit) -> bool:
        kind = COMPLETIONS if self._judging is None else self._verdicts
        return self._folder.count(kind, unit.name) >= unit.size

    def _generate(self, group: Sequence[Unit], *, share: bool) -> None:
        """Generate what is missing of the units that no other process holds, and hand them on to be judged.

        Args:
            group: Units of one arm, seed and benchmark.
            share: Whether to take part where another process works on the group already.
        """
        first, held = group[0], dict[str, _Held]()
        sampling = SamplingSettings(
            temperature=self._settings.temperature,
            top_p=self._settings.top_p,
            max_new_tokens=first.benchmark.max_new_tokens,
            seed=first.seed,
        )
        with ExitStack() as locks:
            tasks = self._missing(group, held, locks, share=share)
            start = next(tasks, None)
            if start is None:
                return
            if first.arm.name not in self._generators:
                self._generators[first.arm.name] = self._generator(first.arm)
            generated = self._generators[first.arm.name].complete(
                chain([start], tasks), samples=first.benchmark.samples, sampling=sampling
            )
            for samples in generated:
                task = samples[0].task
                one = held[task]
                one.new[task] = samples
                one.open_tasks.remove(task)
                self._tokens += sum(sample.tokens for sample in samples)
                if not one.open_tasks:
                    self._folder.append(COMPLETIONS, one.unit.name, one.records())
                    one.lock.close()
                    self._hand_on(one.unit)

    def _missing(
        self, group: Sequence[Unit], held: dict[str, _Held], locks: ExitStack, *, share: bool
    ) -> Iterator[Task]:
        """The tasks that lack samples, unit by unit; each unit's lock is taken when its first task is asked for."""
        for unit in group:
            if unit.name in self._submitted:
                continue
            lock = locks.enter_context(ExitStack())
            if not lock.enter_context(self._folder.unit(unit.name)):
                if share or held:
                    continue
                return
            recorded = {(one["task"], one["sample"]) for one in self._folder.read(COMPLETIONS, unit.name)}
            wanted = range(unit.benchmark.samples)
            missing = [task for task in unit.tasks if any((task.id, sample) not in recorded for sample in wanted)]
            if not missing:
                lock.close()
                self._hand_on(unit)
                continue
            one = _Held(unit, lock, recorded, {task.id for task in missing})
            held.update((task.id, one) for task in missing)
            yield from missing

    def _hand_on(self, unit: Unit) -> None:
        """Let a unit that is completely recorded be judged, and tell the progress."""
        self._submitted.add(unit.name)
        if self._judging is not None:
            self._judging.submit(
                RecordedUnit(
                    name=unit.name,
                    tasks=unit.tasks,
                    samples=unit.benchmark.samples,
                    seed=unit.seed,
                    functional=unit.benchmark.functional,
                    verdicts=self._verdicts,
                )
            )
        if unit.name in self._told:
            return
        self._told.add(unit.name)
        self._done += unit.size - self._known[unit.name]
        now = time.perf_counter()
        self._on_step(
            Step(unit=unit.name, done=self._done, total=self._total, tokens=self._tokens, seconds=now - self._since)
        )
        self._tokens, self._since = 0, now
