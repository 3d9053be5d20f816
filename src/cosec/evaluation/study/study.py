"""A study: arms, seeds and benchmarks, completed and judged unit by unit, continued where it was stopped."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from itertools import chain

from cosec.decoding.settings import SamplingSettings
from cosec.evaluation.study.arms import DecodingArm
from cosec.evaluation.study.generation.generator import Generator
from cosec.evaluation.study.judge_units import RecordedUnit
from cosec.evaluation.study.judge_worker import UnitJudge
from cosec.evaluation.study.judgements import current_verdicts, earlier_verdicts
from cosec.evaluation.study.records import COMPLETIONS, Record, StudyFolder
from cosec.evaluation.study.settings import StudySettings
from cosec.evaluation.study.units import Unit
from cosec.evaluation.tasks.samples import Sample
from cosec.evaluation.tasks.tasks import Task

WAIT_SECONDS = 2.0
"""Pause between looks at units that another process works on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Progress after a unit."""

    unit: str
    """Name of the unit."""

    done: int
    """Completions of the whole study that are recorded, as far as this process knows."""

    total: int
    """Completions of the whole study."""

    tokens: int
    """Tokens that this process generated since the previous step."""

    seconds: float
    """Time since the previous step."""


@dataclass(slots=True)
class _Held:
    """A unit whose lock is held while its missing samples are generated."""

    unit: Unit
    lock: ExitStack
    recorded: set[tuple[str, int]]
    """Task and index of each sample that was recorded before."""

    open_tasks: set[str]
    new: dict[str, list[Sample]] = field(default_factory=dict)

    def records(self) -> list[Record]:
        """The new samples as records, by task and then by sample."""
        samples = [one for task in self.unit.tasks for one in self.new.get(task.id, ())]
        return [asdict(one) for one in samples if (one.task, one.sample) not in self.recorded]


class Study:
    """The units of a study with everything that is needed to work on them."""

    def __init__(
        self,
        settings: StudySettings,
        folder: StudyFolder,
        units: Sequence[Unit],
        *,
        generator: Callable[[DecodingArm], Generator],
        judge: UnitJudge | None,
        on_step: Callable[[Step], None],
    ) -> None:
        """Prepare the work on an opened study.

        Args:
            settings: What the study computes.
            folder: Where it is recorded.
            units: All its units.
            generator: Makes the generator of an arm.
            judge: Judges units whose completions are recorded; None leaves that to another run.
            on_step: Called after each unit.
        """
        self._settings, self._folder, self._units = settings, folder, units
        self._generator, self._judge, self._on_step = generator, judge, on_step
        self._generators: dict[str, Generator] = {}
        self._total = sum(unit.size for unit in units)
        self._known = {unit.name: folder.count(COMPLETIONS, unit.name) for unit in units}
        self._done = sum(self._known.values())
        self._verdicts, self._earlier = current_verdicts(folder), earlier_verdicts(folder)
        self._submitted: set[str] = set()
        self._reported: set[str] = set()
        self._tokens, self._since = 0, time.perf_counter()

    def run(self) -> None:
        """Work until every unit is complete, including the units that other processes hold.

        Units of one arm, seed and benchmark are generated together, so that the batch stays full. A process begins with
        units that no other process works on.

        Raises:
            CosecError: If generation or a checker fails. What was recorded is kept, and a new run continues.
        """
        groups: dict[tuple[int, str, str], list[Unit]] = defaultdict(list)
        for unit in self._units:
            groups[unit.seed, unit.benchmark.name, unit.arm.name].append(unit)
        while True:
            for share in (False, True):
                for group in groups.values():
                    self._generate(group, share=share)
            if self._judge is not None:
                self._judge.wait()
            self._submitted = {unit.name for unit in self._units if self._complete(unit)}
            if len(self._submitted) == len(self._units):
                return
            time.sleep(WAIT_SECONDS)

    def _complete(self, unit: Unit) -> bool:
        kind = COMPLETIONS if self._judge is None else self._verdicts
        return self._folder.count(kind, unit.name) >= unit.size

    def _generate(self, group: Sequence[Unit], *, share: bool) -> None:
        """Generate the missing samples of units that no other process holds, and submit complete units to be judged.

        Args:
            group: Units of one arm, seed and benchmark.
            share: Whether to take part if another process already works on the group.
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
                    self._unit_recorded(one.unit)

    def _missing(
        self, group: Sequence[Unit], held: dict[str, _Held], locks: ExitStack, *, share: bool
    ) -> Iterator[Task]:
        """The tasks that lack samples, unit by unit. The lock of a unit is taken when its first task is asked for."""
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
                self._unit_recorded(unit)
                continue
            one = _Held(unit, lock, recorded, {task.id for task in missing})
            held.update((task.id, one) for task in missing)
            yield from missing

    def _unit_recorded(self, unit: Unit) -> None:
        """Submit a unit whose completions are all recorded to the judge, and report progress once."""
        self._submitted.add(unit.name)
        if self._judge is not None:
            self._judge.submit(
                RecordedUnit(
                    name=unit.name,
                    tasks=unit.tasks,
                    samples=unit.benchmark.samples,
                    seed=unit.seed,
                    functional=unit.benchmark.functional,
                    verdicts=self._verdicts,
                    earlier=self._earlier,
                )
            )
        if unit.name in self._reported:
            return
        self._reported.add(unit.name)
        self._done += unit.size - self._known[unit.name]
        now = time.perf_counter()
        self._on_step(
            Step(unit=unit.name, done=self._done, total=self._total, tokens=self._tokens, seconds=now - self._since)
        )
        self._tokens, self._since = 0, now
