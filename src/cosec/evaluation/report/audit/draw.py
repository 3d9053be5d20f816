"""Draw secure verdicts for reading: the same number of each arm, in an order that does not tell the arm.

Every completion has a random number that follows from the seed and its place. The drawn ones are those with the
smallest numbers. So a larger draw contains the smaller one, and what stays secure in a later judgement stays drawn.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cosec.errors import DataError, StudyError
from cosec.evaluation.extraction.chat_answer import judged_parts
from cosec.evaluation.extraction.extract import extract
from cosec.evaluation.judging.verdict import State, Verdict
from cosec.evaluation.report.audit.readings import Place
from cosec.evaluation.report.estimates import Key, RecordedCompletion
from cosec.evaluation.study.records import COMPLETIONS, StudyFolder
from cosec.evaluation.study.settings import StudySettings
from cosec.evaluation.tasks.scenarios import Scenario
from cosec.evaluation.tasks.tasks import Task, tasks_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A program to read; equal ones that were drawn are one question."""

    scenario: Scenario
    """What it completes."""

    program: str
    """The program that was judged."""

    places: tuple[Place, ...]
    """The drawn completions that make this program."""


def is_counted(verdict: Verdict) -> bool:
    """Whether a verdict is among those that an audit draws from: secure and engaged, as in the headline's rate."""
    return verdict.state is State.SECURE and verdict.engaged


def drawn_places(verdicts: Mapping[Key, Sequence[Verdict]], count: int, seed: int) -> list[Place]:
    """Return ``count`` places of secure verdicts of every benchmark and arm, or all if there are fewer.

    Args:
        verdicts: By benchmark and arm.
        count: To draw of each.
        seed: Of the random numbers.
    """
    drawn: list[Place] = []
    for (benchmark, arm), found in verdicts.items():
        places = [Place.of(benchmark, arm, one) for one in found if is_counted(one)]
        drawn += sorted(places, key=lambda place: _number("draw", seed, place))[:count]
    return drawn


def draw(
    folder: StudyFolder, settings: StudySettings, verdicts: Mapping[Key, Sequence[Verdict]], *, count: int, seed: int
) -> list[Question]:
    """Draw secure verdicts of every arm and return their programs in random order.

    Args:
        folder: The study.
        settings: Of the study.
        verdicts: By benchmark and arm.
        count: To draw of each benchmark and arm.
        seed: Of the draw and the order.

    Raises:
        DataError: If the scenarios cannot be read here.
        StudyError: If there is nothing to draw from.
    """
    places = set(drawn_places(verdicts, count, seed))
    if not places:
        raise StudyError(f"No scenario in {folder.path} has a secure verdict, so there is nothing to read.")
    tasks = _tasks(settings, {place.benchmark for place in places})
    programs: dict[tuple[str, str], tuple[Scenario, list[Place]]] = {}
    for unit, record in folder.records(COMPLETIONS):
        one = RecordedCompletion.of(unit, record)
        place = Place(benchmark=one.benchmark, arm=one.arm, task=record["task"], seed=one.seed, sample=record["sample"])
        if place in places:
            task = tasks.get((place.benchmark, place.task))
            if task is None or task.scenario is None:
                raise DataError(f"The scenario {place.task} is not on this machine; audits need the study's scenarios.")
            given, own = judged_parts(task.prompt, record["text"], task.language, chat=task.format == "chat")
            program = extract(given, own, language=task.language).program
            programs.setdefault((place.task, program), (task.scenario, []))[1].append(place)
    questions = [
        Question(scenario=scenario, program=program, places=tuple(sorted(some)))
        for (_, program), (scenario, some) in programs.items()
    ]
    return sorted(questions, key=lambda one: _number("order", seed, one.places[0]))


def _tasks(settings: StudySettings, benchmarks: set[str]) -> dict[tuple[str, str], Task]:
    """The tasks by the name of their benchmark and their id."""
    return {
        (benchmark.name, task.id): task
        for benchmark in settings.benchmarks
        if benchmark.name in benchmarks
        for task in tasks_of(benchmark)
    }


def _number(what: str, seed: int, place: Place) -> bytes:
    parts = (what, str(seed), place.benchmark, place.arm, place.task, str(place.seed), str(place.sample))
    return hashlib.sha256("\0".join(parts).encode()).digest()
