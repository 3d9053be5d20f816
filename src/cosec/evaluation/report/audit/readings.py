"""What readers said about completions: append-only records in the study's folder, one file for each reader."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime

from cosec.errors import StudyError
from cosec.evaluation.judging.verdict import Verdict
from cosec.evaluation.study.records import StudyFolder

AUDITS = "audits"
"""Kind of records that holds readings."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Place:
    """Which completion of a study is meant."""

    benchmark: str
    arm: str

    task: str
    """Id of the scenario, depth included."""

    seed: int
    sample: int

    @classmethod
    def of(cls, benchmark: str, arm: str, verdict: Verdict) -> Place:
        """Return the place of a judged completion."""
        return cls(benchmark=benchmark, arm=arm, task=verdict.scenario, seed=verdict.seed, sample=verdict.sample)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a reader said about one completion."""

    place: Place

    secure: bool | None
    """Whether it is secure; None if the reader cannot tell."""

    reason: str
    """In the reader's words; may be empty."""

    reader: str

    time: str
    """When it was said: ISO 8601, in UTC."""


class ReadingLog:
    """The readings of one reader, while their file is held."""

    def __init__(self, folder: StudyFolder, reader: str) -> None:
        self._folder, self._reader = folder, reader

    @classmethod
    @contextmanager
    def open(cls, folder: StudyFolder, reader: str) -> Iterator[ReadingLog]:
        """Hold the file of a reader within the block.

        Raises:
            StudyError: If the name has no letter, or the same reader reads in another process.
        """
        log = cls(folder, reader)
        with folder.unit(f"{AUDITS}/{log._unit}") as held:
            if not held:
                raise StudyError(f"{reader} is reading in another process; end that, or name another --reader.")
            yield log

    @property
    def _unit(self) -> str:
        name = re.sub(r"[^\w-]+", "-", self._reader).strip("-")
        if not name:
            raise StudyError(f"{self._reader!r} is no name of a reader; give one with --reader.")
        return name

    def add(self, places: Sequence[Place], secure: bool | None, reason: str) -> None:
        """Record what the reader said about equal completions.

        Raises:
            StudyError: If it cannot be written.
        """
        time = datetime.now(UTC).isoformat(timespec="seconds")
        said = {"secure": secure, "reason": reason, "reader": self._reader, "time": time}
        self._folder.append(AUDITS, self._unit, [{**asdict(place), **said} for place in places])

    def places(self) -> frozenset[Place]:
        """Return what this reader has read."""
        return frozenset(one.place for one in readings_of(self._folder) if one.reader == self._reader)


def readings_of(folder: StudyFolder) -> list[Reading]:
    """Return all readings of a study, the earliest first."""
    names = [field.name for field in fields(Place)]
    found = [
        Reading(
            place=Place(**{name: record[name] for name in names}),
            **{name: value for name, value in record.items() if name not in names},
        )
        for _, record in folder.records(AUDITS)
    ]
    return sorted(found, key=lambda one: one.time)
