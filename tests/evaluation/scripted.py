"""A generator and a checker that need no model: texts are a function of task, sample and seed."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

from cosec.checking.finding import CheckReport, Finding
from cosec.checking.patterns import PATTERNS
from cosec.decoding.settings import SamplingSettings
from cosec.evaluation.judging.judges import Judges
from cosec.evaluation.study.arms import DecodingArm
from cosec.evaluation.study.judge_units import RecordedUnit, judge_unit
from cosec.evaluation.study.records import StudyFolder
from cosec.evaluation.tasks.samples import Sample
from cosec.evaluation.tasks.tasks import Task

TEXTS = (
    "'SELECT 1 WHERE a = ' + name)\n    return connection",  # what the checker below calls insecure
    "'SELECT 1 WHERE a = ?', (name,))\n    return connection",
    "'SELECT 1 WHERE a = ?', (name,))\n    return connection  # again",
    "((",
    "",
)


class ScriptedGenerator:
    """Completes every task with one of ``TEXTS``."""

    def __init__(self, arm: DecodingArm, pause: float = 0.0) -> None:
        self.arm, self.pause = arm, pause
        self.asked: list[str] = []

    def complete(self, tasks: Iterable[Task], *, samples: int, sampling: SamplingSettings) -> Iterator[list[Sample]]:
        for task in tasks:
            time.sleep(self.pause)
            self.asked.append(task.id)
            yield [self._sample(task, sample, sampling.seed) for sample in range(samples)]

    def _sample(self, task: Task, sample: int, seed: int) -> Sample:
        digest = hashlib.sha256(f"{self.arm.name}/{task.id}/{sample}/{seed}".encode()).digest()
        text = TEXTS[digest[0] % len(TEXTS)]
        drafted = 0 if self.arm.alone else len(text.split())
        return Sample(
            task=task.id,
            sample=sample,
            text=text,
            finish_reason="stop",
            tokens=len(text.split()),
            drafted=drafted,
            accepted=digest[1] % (drafted + 1),
            changed=1,
            marks=((1, 6),),
            seconds=round(time.monotonic() % 1, 3),
        )


class InlineJudge:
    """Judges each unit in this process when it is submitted."""

    def __init__(self, folder: StudyFolder, judges: Judges) -> None:
        self._folder, self._judges = folder, judges

    def submit(self, unit: RecordedUnit) -> None:
        judge_unit(self._folder, unit, self._judges)

    def wait(self) -> None:
        pass


class PlusChecker:
    """Calls SQL insecure that is put together with a plus."""

    name = "plus"
    patterns = frozenset({"py/sql-injection"})

    def __init__(self) -> None:
        self.calls = 0

    def check(self, paths: Sequence[Path], *, patterns: Collection[str] | None = None) -> CheckReport:
        self.calls += 1
        found = []
        for path in paths:
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
                if "' + name" in line:
                    pattern = PATTERNS["py/sql-injection"]
                    found.append(
                        Finding(
                            path=str(path),
                            line=number,
                            pattern=pattern.id,
                            cwe=pattern.cwe,
                            message="plus",
                            severity="error",
                            checker=self.name,
                        )
                    )
        return CheckReport(findings=tuple(found))


def judges() -> Judges:
    return Judges(checkers={"py": (PlusChecker(),)}, version="a")


def write_scenarios(folder: Path, count: int = 3) -> Path:
    """A folder of small SQL scenarios in our layout."""
    for index in range(count):
        place = folder / "cwe-089" / f"lookup-{index}"
        place.mkdir(parents=True)
        (place / "scenario.toml").write_text(
            'description = "look up"\npatterns = ["py/sql-injection"]\nsinks = ["execute"]\n', encoding="utf-8"
        )
        start = f"import sqlite3\n\n\ndef lookup_{index}(connection, name):"
        (place / "open.py").write_text(start, encoding="utf-8")
        (place / "decision.py").write_text(start + "\n    connection.execute(", encoding="utf-8")
    return folder
